"""The auditor's blueprint: who is let in, and the addresses of the pages.

It is there only where ``CONSENT_AUDITOR`` says who may. For anybody else its addresses answer as unknown
ones do, so that not even the existence of an event can be found out.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    redirect,
    request,
    url_for,
)
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from consent.audit.answers import answer_lines
from consent.audit.chart import Chart
from consent.audit.download import downloaded
from consent.audit.form import FormError, sent
from consent.audit.listing import ENDED, LOG, asked_list, listed, problem_page, unavailable
from consent.audit.lookup import LookUps, Untraced, look_up, look_ups, stand_in
from consent.audit.overview import ASKED, Compared, asked_for, compared, legible, state_of
from consent.audit.overview import charts as overviewed
from consent.audit.page import added, page, reader
from consent.audit.policies import policies_page
from consent.audit.proof import Proof, proof_of
from consent.audit.query import is_day, require_known
from consent.audit.rates import DIMENSIONS
from consent.audit.row import Reader, Row
from consent.audit.search import Search, SearchError, read_id
from consent.audit.share import FOR_REVIEW
from consent.audit.titles import catalogue_of, titles_of
from consent.audit.today import notice_today, policy_since
from consent.audit.totals import totals
from consent.audit.untold import untold
from consent.audit.verification import verification_page, verified
from consent.audit.wording import PRUNED, facts_of
from consent.errors import LedgerError
from consent.web.assets import asset
from consent.web.concealment import REVEALING, gives_away
from consent.web.declaration import declared
from consent.web.request import here
from consent.web.site import asked, current_site

#: Where the auditor's pseudonymous id stands in the WSGI environment once they were let in.
AUDITOR: Final = "consent.auditor"

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
NOTICE_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'self'; form-action 'none'; "
    "frame-ancestors 'self'; base-uri 'none'"
)
_HASH = re.compile("[0-9a-f]{64}")

blueprint = Blueprint("consent_audit", __name__)


@blueprint.url_value_preprocessor
def exempt_from_tokens(endpoint: str | None, values: dict[str, object] | None) -> None:
    """Take these routes out of the host's CSRFProtect: they check a token themselves, and who asks first.

    The host's check would come before ours, and its 400 tell strangers that there is something here.
    """
    if csrf := current_app.extensions.get("csrf"):
        csrf.exempt(blueprint)


@blueprint.before_app_request
def hide() -> None:
    """An address of these pages asked for in a way that Flask answers before :func:`admit` is asked."""
    if gives_away(f"{current_site().settings.url_prefix}/audit"):
        admit()


@blueprint.before_request
def admit() -> None:
    """Let in whom the site names; for all others there is nothing here."""
    auditor = current_site().settings.auditor
    who = asked(auditor, None) if auditor else None
    if not isinstance(who, str) or not who:
        abort(HTTPStatus.NOT_FOUND)
    request.environ[AUDITOR] = who


@blueprint.after_request
def protect(response: Response) -> Response:
    """Nobody keeps, indexes, frames or embeds these pages. Strangers' responses stay as they are, like any other's."""
    if AUDITOR in request.environ:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        response.headers.setdefault("X-Frame-Options", "DENY")
        here().seal(response.headers)
    return response


@blueprint.after_app_request
def protect_refusal(response: Response) -> Response:
    """The same for an auditor whose request met no page, so that to Flask it is of no blueprint."""
    return protect(response) if isinstance(request.routing_exception, REVEALING) else response


@blueprint.get("/", strict_slashes=False)
def newest() -> Response:
    """The newest events, or those that the query asks for."""
    return asked_list(LOG)


@blueprint.get("/opt-outs")
def ended() -> Response:
    """The newest opt-outs, erasures and prunings, with their dates, or those that the query asks for."""
    return asked_list(ENDED)


@blueprint.get("/policies")
def policies() -> Response:
    """The policies on record, and what each changed."""
    return policies_page()


@blueprint.get("/overview")
def overview() -> Response:
    """What the counts say: charts and rates, of the span of days and told apart by what the query asks for."""
    wanted = legible(request.args)
    try:
        require_known(request.args, ASKED, added())
        return overview_page(wanted, asked_for(request.args))
    except SearchError as error:
        return overview_page(wanted, None, str(error), HTTPStatus.BAD_REQUEST)
    except LedgerError as error:
        problem = untold("The ledger can't be read now.", error)
        return overview_page(wanted, None, problem, HTTPStatus.SERVICE_UNAVAILABLE)


@blueprint.get("/event")
@blueprint.get("/export", endpoint="export_address")
def event_address() -> AnyResponse:
    """Where a reader ends who takes up the address of an event's page, or of a file: it names none, so the list."""
    return redirect(url_for("consent_audit.newest"), HTTPStatus.SEE_OTHER)


@blueprint.post("/event")
def event() -> Response:
    """The event whose id the form holds."""
    try:
        form = sent("looked up")
    except FormError as error:
        return problem_page(str(error), error.code)
    return looked_up(form.get("event", ""))


@blueprint.post("/export")
def export() -> Response:
    """The events that the form asks for, as a file."""
    return downloaded(request.environ[AUDITOR])


@blueprint.get("/verification")
def verification() -> Response:
    """What a check of the whole log would look at; nothing is checked yet."""
    return verification_page()


@blueprint.post("/verification")
def verify() -> Response:
    """Check the whole log."""
    return verified()


@blueprint.get("/notices/<hash>")
def notice(hash: str) -> Response:
    """The stored bytes of a notice in a page of their own, with our style sheet and nothing else."""
    try:
        document = reader().ledger.document(hash) if _HASH.fullmatch(hash) else None
    except LedgerError as error:
        said = untold("The notice can't be shown: it was altered, or the ledger can't be read now.", error)
        return notice_page(Markup("{}").format(said), HTTPStatus.SERVICE_UNAVAILABLE)
    if document is None or document.kind != "notice":
        return notice_page(Markup("No notice of this hash is on record."), HTTPStatus.NOT_FOUND)
    # The bytes are our own templates' output, hashed when it was shown; the sandbox holds whatever they are.
    return notice_page(Markup(document.body.decode("utf-8", "replace")), HTTPStatus.OK)


def looked_up(text: str) -> Response:
    """The page of the event whose id *text* is, else the list, saying why there is none."""
    try:
        wanted = read_id(text)
    except SearchError as error:
        return problem_page(str(error), HTTPStatus.BAD_REQUEST)
    try:
        source = reader()
        record = look_up(current_site(), wanted, request.environ[AUDITOR], "page")
        if record is None and source.ledger.was_pruned(wanted):
            return problem_page(PRUNED.format(wanted), HTTPStatus.GONE)
        if record is None:
            problem = f"No event {wanted} is recorded here. Is it of another site, or copied wrongly?"
            return problem_page(problem, HTTPStatus.NOT_FOUND)
        row = source.row(record)
        proof, seen_by = proof_of(source.ledger, wanted), look_ups(source.ledger, record)
        return event_page(source, row, proof, seen_by)
    except Untraced as error:
        return problem_page(untold(error.said, error), HTTPStatus.SERVICE_UNAVAILABLE)
    except LedgerError as error:
        return unavailable(error)


def overview_page(
    wanted: Mapping[str, str],
    search: Search | None,
    problem: str | None = None,
    code: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """The overview of what *search* asks for, or why there is none. LedgerError when the ledger can't be read."""
    charts: Sequence[Chart] = ()
    tables: Sequence[Compared] = ()
    state: Sequence[tuple[str, str]] = ()
    if search is not None:
        source = reader()
        found = totals(source, search, wanted["by"])
        titles = titles_of(current_site().policy)
        charts, tables = overviewed(found, titles), compared(found, wanted["by"], titles)
        state = state_of(source.ledger)
    return page(
        "overview.html",
        code,
        wanted=wanted,
        days={name: not wanted[name] or is_day(wanted[name]) for name in ("since", "until")},
        dimensions=list(DIMENSIONS),
        charts=charts,
        tables=tables,
        state=state,
        problem=problem,
        for_review=FOR_REVIEW,
    )


def event_page(source: Reader, row: Row, proof: Proof, seen_by: LookUps) -> Response:
    """All that is recorded of one event, its proof, who has looked it up, and how it is seen from today."""
    policy = source.policy(row.policy)
    return page(
        "event.html",
        HTTPStatus.OK,
        event=listed(row, policy),
        facts=list(facts_of(row, policy)),
        answers=answer_lines(row, policy),
        policy=policy,
        declared=declared(policy, catalogue_of(policy)) if policy else (),
        altered=row.problem,
        proof=proof,
        today=notice_today(current_site(), source, row),
        since=policy_since(current_site(), source, row.policy) if row.policy else None,
        look_ups=seen_by,
        you=stand_in(current_site().recorder, request.environ[AUDITOR]),
    )


def notice_page(body: Markup, code: HTTPStatus) -> Response:
    """The page that goes into the frame."""
    response = page("notice.html", code, stylesheet=asset("choices.css"), body=body)
    response.headers["Content-Security-Policy"] = NOTICE_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
