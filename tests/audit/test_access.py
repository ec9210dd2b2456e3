"""Who may see the auditor's pages: whom the site names, and for everybody else there is nothing there."""

import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect

from .clinic import AUDIT, SAME, TOKEN, Auditor, MakeApp, auditor_of, newest, visit

#: What tells one answer of the site from another, less what differs with the address asked for.
REVEALING = (
    "Cache-Control",
    "Content-Security-Policy",
    "X-Robots-Tag",
    "Set-Cookie",
    "Vary",
    "Allow",
    "Location",
)


def told(client: FlaskClient, method: str, path: str, **options: Any) -> tuple[object, ...]:
    """All that a stranger learns from the response."""
    response = client.open(path, method=method, **options)
    return response.status_code, response.data, *(response.headers.get(name) for name in REVEALING)


#: The same pages with a slash too many.
DOUBLED = AUDIT.replace("/audit", "//audit")


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """Somebody whom the site doesn't name."""
    return app.test_client()


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize(
    "path", ["", "/", "/?before=3", "/?since=x", "/opt-outs", "/policies", "/event", f"/notices/{'0' * 64}"]
)
def test_to_a_stranger_each_page_is_like_any_address_that_does_not_exist(
    stranger: FlaskClient, path: str
) -> None:
    assert told(stranger, "GET", f"{AUDIT}{path}") == told(stranger, "GET", "/nothing/here")


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "FROBNICATE"])
@pytest.mark.parametrize("path", ["/", "/event", f"/notices/{'0' * 64}"])
@pytest.mark.parametrize("mount", ["", "/clinic"])
def test_to_a_stranger_no_method_gives_a_page_away(
    stranger: FlaskClient, method: str, path: str, mount: str
) -> None:
    base = f"http://localhost{mount}/"
    expected = told(stranger, method, "/nothing/here", base_url=base)
    assert told(stranger, method, f"{AUDIT}{path}", base_url=base) == expected


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", [f"{AUDIT}//policies", f"{DOUBLED}/event", f"{DOUBLED}/", DOUBLED])
def test_to_a_stranger_a_doubled_slash_gives_no_page_away(
    stranger: FlaskClient, method: str, path: str
) -> None:
    assert told(stranger, method, path) == told(stranger, method, "/nothing/here")


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["//policies", "/event"])
def test_names_that_the_app_adds_to_addresses_give_no_page_away(
    app: Flask, stranger: FlaskClient, method: str, path: str
) -> None:
    app.url_defaults(lambda _endpoint, values: values.update(lang="de"))
    told_of_it = told(stranger, method, f"{AUDIT}{path}")
    assert told_of_it == told(stranger, method, "/nothing/here")


def test_an_auditor_is_led_from_a_doubled_slash_to_the_page(auditor: Auditor) -> None:
    answer = auditor.open("//policies")
    assert answer.status_code == 308
    assert answer.headers["Location"].endswith(f"{AUDIT}/policies")
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_auditor_is_told_which_methods_a_page_takes(auditor: Auditor) -> None:
    answer = auditor.client.delete(f"{AUDIT}/event")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.requirement("LOG-07")
def test_a_stranger_learns_nothing_of_an_id_that_exists(app: Flask, stranger: FlaskClient) -> None:
    visit(app, "all")
    nothing = told(stranger, "POST", "/nothing/here", headers=SAME)
    for id in (newest(app).id, uuid.uuid4(), "rubbish"):
        answer = told(stranger, "POST", f"{AUDIT}/event", data={"event": str(id)}, headers=SAME)
        assert answer == nothing
    known = told(stranger, "GET", f"{AUDIT}/notices/{newest(app).notice}")
    assert known == told(stranger, "GET", "/nothing/here")


@pytest.mark.parametrize("first", [True, False])
def test_the_hosts_own_token_check_does_not_give_the_pages_away_nor_break_them(
    make_app: MakeApp, first: bool
) -> None:
    app = make_app()
    CSRFProtect(app)
    stranger = app.test_client()
    assert stranger.post(f"{AUDIT}/event", data={"event": "x"}, headers=SAME).status_code == 404
    visit(app, "all")
    assert auditor_of(app).look_up(newest(app).id).status_code == 200


@pytest.mark.parametrize("who", ["", None])
def test_nobody_is_no_auditor(make_app: MakeApp, who: str | None) -> None:
    app = make_app(CONSENT_AUDITOR=lambda: who)
    assert app.test_client().get(f"{AUDIT}/").status_code == 404


def test_yes_is_not_the_name_of_an_auditor(make_app: MakeApp) -> None:
    app = make_app(CONSENT_AUDITOR=lambda: True)
    assert app.test_client().get(f"{AUDIT}/").status_code == 404


def test_without_the_setting_there_are_no_pages(make_app: MakeApp) -> None:
    app = make_app(CONSENT_AUDITOR=None)
    assert "consent_audit" not in app.blueprints
    assert app.test_client().get(f"{AUDIT}/").status_code == 404


def test_the_pages_move_with_the_url_prefix(make_app: MakeApp) -> None:
    app = make_app(CONSENT_URL_PREFIX="/wahl")
    client = auditor_of(app).client
    assert client.get("/wahl/audit/").status_code == 200
    assert client.get(f"{AUDIT}/").status_code == 404


# --- the look-up's form


def test_a_look_up_needs_the_token_of_the_page(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    id = newest(app).id
    for token in ("wrong", "", auditor.token()[:-2] + "xx"):
        response = auditor.look_up(id, csrf_token=token or " ")
        assert response.status_code == 400
        assert "Nothing was looked up" in response.text
        assert "policy digest" not in response.text.lower()


def test_the_token_is_checked_even_where_the_host_switched_its_own_check_off(make_app: MakeApp) -> None:
    app = make_app(WTF_CSRF_ENABLED=False)
    visit(app, "all")
    assert auditor_of(app).look_up(newest(app).id, csrf_token="wrong").status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_a_look_up_from_elsewhere_or_a_frame_is_refused(
    app: Flask, auditor: Auditor, headers: dict[str, str]
) -> None:
    visit(app, "all")
    response = auditor.look_up(newest(app).id, headers=headers)
    assert response.status_code == 403
    assert "Nothing was looked up" in response.text


def test_a_look_up_of_an_older_browser_on_a_host_with_other_letters_is_taken(app: Flask) -> None:
    visit(app, "all")
    client, own = auditor_of(app).client, "http://xn--mnchen-3ya.example"
    token = TOKEN.search(client.get(f"{AUDIT}/", base_url=own).text)
    assert token
    data = {"csrf_token": token[1], "event": str(newest(app).id)}
    for origin, code in ((own, 200), ("http://xn--mnchen-3ya.evil.example", 403)):
        sent = client.post(f"{AUDIT}/event", data=data, headers={"Origin": origin}, base_url=own)
        assert sent.status_code == code


def test_a_token_of_the_hour_before_is_answered_with_a_fresh_page(app: Flask, auditor: Auditor) -> None:
    visit(app, "all")
    token = auditor.token()
    app.config["WTF_CSRF_TIME_LIMIT"] = -1
    response = auditor.look_up(newest(app).id, csrf_token=token)
    assert response.status_code == 400
    assert "open for too long" in response.text
    assert 'name="csrf_token"' in response.text


@pytest.mark.requirement("LOG-07")
def test_where_the_sites_own_check_fails_everybody_is_a_stranger(make_app: MakeApp) -> None:
    def fail() -> str:
        raise RuntimeError("the site's own fault")

    stranger = make_app(CONSENT_AUDITOR=fail).test_client()
    assert told(stranger, "GET", f"{AUDIT}/") == told(stranger, "GET", "/nothing/here")
