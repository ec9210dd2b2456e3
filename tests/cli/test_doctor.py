"""``doctor``: one line for each thing looked at, and 1 when something is wrong."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, redirect, render_template_string, session
from werkzeug.middleware.proxy_fix import ProxyFix

from consent import current_consent
from tests.audit.clinic import POLICY, MakeApp, lose_database, site_of, visit

from .conftest import Run, run_for

#: The clinic on HTTPS.
HTTPS = POLICY


def lines(app: Flask, *arguments: str) -> dict[str, list[str]]:
    """What ``doctor --json`` says, by level; its exit code agrees with it."""
    result = run_for(app)("doctor", "--json", *arguments)
    answer: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if answer["ok"] else 1)
    found: dict[str, list[str]] = {"ok": [], "look": [], "wrong": []}
    for line in answer["lines"]:
        found[line["level"]].append(f"{line['about']}: {line['said']}. {line['fix']}".strip())
    return found


@pytest.fixture
def site(make_app: MakeApp) -> Flask:
    """A site on HTTPS with a page, in order."""
    app = make_app(HTTPS, SESSION_COOKIE_SECURE=True)
    app.add_url_rule("/home", "home", lambda: Response("home", mimetype="text/html"))
    return app


def test_a_site_in_order_ends_with_0_and_makes_no_database(site: Flask) -> None:
    found = lines(site, "--page", "/home")
    assert found["wrong"] == []
    assert "gate: it sees every response last." in found["ok"]
    assert "page /home: who comes for the first time gets no cookie." in found["ok"]
    assert not Path(site.instance_path).exists()


def test_it_puts_nothing_on_record(site: Flask, make_app: MakeApp) -> None:
    visit(site)
    before = [record.id for record in site_of(site).recorder.ledger.records()]
    draft = make_app(HTTPS.replace("Counts visits", "Counts your visits"), SESSION_COOKIE_SECURE=True)
    draft.add_url_rule("/home", "home", lambda: render_template_string("{{ consent_banner() }}"))
    lines(draft, "--page", "/home")
    assert [record.id for record in site_of(site).recorder.ledger.records()] == before


def test_a_cookie_that_is_set_around_the_gate_is_named_and_a_page_past_it_is_wrong(site: Flask) -> None:
    inner = site.wsgi_app

    def setting(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def more(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            return start(status, [*headers, ("Set-Cookie", "outside=1; Secure; SameSite=Lax")])

        return inner(environ, more)

    site.wsgi_app = setting  # type: ignore[method-assign, assignment]
    assert any(
        line.startswith("cookie outside: a middleware") for line in lines(site, "--page", "/home")["wrong"]
    )
    site.wsgi_app = Flask("bare").wsgi_app  # type: ignore[method-assign]
    assert any(line.startswith("gate: the page came past it") for line in lines(site)["wrong"])


@pytest.mark.requirement("ENF-05")
def test_what_a_middleware_around_the_gate_makes_of_policy_and_caching_is_wrong(site: Flask) -> None:
    site.add_url_rule("/asks", "asks", lambda: str(current_consent.decided))
    inner = site.wsgi_app

    def setting(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def other(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            kept = [each for each in headers if each[0] != "Cache-Control"]
            more = [("Cache-Control", "public, max-age=9"), ("Content-Security-Policy", "default-src 'self'")]
            return start(status, [*kept, *more])

        return inner(environ, other)

    site.wsgi_app = setting  # type: ignore[method-assign, assignment]
    found = lines(site, "--page", "/asks")
    assert any(line.startswith("content security policy: a middleware") for line in found["wrong"])
    assert any(line.startswith("Cache-Control: a middleware") for line in found["wrong"])
    assert not any(line.startswith(("gate", "content security policy")) for line in found["ok"])
    alike = lines(site, "--page", "/home")["wrong"]
    assert not any(line.startswith("Cache-Control") for line in alike)


@pytest.mark.parametrize(
    "path", ["/privacy-choices", "/privacy-choices/declaration", f"/privacy-choices/notices/{'0' * 64}"]
)
def test_no_page_makes_it_create_a_database(site: Flask, path: str) -> None:
    lines(site, "--page", f"/privacy-choices{path}")
    assert not Path(site.instance_path).exists()


def test_a_page_that_leads_on_is_not_taken_for_looked_at(site: Flask) -> None:
    site.add_url_rule("/away", "away", lambda: redirect("/home"))
    assert any("leads on to /home" in line for line in lines(site, "--page", "/away")["look"])


@pytest.mark.parametrize("page", ["https://other.example/", "//other.example", "home"])
def test_a_page_is_a_path_of_the_site(site: Flask, page: str) -> None:
    assert run_for(site)("doctor", "--page", page).exit_code == 2


def test_a_folder_that_others_may_write_to_is_wrong(site: Flask) -> None:
    visit(site, "all")
    os.chmod(site.instance_path, 0o777)
    assert any("others may write to it" in line for line in lines(site, "--page", "/home")["wrong"])


@pytest.mark.parametrize("debug", [False, True])
def test_a_page_that_fails_is_said_to_and_not_judged_further(site: Flask, debug: bool) -> None:
    site.debug = debug

    def fail() -> str:
        raise RuntimeError("the site's own fault")

    site.add_url_rule("/fails", "fails", fail)
    found = lines(site, "--page", "/fails")
    (wrong,) = found["wrong"]
    assert wrong.startswith("page /fails: it fails (500)")
    assert "traceback" in wrong
    assert not any("content security policy" in line for line in [*found["ok"], *found["look"]])


BANNER, HEAD = "{{ consent_banner() }}", "{{ consent_head() }}"
LINK = "{{ consent_link() }}"


@pytest.mark.parametrize(
    ("html", "level", "says"),
    [
        (
            BANNER + LINK,
            "wrong",
            "without the component's style sheet and module. Put {{ consent_head() }} first",
        ),
        (
            '<script src="/privacy-choices/static/choices.js?v=1"></script>' + BANNER + LINK,
            "wrong",
            "without the component's style sheet.",
        ),
        (HEAD + BANNER + BANNER + LINK, "look", "it shows 2 banners"),
        (HEAD + BANNER, "look", "no link to the choices"),
        (HEAD + LINK, "look", "no banner to who comes for the first time"),
        (HEAD + BANNER + LINK, None, ""),
        (HEAD + BANNER + '<a href="/privacy-choices">Cookies</a>', None, ""),
    ],
)
def test_what_a_page_lacks_of_the_component_is_said(
    site: Flask, html: str, level: str | None, says: str
) -> None:
    site.add_url_rule("/page", "page", lambda: render_template_string(html))
    found = lines(site, "--page", "/page")
    said = {
        each: [line for line in found[each] if line.startswith("page /page: it ")]
        for each in ("wrong", "look")
    }
    assert {each: len(there) for each, there in said.items()} == {
        each: int(each == level) for each in ("wrong", "look")
    }
    assert level is None or says in said[level][0]


def test_the_pages_of_the_component_itself_lack_nothing_of_it(site: Flask) -> None:
    assert not any(line.startswith("page ") for line in lines(site, "--page", "/privacy-choices")["look"])


def test_a_session_cookie_without_secure_is_told_once(make_app: MakeApp) -> None:
    app = make_app(HTTPS)

    def sign_in() -> str:
        session["name"] = "Anna"
        return "in"

    app.add_url_rule("/in", "in", sign_in)
    wrong = lines(app, "--page", "/in")["wrong"]
    assert [line for line in wrong if "ecure" in line or "SECURE" in line] == [
        "SESSION_COOKIE_SECURE: it is off on a site with HTTPS. Set it to True."
    ]


def test_a_page_that_cannot_be_had_is_wrong(site: Flask) -> None:
    assert any("answers 404" in line for line in lines(site, "--page", "/nowhere")["wrong"])


def test_cookies_of_a_first_visit_are_looked_at(site: Flask) -> None:
    @site.get("/set")
    def set_cookies() -> Response:
        response = Response("set")
        response.set_cookie("mystery", "1")
        return response

    wrong = lines(site, "--page", "/set")["wrong"]
    assert any(line.startswith("cookie mystery: it is sent over HTTPS without Secure") for line in wrong)
    assert any("no service of consent.toml declares it" in line for line in wrong)


OWN = "default-src 'self'"
STRICT = f"{OWN}; script-src 'strict-dynamic' 'nonce-page'"
#: A policy, what the page gives to ``consent_head``, the level, and what is said.
POLICIES = [
    (OWN, "", "ok", "it lets in what may run"),
    (f"{OWN}; img-src *", "", "ok", "it lets in what may run"),  # no service asks for pictures
    ("default-src *", "", "wrong", '"*" lets in https://video.example'),
    (f"{OWN}; frame-src 'self' https:", "", "wrong", '"https:" lets in https://video.example'),
    (f"{OWN}; frame-src *.example", "", "wrong", '"*.example" lets in https://video.example'),
    (f"{OWN}; report-uri https://video.example/r", "", "wrong", "is told the address of pages"),
    (f"{OWN}; 'unsafe-inline'; frame-src *", "", "wrong", "so it is left as it is"),
    (f"{OWN}; style-src 'none'", "", "wrong", "browsers block the style sheet of consent_head()"),
    (STRICT, "", "wrong", "the module of consent_head() among them"),
    (STRICT, "nonce='page'", "look", "scripts go by their nonce alone"),
    (f"{OWN}; script-src 'nonce-page'", "", "wrong", "browsers block the module of consent_head()"),
    (f"{OWN}; script-src 'nonce-page'", "nonce='page'", "ok", "it lets in what may run"),
    (f"{OWN}; script-src 'self' data:", "", "look", '"data:" lets in scripts'),
    ("frame-ancestors 'none'", "", "look", "neither it nor a fallback is there"),
]


def with_policy(app: Flask, policy: str, given: str) -> Flask:
    """*app* with a page that sends *policy* and gives *given* to ``consent_head``."""
    app.add_url_rule("/page", "page", lambda: render_template_string(f"{{{{ consent_head({given}) }}}}"))

    @app.after_request
    def send(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        return response

    return app


@pytest.mark.requirement("ENF-05")
@pytest.mark.parametrize(("policy", "given", "level", "said"), POLICIES)
def test_a_defeated_content_security_policy_is_wrong_and_a_missing_one_worth_a_look(
    site: Flask, policy: str, given: str, level: str, said: str
) -> None:
    found = lines(with_policy(site, policy, given), "--page", "/page")
    about = {
        each: [line for line in found[each] if line.startswith("content security policy")] for each in found
    }
    assert [each for each in about if about[each]] == [level]
    assert any(said in line for line in about[level])
    assert bool(found["wrong"]) is (level == "wrong")


@pytest.mark.requirement("ENF-05")
def test_an_endpoint_for_reports_that_belongs_to_what_may_not_run_is_wrong(site: Flask) -> None:
    @site.after_request
    def send(response: Response) -> Response:
        response.headers["Reporting-Endpoints"] = 'all="https://video.example/r"'
        return response

    wrong = lines(with_policy(site, f"{OWN}; report-to all", ""), "--page", "/page")["wrong"]
    assert any(
        each.startswith('content security policy, Reporting-Endpoints: "https://video.example/r"')
        for each in wrong
    )


@pytest.mark.requirement("ENF-05")
@pytest.mark.parametrize(
    ("policy", "wrong"),
    [
        ("default-src 'self'", []),
        ("script-src 'nonce-page'; style-src 'nonce-page'", []),
        (
            "default-src 'self'; connect-src https://api.example; form-action 'none'",
            ["connect-src", "form-action"],
        ),
        ("sandbox allow-scripts allow-same-origin", ["sandbox"]),
    ],
)
def test_a_policy_that_keeps_answers_back_is_wrong_also_where_no_service_declares_an_origin(
    make_app: MakeApp, policy: str, wrong: list[str]
) -> None:
    app = make_app(HTTPS.replace('frame = ["https://video.example"]', ""), SESSION_COOKIE_SECURE=True)
    found = lines(with_policy(app, policy, "nonce='page'"), "--page", "/page")
    assert not site_of(app).origins
    assert [line.partition(":")[0].rpartition(" ")[2] for line in found["wrong"]] == wrong


@pytest.mark.requirement("ENF-05")
def test_a_policy_that_is_only_tried_out_is_never_wrong(make_app: MakeApp) -> None:
    site = make_app(HTTPS, SESSION_COOKIE_SECURE=True, CONSENT_CSP="report")
    found = lines(with_policy(site, "default-src *", ""), "--page", "/page")
    assert found["wrong"] == []
    assert any('"*" lets in' in line for line in found["look"])


def test_a_site_without_https_or_with_an_open_session_is_wrong(make_app: MakeApp) -> None:
    plain = make_app(CONSENT_SITE="http://clinic.example")
    assert any(line.startswith("HTTPS: ") for line in lines(plain)["wrong"])
    assert any(line.startswith("SESSION_COOKIE_SECURE") for line in lines(make_app(HTTPS))["wrong"])


def test_what_comes_of_a_proxy_that_is_not_trusted_is_said(site: Flask) -> None:
    (look,) = (line for line in lines(site, "--page", "/home")["look"] if line.startswith("proxy: "))
    assert "without Secure" in look
    assert "answers of older browsers are refused" in look


def test_a_proxy_that_is_trusted_is_seen(site: Flask) -> None:
    assert any(line.startswith("proxy: ") for line in lines(site, "--page", "/home")["look"])
    site.wsgi_app = ProxyFix(site.wsgi_app)  # type: ignore[method-assign]
    found = lines(site, "--page", "/home")
    assert "proxy: the visitor's address is taken from X-Forwarded-For." in found["ok"]
    assert found["wrong"] == []


def test_files_that_others_may_read_are_wrong(site: Flask) -> None:
    visit(site, "all")
    found = lines(site, "--page", "/home")
    assert found["wrong"] == []
    assert any("key and guard lie beside the database" in line for line in found["look"])
    os.chmod(Path(site.instance_path) / "consent.key", 0o644)
    assert any("mode 0644" in line for line in lines(site, "--page", "/home")["wrong"])


def test_a_database_that_is_missing_beside_its_guard_is_wrong(site: Flask) -> None:
    lose_database(site)
    there = sorted(file.name for file in Path(site.instance_path).iterdir())
    (wrong,) = lines(site, "--page", "/privacy-choices/declaration")["wrong"]
    assert wrong.startswith("ledger: The database is missing")
    assert sorted(file.name for file in Path(site.instance_path).iterdir()) == there


def test_what_check_finds_is_found_here_too(make_app: MakeApp) -> None:
    result = run_for(lambda: make_app(POLICY.replace("revision = 1", "revision = 0")))("doctor")
    assert result.exit_code == 1
    assert "WRONG" in result.stdout


def test_for_people_each_line_begins_with_its_verdict(run: Run) -> None:
    result = run("doctor", "--page", "/nowhere")
    assert all(line[:6].strip() in ("ok", "look", "WRONG") for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    ("html", "level", "says"),
    [
        ("{{ consent_banner() }}{{ consent_script('statistics', src='/a.js') }}", "ok", "it is the same"),
        ("{% if current_consent.allows('statistics') %}counted{% endif %}", "look", "depends on its visitor"),
        ("{{ request.cookies|length }}", "wrong", "not the same for everybody"),
    ],
)
@pytest.mark.requirement("ENF-06")
def test_in_cache_safe_mode_a_page_that_differs_unsaid_is_wrong(
    make_app: MakeApp, html: str, level: str, says: str
) -> None:
    app = make_app(HTTPS, SESSION_COOKIE_SECURE=True, CONSENT_CACHE_SAFE=True)
    app.jinja_env.globals["current_consent"] = current_consent
    app.add_url_rule("/home", "home", lambda: render_template_string(html))
    found = lines(app, "--page", "/home")
    assert any("in shared caches" in line and says in line for line in found[level])
