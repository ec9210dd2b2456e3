"""The site's content security policy lets in what may run, and nothing else that is declared."""

import pytest
from flask import Flask, Response

from consent.web.site import Site

from .clinic import POLICY, MakeSite, Visitor
from .test_gate import with_headers

STRICT = "default-src 'self'; frame-src https://video.example; object-src 'none'"
OPEN = "default-src 'self'; object-src 'none'"


def policies(
    app: Flask, path: str = "/plain", name: str = "Content-Security-Policy", **answer: object
) -> list[str]:
    """The policies that the page at *path* comes with, for a visitor with this answer."""
    return app.test_client(**answer).get(path).headers.getlist(name)  # type: ignore[arg-type]


@pytest.mark.requirement("ENF-05")
@pytest.mark.parametrize("said", [STRICT, OPEN])
def test_an_origin_is_let_in_only_while_its_service_may_run(make_app: MakeSite, said: str) -> None:
    app = with_headers(make_app(), ("Content-Security-Policy", said))
    (granted,) = policies(app, grant={"videos"})
    assert "https://video.example" in granted
    for answer in ({}, {"refuse": True}, {"grant": {"statistics"}}):
        (narrow,) = policies(app, **answer)
        assert "video.example" not in narrow
        assert "object-src 'none'" in narrow
    (marked,) = policies(app, "/portal", grant={"videos"})
    assert "video.example" not in marked


@pytest.mark.requirement("ENF-05")
def test_the_policy_on_the_page_that_answers_an_answer_goes_by_the_new_one(make_app: MakeSite) -> None:
    app = with_headers(make_app(), ("Content-Security-Policy", STRICT))
    client = app.test_client(grant={"videos"})
    data = {
        "notice": Visitor(client).notice(),
        "choice": "some",
        "category.media": "no",
        "category.functionality": "yes",
    }
    page = client.post("/privacy-choices", data=data, headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status_code == 403
    assert not any("video.example" in policy for policy in page.headers.getlist("Content-Security-Policy"))
    assert any("object-src" in policy for policy in page.headers.getlist("Content-Security-Policy"))


@pytest.mark.requirement("ENF-06")
def test_a_page_whose_policy_was_judged_by_the_answer_is_private(make_app: MakeSite) -> None:
    app = with_headers(make_app(), ("Content-Security-Policy", STRICT))
    assert app.test_client().get("/plain").headers["Cache-Control"] == "private"


def test_without_a_policy_of_the_sites_own_there_is_none(app: Flask) -> None:
    assert policies(app, grant={"videos"}) == []
    assert "Cache-Control" not in app.test_client().get("/plain").headers


def test_where_it_is_only_to_be_reported_on_the_sites_own_policy_stands(make_app: MakeSite) -> None:
    app = with_headers(make_app(CONSENT_CSP="report"), ("Content-Security-Policy", OPEN))
    assert policies(app, grant={"videos"}) == [OPEN]
    (reported,) = policies(app, name="Content-Security-Policy-Report-Only", grant={"videos"})
    assert "https://video.example" in reported


def test_a_site_can_keep_its_policy_to_itself(make_app: MakeSite) -> None:
    app = with_headers(make_app(CONSENT_CSP="off"), ("Content-Security-Policy", STRICT))
    assert policies(app, refuse=True) == [STRICT]
    assert policies(app, name="Content-Security-Policy-Report-Only") == []


def test_where_nothing_comes_from_elsewhere_a_policy_is_left_alone(make_app: MakeSite) -> None:
    own = POLICY.replace('frame = ["https://video.example"]', "")
    app = with_headers(make_app(own), ("Content-Security-Policy", STRICT))
    assert policies(app) == [STRICT]
    assert "Cache-Control" not in app.test_client().get("/plain").headers


def test_responses_that_are_no_pages_keep_their_policy(make_app: MakeSite) -> None:
    app = make_app()

    @app.get("/data")
    def data() -> Response:
        return Response("{}", mimetype="application/json", headers={"Content-Security-Policy": STRICT})

    assert policies(app, "/data") == [STRICT]


def test_our_own_policies_are_not_widened(make_app: MakeSite) -> None:
    app = make_app()
    client = app.test_client(grant={"videos"})
    notice = client.get("/privacy-choices").text.partition('name="notice" value="')[2][:64] or "0" * 64
    for path in ("notices/{}", "shown/{}/copy"):
        page = client.get(f"/privacy-choices/{path.format(notice)}")
        assert page.status_code == 200
        assert "video.example" not in page.headers["Content-Security-Policy"]


def test_what_defeats_the_policy_is_reported_once(make_app: MakeSite) -> None:
    app = with_headers(make_app(), ("Content-Security-Policy", "default-src 'self' https:"))
    site: Site = app.extensions["consent"]
    for _ in range(3):
        policies(app, refuse=True)
    found = site.findings.about("policy", "defeated")
    assert any("https:" in fault.problem for fault in found)
    assert len(set(map(str, found))) == len(found)


def test_a_nonce_stays_and_does_not_make_a_policy_new_each_time(make_app: MakeSite) -> None:
    app = make_app()
    site: Site = app.extensions["consent"]
    count = iter(range(100))

    @app.after_request
    def nonce(response: Response) -> Response:
        value = f"default-src 'self'; script-src 'self' 'nonce-{next(count):08d}'"
        response.headers["Content-Security-Policy"] = value
        return response

    for number in range(5):
        (policy,) = policies(app, refuse=True)
        assert f"'nonce-{number:08d}'" in policy
    assert len(site.policies_seen) == 1


def test_the_head_carries_the_pages_nonce(app: Flask) -> None:
    with app.test_request_context("/"):
        html = app.jinja_env.from_string("{{ consent_head(nonce='a\"b') }}").render()
    elements = html.count("<link ") + html.count("<script ")
    assert elements >= 2
    assert html.count('nonce="a&#34;b"') == elements
