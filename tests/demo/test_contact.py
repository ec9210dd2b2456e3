"""The contact form and the call-back form."""

import pytest
from flask import Flask

from consent.testing import ConsentClient

from .browsing import rows, send

MESSAGE = {
    "name": "A visitor",
    "email": "visitor@example.org",
    "topic": "data",
    "message": "What do you have?",
}
CALL = {"name": "A visitor", "phone": "+1 (206) 555-0142", "time": "midday"}


def test_a_message_is_stored_under_the_number_that_is_shown(site: Flask, visitor: ConsentClient) -> None:
    response = send(visitor, "/contact", **MESSAGE)
    ((reference, kind, body),) = rows(site, "SELECT reference, kind, body FROM message")
    assert response.location == f"/contact/{reference}"
    assert (kind, body) == ("message", MESSAGE["message"])
    assert str(reference) in visitor.get(response.location).text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "Enter your name."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"email": ""}, "Enter your e-mail address"),
        ({"email": "visitor"}, "with an @"),
        ({"topic": ""}, "Choose what it is about."),
        ({"topic": "nothing"}, "Choose what it is about."),
        ({"name": "   "}, "Enter your name."),
        ({"message": ""}, "Write your message."),
        ({"message": "x" * 4001}, "at most 4,000 characters"),
    ],
)
def test_a_wrong_entry_is_named_and_the_others_are_kept(
    site: Flask, visitor: ConsentClient, wrong: dict[str, str], said: str
) -> None:
    response = send(visitor, "/contact", **{**MESSAGE, **wrong})
    assert response.status_code == 400
    assert said in response.text
    kept = {**MESSAGE, **wrong}
    assert kept["message"][:100] in response.text
    assert f'value="{kept["name"]}"' in response.text
    assert rows(site, "SELECT * FROM message") == []


def test_a_stale_form_costs_nobody_what_they_have_written(site: Flask, visitor: ConsentClient) -> None:
    visitor.get("/contact")
    response = visitor.post("/contact", data={**MESSAGE, "csrf_token": "stale"})
    assert response.status_code == 400
    assert "open for too long" in response.text
    assert MESSAGE["message"] in response.text
    assert rows(site, "SELECT * FROM message") == []


def test_a_call_back_is_stored_with_its_time(site: Flask, visitor: ConsentClient) -> None:
    response = send(visitor, "/call-back", **CALL)
    assert rows(site, "SELECT kind, reach, topic FROM message") == [("call-back", CALL["phone"], "midday")]
    assert "We will call you" in visitor.get(response.location).text


@pytest.mark.parametrize("phone", ["", "555", "a number", "1" * 16, "206 555 0142 ext"])
def test_what_is_no_telephone_number_is_not_taken(site: Flask, visitor: ConsentClient, phone: str) -> None:
    assert send(visitor, "/call-back", **{**CALL, "phone": phone}).status_code == 400
    assert rows(site, "SELECT * FROM message") == []


def test_a_time_of_day_in_the_address_is_chosen_already(visitor: ConsentClient) -> None:
    html = visitor.get("/call-back?time=afternoon").text
    assert 'checked id="time-2"' in html
    assert "checked" not in visitor.get("/call-back?time=never").text.partition("<main")[2]


def test_a_number_that_was_never_given_is_not_found(visitor: ConsentClient) -> None:
    assert visitor.get("/contact/M-00000000").status_code == 404
