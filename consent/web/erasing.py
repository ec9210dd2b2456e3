"""A visitor's erasure, in two steps: what it would do, and the act (LOG-05).

The second step brings a signed value back that only the first gives.
"""

import logging
import uuid
from dataclasses import replace
from http import HTTPStatus

from flask import Request, Response, make_response, redirect, url_for
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from consent.decision import Form, judge_form
from consent.errors import LedgerError, LedgerUnavailable
from consent.web.cookie import choice_cookie
from consent.web.deciding import failed, record
from consent.web.erasure import ASKED, OFFERED, ask, own, read
from consent.web.form import read_form
from consent.web.limits import TooMany
from consent.web.origin import Origin, sender_of
from consent.web.outbox import record_late
from consent.web.page import page
from consent.web.receipts import UNTIL_MENDED, wait_after
from consent.web.request import ConsentRequest

log = logging.getLogger("consent")

#: What answers as the button that withdraws all.
WITHDRAWAL = (("choice", "none"), ("from", "mine"))


class WithdrawalWaits(LedgerUnavailable):
    """The withdrawal before an erasure couldn't be recorded now, for whichever reason; the next try tells."""


def erase(visitor: ConsentRequest, request: Request) -> AnyResponse:
    """The page that explains; with its signed value, the erasure. 403 for what isn't sent by our own pages."""
    try:
        form = read_form(request)
    except RequestEntityTooLarge:
        return failed(visitor, request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except BadRequest:
        return failed(visitor, request, HTTPStatus.BAD_REQUEST)
    if sender_of(request, visitor.site.settings.trusted_origins) is not Origin.SAME:
        return failed(visitor, request, HTTPStatus.FORBIDDEN)
    step = form.value("step")
    if (confirmed := read(visitor, ASKED, step)) is not None:
        return erased(visitor, request, confirmed)
    about = read(visitor, OFFERED, step) or own(visitor)
    if about is None:
        return redirect(url_for("consent.mine"), HTTPStatus.SEE_OTHER)
    return make_response(asking(visitor, about))


def asking(visitor: ConsentRequest, about: str, *, unable: bool = False) -> str:
    """The page that says what would be erased; *unable* when it was tried and couldn't be done."""
    title = "error.erase.title" if unable else "erase.title"
    return page(
        visitor, title, "erase.html", step=ask(visitor, about), unable=unable, withdraws=about == own(visitor)
    )


def erased(visitor: ConsentRequest, request: Request, about: str) -> Response:
    """Turn everything optional off, if that is still on, and erase; 503 when it can't be erased now.

    What is turned off stays off either way.
    """
    site, subject, cookie = visitor.site, visitor.subject, None
    try:
        if about != own(visitor):
            id = uuid.UUID(about)
            cookie = recorded(visitor, request, id)
            subject = site.recorder.subject_of(id)
        else:
            form = Form.read(WITHDRAWAL)
            answer = judge_form(form, current=site.policy, shown=None)
            outcome = record(visitor, request, form, answer, shown=None)
            about = str(outcome.event) if outcome.event else about
            if outcome.after is not None:
                cookie = choice_cookie(visitor, outcome.after)
                # Recorded after the erasure, it would name the erased subject again.
                if outcome.after.pending:
                    raise outcome.failure or WithdrawalWaits("the withdrawal waits", retry_after=UNTIL_MENDED)
        if subject is not None:
            site.recorder.erase(subject, "visitor", address=request.remote_addr)
    except LedgerError as error:
        if not isinstance(error, TooMany | WithdrawalWaits):
            log.error("a visitor's history could not be erased: %s", error)
        response = make_response(asking(visitor, about, unable=True), HTTPStatus.SERVICE_UNAVAILABLE)
        response.headers["Retry-After"] = str(wait_after(error))
    else:
        response = make_response(page(visitor, "erased.title", "erased.html"))
    if cookie is not None:
        response.headers.add("Set-Cookie", visitor.sets(cookie))
    return response


def recorded(visitor: ConsentRequest, request: Request, id: uuid.UUID) -> str | None:
    """Record the event *id* if it is what the cookie still carries; then the cookie without it."""
    held = visitor.decision
    if held is None or held.pending is None or held.pending.id != id:
        return None
    record_late(visitor.site.recorder, held, address=request.remote_addr)
    visitor.replace(replace(held, pending=None))
    return choice_cookie(visitor, replace(held, pending=None))
