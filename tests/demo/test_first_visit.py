"""Before a visitor has answered, and after a refusal, the site does what it must and nothing else."""

import re

import pytest
from flask import Flask

from consent.testing import ConsentClient

from .browsing import PUBLIC, cookies_set, sign_in

#: Where a page makes a browser load something by itself.
LOADS = re.compile(
    r"<(?:script|img|iframe|link|source|video|audio|object|embed)\b[^>]*?(?:src|href|srcset|data)=\"(https?:[^\"]+)\""
)


@pytest.mark.requirement("CON-01")
def test_a_first_visit_to_the_home_page_sets_no_cookie_at_all(reader: ConsentClient) -> None:
    assert not reader.get("/").headers.getlist("Set-Cookie")


@pytest.mark.requirement("CON-01")
@pytest.mark.parametrize("path", PUBLIC)
def test_an_undecided_visitor_gets_no_cookie_but_the_session(reader: ConsentClient, path: str) -> None:
    response = reader.get(path)
    assert response.status_code == 200
    assert cookies_set(response).keys() <= {"session"}


@pytest.mark.requirement("CON-11")
@pytest.mark.parametrize("path", PUBLIC)
def test_an_undecided_visitors_page_loads_nothing_from_elsewhere(reader: ConsentClient, path: str) -> None:
    assert LOADS.findall(reader.get(path).text) == []


def test_the_search_for_loads_finds_the_film_of_whoever_allows_it(standing_site: Flask) -> None:
    html = standing_site.test_client(grant={"videos"}).get("/how-billing-works").text
    assert "http://localhost:8001/films/bill" in LOADS.findall(html)


@pytest.mark.requirement("CON-05")
@pytest.mark.parametrize("path", PUBLIC)
def test_every_page_is_there_for_whoever_refuses(standing_site: Flask, path: str) -> None:
    response = standing_site.test_client(refuse=True).get(path)
    assert response.status_code == 200
    assert LOADS.findall(response.text) == []


@pytest.mark.requirement("CON-06")
def test_whoever_refuses_can_sign_in_and_sees_the_same_invoices(site: Flask) -> None:
    refusing, granting = (
        site.test_client(refuse=True),
        site.test_client(grant={"functionality", "performance", "media"}),
    )
    for client in (refusing, granting):
        assert sign_in(client).location == "/portal/"
    table = re.compile(r"<tbody>.*?</tbody>", re.DOTALL)
    assert table.findall(refusing.get("/portal/").text) == table.findall(granting.get("/portal/").text)


@pytest.mark.requirement("WD-01")
@pytest.mark.parametrize("path", PUBLIC)
def test_every_page_has_the_link_to_the_choices_in_its_footer(reader: ConsentClient, path: str) -> None:
    footer = reader.get(path).text.partition('<footer class="bottom">')[2]
    assert 'href="/privacy-choices' in footer


def test_a_film_in_words_is_there_for_everybody(reader: ConsentClient) -> None:
    assert "your visit is written down" in reader.get("/how-billing-works").text


def test_a_page_that_is_nothing_but_a_film_asks_first(standing_site: Flask) -> None:
    assert standing_site.test_client(refuse=True).get("/films/share").status_code == 403
    assert standing_site.test_client(grant={"videos"}).get("/films/share").status_code == 200
