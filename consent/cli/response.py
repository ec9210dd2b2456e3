"""What is seen of a site from outside: gate, cookies, content security policy, caches, HTTPS, proxies."""

import uuid
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

from werkzeug.test import Client

from consent.cli.patient import VISITOR, Level, Line, Patient
from consent.decision import Answer, decide
from consent.web.csp import Plan
from consent.web.findings import OF_COOKIES
from consent.web.gate import POLICY
from consent.web.headers import unshared
from consent.web.request import visitor_of
from consent.web.setcookie import SetCookie
from consent.web.site import Site
from consent.web.weakness import weaknesses

#: Hosts that a browser trusts without HTTPS (Secure Contexts §3.1).
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def gate(patient: Patient) -> Iterator[Line]:
    """Whether every response passes the gate last."""
    if not patient.left:
        yield Line(
            "wrong",
            "gate",
            "the page came past it",
            "Replace app.wsgi_app only by what wraps it, and let no other app answer in its place.",
        )
        return
    fix = "Wrap app.wsgi_app in it before consent.init_app(app), so that the gate sees what it sets."
    outside = list(set_outside(patient))
    for about, problem in outside:
        yield Line("wrong", about, f"a middleware around the gate sets it, so {problem}", fix)
    if not outside:
        yield Line("ok", "gate", "it sees every response last")


def set_outside(patient: Patient) -> Iterator[tuple[str, str]]:
    """What the page has that didn't leave the gate like this, and what comes of it."""
    left = {(name.lower(), value) for name, value in patient.left[-1][1]}
    private = any(name == "cache-control" and unshared(value) == value for name, value in left)
    for name, value in patient.page.headers:
        lower = name.lower()
        if (lower, value) in left:
            continue
        if lower == "set-cookie":
            yield f"cookie {value.partition('=')[0]}", "it is not judged"
        elif lower == POLICY and patient.site.restricts:
            yield "content security policy", "it is not edited by what may run"
        elif lower == "cache-control" and private and unshared(value) != value:
            yield name, "shared caches may keep what was made for one visitor"


def answer(patient: Patient) -> Iterator[Line]:
    """Whether the page can be had, and nothing is set or shared that should not be."""
    page = patient.page
    about = f"page {page.request.path}"
    if page.status_code >= 500:
        fix = "See the traceback, above or in the site's log."
        yield Line("wrong", about, f"it fails ({page.status_code}), so nothing else of it is looked at", fix)
        return
    if page.status_code >= 400:
        yield Line(
            "wrong", about, f"it answers {page.status_code}", "Name a page that anybody can see: --page."
        )
        return
    if page.status_code >= 300:
        fix = "Name that one: --page."
        yield Line(
            "look", about, f"it leads on to {page.headers.get('Location')}, which is not looked at", fix
        )
        return
    cookies = [(SetCookie.read(value, now=0), value) for value in page.headers.getlist("Set-Cookie")]
    secure, config = patient.address.startswith("https:"), patient.site.app.config
    for cookie, value in cookies:
        if cookie is None:
            continue
        told = cookie.name == config["SESSION_COOKIE_NAME"] and not config["SESSION_COOKIE_SECURE"]
        if secure and not cookie.attributes.secure and not told:  # the setting has a line of its own
            yield Line(
                "wrong", f"cookie {cookie.name}", "it is sent over HTTPS without Secure", "Set Secure."
            )
        if cookie.attributes.same_site is None:
            yield Line("look", f"cookie {cookie.name}", "it names no SameSite", "Set SameSite=Lax.")
        if "httponly" not in value.lower() and cookie.name == config["SESSION_COOKIE_NAME"]:
            yield Line(
                "wrong", f"cookie {cookie.name}", "scripts can read it", "Set SESSION_COOKIE_HTTPONLY."
            )
    faults = patient.site.findings.about(*OF_COOKIES)
    yield from (Line("wrong", fault.place, fault.problem, fault.fix) for fault in faults)
    if not faults:
        names = ", ".join(cookie.name for cookie, _ in cookies if cookie) or "no cookie"
        yield Line("ok", about, f"who comes for the first time gets {names}")


def security_policy(patient: Patient) -> Iterator[Line]:
    """Whether the browser is told what may be loaded."""
    if patient.page.status_code >= 500:
        return
    if not patient.site.origins:
        yield from own_kept_out(patient)
        return
    if "Content-Security-Policy" not in patient.page.headers:
        yield Line(
            "look",
            "content security policy",
            "the page has none, so nothing but its markup keeps browsers from what may not run",
            "Send one, with Flask-Talisman for instance; it is edited by what may run.",
        )
        return
    enforced = patient.site.settings.csp == "enforce"
    if not enforced:
        said = f'it is not edited by what may run (CONSENT_CSP = "{patient.site.settings.csp}")'
        yield Line("look", "content security policy", said, "Set enforce once reports are clean.")
    defeated, weak = (patient.site.findings.about(about) for about in ("defeated", "policy"))
    for fault in (*defeated, *weak):
        level: Level = "wrong" if enforced and fault in defeated else "look"
        yield Line(level, f"content security policy, {fault.place}", fault.problem, fault.fix)
    outside = "content security policy" in dict(set_outside(patient)) if patient.left else True
    if enforced and not defeated and not weak and not outside:
        yield Line(
            "ok", "content security policy", "it lets in what may run, and nothing else that is declared"
        )


def own_kept_out(patient: Patient) -> Iterator[Line]:
    """What the page's policies keep out of the component itself, where no service loads anything from elsewhere."""
    site, sent = patient.site, ", ".join(patient.page.headers.getlist("Content-Security-Policy"))
    seen = visitor_of(site, patient.left[-1][0]) if patient.left else None
    found = weaknesses(Plan.shared(site.located), sent, seen.nonce if seen else None)
    wrong = [weakness for weakness in found if weakness.defeats]
    for fault in wrong:
        yield Line("wrong", f"content security policy, {fault.place}", fault.problem, fault.fix)
    if not wrong:
        yield Line("ok", "content security policy", "no service loads anything from elsewhere")


def caches(patient: Patient) -> Iterator[Line]:
    """In cache-safe mode, whether the page is the same for everybody."""
    site, page = patient.site, patient.page
    if not site.settings.cache_safe or page.status_code != HTTPStatus.OK:
        return
    about = f"page {page.request.path} in shared caches"
    if "Cookie" in page.headers.get("Vary", ""):
        said = "it depends on its visitor, so none keeps it (CONSENT_CACHE_SAFE)"
        fix = "Leave current_consent and the session alone in what makes it, if it should be kept."
        yield Line("look", about, said, fix)
        return
    other = Client(site.app.wsgi_app, use_cookies=False).get(
        page.request.path,
        base_url=page.request.url_root,
        headers={"X-Forwarded-For": VISITOR, "Cookie": cookie_with_all(site, page.request.scheme)},
    )
    if other.data == page.data:
        yield Line("ok", about, "it is the same for who comes for the first time and who has said Yes to all")
    else:
        said = (
            "it is not the same for everybody, and no header says so: a cache gives one visitor's to another"
        )
        fix = "Look for what differs, such as a nonce, a token, a time, or what goes by a cookie."
        yield Line("wrong", about, said, fix)


def cookie_with_all(site: Site, scheme: str) -> str:
    """The answer of somebody who has said Yes to all that *site* asks about, as a browser sends it by *scheme*."""
    decision = decide(
        site.policy,
        Answer(granted=frozenset(service.key for service in site.policy.optional_services)),
        before=None,
        now=int(site.clock()),
        profile="default",
        source="centre",
        new_subject=uuid.uuid4(),
    )
    return f"{site.settings.cookie(secure=scheme == 'https')}={site.codec.encode(decision)}"


def transport(patient: Patient) -> Iterator[Line]:
    """HTTPS, and the session's cookie."""
    url = urlsplit(patient.address)
    config = patient.site.app.config
    if url.scheme != "https" and url.hostname not in LOCAL:
        fix = "Serve the site over HTTPS, and say so in controller.site."
        yield Line(
            "wrong",
            "HTTPS",
            f"the site's address is {patient.address}: anybody between can read answers",
            fix,
        )
        return
    yield Line("ok", "HTTPS", f"the site's address is {patient.address}")
    if url.scheme == "https" and not config["SESSION_COOKIE_SECURE"]:
        yield Line("wrong", "SESSION_COOKIE_SECURE", "it is off on a site with HTTPS", "Set it to True.")


def proxy(patient: Patient) -> Iterator[Line]:
    """Whether scheme, host and address are the public ones."""
    trusted = patient.site.settings.trusted_origins
    if any(environ.get("REMOTE_ADDR") == VISITOR for environ, _ in patient.left):
        yield Line("ok", "proxy", "the visitor's address is taken from X-Forwarded-For")
    elif trusted:
        yield Line("ok", "proxy", f"trusted origins are {', '.join(sorted(trusted))}")
    else:
        fix = (
            "If one does, wrap the app in werkzeug's ProxyFix: else cookies go out without Secure, all visitors share "
            "one limit, and answers of older browsers are refused."
        )
        yield Line("look", "proxy", "the app believes that none stands in front of it", fix)
