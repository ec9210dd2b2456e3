"""``flask consent doctor``: whether this deployment enforces what the policy says."""

import os
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

import click
from werkzeug.test import Client, TestResponse

from consent.cli.check import found as checked
from consent.cli.command import WRONG, command, database_file, has_database, on_server
from consent.cli.terminal import say, say_json
from consent.decision import Answer, decide
from consent.errors import LedgerUnavailable
from consent.ledger import Ledger
from consent.web.findings import OF_COOKIES
from consent.web.gate import PROBE
from consent.web.returning import safe_path
from consent.web.setcookie import SetCookie
from consent.web.site import Site

#: An address that nobody has (RFC 5737), to see whether forwarded ones are believed.
VISITOR = "192.0.2.77"
#: Hosts that a browser trusts without HTTPS (Secure Contexts §3.1).
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

Level = Literal["ok", "look", "wrong"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    level: Level
    about: str
    said: str
    fix: str = ""

    def __str__(self) -> str:
        mark = {"ok": "ok    ", "look": "look  ", "wrong": "WRONG "}[self.level]
        return f"{mark} {self.about}: {self.said}.{f' {self.fix}' if self.fix else ''}"


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    site: Site
    address: str
    page: TestResponse
    """What somebody gets who comes for the first time."""
    left: Sequence[tuple[Mapping[str, Any], Sequence[tuple[str, str]]]]
    """What the gate saw of it: the request as it stood in the end, and the headers that left the gate."""


@command("doctor", "flask consent doctor", "flask consent doctor --page /contact --json")
@click.option(
    "--page",
    default="/",
    show_default=True,
    help="A page to ask for, as somebody who comes for the first time.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def doctor(ctx: click.Context, page: str, as_json: bool) -> None:
    """Say in one page whether this deployment enforces what the policy says.

    Asks the app for one page, as a stranger's browser would, and looks at what comes back; looks at the order of
    middlewares, HTTPS and cookies, proxies, files and their permissions; and runs what `check` runs. Ends with 1 if
    something is wrong; what is only worth a look doesn't count. Run it where the site runs, as who runs it.
    """
    if not safe_path(page):
        raise click.BadParameter(f"{page!r} is no path of the site such as /contact", param_hint="--page")
    findings = checked(ctx)
    lines = [Line("wrong", fault.place, fault.problem, fault.fix) for fault in findings.faults]
    lines += [Line("look", fault.place, fault.problem, fault.fix) for fault in findings.advice]
    if findings.site is not None:
        patient = admitted(findings.site, page)
        lines += [line for examine in EXAMINATIONS for line in examine(patient)]
    if as_json:
        say_json(
            {
                "ok": not any(line.level == "wrong" for line in lines),
                "lines": [members(line) for line in lines],
            }
        )
    else:
        say("\n".join(map(str, lines)))
    ctx.exit(WRONG if any(line.level == "wrong" for line in lines) else 0)


def members(line: Line) -> dict[str, str]:
    """*line* as plain data for JSON."""
    return {"level": line.level, "about": line.about, "said": line.said, "fix": line.fix}


def admitted(site: Site, page: str) -> Patient:
    """What there is to examine of *site*, with its answer for *page*."""
    # Whoever looks puts nothing on record: neither what a site runs under that isn't published yet, nor its notice.
    site.store_at = float("inf")
    if not has_database(site):
        # A database made for this would belong to whoever looks.
        site.recorder.open = nothing_yet
    address = site.settings.site or site.policy.controller.site
    url = urlsplit(address)
    left: list[tuple[Mapping[str, Any], Sequence[tuple[str, str]]]] = []
    answer = Client(site.app.wsgi_app, use_cookies=False).get(
        page,
        base_url=f"{url.scheme}://{url.netloc}/",
        headers={"X-Forwarded-For": VISITOR},
        environ_overrides={PROBE: left},
    )
    return Patient(site, address, answer, left)


def nothing_yet() -> Ledger:
    """LedgerUnavailable: there is no ledger, and none is made for an examination."""
    raise LedgerUnavailable("nothing is recorded yet", retry_after=60)


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
    judged = {value for name, value in patient.left[-1][1] if name.lower() == "set-cookie"}
    outside = [value for value in patient.page.headers.getlist("Set-Cookie") if value not in judged]
    for value in outside:
        name = value.partition("=")[0]
        fix = "Wrap app.wsgi_app in it before consent.init_app(app), so that the gate sees what it sets."
        yield Line(
            "wrong", f"cookie {name}", "a middleware around the gate sets it, so it is not judged", fix
        )
    if not outside:
        yield Line("ok", "gate", "it sees every response last")


def answer(patient: Patient) -> Iterator[Line]:
    """Whether the page can be had, and nothing is set or shared that should not be."""
    page = patient.page
    about = f"page {page.request.path}"
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
    secure = patient.address.startswith("https:")
    for cookie, value in cookies:
        if cookie is None:
            continue
        if secure and not cookie.attributes.secure:
            yield Line(
                "wrong", f"cookie {cookie.name}", "it is sent over HTTPS without Secure", "Set Secure."
            )
        if cookie.attributes.same_site is None:
            yield Line("look", f"cookie {cookie.name}", "it names no SameSite", "Set SameSite=Lax.")
        if "httponly" not in value.lower() and cookie.name == patient.site.app.config["SESSION_COOKIE_NAME"]:
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
    if not patient.site.origins:
        yield Line("ok", "content security policy", "no service loads anything from elsewhere")
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
    if enforced and not defeated and not weak:
        yield Line(
            "ok", "content security policy", "it lets in what may run, and nothing else that is declared"
        )


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
            "If one does, wrap the app in werkzeug's ProxyFix: else answers are refused, and share one limit."
        )
        yield Line("look", "proxy", "the app believes that none stands in front of it", fix)


def files(patient: Patient) -> Iterator[Line]:
    """The ledger's files: who may read them, and where they lie."""
    database = database_file(patient.site)
    if on_server(patient.site):
        yield from served(patient)
        return
    if database is None:
        fix = "Name a file in CONSENT_DATABASE."
        yield Line(
            "wrong", "ledger", "it is kept in memory, so all that is recorded ends with the process", fix
        )
        return
    key = patient.site.settings.signing_key or database.with_suffix(".key")
    folders = dict.fromkeys(file.parent for file in (database, key) if file.parent.exists())
    for folder in folders:
        if stat.S_IMODE(folder.stat().st_mode) & 0o022:
            fix = f"chmod go-w {folder}"
            yield Line(
                "wrong", str(folder), "others may write to it, and so replace the ledger and its key", fix
            )
    there = [file for file in (database, key, key.with_suffix(".guard")) if file.exists()]
    if not there:
        yield Line("ok", "ledger", f"nothing is recorded yet; it will be in {database}")
        return
    for file in there:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            fix = f"chmod 600 {file}"
            yield Line(
                "wrong", str(file), f"others than its owner may read or write it (mode {mode:04o})", fix
            )
        elif not os.access(file, os.R_OK | os.W_OK):
            yield Line(
                "wrong", str(file), "who runs this may not write to it", "Run this as who runs the site."
            )
        else:
            yield Line("ok", str(file), f"only its owner may read it (mode {mode:04o})")
    if key.parent == database.parent:
        fix = "Keep the key elsewhere: CONSENT_SIGNING_KEY."
        yield Line(
            "look", "ledger", "the key lies beside the database, so one theft or one backup holds both", fix
        )


def served(patient: Patient) -> Iterator[Line]:
    """The ledger on a server: where the key is. What is wrong with the database is among what ``check`` finds."""
    yield Line("ok", "ledger", "it is kept on a server, which says who may do what")
    if patient.site.settings.signing_key is not None:
        fix = "Set CONSENT_SIGNING_KEY only where checkpoints are signed."
        yield Line("look", "ledger", "the signing key is named here; those who only record need none", fix)


EXAMINATIONS: tuple[Callable[[Patient], Iterator[Line]], ...] = (
    gate,
    answer,
    security_policy,
    caches,
    transport,
    proxy,
    files,
)
