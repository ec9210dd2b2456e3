"""In debug mode: what the gate stopped, at the end of the page the developer is looking at."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from markupsafe import Markup
from werkzeug.wsgi import ClosingIterator

Headers = list[tuple[str, str]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

NOTE: Final = Markup(
    '<details open role="note"><summary>Flask-Assent, in debug mode</summary><ul>{}</ul></details>\n'
)
LINE: Final = Markup("<li>{}</li>")


def noting(
    gate: Application, notes: deque[str], environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """The response of *gate* with *notes* at its end, if it is a page; else they wait for the next page."""
    note = b""

    def start(status: str, headers: Headers, exc_info: object = None) -> Any:
        nonlocal note
        if notes and is_page(environ, status, headers):
            lines = [notes.popleft() for _ in range(len(notes))]  # other threads may add some meanwhile
            note = NOTE.format(Markup().join(map(LINE.format, lines))).encode()
            headers = [lengthened(header, len(note)) for header in headers]
        return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

    body = gate(environ, start)

    def parts() -> Iterator[bytes]:
        yield from body
        if note:
            yield note

    return ClosingIterator(parts(), getattr(body, "close", None))


def is_page(environ: dict[str, Any], status: str, headers: Headers) -> bool:
    """Whether a person sees this response as a page, and its text can be added to."""
    said = {name.lower(): value for name, value in headers}
    return (
        environ.get("REQUEST_METHOD") != "HEAD"
        and status[:3] not in ("204", "205", "206")
        and status[:1] in ("2", "4", "5")
        and environ.get("HTTP_SEC_FETCH_DEST", "document") in ("document", "iframe")
        and said.get("content-type", "").strip().lower().startswith("text/html")
        and "content-encoding" not in said
    )


def lengthened(header: tuple[str, str], by: int) -> tuple[str, str]:
    """*header* of a body that is longer *by* so many bytes."""
    name, value = header
    return (name, str(int(value) + by)) if name.lower() == "content-length" else header
