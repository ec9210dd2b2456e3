"""What keeps the demo safe: tokens in every form, a strict content policy, no way off the site."""

import re

import pytest
from flask import Flask

from consent.cli.forms import unmarked_forms
from consent.testing import ConsentClient
from demo_site.database import AUDITOR_ACCOUNT, admit_auditor

from .browsing import PUBLIC, rows, send, sign_in, sign_in_auditor
from .conftest import MakeSite

INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)[^>]*>", re.IGNORECASE)
#: Answered by the consent component, or checked in their own way.
WITHOUT_TOKEN = {"statistics.count_link"}
#: A form's token differs each time.
SIGNED = re.compile(r'name="csrf_token"[^>]*>')
#: Where the consent component's pages for auditors begin.
LOG = "/privacy-choices/audit/"


def test_every_form_of_the_site_needs_its_token(site: Flask) -> None:
    client = site.test_client()
    assert isinstance(client, ConsentClient)
    sign_in(client)
    state = [rows(site, f"SELECT count(*) FROM {table}") for table in ("payment", "message", "tally")]
    checked = []
    for rule in site.url_map.iter_rules():
        if (
            "POST" in (rule.methods or ())
            and not rule.endpoint.startswith("consent")
            and rule.endpoint not in WITHOUT_TOKEN
        ):
            path = rule.rule.replace("<number>", "LM-20418")
            response = client.post(path, data={"method": "card", "name": "x", "password": "x"})
            assert response.status_code == 400, path
            checked.append(rule.endpoint)
    assert len(checked) >= 6
    assert [rows(site, f"SELECT count(*) FROM {table}") for table in ("payment", "message", "tally")] == state
    assert client.get("/portal/").status_code == 200


@pytest.mark.parametrize("path", [*PUBLIC, "/nowhere", "/privacy-choices"])
def test_every_page_runs_under_a_content_policy_without_inline_script_or_style(
    reader: ConsentClient, path: str
) -> None:
    response = reader.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert INLINE.findall(response.text) == []


def test_the_search_for_inline_script_and_style_finds_them() -> None:
    for bad in (
        '<p style="x">',
        "<style>",
        "<a onclick='x'>",
        "<script>x</script>",
        "<a href='javascript:x'>",
    ):
        assert INLINE.search(bad)
    assert not INLINE.search('<script type="module" src="/static/reading.js"></script>')


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/nowhere?next=https://evil.example", "/sign-in?next=//evil.example"]
)
def test_no_link_or_redirect_leads_off_the_site(visitor: ConsentClient, path: str) -> None:
    html = visitor.get(path).text
    assert not re.search(r'(?:href|action|src)="(?:https?:)?//(?!localhost:8001)', html)
    assert sign_in(visitor).location == "/portal/"


def test_a_visitor_of_localhost_is_sent_to_the_sites_own_host(make_site: MakeSite) -> None:
    client = make_site(DEMO_ORIGIN="http://127.0.0.1:8000").test_client()
    sent = client.get("/topics/?lang=de", base_url="http://localhost:8000")
    assert (sent.status_code, sent.location) == (307, "http://127.0.0.1:8000/topics/?lang=de")
    assert client.get("/", base_url="http://127.0.0.1:8000").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "code", "title"),
    [
        ("GET", "/nowhere", 404, "We cannot find that page"),
        ("GET", "/topics/nothing", 404, "We cannot find that page"),
        ("POST", "/privacy", 405, "That does not work here"),
        ("POST", "/sign-out", 400, "This page was open for too long"),
    ],
)
def test_an_error_has_a_page_in_the_sites_layout(
    reader: ConsentClient, method: str, path: str, code: int, title: str
) -> None:
    response = reader.open(path, method=method)
    assert response.status_code == code
    assert f"<h1>{title}</h1>" in response.text
    assert '<footer class="bottom">' in response.text


def test_a_fault_of_ours_has_a_page_too(make_site: MakeSite) -> None:
    site = make_site(PROPAGATE_EXCEPTIONS=False)
    rows(site, "DROP TABLE message")
    response = site.test_client().get("/contact/M-1")
    assert response.status_code == 500
    assert "Something went wrong on our side" in response.text


def test_too_much_is_refused(reader: ConsentClient) -> None:
    response = reader.post("/contact", data={"message": "x" * 70_000})
    assert response.status_code == 413
    assert "That was too much" in response.text


def test_the_key_is_made_once_for_its_owner_only(make_site: MakeSite) -> None:
    first, second = make_site(), make_site()
    assert first.config["SECRET_KEY"] == second.config["SECRET_KEY"]
    assert len(first.config["SECRET_KEY"]) == 64
    assert (first.config["DEMO"].folder / "secret-key").stat().st_mode & 0o077 == 0


def test_the_auditor_signs_in_and_out_and_reads_the_log_in_between(
    site: Flask, visitor: ConsentClient
) -> None:
    assert visitor.get(LOG).status_code == 404
    assert sign_in(visitor, AUDITOR_ACCOUNT, "").status_code == 400
    assert sign_in_auditor(site, visitor).location == "/auditor"
    assert "Open the consent log" in visitor.get("/auditor").text
    assert visitor.get(LOG).status_code == 200
    with visitor:
        visitor.get("/auditor")
        assert site.config["CONSENT_AUDITOR"]() == "auditor-1"
    assert visitor.get("/portal/").location == "/sign-in"
    assert send(visitor, "/sign-out", page="/auditor").location == "/sign-in"
    assert visitor.get(LOG).status_code == 404


@pytest.mark.parametrize("password", ["a guess", "made at the start "])
def test_another_password_is_not_the_auditors(site: Flask, visitor: ConsentClient, password: str) -> None:
    admit_auditor(site.config["DEMO"].database, "made at the start")
    assert sign_in(visitor, AUDITOR_ACCOUNT, password).status_code == 401
    assert visitor.get(LOG).status_code == 404


def test_the_auditors_password_is_new_at_each_start_and_kept_as_a_hash_only(
    site: Flask, visitor: ConsentClient
) -> None:
    for password in ("of the first start", "of the next start"):
        admit_auditor(site.config["DEMO"].database, password)
    assert sign_in(visitor, AUDITOR_ACCOUNT, "of the first start").status_code == 401
    assert sign_in(visitor, AUDITOR_ACCOUNT, "of the next start").status_code == 303
    for file in site.config["DEMO"].folder.rglob("*"):
        assert not file.is_file() or b"of the next start" not in file.read_bytes()


@pytest.mark.requirement("LOG-07")
def test_a_customer_is_no_auditor_and_to_them_the_log_is_not_there(
    site: Flask, visitor: ConsentClient
) -> None:
    sign_in(visitor)
    with visitor:
        visitor.get("/portal/")
        assert site.config["CONSENT_AUDITOR"]() is None
    assert "who may not" in visitor.get("/auditor").text


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize("grant", [set(), {"media", "performance"}])
def test_to_whoever_may_not_read_it_the_log_is_an_address_like_any_that_does_not_exist(
    site: Flask, signed_in: bool, grant: set[str]
) -> None:
    client = site.test_client(grant=grant) if grant else site.test_client()
    if signed_in:
        sign_in(client)

    def told(path: str) -> tuple[int, str, str]:
        page = client.get(path)
        words = SIGNED.sub("", page.text.replace(path, "/"))
        return page.status_code, words, str(page.headers.get("Content-Security-Policy"))

    rules = [rule for rule in site.url_map.iter_rules() if rule.endpoint.startswith("consent_audit.")]
    assert len(rules) >= 8
    for path in {rule.rule.replace("<hash>", "0" * 64) for rule in rules}:
        assert told(path) == told("/nothing/here"), path


@pytest.mark.requirement("LOG-02")
def test_the_session_of_whoever_signs_in_holds_no_hash_of_address_and_browser(visitor: ConsentClient) -> None:
    sign_in(visitor)
    with visitor.session_transaction() as session:
        assert set(session) == {"_user_id", "_fresh"}
    visitor.environ_base.update(HTTP_USER_AGENT="another", REMOTE_ADDR="192.0.2.7")
    assert visitor.get("/portal/").status_code == 200


def test_a_forged_cookie_that_remembers_a_sign_in_signs_nobody_in(
    site: Flask, visitor: ConsentClient
) -> None:
    admit_auditor(site.config["DEMO"].database, "made at the start")
    for value in (AUDITOR_ACCOUNT, f"{AUDITOR_ACCOUNT}|{'0' * 128}"):
        visitor.set_cookie("remember_token", value)
        assert visitor.get(LOG).status_code == 404


def test_check_asks_no_mark_of_the_demos_forms_but_would_without_the_marks(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = site.extensions["consent"].policy
    assert list(unmarked_forms(site, policy)) == []
    for name in ("account", "auditor", "contact", "portal"):
        monkeypatch.delattr(site.blueprints[name], "consent_mark")
    assert {fault.place for fault in unmarked_forms(site, policy)} == {
        "view account.sign_in",
        "view account.sign_out",
        "view contact.call_back",
        "view contact.message",
        "view portal.invoice",
    }
