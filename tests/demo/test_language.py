"""The language switch works for everybody; only the next visit knows it, and only if that is allowed."""

from typing import Any

import pytest
from flask import Flask

from consent.testing import ConsentClient
from demo_site.wording import LANGUAGES

from .browsing import PUBLIC, cookies_set, refuse_all


@pytest.mark.parametrize(
    ("tag", "heading"), [("en", "Contact us"), ("de", "Schreiben Sie uns"), ("ar", "اتصل بنا")]
)
def test_the_switch_changes_the_language_of_the_page(reader: ConsentClient, tag: str, heading: str) -> None:
    html = reader.get(f"/contact?lang={tag}").text
    assert f"<h1>{heading}</h1>" in html
    assert f'<html lang="{tag}" dir="{"rtl" if tag == "ar" else "ltr"}">' in html


def test_the_browsers_language_is_spoken_without_being_kept(reader: ConsentClient) -> None:
    response = reader.get("/", headers={"Accept-Language": "fr, de;q=0.8, en;q=0.5"})
    assert '<html lang="de"' in response.text
    assert not response.headers.getlist("Set-Cookie")


@pytest.mark.parametrize("answer", [{}, {"refuse": True}, {"grant": {"performance"}}])
def test_without_permission_a_chosen_language_lasts_for_this_visit(
    site: Flask, answer: dict[str, Any]
) -> None:
    client = site.test_client(**answer)
    cookies = cookies_set(client.get("/?lang=de"))
    assert "session" in cookies
    assert "language" not in cookies
    assert '<html lang="de"' in client.get("/contact").text
    client.delete_cookie("session")
    assert '<html lang="en"' in client.get("/contact").text


def test_with_permission_a_chosen_language_is_kept_for_a_year_at_most(site: Flask) -> None:
    client = site.test_client(grant={"language"})
    kept = cookies_set(client.get("/?lang=de"))["language"]
    assert (kept.value, int(kept["max-age"])) == ("de", 365 * 86_400)
    client.delete_cookie("session")
    assert '<html lang="de"' in client.get("/contact").text


def test_a_language_chosen_before_the_permission_is_kept_once_it_is_given(site: Flask) -> None:
    client = site.test_client()
    assert isinstance(client, ConsentClient)
    client.get("/?lang=ar")
    client.answer({"language"})
    assert cookies_set(client.get("/"))["language"].value == "ar"


@pytest.mark.requirement("CON-15")
def test_a_kept_language_is_not_read_without_permission(reader: ConsentClient) -> None:
    reader.set_cookie("language", "de")
    assert '<html lang="en"' in reader.get("/").text


@pytest.mark.requirement("WD-03")
def test_withdrawing_ends_the_cookie_and_leaves_this_visit_in_its_language(site: Flask) -> None:
    client = site.test_client(grant={"language"})
    client.get("/?lang=de")
    answer = cookies_set(refuse_all(client))
    assert answer["language"]["max-age"] == "0"
    assert '<html lang="de"' in client.get("/contact").text


@pytest.mark.parametrize("tag", ["xx", "", "de-CH", "../de", "<b>"])
def test_a_language_nobody_speaks_here_changes_nothing(reader: ConsentClient, tag: str) -> None:
    response = reader.get("/", query_string={"lang": tag})
    assert '<html lang="en"' in response.text
    assert not response.headers.getlist("Set-Cookie")


def test_the_switch_stays_on_the_page_and_keeps_its_other_values(visitor: ConsentClient) -> None:
    html = visitor.get("/call-back?time=midday&lang=en").text
    assert 'href="?time=midday&amp;lang=de"' in html


@pytest.mark.requirement("INF-07")
@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_question_is_asked_in_the_language_of_the_page(reader: ConsentClient, tag: str) -> None:
    html = reader.get(f"/?lang={tag}").text
    assert f'<section class="pc pc-banner" lang="{tag}"' in html


@pytest.mark.parametrize("path", PUBLIC)
def test_text_in_english_only_is_marked_as_english(reader: ConsentClient, path: str) -> None:
    html = reader.get(path, query_string={"lang": "ar"}).text
    assert ("متاحة بالإنجليزية فقط" in html) == ('<div lang="en" dir="ltr">' in html)
