"""Marks and guards that a site puts on its views."""

from collections.abc import Callable, Iterator
from functools import wraps
from types import FunctionType
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app
from flask.views import View as ClassOfViews
from werkzeug.exceptions import Forbidden

from consent.decision import Mark

View = Callable[..., Any]
Marked = TypeVar("Marked", bound=View | Blueprint)

#: How the endpoints of the component's own pages begin.
OURS = "consent."
ATTRIBUTE = "consent_mark"
UNMARKED = "consent_unmarked"
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
    """*target*, a view, a class of views or a blueprint, marked; works as a decorator and as a call.

    Of several marks the stricter holds, whatever their order. TypeError for what can't carry one.
    """
    strictest = getattr(target, ATTRIBUTE, None) is Mark.SENSITIVE
    return noted(target, ATTRIBUTE, Mark.SENSITIVE if strictest else value)


def leave_unmarked(target: Marked) -> Marked:
    """*target*, which ``check`` no longer asks a mark of; as in :func:`mark`. A mark on it holds all the same."""
    return noted(target, UNMARKED, True)


def noted(target: Marked, attribute: str, value: object) -> Marked:
    """*target* with *attribute*; TypeError for what can't carry one."""
    if not can_carry(target):
        raise TypeError(
            f"{target!r} can't be marked; expected a view, a class of flask.views or a blueprint. "
            "Put the mark right above the function or class, or mark the blueprint."
        )
    try:
        setattr(target, attribute, value)
    except AttributeError as error:
        raise TypeError(
            f"{target!r} can't be marked: it takes no attributes; expected a view. Mark the function itself."
        ) from error
    return target


def can_carry(target: object) -> bool:
    """Whether a mark on *target* would be found again."""
    if isinstance(target, type):
        return issubclass(target, ClassOfViews)
    return isinstance(target, Blueprint) or (
        callable(target) and not isinstance(target, Flask | staticmethod)
    )


def mark_of(app: Flask, endpoint: str | None) -> Mark | None:
    """The mark of the view behind *endpoint*, its own, its class's or its blueprint's; the stricter of several."""
    if endpoint is None:
        return None
    found = said_of(app, endpoint, ATTRIBUTE)
    return next((value for value in (Mark.SENSITIVE, Mark.FIRST_PARTY) if value in found), None)


def is_ours(endpoint: str | None) -> bool:
    """Whether *endpoint* is one of the visitor's pages: their addresses say where someone was, or open a receipt."""
    return endpoint is not None and endpoint.startswith(OURS)


def left_unmarked(app: Flask, endpoint: str) -> bool:
    """Whether the view behind *endpoint*, its class or its blueprint is meant to have no mark."""
    return True in said_of(app, endpoint, UNMARKED)


def said_of(app: Flask, endpoint: str, attribute: str) -> set[object]:
    """What the view behind *endpoint*, its class and its blueprints have as *attribute*."""
    carriers = carriers_of(app.view_functions.get(endpoint))
    name = endpoint.rpartition(".")[0]
    while name:
        carriers.append(app.blueprints.get(name))
        name = name.rpartition(".")[0]
    return {getattr(carrier, attribute, None) for carrier in carriers}


def carriers_of(view: View | None) -> list[object]:
    """*view*, and for one of a class that class and its methods: a mark on one of them holds for all."""
    of = getattr(view, "view_class", None)
    if of is None:
        return [view]
    methods = ("dispatch_request", *(name.lower() for name in of.methods or ()))
    return [view, of, *(getattr(of, name, None) for name in methods)]


def loses_mark(app: Flask, endpoint: str) -> bool:
    """Whether the view behind *endpoint* has no mark, but the function that a decorator put it around has one."""
    view = app.view_functions.get(endpoint)
    return mark_of(app, endpoint) is None and any(hasattr(each, ATTRIBUTE) for each in held_by(view, set()))


def held_by(view: object, seen: set[int]) -> Iterator[object]:
    """The functions that *view* holds, as a decorator's does the one it was put around, but for those *seen*."""
    for cell in getattr(view, "__closure__", None) or ():
        try:
            held = cell.cell_contents
        except ValueError:
            continue  # nothing was put into it
        if isinstance(held, FunctionType) and id(held) not in seen:
            seen.add(id(held))
            yield held
            yield from held_by(held, seen)


def keys_required(view: View) -> tuple[str, ...]:
    """The keys that :func:`requiring` has put before *view*."""
    return tuple(getattr(view, REQUIRED, ()))


def require_key(key: object) -> None:
    """TypeError if *key* is no text."""
    if not isinstance(key, str):
        found = getattr(key, "__name__", None) or repr(key)
        raise TypeError(
            f"consent.required was given {found}; expected the key of a category or service. "
            'Write @consent.required("key").'
        )


def requiring(key: str, allows: Callable[[str], bool]) -> Callable[[View], View]:
    """A decorator that lets a view run only when *allows* says so for *key*; async views too.

    TypeError for what is no key, as when the decorator stands there bare and gets the view.
    """
    require_key(key)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if not allows(key):
                raise ConsentRequired(key)
            return current_app.ensure_sync(view)(*args, **kwargs)

        setattr(guarded, REQUIRED, (*keys_required(view), key))
        return guarded

    return decorate
