"""Signing in, and the sign-in name that is remembered only with permission."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from consent.testing import ConsentClient
from demo_site import POLICY
from demo_site.database import DEMO_ACCOUNT, DEMO_PASSWORD
from demo_site.throttle import Throttle

from .browsing import SAME_ORIGIN, cookies_set, refuse_all, rows, send, sign_in
from .conftest import MakeSite


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ({}, False),
        ({"refuse": True}, False),
        ({"grant": {"performance"}}, False),
        ({"grant": {"functionality"}}, True),
    ],
)
def test_the_sign_in_name_is_remembered_only_when_that_is_granted(
    site: Flask, answer: dict[str, Any], kept: bool
) -> None:
    client = site.test_client(**answer)
    assert ("signin_name" in cookies_set(sign_in(client))) is kept
    client.delete_cookie("session")
    assert (f'value="{DEMO_ACCOUNT}"' in client.get("/sign-in").text) is kept


def test_the_name_is_kept_for_half_a_year_and_the_password_never(site: Flask) -> None:
    response = sign_in(site.test_client(grant={"remember"}))
    kept = cookies_set(response)["signin_name"]
    assert (kept.value, int(kept["max-age"])) == (DEMO_ACCOUNT, 180 * 86_400)
    assert kept["httponly"] is True
    assert DEMO_PASSWORD not in str(response.headers)


@pytest.mark.requirement("WD-03")
def test_withdrawing_forgets_the_name_at_once(site: Flask) -> None:
    client = site.test_client(grant={"remember"})
    sign_in(client)
    assert cookies_set(refuse_all(client))["signin_name"]["max-age"] == "0"
    assert DEMO_ACCOUNT not in client.get("/sign-in").text.partition("<aside")[0]


def test_a_kept_name_that_is_none_is_not_filled_in(site: Flask) -> None:
    client = site.test_client(grant={"remember"})
    client.set_cookie("signin_name", '"><script>')
    assert "<script>" not in client.get("/sign-in").text.partition("<main")[2]


@pytest.mark.parametrize(("name", "password"), [(DEMO_ACCOUNT, "wrong"), ("nobody", DEMO_PASSWORD)])
def test_wrong_entries_are_answered_alike_and_keep_the_name(
    visitor: ConsentClient, name: str, password: str
) -> None:
    response = sign_in(visitor, name, password)
    assert response.status_code == 401
    assert "do not match" in response.text
    assert f'value="{name}"' in response.text
    assert password not in response.text.partition("<aside")[0]


def test_empty_entries_are_named(visitor: ConsentClient) -> None:
    response = sign_in(visitor, "", "")
    assert response.status_code == 400
    assert "Enter your sign-in name." in response.text
    assert "Enter your password." in response.text


def test_after_five_wrong_passwords_the_right_one_has_to_wait(visitor: ConsentClient) -> None:
    for _ in range(5):
        assert sign_in(visitor, password="wrong").status_code == 401
    assert sign_in(visitor).status_code == 429


def test_a_throttle_forgets_after_its_time_and_counts_names_apart() -> None:
    throttle = Throttle(limit=2, seconds=10)
    for moment in (0.0, 1.0):
        throttle.failed("a", moment)
    assert throttle.refuses("a", 9.9)
    assert not throttle.refuses("b", 9.9)
    assert not throttle.refuses("a", 10.5)


def test_a_throttle_stops_guessing_over_many_names() -> None:
    throttle = Throttle(limit=1, seconds=10)
    for number in range(20):
        throttle.failed(f"name {number}", 0.0)
    assert throttle.refuses("another name", 1.0)


def test_signing_in_starts_a_new_session_and_signing_out_ends_it(visitor: ConsentClient) -> None:
    with visitor.session_transaction() as session:
        session["planted"] = "before"
    sign_in(visitor)
    with visitor.session_transaction() as session:
        assert "planted" not in session
    assert send(visitor, "/sign-out", page="/portal/").location == "/sign-in"
    assert visitor.get("/portal/").location == "/sign-in"


def test_the_password_is_stored_as_a_hash(site: Flask) -> None:
    ((password,),) = rows(site, "SELECT password FROM account WHERE name = ?", DEMO_ACCOUNT)
    assert str(password).startswith("scrypt:")


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor: ConsentClient) -> None:
    session = cookies_set(visitor.get("/sign-in"))["session"]
    assert session["httponly"] is True
    assert session["samesite"] == "Lax"
    assert not session["max-age"]
    assert not session["expires"]


@pytest.mark.requirement("GPC-09")
def test_an_opt_out_in_one_browser_holds_in_another_once_the_customer_signs_in_there(
    make_site: MakeSite, tmp_path: Path
) -> None:
    (tmp_path / "consent.toml").write_text(POLICY.read_text().replace("= false", "= true"))
    site = make_site(CONSENT_POLICY=str(tmp_path / "consent.toml"))
    here, there = (site.test_client(grant={"media", "performance"}) for _ in range(2))
    film = "<iframe"
    sign_in(here)
    assert film in there.get("/how-billing-works").text
    here.post("/privacy-choices", data={"choice": "opt_out"}, headers=SAME_ORIGIN)
    sign_in(there)
    assert film not in there.get("/how-billing-works").text
    assert "Opt-Out Request Honored" in there.get("/privacy-choices").text
    send(there, "/sign-out", page="/portal/")
    assert film in there.get("/how-billing-works").text
