"""The forms of the auditor's pages: from where they may come, and what shows that it was our page that sent one."""

from http import HTTPStatus
from typing import Final

from flask import request
from flask_wtf.csrf import validate_csrf
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from wtforms.validators import ValidationError

from consent.web.origin import Origin, sender_of
from consent.web.site import current_site

#: Bytes of a form that are read, unless a page takes more.
LARGEST: Final = 16 * 1024


class FormError(Exception):
    """A form that nothing is done for; ``str()`` of it says why."""

    def __init__(self, said: str, code: HTTPStatus) -> None:
        super().__init__(said)
        self.code = code


def sent(done: str, largest: int = LARGEST) -> MultiDict[str, str]:
    """The form of this request, of *largest* bytes at most; FormError, which says that nothing was *done*."""
    if sender_of(request, current_site().settings.trusted_origins) is not Origin.SAME:
        raise FormError(f"That didn't come from this page. Nothing was {done}.", HTTPStatus.FORBIDDEN)
    request.max_content_length = request.max_form_memory_size = largest
    try:
        form = request.form
        validate_csrf(form.get("csrf_token"))
    except HTTPException as error:
        code = HTTPStatus(error.code or HTTPStatus.BAD_REQUEST)
        raise FormError(f"The form couldn't be read. Nothing was {done}.", code) from error
    except ValidationError as error:
        said = f"This page had been open for too long, or cookies are off. Nothing was {done}; try again."
        raise FormError(said, HTTPStatus.BAD_REQUEST) from error
    return form
