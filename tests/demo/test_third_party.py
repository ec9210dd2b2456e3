"""The third party beside the demo, and the page that shows what reached it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from consent.testing import ConsentClient
from demo_site.looptally import create_third_party
from demo_site.looptally.log import LIMIT, RequestLog, Seen

from .browsing import cookies_set, send


@pytest.fixture
def third_party(site: Flask) -> FlaskClient:
    """The third party's server, with a browser that has never met it."""
    return create_third_party(site.config["DEMO"].third_party_log).test_client()


@pytest.fixture
def log(site: Flask) -> RequestLog:
    """What the third party notes."""
    return RequestLog(site.config["DEMO"].third_party_log)


@pytest.mark.requirement("ENF-07")
@pytest.mark.parametrize(
    ("answer", "loaded"),
    [
        ({}, set()),
        ({"refuse": True}, set()),
        ({"grant": {"functionality", "statistics", "experiment"}}, set()),
        ({"grant": {"reach"}}, {"/dot.gif"}),
        ({"grant": {"videos"}}, {"/films/bill", "/posters/share.svg"}),
        ({"grant": {"reach", "videos"}}, {"/dot.gif", "/films/bill", "/posters/share.svg"}),
    ],
)
def test_beacon_and_film_are_in_a_page_only_with_their_own_grant(
    standing_site: Flask, answer: dict[str, Any], loaded: set[str]
) -> None:
    html = standing_site.test_client(**answer).get("/how-billing-works").text
    assert {
        path
        for path in ("/dot.gif", "/films/bill", "/posters/share.svg")
        if f'src="http://localhost:8001{path}' in html
    } == loaded


def test_the_beacon_and_the_film_set_the_declared_cookies_once(third_party: FlaskClient) -> None:
    seen, player = third_party.get("/dot.gif?page=home"), third_party.get("/films/bill")
    assert int(cookies_set(seen)["lt_seen"]["max-age"]) == 30 * 86_400
    assert int(cookies_set(player)["lt_player"]["max-age"]) == 90 * 86_400
    assert "SameSite=None; Partitioned" in seen.headers["Set-Cookie"]


def test_every_request_is_noted_with_where_it_came_from(third_party: FlaskClient, log: RequestLog) -> None:
    third_party.get("/dot.gif?page=home", headers={"Referer": "http://127.0.0.1:8000/"})
    third_party.get("/nowhere")
    third_party.set_cookie("lt_seen", "abcdef0123456789")
    third_party.get("/films/bill")
    last, lost, first = log.newest(10)
    assert (first.path, first.origin, first.browser) == ("/dot.gif?page=home", "http://127.0.0.1:8000/", "")
    assert (lost.path, lost.origin) == ("/nowhere", "")
    assert (last.path, last.browser) == ("/films/bill", "abcdef")


def test_the_page_lists_what_was_noted(visitor: ConsentClient, third_party: FlaskClient) -> None:
    assert "does not know that you are here" in visitor.get("/what-the-third-party-saw").text
    third_party.get("/dot.gif?page=<b>")
    html = visitor.get("/what-the-third-party-saw").text
    assert "<strong data-count>1</strong>" in html
    assert "/dot.gif?page=%3Cb%3E" in html or "/dot.gif?page=&lt;b&gt;" in html


def test_the_list_can_be_emptied(visitor: ConsentClient, third_party: FlaskClient, log: RequestLog) -> None:
    third_party.get("/")
    assert send(visitor, "/what-the-third-party-saw").location == "/what-the-third-party-saw"
    assert log.count() == 0


def test_only_the_newest_requests_are_kept(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "log.sqlite3")
    for number in range(LIMIT + 3):
        log.add(Seen(datetime(2026, 11, 21, tzinfo=UTC), f"/{number}", "", ""))
    assert log.count() == LIMIT
    assert log.newest(1)[0].path == f"/{LIMIT + 2}"


@pytest.mark.parametrize("path", ["/films/nothing", "/posters/nothing.svg", "/nothing"])
def test_what_the_third_party_does_not_have_is_not_found(third_party: FlaskClient, path: str) -> None:
    assert third_party.get(path).status_code == 404


def test_a_film_may_be_framed_by_the_demo_and_runs_no_script(third_party: FlaskClient) -> None:
    response = third_party.get("/films/wrong")
    assert "frame-ancestors http://127.0.0.1:*" in response.headers["Content-Security-Policy"]
    assert "<script" not in response.text
    assert "corrected page" in response.text


@pytest.mark.requirement("HIP-03")
@pytest.mark.parametrize(
    "path", ["/topics/", "/topics/sleep", "/topics/back-pain", "/topics/blood-pressure", "/topics/x"]
)
def test_a_health_topic_holds_no_third_party_even_after_accept_all(standing_site: Flask, path: str) -> None:
    client = standing_site.test_client(grant={"functionality", "performance", "media"})
    assert "localhost:8001" not in client.get(path).text
