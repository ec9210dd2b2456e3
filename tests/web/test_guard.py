"""Marks: what carries one, and which of several holds."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View

from consent import Consent
from consent.decision import Mark
from consent.web.guard import left_unmarked, mark_of

CONSENT = Consent()


class Plain(MethodView):
    """A view without a mark."""

    def get(self) -> str:
        """Say nothing."""
        return ""


class Partly(MethodView):
    """A view with a mark on one of its methods."""

    @CONSENT.sensitive
    def post(self) -> str:
        """Say nothing."""
        return ""


class Decorated(Plain):
    """A view that is marked as it is made."""

    decorators: ClassVar[list[Callable[..., Any]]] = [CONSENT.sensitive]


def marked(cls: type[View]) -> Any:
    """A view of a new class below *cls* that carries the mark."""

    class Marked(cls):  # type: ignore[misc, valid-type]
        """A view with a mark on its class."""

    return CONSENT.sensitive(Marked).as_view("view")


@pytest.mark.parametrize(
    "view",
    [
        marked(Plain),
        CONSENT.sensitive(Plain.as_view("view")),
        Decorated.as_view("view"),
        Partly.as_view("view"),
        CONSENT.sensitive(CONSENT.first_party(lambda: "")),
        CONSENT.first_party(CONSENT.sensitive(lambda: "")),
        CONSENT.first_party(marked(Plain)),
    ],
)
def test_a_view_is_as_strict_as_its_strictest_mark(view: Any) -> None:
    app = Flask("app")
    app.add_url_rule("/", "view", view)
    assert mark_of(app, "view") is Mark.SENSITIVE


def test_a_mark_holds_for_nothing_else() -> None:
    app = Flask("app")
    CONSENT.sensitive(type("Below", (Plain,), {}))
    app.add_url_rule("/", view_func=Plain.as_view("view"))
    assert mark_of(app, "view") is None


def test_a_blueprint_keeps_the_stricter_mark() -> None:
    app = Flask("app")
    blueprint = CONSENT.first_party(CONSENT.sensitive(Blueprint("b", "b")))
    blueprint.add_url_rule("/", "view", CONSENT.first_party(lambda: ""))
    app.register_blueprint(blueprint)
    assert mark_of(app, "b.view") is Mark.SENSITIVE


@pytest.mark.parametrize("target", ["view", Flask("app"), dict, staticmethod(len), len, Plain().get])
def test_what_cannot_carry_a_mark_is_refused(target: Any) -> None:
    with pytest.raises(TypeError, match="can't be marked"):
        CONSENT.sensitive(target)


def test_what_is_meant_to_have_no_mark_has_none_and_a_mark_beside_it_holds() -> None:
    app = Flask("app")
    app.add_url_rule("/a", "a", CONSENT.unmarked(lambda: ""))
    app.add_url_rule("/b", "b", CONSENT.unmarked(CONSENT.sensitive(lambda: "")))
    app.add_url_rule("/c", "c", lambda: "")
    assert [mark_of(app, name) for name in "abc"] == [None, Mark.SENSITIVE, None]
    assert [left_unmarked(app, name) for name in "abc"] == [True, True, False]
    with pytest.raises(TypeError, match="can't be marked"):
        CONSENT.unmarked(len)


def test_a_guard_without_its_key_is_refused_where_it_stands() -> None:
    with pytest.raises(TypeError, match=r'was given home; .*Write @consent\.required\("key"\)\.'):

        @CONSENT.required  # type: ignore[arg-type]
        def home() -> str:
            return ""

    with pytest.raises(TypeError, match="was given None"):
        CONSENT.required(None)  # type: ignore[arg-type]
