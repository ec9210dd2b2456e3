"""Who asks, as the site's own functions say: each is asked once per request, and one response goes by one answer."""

import logging
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import pytest
from flask import Flask, g, render_template_string
from werkzeug.test import TestResponse

from consent import current_consent
from consent.web.site import Site

from .clinic import PAGE, MakeSite, Visitor, events

GPC = {"Sec-GPC": "1"}


class Counted:
    """A function of the site's that says one of *answers* after the other, over and over, and counts how often."""

    def __init__(self, *answers: object) -> None:
        self.answers: Iterator[object] = cycle(answers)
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        said = next(self.answers)
        if isinstance(said, Exception):
            raise said
        return said


Act = Callable[[Visitor], TestResponse]


def get(path: str, **headers: str) -> Act:
    """Asks for the page at *path*."""
    return lambda visitor: visitor.client.get(path, headers=headers)


def answer(choice: str, notice: str | None = None) -> Act:
    """Sends an answer, without a look at the page before."""
    data = {"choice": choice, "from": "banner", **({"notice": notice} if notice else {})}
    return lambda visitor: visitor.client.post(
        "/privacy-choices", data=data, headers={"Sec-Fetch-Site": "same-origin"}
    )


#: What visitors do in one request.
REQUESTS = [
    pytest.param(get("/"), id="a page of the site"),
    pytest.param(get("/", **GPC), id="the same under the signal"),
    pytest.param(get("/privacy-choices"), id="the preference centre"),
    pytest.param(get("/privacy-choices/mine"), id="my consent"),
    pytest.param(get("/privacy-choices/state"), id="the state"),
    pytest.param(answer("none"), id="a refusal"),
    pytest.param(answer("opt_out"), id="an opt-out"),
    pytest.param(answer("rubbish"), id="an answer that is not understood"),
]


@pytest.mark.parametrize("act", REQUESTS)
def test_each_function_is_asked_at_most_once_per_request(make_app: MakeSite, act: Act) -> None:
    profile, minor = Counted("us_ca"), Counted(False)
    app = make_app(CONSENT_PROFILE=profile, CONSENT_MINOR=minor)
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    for _ in range(2):
        profile.calls = minor.calls = 0
        act(visitor)
        assert profile.calls <= 1
        assert minor.calls <= 1
        assert profile.calls + minor.calls > 0


@pytest.mark.parametrize("act", REQUESTS)
def test_a_function_that_fails_writes_one_traceback_per_request(
    make_app: MakeSite, caplog: pytest.LogCaptureFixture, act: Act
) -> None:
    fails = Counted(RuntimeError("the site's own fault"))
    visitor = Visitor(make_app(CONSENT_PROFILE="us_ca", CONSENT_MINOR=fails).test_client())
    with caplog.at_level(logging.ERROR, "consent"):
        act(visitor)
    assert len([each for each in caplog.records if each.exc_info]) == 1


def test_one_response_goes_by_one_profile_though_the_function_fails_sometimes(make_app: MakeSite) -> None:
    app = make_app(CONSENT_PROFILE=Counted("us_ca", RuntimeError("the site's own fault")))

    @app.get("/profiles")
    def profiles() -> list[str]:
        found = {current_consent.profile for _ in range(3)}
        current_consent.allows("videos")
        render_template_string(PAGE)
        return [*found, current_consent.profile]

    client = app.test_client()
    assert [client.get("/profiles").json for _ in range(2)] == [["us_ca"] * 2, ["default"] * 2]


@pytest.mark.requirement("CH-01")
@pytest.mark.parametrize(("ages", "code"), [((False, True), 303), ((True, False), 403)])
def test_an_answer_is_judged_and_recorded_by_one_age(
    make_app: MakeSite, ages: tuple[bool, bool], code: int
) -> None:
    notice = Visitor(make_app().test_client()).notice()
    app = make_app(CONSENT_MINOR=Counted(*ages))
    visitor = Visitor(app.test_client())
    assert answer("all", notice)(visitor).status_code == code
    assert len(events(app.extensions["consent"])) == (code == 303)


def test_the_signal_at_the_gate_goes_by_the_age_that_the_page_went_by(make_app: MakeSite) -> None:
    told = Counted(False)
    app = make_app(CONSENT_MINOR=told)
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    told.answers = cycle((False, True))
    assert visitor.client.get("/", headers=GPC).status_code == 200
    assert [event.kind for event in events(app.extensions["consent"])] == ["given", "signal_opt_out"]


def test_the_next_request_asks_anew(make_app: MakeSite) -> None:
    client = make_app(CONSENT_MINOR=Counted(True, False)).test_client()
    assert [client.get("/allowed/videos").text for _ in range(2)] == ["no: minor", "no: undecided"]


@pytest.mark.requirement("CH-01")
def test_a_hook_that_asks_before_the_site_knows_who_it_is_lets_no_child_say_yes(make_app: MakeSite) -> None:
    notice = Visitor(make_app().test_client()).notice()
    app = make_app(CONSENT_MINOR=lambda: g.get("minor", False))

    @app.before_request
    def hasty() -> None:
        current_consent.allows("statistics")

    @app.before_request
    def signs_in() -> None:
        g.minor = True

    assert answer("all", notice)(Visitor(app.test_client())).status_code == 403
    assert events(app.extensions["consent"]) == []


def test_outside_of_a_request_a_function_that_needs_one_gives_the_careful_answer(make_app: MakeSite) -> None:
    app: Flask = make_app(CONSENT_PROFILE=lambda: g.profile, CONSENT_MINOR=lambda: g.minor)
    site: Site = app.extensions["consent"]
    assert (site.profile(), site.minor()) == ("default", True)
