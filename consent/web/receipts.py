"""Receipts: who may have which, and how one is given out, as a page and as a file (REC-07).

A visitor's cookie opens those of the events that are linked to it. Whoever has answered just now has, besides, a
signed link to that one receipt which soon ends: to a refusal no cookie leads. Everybody else gets the same 404,
whether the event exists or not.
"""

import logging
import uuid
from http import HTTPStatus

from flask import Request, Response, abort, url_for
from itsdangerous import BadData

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Ledger, Receipt
from consent.web.assets import asset
from consent.web.mine import said
from consent.web.page import piece
from consent.web.recorder import PROVING
from consent.web.request import ConsentRequest
from consent.web.signing import serializer

log = logging.getLogger("consent")

PURPOSE = "receipt.1"
#: Seconds for which the link of a confirmation holds.
VALID = 10 * 60
#: Seconds until a visitor may try again: while an event waits to be sealed, and where only the operator can help.
SOON, UNTIL_MENDED = 5, 300
#: Nothing runs on the page, and nothing of others is loaded: its address alone would tell them of the answer.
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def offer(visitor: ConsentRequest, event: uuid.UUID) -> str:
    """What opens the receipt of *event* to whoever has it, for a while."""
    return str(serializer(visitor.site, PURPOSE).dumps(str(event)))


def offered(visitor: ConsentRequest, text: str | None) -> uuid.UUID | None:
    """The event whose receipt *text* opens; None when it opens none, or no longer."""
    try:
        return uuid.UUID(serializer(visitor.site, PURPOSE).loads(text or "", max_age=VALID))
    except BadData:
        return None


def address(visitor: ConsentRequest, text: str | None) -> str | None:
    """The address of the receipt that *text* opens; None when it opens none, or no longer."""
    event = offered(visitor, text)
    return None if event is None else url_for("consent.receipt", id=event, link=text)


def give(visitor: ConsentRequest, request: Request, id: str) -> Response:
    """The receipt of the event *id*: the page, or with ``file=yes`` the file; 404 for who has no right to it.

    202 while there is none yet, 503 while it can't be made; the page says so.
    """
    event, link = event_of(id), request.args.get("link")
    linked = event is not None and event in (offered(visitor, link), waiting_in(visitor))
    if event is None or not (linked or visitor.subject):
        abort(HTTPStatus.NOT_FOUND)
    receipt: Receipt | None = None
    keys: list[str] = []
    why, code, wait = "waiting", HTTPStatus.ACCEPTED, SOON
    try:
        with visitor.site.recorder.proving() as ledger:
            if not linked and not belongs(ledger, event, visitor.subject):
                abort(HTTPStatus.NOT_FOUND)
            receipt, keys = ledger.receipt(event, patience=PROVING), [*ledger.verifier_keys()]
    except LedgerError as error:
        log.error("a receipt could not be made: %s", error)
        why, code = "unable", HTTPStatus.SERVICE_UNAVAILABLE
        wait = wait_after(error)
    if receipt is None:
        response = Response(receipt_page(visitor, why=why, again=f"{visitor.mount}{request.full_path}"), code)
        response.headers["Retry-After"] = str(wait)
    elif request.args.get("file") == "yes":
        response = Response(receipt.to_text(), content_type="text/plain; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{name_of(receipt)}"'
    else:
        file = url_for("consent.receipt", id=event, link=link, file="yes")
        response = Response(
            receipt_page(
                visitor,
                said=said(visitor, receipt),
                origin=receipt.checkpoint.origin,
                index=receipt.index,
                keys=keys,
                name=name_of(receipt),
                text=receipt.to_text(),
                file=file,
            )
        )
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def wait_after(error: LedgerError) -> int:
    """Seconds until a visitor may try again what *error* stopped."""
    return error.retry_after if isinstance(error, LedgerUnavailable) else UNTIL_MENDED


def receipt_page(visitor: ConsentRequest, **context: object) -> str:
    """The page's HTML: a document of its own, in which nothing of the site's runs."""
    content = piece(visitor, "receipt.html", visitor.words, **context)
    return piece(visitor, "receipt/page.html", stylesheet=asset("choices.css"), content=content)


def event_of(id: str) -> uuid.UUID | None:
    """The event that *id* names; None for what names none."""
    try:
        return uuid.UUID(id)
    except ValueError:
        return None


def waiting_in(visitor: ConsentRequest) -> uuid.UUID | None:
    """The event that the visitor's cookie carries until it can be recorded."""
    decision = visitor.decision
    return decision.pending.id if decision and decision.pending else None


def belongs(ledger: Ledger, event: uuid.UUID, subject: uuid.UUID | None) -> bool:
    """Whether *event* is on record and linked to *subject*."""
    record = ledger.get(event)
    return record is not None and record.subject is not None and record.subject == subject


def name_of(receipt: Receipt) -> str:
    """The name of the receipt's file; its date is the event's, in UTC."""
    return f"consent-{receipt.outline().hour:%Y-%m-%d}.tlog-proof"
