"""The A/B test of the call-back box: fair, counted once per browser, and only with permission."""

from typing import Any

import pytest
from flask import Flask

from consent.testing import ConsentClient
from demo_site.experiment import Outcome, judge

from .browsing import cookies_set, refuse_all, rows, send

CALL = {"name": "A visitor", "phone": "206 555 0142", "time": "any"}
COUNTED = "SELECT kind, name, count FROM tally WHERE kind IN ('shown', 'called') ORDER BY 1, 2"


def taking_part(site: Flask, variant: str) -> ConsentClient:
    """A visitor who takes part and has been drawn for *variant*."""
    client = site.test_client(grant={"experiment"})
    assert isinstance(client, ConsentClient)
    client.set_cookie("callback_test", variant)
    return client


@pytest.mark.parametrize("answer", [{}, {"refuse": True}, {"grant": {"statistics", "functionality"}}])
def test_whoever_does_not_take_part_sees_the_usual_box_uncounted(site: Flask, answer: dict[str, Any]) -> None:
    client = site.test_client(**answer)
    client.set_cookie("callback_test", "b")
    response = client.get("/")
    assert 'data-variant="a"' in response.text
    assert "callback_test" not in {
        name for name, kept in cookies_set(response).items() if kept["max-age"] != "0"
    }
    assert send(client, "/call-back", **CALL).status_code == 303
    assert rows(site, COUNTED) == []


def test_a_visitor_who_takes_part_keeps_the_same_box(site: Flask) -> None:
    client = site.test_client(grant={"experiment"})
    kept = cookies_set(client.get("/"))["callback_test"]
    assert kept.value in ("a", "b")
    assert int(kept["max-age"]) == 90 * 86_400
    for _ in range(3):
        again = client.get("/")
        assert f'data-variant="{kept.value}"' in again.text
        assert "callback_test" not in cookies_set(again)
    assert rows(site, COUNTED) == [("shown", kept.value, 1)]


def test_both_boxes_are_drawn(site: Flask) -> None:
    drawn = {
        cookies_set(site.test_client(grant={"experiment"}).get("/"))["callback_test"].value for _ in range(40)
    }
    assert drawn == {"a", "b"}


def test_a_call_back_is_counted_once_for_the_box_that_was_shown(site: Flask) -> None:
    client = taking_part(site, "b")
    for _ in range(2):
        send(client, "/call-back", **CALL)
    assert rows(site, COUNTED) == [("called", "b", 1)]
    assert 'data-variant="b"' in client.get("/").text


def test_a_call_back_that_was_not_accepted_is_not_counted(site: Flask) -> None:
    send(taking_part(site, "a"), "/call-back", **{**CALL, "phone": "none"})
    assert rows(site, COUNTED) == []


def test_a_box_that_was_never_offered_is_drawn_anew(site: Flask) -> None:
    response = taking_part(site, "z").get("/")
    assert cookies_set(response)["callback_test"].value in ("a", "b")


@pytest.mark.requirement("WD-03")
def test_withdrawing_ends_the_part_in_the_test(site: Flask) -> None:
    client = taking_part(site, "b")
    assert cookies_set(refuse_all(client))["callback_test"]["max-age"] == "0"
    assert 'data-variant="a"' in client.get("/").text


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        ((0, 0), (0, 0), "open"),
        ((99, 0), (5000, 4000), "open"),
        ((500, 0), (500, 0), "even"),
        ((500, 500), (500, 500), "even"),
        ((500, 50), (500, 55), "even"),
        ((500, 50), (500, 90), "b"),
        ((500, 90), (500, 50), "a"),
    ],
)
def test_a_result_is_named_only_when_chance_does_not_explain_it(
    a: tuple[int, int], b: tuple[int, int], result: str
) -> None:
    assert judge(Outcome("a", *a), Outcome("b", *b)) == result
