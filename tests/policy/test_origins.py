"""What may stand as an origin, since each becomes part of a Content Security Policy."""

import pytest

from .example import SMALL, faults, only_fault


@pytest.mark.parametrize(
    "origin",
    [
        "https://a.example",
        "https://*.a.example",
        "https://a.example:8443",
        "wss://live.a.example",
        "https://xn--bcher-kva.example",
        "http://localhost:5000",
        "http://127.0.0.1",
        "http://films.localhost:5000",
        "ws://localhost:1",
        "https://192.0.2.1",
    ],
)
def test_an_origin_is_scheme_host_and_perhaps_port(origin: str) -> None:
    assert faults(SMALL + f'img = ["{origin}"]\n') == []


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https:",
        "https://*",
        "https://*.com",
        "https://a.*.example",
        "https://a.example/",
        "https://a.example/x.js",
        "https://a.example?x",
        "https://a.example:*",
        "https://a.example:0",
        "https://a.example:65536",
        "https://user@a.example",
        "https://user:secret@a.example",
        "https://a.example; script-src *",
        "https://a.example 'unsafe-inline'",
        "https://a..example",
        "https://-a.example",
        "https://A.example",
        "https://é.example",
        "https://a.example\\n",
        "http://a.example",
        "ws://a.example",
        "http://localhost.evil.example",
        "http://*.localhost",
        "http://evillocalhost",
        "//a.example",
        "a.example",
        "data:",
        "blob:",
        "'self'",
        "ftp://a.example",
        "https://[::1]",
        "",
    ],
)
@pytest.mark.parametrize("directive", ["script", "form"])
def test_nothing_else_is_an_origin(origin: str, directive: str) -> None:
    fault = only_fault(SMALL + f'{directive} = ["{origin}"]\n')
    assert fault.startswith(f"services.remember.{directive}[0]: ")


def test_the_nearest_origin_is_offered() -> None:
    assert 'Write "https://a.example:8443"?' in only_fault(SMALL + 'img = ["A.example:8443/x.png"]\n')
