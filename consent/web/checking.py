"""A receipt that is brought back: what it is worth, and what it says."""

import logging
from enum import StrEnum
from http import HTTPStatus

from flask import Request, Response, jsonify, make_response
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from consent.errors import LedgerError, ProofError
from consent.ledger import Outcome, Receipt
from consent.web.deciding import failed, wants_json
from consent.web.form import read_form
from consent.web.mine import Checked, mine_page, said
from consent.web.origin import Origin, sender_of
from consent.web.receipts import wait_after
from consent.web.request import ConsentRequest

log = logging.getLogger("consent")

#: Bytes of a body that are read: the longest receipt, with what a form makes of its signs and line ends.
LARGEST = 2**20


class Worth(StrEnum):
    """What a visitor is told of a receipt."""

    VALID = "valid"
    NOT_OURS = "not_ours"
    ALTERED = "altered"
    """Or never a receipt."""


#: Of the two that aren't ours it makes no difference to a visitor which it is.
WORTH = {
    Outcome.VALID: Worth.VALID,
    Outcome.ALTERED: Worth.ALTERED,
    Outcome.OTHER_LOG: Worth.NOT_OURS,
    Outcome.UNKNOWN_SIGNATURE: Worth.NOT_OURS,
}


def check(visitor: ConsentRequest, request: Request) -> Response:
    """*My consent* with what the receipt in the field ``receipt`` is worth, or JSON; 503 when nobody can tell now.

    403 for what isn't sent by our own pages, 400 and 413 for what can't be read.
    """
    if sender_of(request, visitor.site.settings.trusted_origins) is not Origin.SAME:
        return failed(visitor, request, HTTPStatus.FORBIDDEN)
    try:
        pasted = read_form(request, LARGEST).value("receipt") or ""
    except RequestEntityTooLarge:
        return failed(visitor, request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, about="receipt")
    except BadRequest:
        return failed(visitor, request, HTTPStatus.BAD_REQUEST, about="receipt")
    receipt = receipt_in(pasted)
    wait: int | None = None
    try:
        worth, kept = judged(visitor, receipt) if receipt else (Worth.ALTERED, True)
    except LedgerError as error:
        log.error("a receipt could not be checked: %s", error)
        wait = wait_after(error)
        checked = Checked(worth="unable", pasted=pasted)
    else:
        valid = receipt if worth is Worth.VALID else None
        checked = Checked(
            worth=worth,
            pasted="" if valid else pasted,
            says=said(visitor, valid) if valid else None,
            kept=kept,
        )
    response = told(visitor, checked) if wants_json(request) else make_response(mine_page(visitor, checked))
    if wait is not None:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Retry-After"] = str(wait)
    return response


def receipt_in(pasted: str) -> Receipt | None:
    """The receipt in a text as forms and mail programs send it; None when it is none."""
    text = pasted.replace("\r\n", "\n").replace("\r", "\n").strip()
    try:
        return Receipt.parse(f"{text}\n")
    except ProofError:
        return None


def judged(visitor: ConsentRequest, receipt: Receipt) -> tuple[Worth, bool]:
    """What *receipt* is worth, and whether the log holds the event of a valid one.

    LedgerError when the log's keys can't be read now.
    """
    with visitor.site.recorder.proving() as ledger:
        worth = WORTH[ledger.check(receipt)]
        id = receipt.outline().id
        kept = worth is not Worth.VALID or ledger.get(id) is not None
        if not kept and receipt.index >= ledger.pruned():
            log.error(
                "a valid receipt says that event %s was recorded as entry %d, and the log doesn't hold it: was a "
                "backup restored? Run flask consent verify",
                id,
                receipt.index,
            )
        return worth, kept


def told(visitor: ConsentRequest, checked: Checked) -> Response:
    """*checked* as JSON."""
    says = checked.says
    return jsonify(
        ok=checked.worth != "unable",
        outcome=checked.worth,
        message=visitor.words.gettext(f"check.{checked.worth}").striptags(),
        kept=checked.kept,
        event=says
        and {
            "id": str(says.id),
            "kind": says.kind,
            "time": says.iso,
            "granted": says.granted,
            "refused": says.refused,
        },
    )
