"""What visitors of the demo do, as the tests say it."""

import re
from http.cookies import SimpleCookie

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from demo_site.database import AUDITOR_ACCOUNT, DEMO_ACCOUNT, DEMO_PASSWORD, admit_auditor, current_database

#: What a browser says of a form that one of our own pages sends.
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

#: Every page that a visitor can open without signing in.
PUBLIC = (
    "/",
    "/how-billing-works",
    "/topics/",
    "/topics/sleep",
    "/topics/back-pain",
    "/topics/blood-pressure",
    "/contact",
    "/call-back",
    "/sign-in",
    "/privacy",
    "/cookies",
    "/what-we-count",
    "/what-the-third-party-saw",
    "/auditor",
)

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


def send(client: FlaskClient, path: str, page: str | None = None, **entries: str) -> TestResponse:
    """Opens *page* (the form's own by default), fills its form in and sends it to *path*."""
    found = TOKEN.search(client.get(page or path).text)
    assert found, f"{page or path} has no form"
    return client.post(path, data={"csrf_token": found[1], **entries})


def sign_in(client: FlaskClient, name: str = DEMO_ACCOUNT, password: str = DEMO_PASSWORD) -> TestResponse:
    """Signs in, by default to the portal."""
    return send(client, "/sign-in", name=name, password=password)


def sign_in_auditor(site: Flask, client: FlaskClient) -> TestResponse:
    """Signs in as the auditor, whose password the start of the demo makes."""
    admit_auditor(site.config["DEMO"].database, "made at the start")
    return sign_in(client, AUDITOR_ACCOUNT, "made at the start")


def refuse_all(client: FlaskClient) -> TestResponse:
    """Presses "Reject all"; the test client's browser holds the answer afterwards."""
    return client.post("/privacy-choices", data={"choice": "none", "from": "centre"}, headers=SAME_ORIGIN)


def cookies_set(response: TestResponse) -> SimpleCookie:
    """The cookies that *response* sets, deletions included."""
    jar = SimpleCookie()
    for header in response.headers.getlist("Set-Cookie"):
        jar.load(header.removesuffix("; Partitioned"))  # which Python knows from 3.14 on
    return jar


def rows(site: Flask, query: str, *values: object) -> list[tuple[object, ...]]:
    """What the demo's database says."""
    with site.app_context():
        return [tuple(row) for row in current_database().execute(query, values)]
