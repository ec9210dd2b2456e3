"""Marks and guards that a site puts on its views."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app
from werkzeug.exceptions import Forbidden

from consent.decision import Mark

View = Callable[..., Any]
Marked = TypeVar("Marked", bound=View | Blueprint)

ATTRIBUTE = "consent_mark"
REQUIRED = "consent_required"


class ConsentRequired(Forbidden):
    """A view needs a category or service (*key*) that the visitor hasn't allowed.

    Answered with a page that asks; restyle it with ``@app.errorhandler(ConsentRequired)``.
    """

    description = "This page needs something that you have not allowed."

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


def mark(target: Marked, value: Mark) -> Marked:
    """*target*, a view or a blueprint, marked; works as a decorator and as a call."""
    setattr(target, ATTRIBUTE, value)
    return target


def mark_of(app: Flask, endpoint: str | None) -> Mark | None:
    """The mark of the view behind *endpoint*, its own or its blueprint's; the stricter of several."""
    if endpoint is None:
        return None
    found = {getattr(app.view_functions.get(endpoint), ATTRIBUTE, None)}
    name = endpoint.rpartition(".")[0]
    while name:
        found.add(getattr(app.blueprints.get(name), ATTRIBUTE, None))
        name = name.rpartition(".")[0]
    return next((value for value in (Mark.SENSITIVE, Mark.FIRST_PARTY) if value in found), None)


def keys_required(view: View) -> tuple[str, ...]:
    """The keys that :func:`requiring` has put before *view*."""
    return tuple(getattr(view, REQUIRED, ()))


def requiring(key: str, allows: Callable[[str], bool]) -> Callable[[View], View]:
    """A decorator that lets a view run only when *allows* says so for *key*; async views too."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not allows(key):
                raise ConsentRequired(key)
            return current_app.ensure_sync(view)(*args, **kwargs)

        setattr(guarded, REQUIRED, (*keys_required(view), key))
        return guarded

    return decorate
