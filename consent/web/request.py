"""One request's view of the visitor's answer: made by the gate, and the answer read on first use."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

from flask import Flask, Request, current_app
from werkzeug.datastructures import Headers
from werkzeug.local import LocalProxy

from consent.decision import Asking, Circumstances, Decision, Lifetimes, Mark, Reason, Verdict
from consent.errors import Fault
from consent.web.notice import Notice
from consent.web.passage import REQUEST, VIEWS
from consent.web.person import Person
from consent.web.sent import Sent
from consent.web.setcookie import pair_of
from consent.web.site import Site

#: Where the answers stand that our own responses to this request set, of all apps that make one: ``name=value``.
ANSWERS = "consent.answers"
#: Flask's proxy, typed as such: the object behind it is looked up once instead of at each use.
APP = cast("LocalProxy[Flask]", current_app)
#: Headers of our own pages that their site can't weaken.
SEALED = (
    "X-Frame-Options",
    "Content-Security-Policy",
    "Cache-Control",
    "X-Robots-Tag",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
)
#: What the gate seals where nobody asked for more.
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
#: What holds as long as nobody knows which page it will be: only what may run on every one.
UNROUTED = Circumstances(mark=Mark.SENSITIVE)
#: What is noted of an answer that is asked for too late.
TOO_LATE = Fault(
    "a streamed page",
    "it asks for the visitor's answer after its headers have left, so nothing optional runs in it",
    "Ask current_consent.decided in the view, before the stream starts.",
)


class ConsentRequest(Person):
    """What the visitor of one request has answered, and what may therefore run.

    ``allows(key)`` for categories, services and carriers; LookupError for an unknown key.
    """

    def __init__(self, site: Site, environ: dict[str, Any]) -> None:
        # All are set here: what stands on the class is looked up the slow way.
        super().__init__(site, environ)
        #: Whether this response depends on the answer, so that no shared cache may keep it.
        self.read = False
        #: Whether this request brought an answer.
        self.answered = False
        #: Headers that the gate sends whatever the site's hooks make of them.
        self.sealed: Mapping[str, str] = NO_HEADERS
        #: Whether a script of the page has seen the browser's signal, as the form it sent says.
        self.heard = False
        #: The answer that the browser sent, once that was asked for and if it can be trusted.
        self.sent: Sent | None = None
        #: The nonce that the page gave to its head.
        self.nonce: str | None = None
        #: Keys of services that run in this response besides those of the verdict: loaded once.
        self.lent: frozenset[str] = frozenset()
        #: By the ids of the placeholders of this page, service and origin of what can be loaded once there, or None.
        self.placed: dict[str, tuple[str, str] | None] = {}
        self._asked = False
        self._decision: Decision | None = None
        self._verdict: Verdict | None = None
        self._now: int | None = None

    @property
    def now(self) -> int:
        """When the request was first judged, in epoch seconds: its whole response goes by that time."""
        if self._now is None:
            self._now = int(self.site.clock())
        return self._now

    @property
    def decision(self) -> Decision | None:
        """The visitor's answer; None when there is none that can be trusted (rule 1: unknown means no).

        Also None for who asks first when the headers have left, as in a stream: a shared cache may keep the response.
        """
        if not self.read and self.left:
            self.site.findings.note("late", "answer", self.endpoint, "", TOO_LATE)
            return None
        self.read = True
        if not self._asked:
            self._asked = True
            if header := self.environ.get("HTTP_COOKIE"):
                self.sent = sent = self.site.sent.read(header, secure=self.secure)
                if sent is not None and self.now >= sent.counts_from:
                    self._decision = sent.decision
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
    def lifetimes(self) -> Lifetimes:
        """How long the answer holds: of the profile it was given under and the one of now, the stricter."""
        return self.site.lifetimes_for(self.decision, self.profile)

    @property
    def signal(self) -> bool:
        """Whether the browser says Global Privacy Control, to us or to the page's script (GPC-10)."""
        return self.heard or self.sends_signal

    @property
    def circumstances(self) -> Circumstances:
        """What besides the answer decides in this request."""
        site, endpoint = self.site, self.endpoint
        page = site.places[endpoint].circumstances if endpoint or self.routed else UNROUTED
        signal = self.heard or ("HTTP_SEC_GPC" in self.environ and self.sends_signal)
        opted_out = site.accounts is not None and self.opted_out
        minor = site.settings.minor is not None and self.minor
        if not (signal or opted_out or minor):
            return page
        return page._replace(signal=signal, opted_out=opted_out, minor=minor)

    @property
    def verdict(self) -> Verdict:
        """What may run in this request, with the reason for each service."""
        if self._verdict is not None:
            return self._verdict
        decision, here, sent = self.decision, self.circumstances, self.sent
        if sent is not None and sent.decision is not decision:
            sent = None  # it doesn't count yet, or the request brought another answer
        found = sent.verdict(here, self.now) if sent is not None else None
        if found is None:
            site, lifetimes, now = self.site, self.lifetimes, self.now
            found = site.verdicts.verdict(decision, here, lifetimes=lifetimes, now=now)
            if sent is not None and site.one_profile:
                sent.keep(found, here, lifetimes, now=now)
        if self.routed:
            self._verdict = found
        return found

    @property
    def elsewhere(self) -> frozenset[str]:
        """The keys of the services that may run, if not on this page then on those they belong to."""
        return self.verdict.elsewhere

    @property
    def cache_key(self) -> str:
        """A text that is equal for all visitors who may be served the same page at this address (ENF-06).

        It covers all that template calls go by: answers, and whether they have lapsed; signal, account, mark, profile,
        language. 64 hex digits.
        """
        site, decision, frame = self.site, self.decision, self.environ.get("HTTP_TURBO_FRAME")
        answers = decision and [
            *(sorted(terms) for terms in decision.said[:3]),
            decision.opted_out,
            decision.lapsed(self.lifetimes, now=self.now),
            self.now < decision.left_alone_until,
        ]
        parts = (
            *(site.policy.digest, self.mount, self.address, self.language, self.profile),
            *(answers, self.circumstances, self.sends_signal, self.account is None),
            frame and (frame, self.environ.get("HTTP_REFERER")),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def subject(self) -> UUID | None:
        """The random id that links this browser's events, while a grant stands."""
        return self.decision.subject if self.decision else None

    @property
    def notice(self) -> Notice:
        """The notice for this request, stored before it is first used where that is possible."""
        site = self.site
        notice = site.notices.get(self.language, self.profile, self.mount)
        if notice.hash not in site.stored:
            site.store(notice)
        return notice

    def allows(self, key: str) -> bool:
        """Whether the category, service or carrier *key* may run; LookupError when the policy has none such."""
        verdict = self._verdict or self.verdict
        return key in verdict.running or verdict.allows(key)

    def reason(self, key: str) -> Reason:
        """Why *key* may run or may not; LookupError when the policy has none such."""
        return self.verdict.reason(key)

    def seal(self, headers: Headers) -> None:
        """Let nobody's hooks weaken what *headers* say about who may frame, run, keep, index or load the response."""
        self.sealed = {name: headers[name] for name in SEALED if name in headers}

    def replace(self, decision: Decision | None) -> None:
        """From now on this request goes by *decision*: the answer that it brought."""
        self._asked, self._decision = True, decision
        self.answered = True
        self.forget_account()

    def sets(self, cookie: str) -> str:
        """*cookie*, the ``Set-Cookie`` value with the answer that this response sets: the gate lets no other pass."""
        self.environ.setdefault(ANSWERS, []).append(pair_of(cookie))
        return cookie

    def forget_account(self) -> None:
        """Look the account's opt-out up again where it matters: this request may have changed it."""
        self._account, self._verdict = False, None

    def ask_anew(self) -> None:
        """Ask the site once more who the visitor is: by now all of its own hooks have run, and a Yes hangs on it."""
        self._profile = self._minor = None
        self.forget_account()

    def hear(self, *, script: bool) -> None:
        """Take it from a *script* of the page that the browser has the signal."""
        self.heard, self._verdict = script, None

    def see(self, request: Request) -> None:
        """Go by Flask's own *request* from now on, which knows its view."""
        self.strayed = self.strayed or request.environ is not self.environ
        self.request, self.environ, self._verdict = request, request.environ, None


def entered(site: Site, environ: dict[str, Any]) -> ConsentRequest:
    """A new view of the request on its way through *site*'s app, noted beside those of other apps."""
    made = ConsentRequest(site, environ)
    outer = environ.get(VIEWS)
    environ[VIEWS] = {**outer, site: made} if outer else {site: made}
    return made


def visitor_of(site: Site, environ: dict[str, Any]) -> ConsentRequest:
    """The view that *site* has of the request; a new one where it came past the gate."""
    try:
        found: ConsentRequest = environ[VIEWS][site]
    except KeyError:
        return entered(site, environ)
    return found


def see(site: Site, endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Note Flask's own request, where a middleware may have given Flask a copy of the server's ``environ``."""
    current = REQUEST._get_current_object()
    visitor_of(site, current.environ).see(current)


def look_again(visitor: ConsentRequest) -> None:
    """Let *visitor* go by the current request if it is theirs, before its headers leave.

    Nobody may have asked so far, or somebody in a request that was made within it.
    """
    try:
        current = REQUEST._get_current_object()
    except RuntimeError:
        return  # a middleware answers, or sends what Flask had answered
    if current is not visitor.request and current.environ.get(VIEWS, {}).get(visitor.site) is visitor:
        visitor.see(current)


def here() -> ConsentRequest:
    """The current request's view; RuntimeError outside of a request or of an app with consent."""
    current, app = REQUEST._get_current_object(), APP._get_current_object()
    try:
        site: Site = app.extensions["consent"]
    except KeyError:
        raise RuntimeError(
            f"the app {app.name!r} has no consent component; did you forget `consent.init_app(app)`?"
        ) from None
    try:
        visitor: ConsentRequest = current.environ[VIEWS][site]
    except KeyError:
        visitor = entered(site, current.environ)
    if visitor.request is not current:
        visitor.see(current)
    return visitor


class Current(LocalProxy[ConsentRequest]):
    """A proxy of the current request's view, quicker than others at what it is asked most."""

    def __getattr__(self, name: str) -> Any:
        return getattr(here(), name)

    def allows(self, key: str) -> bool:
        """As :meth:`ConsentRequest.allows`."""
        return here().allows(key)


#: The current request's :class:`ConsentRequest`.
current_consent = cast(ConsentRequest, Current(here))
