"""The body of a visitor's POST: urlencoded or JSON, at most 16 KiB unless a receipt comes, nothing else."""

import json
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from consent.decision import Form

#: Bytes of a body that are read; a form of 100 services needs a quarter of it.
LARGEST = 16 * 1024
#: Fields of one form.
MOST_FIELDS = 1000


def read_form(request: Request, largest: int = LARGEST) -> Form:
    """The fields that *request* carries. BadRequest or RequestEntityTooLarge when they can't be read.

    JSON is one object of texts: the same names and values as in the form. *largest*: bytes of the whole body.
    """
    if "form" in vars(request) and request.mimetype == "application/x-www-form-urlencoded":
        # The site has read it, in a hook that runs before every view: the body is gone, the fields are there.
        within(request.content_length or 0, largest)
        return Form.read(list(request.form.items(multi=True)))
    return Form.read(pairs_of(body_of(request, largest), request.mimetype))


def within(size: int, largest: int) -> None:
    """RequestEntityTooLarge for more than *largest* bytes."""
    if size > largest:
        raise RequestEntityTooLarge


def body_of(request: Request, largest: int) -> str:
    """The body as text, without reading more than *largest* bytes of it; what the site has read it keeps."""
    within(request.content_length or 0, largest)
    try:
        raw = request.get_data() if "stream" in vars(request) else request.stream.read(largest + 1)
        within(len(raw), largest)
        return raw.decode()
    except (
        OSError,
        UnicodeDecodeError,
    ) as error:  # servers say the former of broken chunks and of who has gone
        raise BadRequest from error


def pairs_of(body: str, mimetype: str) -> list[tuple[str, str]]:
    """Names and values in *body*, repeated ones as often as they stand there."""
    if mimetype == "application/x-www-form-urlencoded":
        try:
            return parse_qsl(body, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        except ValueError as error:
            raise BadRequest from error
    if mimetype == "application/json":
        return json_pairs(body)
    raise BadRequest


def is_text(value: str) -> bool:
    """Whether *value* can be written down at all: JSON can hold halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def json_pairs(body: str) -> list[tuple[str, str]]:
    """The members of the one JSON object in *body*; all values must be texts."""
    found: list[list[tuple[str, object]]] = []

    def keep(members: list[tuple[str, object]]) -> dict[str, object]:
        found.append(members)
        return dict(members)

    try:
        value = json.loads(body, object_pairs_hook=keep)
    except (ValueError, RecursionError) as error:
        raise BadRequest from error
    if not isinstance(value, dict) or len(found) != 1 or len(found[0]) > MOST_FIELDS:
        raise BadRequest
    pairs = [(name, text) for name, text in found[0] if isinstance(text, str) and is_text(name + text)]
    if len(pairs) != len(found[0]):
        raise BadRequest
    return pairs
