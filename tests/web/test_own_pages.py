"""The component's own pages in a site's layout: other companies' tags stay out, for their addresses tell something."""

import re
from pathlib import Path

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent.web.navigation import MARKED

from .clinic import POLICY, SAME, MakeSite, Visitor

OURS = "/privacy-choices"
LAYOUT = """<!doctype html><html lang="en"><head><title>{{ pc.title }}</title>{{ consent_head(inert=true) }}</head>
<body>{{ consent_banner() }}{{ pc.content }}
{{ consent_script("tracker", src="https://tags.example/t.js") }}
{{ consent_script("statistics", src="/count.js") }}
{{ consent_pixel("tracker", src="https://tags.example/p.gif") }}
{{ consent_embed("videos", src="https://video.example/v/1", title="A film") }}
{{ consent_link() }}</body></html>"""
TRACKED = f"""{POLICY}
[services.tracker]
category = "performance"
provider = "video_co"
purposes = ["measurement"]
title = "Tracker"
text = "Counts visits."
data = ["pages"]
retention = "30 days"
sells_or_shares = false
cookies = {{ track = "1 day" }}
script = ["https://tags.example"]
img = ["https://tags.example"]
"""
EVERYTHING = {"tracker", "statistics", "videos", "names", "experiment"}


@pytest.fixture(params=[False, True], ids=["for each visitor", "cache-safe"])
def app(request: pytest.FixtureRequest, make_app: MakeSite, tmp_path: Path) -> Flask:
    """The clinic with its own layout around our pages, in which it has put its tags."""
    layout = tmp_path / "templates" / "consent" / "page.html"
    layout.parent.mkdir(parents=True)
    layout.write_text(LAYOUT)
    app = make_app(TRACKED, CONSENT_CACHE_SAFE=request.param)

    @app.after_request
    def say(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        response.headers["Referrer-Policy"] = "unsafe-url"
        response.set_cookie("track", "1", max_age=60)
        return response

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """The browser of somebody who has allowed everything."""
    found: FlaskClient = app.test_client(grant=EVERYTHING)
    return found


def judged(response: TestResponse) -> None:
    """See that nothing of another company is in *response*, and what is the site's own."""
    assert response.mimetype == "text/html"
    assert "tags.example/" not in response.text
    assert 'src="https://video.example' not in response.text
    assert "/count.js" in response.text
    [policy] = [one for one in response.headers.getlist("Content-Security-Policy") if "default-src" in one]
    assert "example" not in policy
    assert "track" not in "".join(response.headers.getlist("Set-Cookie"))


@pytest.mark.requirement("HIP-04")
@pytest.mark.parametrize(
    "path", ["?next=/topics/a", "/mine", "/declaration", "/declaration/1", "/shown/{notice}"]
)
def test_no_tag_of_another_company_stands_in_our_pages_whatever_was_allowed(
    client: FlaskClient, path: str
) -> None:
    page = client.get(OURS + path.format(notice=Visitor(client).notice()))
    assert page.status_code == 200
    judged(page)
    assert page.headers.getlist("Referrer-Policy") == ["same-origin"]


def test_none_stands_in_what_answers_a_form_in_place(client: FlaskClient) -> None:
    data = {"notice": "0" * 64, "choice": "all", "from": "centre", "next": "/topics/a"}
    conflict = client.post(OURS, data=data, headers=SAME)
    assert conflict.status_code == 409
    assert "/topics/a" in conflict.text
    judged(conflict)
    judged(client.post(f"{OURS}/mine/erase", headers=SAME))


def test_none_stands_where_a_receipt_is_offered_or_missing(client: FlaskClient) -> None:
    location = Visitor(client).answer("all", from_="centre").headers["Location"]
    page = client.get(location)
    assert "/receipts/" in page.text
    judged(page)
    assert page.headers.getlist("Referrer-Policy") == ["strict-origin"]


def test_on_the_sites_pages_they_stand_as_before(client: FlaskClient) -> None:
    page = client.get("/")
    assert "https://video.example/v/1" in page.text
    assert "https://video.example" in page.headers["Content-Security-Policy"]
    assert client.get_cookie("track")


def test_our_pages_say_what_was_allowed_and_what_runs_there(make_app: MakeSite) -> None:
    client = make_app(TRACKED).test_client(grant=EVERYTHING)
    for path, everything in (("/", True), (f"{OURS}/mine", False)):
        html = client.get(path).text
        [granted] = re.findall(r'data-pc-granted="([^"]*)"', html)
        assert ("data-pc-own" in html) is not everything
        assert {"tracker", "videos", "performance", "media"} <= {*granted.split(" ")}
        here = re.findall(r'data-pc-here="([^"]*)"', html)
        assert (
            not here
            if everything
            else {"tracker", "videos", "performance", "media"}.isdisjoint(here[0].split(" "))
        )
    state = client.get(f"{OURS}/state").json
    assert state
    assert {*EVERYTHING, "performance", "media"} <= {*state["granted"]}
    mine = client.get(f"{OURS}/mine").text
    assert "marked" not in mine


def test_an_embed_of_the_sites_pages_is_still_loaded_once(make_app: MakeSite) -> None:
    client = make_app(TRACKED).test_client()
    html = client.get("/").text
    [signed] = re.findall(r'name="embed" value="([^"]+)"', html)
    once = Visitor(client).answer("once", service__videos="yes", embed=signed)
    assert once.status_code == 200
    assert "https://video.example/v/1" in once.text
    assert "frame-src https://video.example" in once.headers["Content-Security-Policy"]


BOOSTED = {"HX-Request": "true", "HX-Boosted": "true", "HX-Current-URL": "http://localhost/"}
FROM_OURS = {**BOOSTED, "HX-Current-URL": f"http://localhost{OURS}?next=/topics/a"}


def test_our_pages_share_no_document_with_others(make_app: MakeSite) -> None:
    app = make_app(TRACKED)
    app.view_functions.pop("portal")  # nothing is marked
    client = app.test_client(grant=EVERYTHING)
    ours = client.get(f"{OURS}?next=/a", headers=BOOSTED)
    assert ours.headers["HX-Redirect"] == f"{OURS}?next=/a"
    assert MARKED in client.get(OURS).text
    assert client.get("/", headers=FROM_OURS).headers["HX-Redirect"] == "/"
    assert "HX-Request" in client.get("/", headers=FROM_OURS).headers["Vary"]
    assert "HX-Redirect" not in client.get(f"{OURS}/mine", headers=FROM_OURS).headers
    error = {"X-Turbo-Request-Id": "1", "Referer": f"http://localhost{OURS}"}
    assert client.get("/nowhere", headers=error).mimetype == "text/plain"


def test_a_part_that_the_layout_asks_for_does_not_take_our_pages_place(make_app: MakeSite) -> None:
    client = make_app(TRACKED).test_client()
    part = {name: value for name, value in FROM_OURS.items() if name != "HX-Boosted"}
    assert "HX-Redirect" not in client.get("/", headers=part).headers
    frame = {"Turbo-Frame": "cart", "Referer": f"http://localhost{OURS}"}
    assert "turbo-visit-control" not in client.get("/", headers=frame).text
    assert client.get("/nowhere", headers={**frame, "X-Turbo-Request-Id": "1"}).mimetype == "text/html"


def test_where_nothing_is_marked_other_pages_stay_as_they_were(make_app: MakeSite) -> None:
    app = make_app(TRACKED)
    app.view_functions.pop("portal")
    client = app.test_client(grant=EVERYTHING)
    plain = client.get("/plain").headers
    for headers in (
        BOOSTED,
        {**BOOSTED, "HX-Current-URL": ""},
        {"Turbo-Frame": "x"},
        {"X-Turbo-Request-Id": "1"},
    ):
        assert client.get("/plain", headers=headers).headers == plain
        assert client.get("/nowhere", headers=headers).mimetype == "text/html"
