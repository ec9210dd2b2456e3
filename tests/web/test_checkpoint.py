"""The checkpoint that a site shows everybody."""

from pathlib import Path

import pytest
from flask import Flask

from consent.errors import LedgerUnavailable
from consent.ledger import Ledger, open_checkpoint
from consent.web.site import Site

from .clinic import Visitor, events

PLAIN = "text/plain; charset=utf-8"


def test_anybody_gets_the_latest_checkpoint_signed_without_set_up(
    app: Flask, site: Site, visitor: Visitor
) -> None:
    visitor.answer("all")
    response = app.test_client().get("/privacy-choices/checkpoint")
    ledger = site.recorder.ledger
    assert (response.status_code, response.content_type) == (200, PLAIN)
    assert open_checkpoint(response.text, ledger.verifier_keys(), ledger.origin).size == ledger.size()
    # The same for everybody, and kept for a moment: it sets nothing and depends on nobody.
    assert response.headers["Cache-Control"] == "public, max-age=10"
    assert "Set-Cookie" not in response.headers
    assert "Vary" not in response.headers
    assert visitor.client.get("/privacy-choices/checkpoint").text == response.text


def test_where_nothing_may_be_signed_that_is_said_plainly_and_answers_are_still_taken(
    site: Site, visitor: Visitor, tmp_path: Path
) -> None:
    visitor.answer("all")
    next(tmp_path.rglob("consent.guard")).unlink()
    response = visitor.client.get("/privacy-choices/checkpoint")
    assert (response.status_code, response.content_type) == (503, PLAIN)
    assert response.text == "No checkpoint can be signed at the moment.\n"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Retry-After"] == "300"
    visitor.answer("none")
    assert len(events(site)) == 2


def test_until_whoever_has_the_key_signs_there_is_none(
    app: Flask, site: Site, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.answer("all")
    monkeypatch.setattr(site.recorder.ledger.storage, "desk", None)
    response = app.test_client().get("/privacy-choices/checkpoint")
    assert (response.status_code, response.content_type) == (404, PLAIN)
    assert response.text == "No checkpoint is signed yet.\n"


def test_while_the_ledger_cant_be_read_there_is_none(app: Flask, site: Site) -> None:
    def locked() -> Ledger:
        raise LedgerUnavailable("locked", retry_after=7)

    site.recorder.open = locked
    response = app.test_client().get("/privacy-choices/checkpoint")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")
