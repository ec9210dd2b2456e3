"""Requests to a WSGI application in the same process, without a server and without a test client."""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.worker import Side

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

HOST = "clinic.example"
ORIGIN = f"https://{HOST}"
FORM = "application/x-www-form-urlencoded"


def environ(
    path: str = "/", *, cookie: str | None = None, form: str | None = None, address: int = 0
) -> Environ:
    """What a server would pass for a browser's GET of *path*, or its POST of the urlencoded *form*.

    *cookie* is the whole ``Cookie`` header; *address* counts through visitors' addresses.
    """
    body = (form or "").encode()
    made: Environ = {
        "REQUEST_METHOD": "GET" if form is None else "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": HOST,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": f"10.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}",
        "HTTP_HOST": HOST,
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.8,de;q=0.5",
        "HTTP_SEC_FETCH_SITE": "same-origin",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if form is not None:
        made |= {"CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(body)), "HTTP_ORIGIN": ORIGIN}
    if cookie is not None:
        made["HTTP_COOKIE"] = cookie
    return made


def same(made: Environ) -> Callable[[int], Sequence[Environ]]:
    """Inputs for a :class:`Side`: the same GET again and again, each time as fresh as a server makes it."""
    return lambda count: [dict(made) for _ in range(count)]


def side(application: Application, inputs: Callable[[int], Sequence[Environ]]) -> Side:
    """The side that sends requests to *application*."""
    return Side(call=lambda made: respond(application, made), inputs=inputs)


def respond(application: Application, made: Environ) -> None:
    """Let *application* answer one request, and take the whole answer as a server does."""
    answer = application(made, _start)
    for _ in answer:
        pass
    if close := getattr(answer, "close", None):
        close()


def _start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
    """WSGI's ``start_response`` of a server that drops what it is told."""


def fetch(application: Application, made: Environ) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of the answer to one request, to see that it is the one that was meant."""
    told: list[Any] = []
    answer = application(made, lambda status, headers, exc_info=None: told.extend((status, headers)))
    body = b"".join(answer)
    if close := getattr(answer, "close", None):
        close()
    return int(told[0].split()[0]), {name.lower(): value for name, value in told[1]}, body.decode()


def expect(application: Application, made: Environ, *, status: int = 200, holds: str = "") -> str:
    """The text of the answer; RuntimeError unless it has this *status* and *holds* this, so that nothing
    else than what was meant is measured."""
    found, _, text = fetch(application, made)
    if found != status or holds not in text:
        raise RuntimeError(
            f"{made['PATH_INFO']}: {found}, expected {status} with {holds!r} in {text[:300]!r}"
        )
    return text
