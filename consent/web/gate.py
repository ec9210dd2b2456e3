"""The gate: what leaves the app, seen last of all, after the hooks of the site and of its extensions.

It stands around ``app.wsgi_app``, because Flask saves its session after the last ``after_request`` function
(ENF-01), and returns the response's body untouched. It guards against mistakes, not against hostile code in the
same process.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, Literal

from consent.decision import Decision
from consent.errors import Fault, LedgerError
from consent.web import csp
from consent.web.cookie import choice_cookie, readable_cookie
from consent.web.debug import noting
from consent.web.drift import drift, host_of, in_words
from consent.web.expiry import deletions, refused_cookies
from consent.web.findings import About
from consent.web.headers import KEPT, Headers, is_html, keep_private, kind_of, seal, vary
from consent.web.limits import TooMany
from consent.web.navigation import VARY, VARY_ERROR, full_load, is_soft, marks_at, matters, seen
from consent.web.outbox import record_late
from consent.web.request import ANSWERS, ConsentRequest, entered, look_again
from consent.web.setcookie import SetCookie, pair_of
from consent.web.signalled import TRY_AGAIN, end_by_script, honour
from consent.web.signals import item_blocked, tell
from consent.web.site import Site
from consent.web.weakness import weaknesses

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: Late events remembered that a cookie still carries.
MOST_LATE: Final = 4096
#: The headers of policies, of which several hold together, so that adding one only narrows (CSP3 §4.1).
POLICY, REPORTED = POLICIES = csp.HEADERS
#: Where ``doctor`` puts a list, in which the gate notes what it was asked and what left it.
PROBE: Final = "consent.probe"
#: Where the browsers of visitors learn what holds for them, on pages that are the same for everybody.
STATE: Final = frozenset({"consent.state", "consent.sheet"})
#: What of ours is the same for everybody, and kept by shared caches unless something sets a cookie there.
PUBLIC: Final = frozenset({"consent.static", "consent.notice", "consent.checkpoint", "consent_wellknown.gpc"})


class Gate:
    """*application*, a ``wsgi_app``, with the headers of its responses as *site* wants them."""

    __slots__ = ("application", "config", "site")

    def __init__(self, application: Application, site: Site) -> None:
        self.application = application
        self.site = site
        self.config = site.app.config

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """What the application answers."""
        if self.config["DEBUG"]:
            return noting(self.judged, self.site.notes, environ, start_response)
        return self.judged(environ, start_response)

    def judged(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """What the application answers, with what the gate makes of its headers."""
        if ANSWERS not in environ:
            environ[ANSWERS] = []
        visitor = entered(self.site, environ)

        def start(status: str, headers: Headers, exc_info: object = None) -> Any:
            if visitor.request is None or visitor.strayed:
                look_again(visitor)
            made = passed(visitor, environ, headers, status)
            if PROBE in environ:
                environ[PROBE].append((dict(visitor.environ), made))
            visitor.leave()
            return start_response(status, made, exc_info) if exc_info else start_response(status, made)

        return self.application(environ, start)


def passed(visitor: ConsentRequest, environ: dict[str, Any], headers: Headers, status: str) -> Headers:
    """Those of *headers* that may leave, and what a response needs that depends on the visitor's answer.

    *environ* is the server's, which says what the browser sent.
    """
    site, endpoint, made = visitor.site, visitor.endpoint, [*headers]
    # A 304 has no type; what it says replaces what the browser has stored with the page (RFC 9111 §4.3.4).
    html, policies, kept, sets = status[:3] == "304", False, False, False
    for header in headers:
        kind = kind_of(header[0])
        if kind is None:
            continue
        if kind == "type":
            html = is_html(header[1])
        elif kind == "cookie":
            if lets_out(visitor, header[1]):
                sets = True
            else:
                made = [each for each in made if each is not header]
        elif kind == "policy":
            policies = True
        elif kind in KEPT:
            kept = True
    place = site.places[endpoint]
    # HTMX puts whatever a marked view answers into the page that asked.
    if (html or place.mark is not None) and matters(site, environ, place):
        navigated(visitor, environ, made, code=int(status.partition(" ")[0]), kept=kept)
    if html and policies:
        if site.restricts:
            made = restricted(visitor, made)
        if visitor.placed:
            made += kept_out(visitor, made)
    own = may_set_shared(visitor, html=html) if site.settings.cache_safe else html
    if own and environ["REQUEST_METHOD"] == "GET":
        if visitor.heard:
            made += end_by_script(visitor)
        elif "HTTP_SEC_GPC" in environ and "HTTP_COOKIE" in environ:
            made += honour(visitor)
    if site.settings.cache_safe and (visitor.answered or (visitor.read and endpoint in STATE)):
        made += [("Set-Cookie", visitor.sets(value)) for value in (readable_cookie(visitor),) if value]
    if (own or visitor.answered) and "HTTP_COOKIE" in environ:
        found = site.sent.suspects(environ["HTTP_COOKIE"], visitor.sent)
        if found or visitor.answered:
            made += leftovers(visitor, found, made)
    if visitor.spoken or visitor.sealed or visitor.read:
        finish(visitor, made)
    if sets and endpoint in PUBLIC:
        keep_private(made)  # a session that is renewed with each request
    return made


def navigated(
    visitor: ConsentRequest, environ: dict[str, Any], made: Headers, *, code: int, kept: bool
) -> None:
    """Let *made*, of a response with the status *code*, keep pages of different marks apart (§8).

    *kept*: whether a cache may keep it, and give it to whoever asks next.
    """
    site, endpoint = visitor.site, visitor.endpoint
    marked = site.mark(endpoint) is not None
    if marked:
        seal(made, {"Referrer-Policy": "no-referrer"})
    seal(made, full_load(environ, seen(site, endpoint), code, marks_at(site, environ)))
    if marked or is_soft(environ) or (kept and site.marks_any()):
        vary(made, VARY if code < 400 else VARY_ERROR)


def may_set_shared(visitor: ConsentRequest, *, html: bool) -> bool:
    """Whether the gate may end here what is refused, where a shared cache may keep documents: in none of those.

    Their visitors' browsers ask for what is their own, and get it there (``STATE``).
    """
    return visitor.read and (html or visitor.endpoint in STATE)


def restricted(visitor: ConsentRequest, headers: Headers) -> Headers:
    """*headers* with the site's content security policies as the verdict wants them (ENF-05).

    On pages from a cache, as the one wants them that allows the most: there the markup waits for each visitor's.

    Where they are only to be reported on, the site's own stay as they are, and one of ours stands beside them.
    """
    site, ours = visitor.site, visitor.sealed.values()
    verdict = site.widest(visitor.endpoint) if site.settings.cache_safe else visitor.verdict
    plan = site.plan(verdict.running | visitor.lent)
    theirs = [value for name, value in headers if name.lower() == POLICY and value not in ours]
    whole = ", ".join(theirs)
    endpoints = ", ".join(value for name, value in headers if name.lower() == csp.REPORTING)
    if theirs and site.first_sight(plan, f"{whole}\n{endpoints}", nonced=visitor.nonce is not None):
        for weakness in weaknesses(plan, whole, visitor.nonce, endpoints=endpoints):
            about: About = "defeated" if weakness.defeats else "policy"
            site.findings.note(about, str(weakness), None, "", weakness)
    made: Headers = []
    for name, value in headers:
        if name.lower() not in POLICIES or value in ours:
            made.append((name, value))
        elif site.settings.csp == "enforce" or name.lower() == REPORTED:
            made.append((name, plan.edit(value)))
        else:
            made += [(name, value), ("Content-Security-Policy-Report-Only", plan.edit(value))]
    return made


def kept_out(visitor: ConsentRequest, headers: Headers) -> Headers:
    """What tells the module of placeholders which frames the page's own policy would keep out, by service.

    Those open on a page of their own. ``Server-Timing`` is what scripts can read of their page's headers.
    """
    policy = ", ".join(value for name, value in headers if name.lower() == POLICY)
    frames = dict.fromkeys(filter(None, visitor.placed.values()))
    blocked = dict.fromkeys(key for key, origin in frames if not csp.lets_in(policy, "frame", origin))
    return [("Server-Timing", ", ".join(f"pc-service.{key}" for key in blocked))] if blocked else []


def lets_out(visitor: ConsentRequest, text: str) -> bool:
    """Whether the ``Set-Cookie`` value *text* may leave (ENF-01); what may not, or isn't as declared, is noted.

    Deletions pass, so does the visitor's answer from a response of ours, and what browsers ignore: it sets nothing.
    """
    site = visitor.site
    cookie = SetCookie.read(text, now=visitor.now)
    if cookie is None or cookie.deletes:
        return True
    if cookie.name in site.own_cookies[visitor.secure]:
        return pair_of(text) in visitor.environ[ANSWERS] or not_ours(visitor, cookie)
    services = site.declared.of(cookie.name)
    if not services:
        return lets_undeclared_out(visitor, cookie)
    for key, declared in services.items():
        if key in site.first_party or key in visitor.verdict.allowed:
            for problem in drift(cookie, declared, visitor.environ):
                note_drift(visitor, cookie, key, problem)
            return True
    for key in services:
        stopped(visitor, cookie, key)
    return False


def not_ours(visitor: ConsentRequest, cookie: SetCookie) -> Literal[False]:
    """False: a cookie under the name of the visitor's answer that no response of ours sets; note that it was kept back.

    It could end an answer, or bring one back that was withdrawn.
    """
    fault = Fault(
        place(visitor, cookie),
        "it was not sent: under this name the component keeps the visitor's answer, and nobody else may set it",
        "Give it another name, or the component's cookie one: CONSENT_COOKIE_NAME. What copies cookies from requests "
        "to responses has to leave this one out.",
    )
    visitor.site.findings.note("answer", cookie.name, visitor.endpoint, "", fault)
    blocked(visitor, cookie, None, "answer", fault)
    return False


def lets_undeclared_out(visitor: ConsentRequest, cookie: SetCookie) -> bool:
    """Whether a cookie may leave that no service declares: that is a setting."""
    site = visitor.site
    dropped = site.settings.undeclared == "drop"
    became = "so it was not sent" if dropped else "and was sent all the same"
    why = cookie.ignored(host_of(visitor.environ))
    vain = f"; browsers ignore it: {why}" if why else ""
    fix = f'Declare it: cookies = {{ "{cookie.name}" = "{in_words(cookie.lifetime)}" }} in the service that sets it.'
    if not cookie.name:
        fix = "Give it a name, before its =, and declare that, or don't set it: what has no name can't be declared."
    fault = Fault(
        place(visitor, cookie),
        f"no service of {site.settings.policy.name} declares it, {became} (INF-03){vain}",
        fix,
    )
    site.findings.note("undeclared", cookie.name, visitor.endpoint, "", fault)
    if dropped:
        blocked(visitor, cookie, None, "undeclared", fault)
    return not dropped


def stopped(visitor: ConsentRequest, cookie: SetCookie, service: str) -> None:
    """Note that *cookie* was kept back, since *service* may not run."""
    reason = visitor.verdict.reasons[service]
    fault = Fault(
        place(visitor, cookie),
        f'it was not sent: the service "{service}" may not run here ({reason})',
        f'Set it only where current_consent.allows("{service}").',
    )
    visitor.site.findings.note("stopped", cookie.name, visitor.endpoint, service, fault)
    blocked(visitor, cookie, service, str(reason), fault)


def blocked(
    visitor: ConsentRequest, cookie: SetCookie, service: str | None, reason: str, fault: Fault
) -> None:
    """Tell the site's own code, and in debug mode the developer's page, that *cookie* was kept back."""
    if visitor.site.app.debug:
        visitor.site.notes.append(str(fault))
    told = {"kind": "cookie", "name": cookie.name, "service": service, "reason": reason}
    tell(item_blocked, visitor.site.app, endpoint=visitor.endpoint, **told)


def note_drift(visitor: ConsentRequest, cookie: SetCookie, service: str, problem: str) -> None:
    """Note that *cookie* isn't as *service* declares it."""
    fault = Fault(place(visitor, cookie), problem, f'Mend what sets it, or the declaration of "{service}".')
    visitor.site.findings.note("drift", cookie.name, visitor.endpoint, service, fault)


def place(visitor: ConsentRequest, cookie: SetCookie) -> str:
    """Where *cookie* came from, for a finding."""
    source = f"by endpoint {visitor.endpoint}" if visitor.endpoint else "outside of any view"
    return f"cookie {cookie.name or '(without a name)'}, set {source}"


def leftovers(visitor: ConsentRequest, sent: tuple[str, ...], made: Headers) -> Headers:
    """What deletes the cookies that this browser still *sent* though their services may not run anywhere (ENF-08).

    Fewer beside long headers in *made*. The answer to an answer deletes those, too, that a request for this address
    can't show (WD-03).
    """
    site = visitor.site
    gone = refused_cookies(site.policy, site.declared, visitor.elsewhere, sent=sent, unseen=visitor.answered)
    beside = sum(len(name) + len(value) + 4 for name, value in made)
    values = deletions(
        gone, host=host_of(visitor.environ), secure=visitor.secure, first=visitor.now, beside=beside
    )
    return [("Set-Cookie", value) for value in values]


def finish(visitor: ConsentRequest, made: Headers) -> None:
    """Let *made* say what a response needs that depends on the visitor's answer, or is a page of ours."""
    if visitor.sealed:
        seal(made, visitor.sealed)
    if visitor.read:
        keep_private(made)
        held = visitor.decision
        if held is not None and held.pending is not None:
            made += late(visitor, held)
    if visitor.spoken:
        vary(made, "Accept-Language")


def late(visitor: ConsentRequest, held: Decision) -> Headers:
    """Record the event that the cookie's decision *held* carries, if that can be done now.

    What comes back sets the cookie without it. One with grants is not sent again: another tab may have withdrawn
    them meanwhile. It keeps the event until the next answer, which finds it on record.
    """
    site, environ, event = visitor.site, visitor.environ, held.pending
    if event is None or event.id in site.late or site.recorder.steady() < site.late_at:
        return []
    if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
        return []
    notice = site.notices.by_hash.get(event.notice or "")
    try:
        record_late(site.recorder, held, site.documents(notice), address=environ.get("REMOTE_ADDR"))
    except TooMany:
        return []  # says something of this address, and nothing of the ledger
    except LedgerError:
        site.late_at = site.recorder.steady() + TRY_AGAIN
        return []
    if held.granted:
        if len(site.late) >= MOST_LATE:
            site.late.clear()
        site.late.add(event.id)
        return []
    cookie = choice_cookie(visitor, replace(held, pending=None))
    return [("Set-Cookie", visitor.sets(cookie))]
