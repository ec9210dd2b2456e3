"""``check`` asks a mark of sign-ins and forms about a person, and of nothing else."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, render_template
from flask.views import MethodView
from flask_login import LoginManager

from consent import Consent
from tests.audit.clinic import POLICY, MakeApp

from .conftest import run_for
from .test_check import found

CONSENT = Consent()


def asked(app: Flask) -> dict[str, str]:
    """The views that a mark is asked of, and why."""
    advice = found(run_for(app))["advice"]
    return {one["place"]: one["problem"] for one in advice if "carries no mark" in one["problem"]}


def say_nothing(**_: object) -> str:
    return ""


@pytest.mark.parametrize(
    "address",
    ["/login", "/sign-in", "/Account/<id>", "/portal/pay", "/appointment", "/contact-us", "/call_back"],
)
def test_a_form_about_a_person_by_its_name_is_asked_for_a_mark_once(app: Flask, address: str) -> None:
    app.add_url_rule(address, "form", say_nothing, methods=["GET", "POST"])
    app.add_url_rule(f"/old{address}", "form", say_nothing, methods=["POST"])
    ((place, why),) = asked(app).items()
    assert place == "view form"
    assert "by its name a form about a person" in why


@pytest.mark.parametrize("address", ["/search", "/api/links", "/payload", "/accountancy", "/designing"])
def test_what_else_is_posted_is_not(app: Flask, address: str) -> None:
    app.add_url_rule(address, "form", say_nothing, methods=["POST"])
    app.add_url_rule("/contact", "page", say_nothing)  # is read only
    assert asked(app) == {}


def test_the_advice_says_what_to_write(app: Flask) -> None:
    app.add_url_rule("/login", "login", say_nothing, methods=["POST"])
    (advice,) = found(run_for(app))["advice"]
    assert "@consent.sensitive" in advice["fix"]
    assert "@consent.unmarked" in advice["fix"]


def test_a_mark_answers_and_so_does_saying_that_none_is_meant(app: Flask) -> None:
    marks = (CONSENT.sensitive, CONSENT.first_party, CONSENT.unmarked)
    for number, mark in enumerate(marks):
        app.add_url_rule(f"/contact/{number}", f"view{number}", mark(lambda **_: ""), methods=["POST"])
        blueprint = mark(Blueprint(f"blueprint{number}", "b", url_prefix=f"/b{number}"))
        blueprint.add_url_rule("/contact", "contact", say_nothing, methods=["POST"])
        app.register_blueprint(blueprint)
    assert asked(app) == {}
    assert "/privacy-choices" in {
        rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())
    }


def test_a_mark_that_a_decorator_has_lost_is_told(app: Flask) -> None:
    def losing(view: Callable[..., str]) -> Callable[..., str]:
        def around(**given: Any) -> str:
            return view(**given)

        return around

    def keeping(view: Callable[..., str]) -> Callable[..., str]:
        return wraps(view)(losing(view))

    marked = CONSENT.sensitive(lambda **_: "")
    views = {
        "lost": losing(marked),
        "lost_twice": keeping(losing(marked)),
        "kept": keeping(marked),
        "above": CONSENT.sensitive(losing(marked)),
        "plain": losing(say_nothing),
    }
    for endpoint, view in views.items():
        app.add_url_rule(f"/{endpoint}", endpoint, view)
    told = [
        each for each in found(run_for(app))["advice"] if "holds a function that has one" in each["problem"]
    ]
    assert [each["place"] for each in told] == ["view lost", "view lost_twice"]


def test_the_view_that_flask_login_sends_people_to_is_asked(app: Flask) -> None:
    manager = LoginManager(app)
    manager.login_view = "door"
    app.add_url_rule("/door", "door", say_nothing)
    assert asked(app) == {
        "view door": "Flask-Login sends people there to sign in, and it carries no mark, so other companies' "
        "services may run there"
    }


FIELDS = {
    "password": '<p>\n<input type="password">',
    "mail": '<form method="post">\n<input type="email"></form>',
    "card": '<form method="{{ how }}"></form>\n<form method="post"><input autocomplete="home cc-number">',
    "outer": '{% include "mail.html" %}',
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_view_whose_template_asks_who_one_is_is_asked(app: Flask, tmp_path: Path, name: str) -> None:
    written(tmp_path, FIELDS)

    class Page(MethodView):
        """A view that is a class."""

        def get(self) -> str:
            """Show the template."""
            return render_template("password.html")

    app.add_url_rule("/page", view_func=lambda: render_template(f"{name}.html"), endpoint="unseen")
    app.add_url_rule("/class", view_func=Page.as_view("class"))
    view = eval(f"lambda: render_template('{name}.html')", {"render_template": render_template})
    app.add_url_rule("/fields", "fields", view)
    found = asked(app)
    assert found.keys() == {"view class", "view fields"}
    place = "mail" if name == "outer" else name
    assert f"(template {place}.html, line 2)" in found["view fields"]


def test_a_field_for_something_else_or_in_a_search_is_not(app: Flask, tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "search": '<form><input type="email"></form><form method="post"><input name="q" autocomplete="off"></form>'
        },
    )
    app.add_url_rule("/search", "search", lambda: render_template("search.html"))
    assert asked(app) == {}


def test_where_a_mark_would_keep_nobody_out_none_is_asked_for(make_app: MakeApp) -> None:
    own = POLICY.replace('provider = "video_co"', 'agreement = "Of 2026"\nprovider = "video_co"')
    app = make_app(own)
    app.add_url_rule("/login", "login", say_nothing, methods=["POST"])
    assert asked(app) == {}


def written(folder: Path, templates: dict[str, str]) -> None:
    """Write *templates* into the app's folder."""
    (folder / "templates").mkdir()
    for name, text in templates.items():
        (folder / "templates" / f"{name}.html").write_text(text)
