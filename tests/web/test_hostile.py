"""Bad input: whatever a stranger sends, nothing is granted and nothing breaks."""

import io

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from consent.web.findings import MOST
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events, held

HOSTILE_PATHS = (
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "https:evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "/ä",
    "/a\r\nSet-Cookie: x=y",
    "",
    "relative",
)


class Broken(io.RawIOBase):
    """A body that breaks off, as servers say it."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        raise OSError("Invalid chunk header")


@pytest.mark.parametrize("path", ["/privacy-choices", "/privacy-choices/mine", "/privacy-choices/mine/erase"])
def test_a_body_that_breaks_off_changes_nothing(visitor: Visitor, site: Site, path: str) -> None:
    visitor.answer("all")
    before = visitor.cookie()
    ends = {"wsgi.input": Broken(), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    kind = "application/x-www-form-urlencoded"
    response = visitor.client.post(path, headers=SAME, content_type=kind, environ_overrides=ends)
    assert response.status_code == 400
    assert visitor.cookie() == before
    assert [event.kind for event in events(site)] == ["given"]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_hostile_next_stays_on_the_site(visitor: Visitor, path: str) -> None:
    response = visitor.answer("none", headers={"Sec-Fetch-Site": "same-origin"}, next=path)
    assert response.headers["Location"] == "/privacy-choices#pc-status"
    centre = visitor.client.get("/privacy-choices", query_string={"next": path}).text
    assert 'name="next"' not in centre


@pytest.mark.parametrize("path", ["/" + "a" * 14_000, "/" + "%" * 400])
@pytest.mark.parametrize("source", ["banner", "centre"])
def test_a_next_that_no_proxys_header_could_hold_is_not_followed(
    visitor: Visitor, path: str, source: str
) -> None:
    same = {"Sec-Fetch-Site": "same-origin", "Referer": f"http://localhost{path}"}
    headers = visitor.answer("none", headers=same, from_=source, next=path).headers
    assert headers["Location"].startswith("/privacy-choices")
    assert len(headers["Location"]) < 200
    assert "Set-Cookie" in headers
    short = visitor.answer("none", headers=same, from_=source, next="/" + "a" * 1000).headers["Location"]
    assert "a" * 1000 in short


@pytest.mark.requirement("WD-03")
def test_a_withdrawal_fits_what_proxies_keep_for_headers_whatever_has_to_go_with_it(
    make_app: MakeSite,
) -> None:
    site = "https://www.clinic.example"
    visitor = Visitor(make_app().test_client(grant={"statistics", "names"}))
    for number in range(40):
        visitor.client.set_cookie(f"visit_{number}", "1", domain="www.clinic.example")
    form = {"choice": "none", "from": "centre", "next": "/search?q=" + "%20" * 190}
    response = visitor.client.post("/privacy-choices", base_url=site, data=form, headers=SAME)
    assert response.status_code == 303
    assert "__Host-consent=" in str(response.headers)
    assert "visit_" in str(response.headers)
    assert sum(len(f"{name}: {value}\r\n") for name, value in response.headers) < 4096 - 500


def test_so_does_an_answer_on_pages_from_a_cache_whose_scripts_read_what_is_on(make_app: MakeSite) -> None:
    more = [f"service_number_{number}" for number in range(60)]
    stated = 'category = "functionality"\npurposes = ["preferences"]\ntext = "Another."\n'
    policy = POLICY + "".join(f"[services.{key}]\n{stated}" for key in more)
    visitor = Visitor(make_app(policy, CONSENT_CACHE_SAFE=True).test_client(grant=more))
    for number in range(40):
        visitor.client.set_cookie(f"visit_{number}", "1", domain="www.clinic.example")
    form = {"choice": "opt_out", "from": "centre"}
    response = visitor.client.post(
        "/privacy-choices", base_url="https://www.clinic.example", data=form, headers=SAME
    )
    assert more[-1] in str(response.headers)
    assert "visit_" in str(response.headers)
    assert sum(len(f"{name}: {value}\r\n") for name, value in response.headers) < 4096 - 500


def test_nothing_is_made_from_the_host_that_a_request_names(app: Flask) -> None:
    client = app.test_client()
    there = "https://other-host.example"
    for path in ("/", "/privacy-choices", "/privacy-choices/mine", "/.well-known/gpc.json"):
        page = client.get(path, base_url=there)
        assert page.status_code == 200
        assert "other-host" not in page.text + str(page.headers)
    data = {"notice": Visitor(client).notice(), "choice": "all"}
    for headers in (SAME, SAME | {"Accept": "application/json"}):
        answer = client.post("/privacy-choices", data=data, headers=headers, base_url=there)
        assert answer.status_code in (200, 303)
        assert "other-host" not in answer.text + answer.headers.get("Location", "")


def test_a_foreign_referer_is_not_followed(visitor: Visitor) -> None:
    headers = {**SAME, "Referer": "http://localhost.evil.example/x"}
    assert visitor.answer("none", headers=headers).headers["Location"] == "/privacy-choices#pc-status"


@pytest.mark.requirement("UI-13")
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        *(
            {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": frame}
            for frame in ("iframe", "frame", "fencedframe", "embed", "object")
        ),
        {},
    ],
)
def test_from_another_site_or_a_frame_a_refusal_is_taken_and_a_grant_is_not(
    visitor: Visitor, headers: dict[str, str], site: Site
) -> None:
    refused = visitor.answer("all", headers=headers)
    assert refused.status_code == 403
    assert "Set-Cookie" not in refused.headers
    assert events(site) == []
    assert visitor.answer("none", headers=headers).status_code == 303
    assert [event.kind for event in events(site)] == ["refused"]


def told(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    """What the operator was told *about*."""
    return [record.message for record in caplog.records if record.message.startswith(f"{about}: ")]


@pytest.mark.parametrize(
    ("headers", "says", "fix"),
    [
        (
            {"Origin": "https://clinic.example"},
            "Origin 'https://clinic.example' and no Sec-Fetch-Site, and Flask sees this site as 'http://localhost'.",
            "ProxyFix, or name it in CONSENT_TRUSTED_ORIGINS",
        ),
        (
            {"Origin": "https://www.clinic.example", "Sec-Fetch-Site": "same-site"},
            "Origin 'https://www.clinic.example' and Sec-Fetch-Site 'same-site'",
            "name its origin in CONSENT_TRUSTED_ORIGINS",
        ),
        ({}, "no Origin and no Sec-Fetch-Site", "has to send such a header itself"),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}, "no Origin", "a frame"),
        ({"Origin": "x\x1b[2J\u0085" + "y" * 200}, f"Origin 'x\\x1b[2J\\x85{'y' * 94}' and", "ProxyFix"),
    ],
)
def test_an_answer_refused_for_its_origin_is_told_to_the_operator_once(
    visitor: Visitor, headers: dict[str, str], says: str, fix: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert visitor.answer("all", headers=headers).status_code == 403
    (said,) = told(caplog, "an answer refused (403)")
    assert says in said
    assert fix in said


def test_however_many_origins_are_refused_only_so_many_are_told(
    visitor: Visitor, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(MOST + 3):
        headers = {"Origin": f"https://{number}.example"}
        answer = visitor.client.post("/privacy-choices/mine/erase", data={"step": ""}, headers=headers)
        assert answer.status_code == 403
    assert len(told(caplog, "an answer refused (403)")) == MOST
    assert len(site.findings.about("origin")) == MOST


def test_a_refusal_by_age_is_not_told_as_one_by_origin(
    make_app: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    minor = Visitor(make_app(CONSENT_MINOR=lambda: True).test_client())
    assert minor.answer("all").status_code == 403
    assert told(caplog, "an answer refused (403)") == []


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({"Origin": "https://localhost", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "https://clinic.example", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "https://localhost"}, True),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, False),
        (SAME, False),
    ],
)
def test_a_site_on_https_that_flask_sees_without_is_told_once(
    visitor: Visitor, headers: dict[str, str], seen: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        visitor.answer("all", headers=headers)
    said = told(caplog, "HTTPS")
    assert len(said) == seen
    assert all("without Secure and without the name __Host-" in each and "ProxyFix" in each for each in said)


def test_old_browsers_are_judged_by_their_origin(visitor: Visitor, make_app: MakeSite) -> None:
    assert visitor.answer("all", headers={"Origin": "http://localhost"}).status_code == 303
    behind = Visitor(make_app(CONSENT_TRUSTED_ORIGINS=["https://clinic.example"]).test_client())
    assert behind.answer("all", headers={"Origin": "https://clinic.example"}).status_code == 303


@pytest.mark.requirement("UI-13")
def test_nothing_is_granted_by_following_a_link(visitor: Visitor) -> None:
    visitor.client.get("/privacy-choices?choice=all&category.performance=yes&confirm=yes")
    assert not visitor.allowed("statistics")


def test_an_unknown_notice_is_a_conflict_and_a_refusal_is_taken_all_the_same(
    visitor: Visitor, site: Site
) -> None:
    unknown = "0" * 64
    response = visitor.client.post(
        "/privacy-choices", data={"notice": unknown, "choice": "all"}, headers=SAME
    )
    assert response.status_code == 409
    assert "checked" not in response.text
    assert 'name="notice" value="' in response.text
    response = visitor.client.post(
        "/privacy-choices", data={"notice": unknown, "choice": "none"}, headers=SAME
    )
    assert response.status_code == 303
    assert [event.notice for event in events(site)] == [None]


def test_a_form_with_unknown_keys_is_shown_again_with_its_answers(visitor: Visitor, site: Site) -> None:
    response = visitor.answer("some", category__performance="yes", category__nonsense="yes")
    assert response.status_code == 400
    assert 'name="category.performance" value="yes" checked' in response.text
    assert "category.nonsense" in response.text
    assert events(site) == []


def test_one_field_with_two_values_is_refused(visitor: Visitor) -> None:
    data = f"notice={visitor.notice()}&choice=some&category.media=yes&category.media=no"
    response = visitor.client.post(
        "/privacy-choices", data=data, headers=SAME, content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"choice=none&x=" + b"a" * 17_000, "application/x-www-form-urlencoded", 413),
        (b"choice=none", "multipart/form-data; boundary=x", 400),
        (b"choice=none", "text/plain", 400),
        (b"choice=\xff", "application/x-www-form-urlencoded", 400),
        (b"choice=%ff", "application/x-www-form-urlencoded", 400),
        (b"{", "application/json", 400),
        (b'["choice"]', "application/json", 400),
        (b'{"choice": {"a": "b"}}', "application/json", 400),
        (b'{"choice": 1}', "application/json", 400),
        (b"[" * 8000, "application/json", 400),
    ],
)
def test_an_unreadable_or_oversized_body_changes_nothing(
    client: FlaskClient, site: Site, body: bytes, kind: str, code: int
) -> None:
    response = client.post("/privacy-choices", data=body, content_type=kind, headers=SAME)
    assert response.status_code == code
    assert "Set-Cookie" not in response.headers
    assert events(site) == []


@pytest.mark.parametrize("reads", ["form", "values", "data", "json"])
@pytest.mark.parametrize("choice", ["all", "none"])
def test_an_answer_is_taken_also_where_a_hook_of_the_site_has_read_the_body(
    app: Flask, site: Site, reads: str, choice: str
) -> None:
    @app.before_request
    def read() -> None:
        if reads == "data":
            request.get_data()
        elif reads == "json":
            request.get_json(silent=True)
        else:
            getattr(request, reads).get("language")

    visitor = Visitor(app.test_client())
    fields = {"notice": visitor.notice(), "choice": choice, "from": "banner"}
    form = visitor.client.post("/privacy-choices", data=fields, headers=SAME)
    assert form.status_code == 303
    assert visitor.allowed("statistics") is (choice == "all")
    wordy = visitor.client.post(
        "/privacy-choices", json=fields, headers={**SAME, "Accept": "application/json"}
    )
    assert wordy.status_code == 200
    too_much = visitor.client.post("/privacy-choices", data={**fields, "x": "y" * 20_000}, headers=SAME)
    assert too_much.status_code == 413
    assert {event.notice for event in events(site)} == {fields["notice"]}


def test_json_is_judged_like_the_form(visitor: Visitor) -> None:
    body = {"notice": visitor.notice(), "choice": "some", "category.media": "yes"}
    response = visitor.client.post(
        "/privacy-choices", json=body, headers={**SAME, "Accept": "application/json"}
    )
    assert response.json is not None
    assert response.json["ok"] is True
    assert "videos" in response.json["granted"]
    assert response.json["reload"] is True
    assert visitor.allowed("videos")


@pytest.mark.requirement("CON-15")
@pytest.mark.requirement("REC-06")
def test_a_cookie_that_cannot_be_trusted_is_no_answer(app: Flask, clock: Clock, make_app: MakeSite) -> None:
    good = held(app.test_client(grant={"statistics"}))
    foreign = held(make_app(SECRET_KEY="another").test_client(grant={"statistics"}))
    for text in (
        "",
        "garbage",
        good[:-1],
        good[1:],
        good + "x",
        "1." * 800,
        "x" * 8192,
        foreign,
        "é",
        '"quoted"',
    ):
        client = app.test_client(use_cookies=False)
        response = client.get("/allowed/statistics", headers={"Cookie": f"consent={text}"})
        assert response.text == "no: undecided", text[:40]
    client = app.test_client(use_cookies=False)
    assert client.get("/allowed/statistics", headers={"Cookie": f"consent={good}"}).text == "yes"
    twice = client.get("/allowed/statistics", headers={"Cookie": f"consent={good}; consent={good}"})
    assert twice.text == "no: undecided"
    clock.pass_days(-1)
    assert client.get("/allowed/statistics", headers={"Cookie": f"consent={good}"}).text == "no: undecided"


def test_a_cookie_signed_with_a_retired_key_is_still_read(app: Flask, make_app: MakeSite) -> None:
    old = held(app.test_client(grant={"statistics"}))
    rotated = make_app(SECRET_KEY="the new key", SECRET_KEY_FALLBACKS=["a key for tests, long enough"])
    client = rotated.test_client(use_cookies=False)
    assert client.get("/allowed/statistics", headers={"Cookie": f"consent={old}"}).text == "yes"


def test_an_unknown_key_is_the_developers_mistake(client: FlaskClient) -> None:
    with pytest.raises(LookupError, match="statistics"):
        client.get("/allowed/statistic")


def test_own_pages_cannot_be_framed_or_kept(client: FlaskClient) -> None:
    for path in ("", "/mine", "/declaration", "/state"):
        response = client.get(f"/privacy-choices{path}")
        assert response.status_code == 200
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"


def test_notices_are_served_in_a_sandbox_and_unknown_ones_not_at_all(visitor: Visitor) -> None:
    response = visitor.client.get(f"/privacy-choices/notices/{visitor.notice()}")
    assert response.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    for other in ("0" * 64, "x", "../etc"):
        assert visitor.client.get(f"/privacy-choices/notices/{other}").status_code == 404


def test_what_was_shown_is_a_page_around_a_copy_that_can_do_nothing(visitor: Visitor) -> None:
    notice = visitor.notice()
    page = visitor.client.get(f"/privacy-choices/shown/{notice}").text
    assert f'src="/privacy-choices/shown/{notice}/copy"' in page
    copy = visitor.client.get(f"/privacy-choices/shown/{notice}/copy")
    policy = copy.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "form-action 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "Reject all" in copy.text
    for path in ("/shown/0", f"/shown/{'0' * 64}/copy"):
        assert visitor.client.get(f"/privacy-choices{path}").status_code == 404
