"""Visits, pages and links are counted for those who allow it, and for nobody else."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from consent.testing import ConsentClient
from demo_site import tally

from .browsing import SAME_ORIGIN, cookies_set, refuse_all, rows, sign_in

COUNTED = "SELECT kind, name, count FROM tally WHERE kind IN ('visit', 'page', 'link') ORDER BY 1, 2"


def follow(client: ConsentClient, link: str, **headers: str) -> int:
    """What the site answers to the script's message that *link* was followed."""
    return client.post(
        "/what-we-count/links", data={"link": link}, headers={**SAME_ORIGIN, **headers}
    ).status_code


@pytest.mark.parametrize(
    "answer", [{}, {"refuse": True}, {"grant": {"functionality", "experiment", "media"}}]
)
def test_a_visitor_without_that_grant_is_not_counted(site: Flask, answer: dict[str, Any]) -> None:
    client = site.test_client(**answer)
    for page in ("/", "/how-billing-works", "/what-we-count"):
        assert "visit" not in cookies_set(client.get(page))
    assert isinstance(client, ConsentClient)
    assert follow(client, "pay") == 204
    assert rows(site, COUNTED) == []


def test_a_visitor_who_allows_it_is_counted_once_with_each_page(site: Flask) -> None:
    client = site.test_client(grant={"statistics"})
    for page in ("/", "/how-billing-works", "/"):
        client.get(page)
    assert rows(site, COUNTED) == [("page", "Home", 2), ("page", "How billing works", 1), ("visit", "all", 1)]


def test_the_page_of_numbers_shows_what_was_counted(site: Flask) -> None:
    client = site.test_client(grant={"statistics"})
    client.get("/")
    html = client.get("/what-we-count").text
    assert "your visit is in these numbers" in html
    assert "<strong data-visits>1</strong>" in html
    assert '<th scope="row">Home</th>' in html


def test_the_cookie_of_a_visit_is_the_same_for_everybody_and_lasts_as_declared(site: Flask) -> None:
    visits = [cookies_set(site.test_client(grant={"statistics"}).get("/"))["visit"] for _ in range(2)]
    assert {visit.value for visit in visits} == {"1"}
    assert {int(visit["max-age"]) for visit in visits} == {30 * 60}


@pytest.mark.requirement("WD-03")
def test_a_withdrawal_ends_the_counting_and_the_cookie(site: Flask) -> None:
    client = site.test_client(grant={"statistics"})
    client.get("/")
    before = rows(site, COUNTED)
    assert cookies_set(refuse_all(client))["visit"]["max-age"] == "0"
    client.get("/")
    assert rows(site, COUNTED) == before


def test_links_are_counted_by_their_names_from_our_own_pages_only(site: Flask) -> None:
    client = site.test_client(grant={"statistics"})
    assert isinstance(client, ConsentClient)
    assert follow(client, "pay") == 204
    assert follow(client, "<b>") == 400
    assert follow(client, "pay", **{"Sec-Fetch-Site": "cross-site"}) == 400
    assert rows(site, COUNTED) == [("link", "pay", 1)]


def test_the_script_that_counts_links_is_there_only_with_permission(site: Flask) -> None:
    assert "links.js" in site.test_client(grant={"statistics"}).get("/").text
    assert "links.js" not in site.test_client(refuse=True).get("/").text


@pytest.mark.requirement("HIP-04")
def test_which_topic_was_read_is_in_no_number(site: Flask) -> None:
    client = site.test_client(grant={"statistics"})
    client.get("/topics/sleep")
    client.get("/topics/back-pain")
    assert ("page", "Health topics, all together", 2) in rows(site, COUNTED)
    assert "sleep" not in repr(rows(site, "SELECT * FROM tally")).lower()


def test_nothing_is_counted_in_the_portal_in_forms_or_for_what_was_not_found(site: Flask) -> None:
    client = site.test_client(grant={"statistics"})
    sign_in(client)
    for page in ("/portal/", "/portal/invoices/LM-20418", "/contact", "/nowhere", "/privacy-choices"):
        client.get(page)
    assert rows(site, COUNTED) == []


def test_a_page_fetched_ahead_of_its_reader_is_not_counted(site: Flask) -> None:
    site.test_client(grant={"statistics"}).get("/", headers={"Sec-Purpose": "prefetch"})
    assert rows(site, COUNTED) == []


def test_totals_older_than_declared_are_deleted_by_the_next_visit(site: Flask) -> None:
    old = (tally.today() - tally.RETENTION - timedelta(days=1)).isoformat()
    rows(site, "INSERT INTO tally VALUES (?, 'page', 'Home', 7)", old)
    site.test_client(grant={"statistics"}).get("/")
    assert rows(site, "SELECT day FROM tally WHERE day = ?", old) == []


def test_a_page_is_shown_even_when_its_count_cannot_be_written(site: Flask) -> None:
    rows(site, "DROP TABLE tally")
    assert site.test_client(grant={"statistics"}).get("/").status_code == 200
