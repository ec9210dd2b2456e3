"""Pages for what goes wrong, in the site's own layout."""

from flask import Flask, render_template
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import InternalServerError, MethodNotAllowed, NotFound, RequestEntityTooLarge


def init_app(app: Flask) -> None:
    """Registers the pages on *app*."""
    app.register_error_handler(NotFound, not_found)
    app.register_error_handler(MethodNotAllowed, method_not_allowed)
    app.register_error_handler(RequestEntityTooLarge, too_large)
    app.register_error_handler(CSRFError, expired)
    app.register_error_handler(InternalServerError, broken)


def page(name: str, code: int) -> tuple[str, int]:
    """The page whose texts are ``error.<name>_title`` and ``error.<name>``."""
    # The view that was asked for stays unnamed: it may be one that this visitor isn't to know of.
    return render_template("site/error.html", name=name, page_id=name), code


def not_found(_error: NotFound) -> ResponseReturnValue:
    """404."""
    return page("not_found", 404)


def method_not_allowed(error: MethodNotAllowed) -> ResponseReturnValue:
    """405, with what would be allowed."""
    allowed = {"Allow": ", ".join(error.valid_methods)} if error.valid_methods else {}
    return (*page("method", 405), allowed)


def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """413."""
    return page("large", 413)


def expired(_error: CSRFError) -> ResponseReturnValue:
    """400: a form without its token, or with another visit's."""
    return page("expired", 400)


def broken(_error: InternalServerError) -> ResponseReturnValue:
    """500. Flask has logged the fault already."""
    return page("broken", 500)
