"""One request's view of the visitor's answer, kept in ``environ["consent"]`` and made on first use."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from flask import Flask, Request, current_app, request
from werkzeug.local import LocalProxy

from consent.decision import Asking, Circumstances, Decision, Lifetimes, Mark, Reason, Verdict
from consent.web.site import Site

ENVIRON = "consent"
#: Flask's proxies, typed as such: the object behind them is looked up once instead of at each use.
REQUEST = cast("LocalProxy[Request]", request)
APP = cast("LocalProxy[Flask]", current_app)
#: What a verdict says of a service that nothing but the page could stop.
YES_ELSEWHERE = frozenset({Reason.ALWAYS, Reason.GRANTED, Reason.PAGE, Reason.MARKED})


@lru_cache(4096)
def circumstances_of(signal: bool, mark: Mark | None, endpoint: str | None, minor: bool) -> Circumstances:
    """These circumstances; there are few different ones."""
    return Circumstances(signal=signal, mark=mark, endpoint=endpoint, minor=minor)


class ConsentRequest:
    """What the visitor of one request has answered, and what may therefore run.

    ``allows(key)`` for categories, services and carriers; LookupError for an unknown key.
    """

    __slots__ = ("_asked", "_decision", "_verdict", "endpoint", "environ", "now", "read", "site")

    def __init__(self, site: Site, environ: Mapping[str, Any], endpoint: str | None) -> None:
        self.site = site
        self.environ = environ
        self.endpoint = endpoint
        self.now = int(site.clock())
        #: Whether this response depends on the answer, so that no shared cache may keep it.
        self.read = False
        self._asked = False
        self._decision: Decision | None = None
        self._verdict: Verdict | None = None

    @property
    def decision(self) -> Decision | None:
        """The visitor's answer; None when there is none that can be trusted (rule 1: unknown means no)."""
        self.read = True
        if not self._asked:
            self._asked = True
            self._decision = self.site.decision_in(self.environ, now=self.now)
        return self._decision

    @property
    def decided(self) -> bool:
        """Whether the visitor has answered and needn't be asked again."""
        return self.asking.why is None

    @property
    def asking(self) -> Asking:
        """Whether to ask, why, and for which services."""
        return self.site.verdicts.asking(self.decision, lifetimes=self.lifetimes, now=self.now)

    @property
    def profile(self) -> str:
        """Name of the profile that holds for this request."""
        return self.site.profile()

    @property
    def lifetimes(self) -> Lifetimes:
        """How long the answer holds: of the profile it was given under and the one of now, the stricter."""
        now = self.site.lifetimes(self.profile)
        if self.decision is None or self.decision.profile == self.profile:
            return now
        then = self.site.lifetimes(self.decision.profile)
        return Lifetimes(min(now.grant, then.grant), max(now.refusal, then.refusal))

    @property
    def signal(self) -> bool:
        """Whether the browser sends Global Privacy Control: a ``Sec-GPC`` of exactly ``1`` (GPC-01)."""
        return any(value.strip(" \t") == "1" for value in self.environ.get("HTTP_SEC_GPC", "").split(","))

    @property
    def circumstances(self) -> Circumstances:
        """What besides the answer decides in this request."""
        site = self.site
        return circumstances_of(
            "HTTP_SEC_GPC" in self.environ and self.signal,
            site.mark(self.endpoint),
            self.endpoint if site.limits_pages else None,
            site.minor(),
        )

    @property
    def verdict(self) -> Verdict:
        """What may run in this request, with the reason for each service."""
        if self._verdict is None:
            self._verdict = self.site.verdicts.verdict(
                self.decision, self.circumstances, lifetimes=self.lifetimes, now=self.now
            )
        return self._verdict

    @property
    def elsewhere(self) -> frozenset[str]:
        """The keys of the services that may run, if not on this page then on those they belong to."""
        return frozenset(key for key, reason in self.verdict.reasons.items() if reason in YES_ELSEWHERE)

    @property
    def cache_key(self) -> str:
        """A text that is equal for all visitors who may be served the same page."""
        allowed = ",".join(sorted(self.verdict.allowed))
        return f"{self.site.policy.digest[:16]}:{allowed}:{'answered' if self.decided else 'ask'}"

    @property
    def subject(self) -> UUID | None:
        """The random id that links this browser's events, while a grant stands."""
        return self.decision.subject if self.decision else None

    def allows(self, key: str) -> bool:
        """Whether the category, service or carrier *key* may run; LookupError when the policy has none such."""
        return self.verdict.allows(key)

    def reason(self, key: str) -> Reason:
        """Why *key* may run or may not; LookupError when the policy has none such."""
        return self.verdict.reason(key)

    def replace(self, decision: Decision | None) -> None:
        """From now on this request goes by *decision*: the answer that it brought."""
        self._asked, self._decision, self._verdict = True, decision, None


def here() -> ConsentRequest:
    """The current request's view; RuntimeError outside of a request or of an app with consent."""
    current = REQUEST._get_current_object()
    app = APP._get_current_object()
    found = current.environ.get(ENVIRON)
    if isinstance(found, ConsentRequest) and found.site.app is app:
        return found
    site: Site | None = app.extensions.get("consent")
    if site is None:
        raise RuntimeError(
            f"the app {app.name!r} has no consent component; did you forget `consent.init_app(app)`?"
        )
    made = ConsentRequest(site, current.environ, current.endpoint)
    current.environ[ENVIRON] = made
    return made


#: The current request's :class:`ConsentRequest`.
current_consent = cast(ConsentRequest, LocalProxy(here))
