"""One request's view of the visitor's answer, kept in ``environ["consent"]`` and made on first use."""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

from flask import current_app, request
from werkzeug.local import LocalProxy

from consent.decision import Asking, Circumstances, Decision, Lifetimes, Reason, Verdict, asking, judge

if TYPE_CHECKING:
    from consent.web.site import Site

ENVIRON = "consent"
Found = TypeVar("Found", Verdict, Asking)
#: Verdicts remembered per app; there are few different ones among many visitors.
MOST_VERDICTS = 4096


#: What a verdict says of a service that nothing but the page could stop.
YES_ELSEWHERE = frozenset({Reason.ALWAYS, Reason.GRANTED, Reason.PAGE, Reason.MARKED})


class Verdicts:
    """The verdicts of one app, remembered: the same answers in the same circumstances have the same verdict."""

    def __init__(self) -> None:
        self.known: dict[tuple[object, ...], Verdict] = {}
        self.asked: dict[tuple[object, ...], Asking] = {}
        self.lock = threading.Lock()

    def get(
        self, site: "Site", decision: Decision | None, here: Circumstances, profile: str, now: int
    ) -> Verdict:
        """The verdict for *decision* *here* at *now* (epoch seconds)."""
        lifetimes = site.lifetimes(profile)
        key = (*same(decision, lifetimes, now), here)
        if (verdict := self.known.get(key)) is None:
            verdict = judge(site.policy, decision, here, now=now, lifetimes=lifetimes)
            self.keep(self.known, key, verdict)
        return verdict

    def asking(self, site: "Site", decision: Decision | None, profile: str, now: int) -> Asking:
        """Whether to ask whoever holds *decision* at *now* (epoch seconds), and why."""
        lifetimes = site.lifetimes(profile)
        key = same(decision, lifetimes, now)
        if (found := self.asked.get(key)) is None:
            found = asking(site.policy, decision, now=now, lifetimes=lifetimes)
            self.keep(self.asked, key, found)
        return found

    def keep(self, memory: dict[tuple[object, ...], Found], key: tuple[object, ...], value: Found) -> None:
        """Remember *value*; a full memory starts anew."""
        with self.lock:
            if len(memory) >= MOST_VERDICTS:
                memory.clear()
            memory[key] = value


def same(decision: Decision | None, lifetimes: Lifetimes, now: int) -> tuple[object, ...]:
    """What a verdict depends on of *decision*: what it says and what of it has expired, not whose it is."""
    return (decision.said, decision.lapsed(lifetimes, now=now)) if decision else (None, None)


class ConsentRequest:
    """What the visitor of one request has answered, and what may therefore run.

    ``allows(key)`` for categories, services and carriers; LookupError for an unknown key.
    """

    __slots__ = ("_asked", "_decision", "_verdict", "endpoint", "environ", "now", "read", "site")

    def __init__(self, site: "Site", environ: Mapping[str, Any], endpoint: str | None) -> None:
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
        return self.site.verdicts.asking(self.site, self.decision, self.profile, self.now)

    @property
    def profile(self) -> str:
        """Name of the profile that holds for this request."""
        return self.site.profile()

    @property
    def signal(self) -> bool:
        """Whether the browser sends Global Privacy Control: a ``Sec-GPC`` of exactly ``1`` (GPC-01)."""
        return any(value.strip(" \t") == "1" for value in self.environ.get("HTTP_SEC_GPC", "").split(","))

    @property
    def circumstances(self) -> Circumstances:
        """What besides the answer decides in this request."""
        return Circumstances(
            signal="HTTP_SEC_GPC" in self.environ and self.signal,
            mark=self.site.mark(self.endpoint),
            endpoint=self.endpoint if self.site.limits_pages else None,
            minor=self.site.minor(),
        )

    @property
    def verdict(self) -> Verdict:
        """What may run in this request, with the reason for each service."""
        if self._verdict is None:
            decision = self.decision
            self._verdict = self.site.verdicts.get(
                self.site, decision, self.circumstances, self.profile, self.now
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
    environ = request.environ
    site: Site | None = current_app.extensions.get("consent")
    if site is None:
        raise RuntimeError(
            f"the app {current_app.name!r} has no consent component; did you forget `consent.init_app(app)`?"
        )
    found = environ.get(ENVIRON)
    if not isinstance(found, ConsentRequest) or found.site is not site:
        found = environ[ENVIRON] = ConsentRequest(site, environ, request.endpoint)
    return found


#: The current request's :class:`ConsentRequest`.
current_consent = cast(ConsentRequest, LocalProxy(here))
