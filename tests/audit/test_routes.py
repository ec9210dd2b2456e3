"""What holds of each address of the auditor's pages, of later ones too: the app itself says which there are."""

import re
import uuid
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from consent.ledger import Kind, Ledger

from .clinic import AUDIT, SAME, Auditor, MakeApp, newest, record, visit
from .test_access import told

ADDRESS = re.compile(r'(?:href|src|action|formaction|cite|data|content)="([^"]*)"')
#: What an answer to an auditor has, whatever it says.
HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def routes(app: Flask, method: str) -> list[str]:
    """The auditor's addresses that take *method*."""
    found = [
        rule.rule.replace("<hash>", "0" * 64)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("consent_audit.") and method in (rule.methods or ())
    ]
    assert len(found) >= 2
    assert all(path.startswith(AUDIT) and "<" not in path for path in found)
    return found


def as_sent(client: FlaskClient, method: str, path: str) -> tuple[object, ...]:
    """What is told to whoever sends a form there as the pages' own forms do."""
    return told(client, method, path, data={"event": str(uuid.uuid4())}, headers=SAME)


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize("signed_in", [False, True])
def test_to_whoever_may_not_each_address_is_like_any_that_does_not_exist(
    make_app: MakeApp, signed_in: bool
) -> None:
    app = make_app()
    visit(app, "all")
    client = app.test_client()
    if signed_in:  # as the site knows its visitors; that makes nobody an auditor
        with client.session_transaction() as session:
            session["account"] = "demo-customer"
    for method in ("GET", "POST", "HEAD", "PUT"):
        expected = as_sent(client, method, "/nothing/here")
        for path in {*routes(app, "GET"), *routes(app, "POST")}:
            assert as_sent(client, method, path) == expected, f"{method} {path}"
    assert newest(app).kind is Kind.GIVEN


@pytest.mark.requirement("LOG-07")
@pytest.mark.parametrize(
    ("headers", "token", "code"),
    [
        (SAME, "", 400),
        (SAME, "wrong", 400),
        ({"Sec-Fetch-Site": "cross-site"}, None, 403),
        ({"Origin": "https://evil.example"}, None, 403),
        ({}, None, 403),
    ],
)
def test_no_form_counts_without_its_token_or_from_elsewhere(
    app: Flask, auditor: Auditor, ledger: Ledger, headers: dict[str, str], token: str | None, code: int
) -> None:
    event = record(ledger)
    size = ledger.size()
    data = {"event": str(event.id), "csrf_token": auditor.token() if token is None else token}
    for path in routes(app, "POST"):
        answer = auditor.client.post(path, data=data, headers=headers)
        assert answer.status_code == code, path
        assert str(event.subject) not in answer.text
        assert "Nothing was" in answer.text
    assert ledger.size() == size


def test_every_answer_to_an_auditor_is_kept_indexed_and_framed_by_nobody(
    app: Flask, auditor: Auditor, ledger: Ledger
) -> None:
    event, token = record(ledger), auditor.token()
    codes = set()
    for path in {*routes(app, "GET"), *routes(app, "POST")}:
        for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE"):
            for data in (
                {},
                {"csrf_token": token, "event": str(event.id)},
                {"csrf_token": token, "event": "x"},
            ):
                answer = auditor.client.open(path, method=method, data=data, headers=SAME)
                codes.add(answer.status_code)
                for name, value in HEADERS.items():
                    assert answer.headers.get(name) == value, f"{method} {path}: {answer.status_code} {name}"
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "script-src" not in policy
                assert answer.headers["X-Frame-Options"] in ("DENY", "SAMEORIGIN")
                answer.close()
    assert codes >= {200, 303, 400, 404, 405}


def crawled(auditor: Auditor) -> Iterator[str]:
    """The addresses in all pages that links lead to from the list."""
    waiting, seen = [f"{AUDIT}/"], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.startswith(AUDIT):
            continue
        seen.add(path)
        answer = auditor.client.get(path)
        found = [*ADDRESS.findall(answer.text), answer.headers.get("Location", "")]
        yield from found
        waiting += [each.replace("&amp;", "&").partition("#")[0] for each in found]
    assert len(seen) >= 6


@pytest.mark.requirement("LOG-07")
def test_no_id_stands_in_any_address_that_the_pages_lead_to_and_no_list_shows_a_subject(
    app: Flask, auditor: Auditor, ledger: Ledger
) -> None:
    visit(app, "all").answer("none")
    for number in range(60):
        record(ledger, account=f"{number:022}")
    auditor.look_up(newest(app).id)
    kept = [each for each in ledger.records() if each.subject]
    assert len(kept) > 60
    ids = {str(each.id) for each in kept} | {str(each.subject) for each in kept}
    plain = ids | {each.replace("-", "") for each in ids}
    for address in crawled(auditor):
        parts = urlsplit(unquote(address).lower())
        assert not any(id in "".join(parts) for id in plain), address
    subjects = [str(each.subject) for each in kept] + [f"{number:022}" for number in range(60)]
    for path in routes(app, "GET"):
        page = auditor.client.get(path).text
        assert not any(subject in page for subject in subjects), path
