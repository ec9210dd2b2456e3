"""Lists of events, newest first, with the search that chooses among them: the log, and what was ended in it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request, url_for
from flask_wtf.csrf import generate_csrf

from consent.audit.offered import Offered
from consent.audit.page import added, page, reader
from consent.audit.query import ASKED, BEFORE, SIGNALS, Query, is_day, place_before, require_known
from consent.audit.row import Row, stamp
from consent.audit.said import PolicyOf
from consent.audit.search import Found, Search, SearchError, find
from consent.audit.span import whole
from consent.audit.tally import tally
from consent.audit.titles import named, services_named, titles_of
from consent.audit.untold import untold
from consent.audit.wording import (
    KINDS,
    LEAVES_OUT_ERASED,
    PRUNED_BELOW,
    SOURCES,
    answers_text,
    details_text,
    kind_text,
    time_text,
)
from consent.errors import LedgerError
from consent.ledger import Kind
from consent.ledger.replies import SAID
from consent.policy import Policy
from consent.web.site import current_site
from consent.web.values import DAY

#: Events on one page.
EVENTS: Final = 50
#: No event, and no value to ask for.
NONE: Final = Found((), None)
NOTHING: Final = Offered()


@dataclass(frozen=True, slots=True)
class Listing:
    """A page that lists events of some kinds."""

    endpoint: str
    title: str
    kinds: Sequence[Kind]


LOG: Final = Listing("consent_audit.newest", "Consent log", tuple(Kind))
ENDED: Final = Listing(
    "consent_audit.ended",
    "Opt-outs and erasures",
    (Kind.OPTED_OUT, Kind.SIGNAL_OPT_OUT, Kind.ERASED, Kind.PRUNED),
)


def asked_list(listing: Listing) -> Response:
    """The page of *listing* that the address asks for; with ``before=<place>`` of older events."""
    query = Query.of(request.args)
    try:
        require_known(request.args, ASKED, added())
        search = query.search(listing.kinds)
    except SearchError as error:
        return list_page(listing, query, None, misread=str(error), code=HTTPStatus.BAD_REQUEST)
    try:
        return list_page(listing, query, search, before=place_before(request.args))
    except SearchError as error:
        return list_page(listing, query, search, problem=str(error), code=HTTPStatus.BAD_REQUEST)


def problem_page(problem: str, code: HTTPStatus) -> Response:
    """The newest events of the log, with *problem* on top."""
    return list_page(LOG, Query({}), Search(), problem=problem, code=code)


def unavailable(error: LedgerError, listing: Listing = LOG, query: Query | None = None) -> Response:
    """The list without events, saying that the ledger can't be read now."""
    return rendered(
        listing,
        query or Query({}),
        None,
        problem=untold("The ledger can't be read now.", error),
        code=HTTPStatus.SERVICE_UNAVAILABLE,
    )


def list_page(
    listing: Listing,
    query: Query,
    search: Search | None,
    *,
    before: int | None = None,
    problem: str | None = None,
    misread: str | None = None,
    code: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """The events that *search* finds below place *before*; without one, the form alone.

    *problem* is said on top, and what *query* was *misread* at, by the form.
    """
    try:
        source = reader()
        offered = Offered.of(source)
        found = find(source, search, before=before, limit=EVENTS) if search else NONE
        pruned = source.ledger.pruned() if search and found.before is None else 0
        many = (
            tally(source, search, cut=whole, alike=lambda facets: None).events
            if search and query.fields
            else None
        )
    except LedgerError as error:
        return unavailable(error, listing, query)
    return rendered(
        listing,
        query,
        search,
        found=found,
        policy_of=source.policy,
        offered=offered,
        older=None if found.before is None else address(listing, query, found.before),
        newest_url=None if before is None else address(listing, query),
        pruned=PRUNED_BELOW.format(pruned) if pruned else None,
        many=many,
        problem=problem,
        misread=misread,
        code=code,
    )


def address(listing: Listing, query: Query, before: int | None = None) -> str:
    """The page of *listing* with what *query* asks for, *before* a place in the log."""
    values: dict[str, Any] = {**query.fields, BEFORE: before}
    return url_for(listing.endpoint, **values)


def rendered(
    listing: Listing,
    query: Query,
    search: Search | None,
    *,
    problem: str | None,
    code: HTTPStatus,
    misread: str | None = None,
    found: Found = NONE,
    policy_of: PolicyOf = lambda digest: None,
    offered: Offered = NOTHING,
    older: str | None = None,
    newest_url: str | None = None,
    pruned: str | None = None,
    many: int | None = None,
) -> Response:
    """The list page with what was *found*."""
    return page(
        "list.html",
        code,
        token=generate_csrf(),
        title=listing.title,
        kept=current_site().settings.retention // DAY if listing is ENDED else None,
        here=url_for(listing.endpoint),
        events=[listed(row, policy_of(row.policy)) for row in found.rows],
        problem=problem,
        misread=misread,
        newest=newest_url is None,
        newest_url=newest_url,
        older=older,
        pruned=pruned,
        searched=search.in_words() if search and query.fields else None,
        many=many,
        command=shlex.join(["flask", "consent", "export", *query.options(listing.kinds)]),
        asked=query.among(listing.kinds),
        provable=bool(search and search.days),
        leaves_out_erased=LEAVES_OUT_ERASED if search and search.of_opening else None,
        kinds={kind.value: KINDS[kind] for kind in listing.kinds},
        answers=SAID,
        signals=tuple(SIGNALS),
        offered=offered,
        titles={
            key: named(key, titles_of(current_site().policy))
            for key in (*offered.categories, *offered.services)
        },
        lists=offered.with_typed(query.typed),
        missing=offered.missing(search) if search else (),
        typed=query.typed,
        days={name: all(map(is_day, query.typed.get(name, ()))) for name in ("since", "until")},
    )


def listed(row: Row, policy: Policy | None) -> dict[str, object]:
    """*row* for a template, under *policy*, that of its day; nothing that links it to a browser."""
    event = row.event
    moment = event.time if event else row.hour
    return {
        "index": row.index,
        "id": row.id,
        "kind": row.kind,
        "what": kind_text(row),
        "time": time_text(row),
        "iso": stamp(moment, "seconds") if moment else None,
        "granted": services_named(policy, event.granted) if event else (),
        "refused": services_named(policy, event.refused) if event else (),
        "titled": policy.language if policy else None,
        "answers": answers_text(row),
        "details": details_text(row),
        "source": event.source if event else None,
        "whence": SOURCES.get(event.source, event.source) if event and event.source else None,
        "language": event.language if event else None,
        "profile": event.profile if event else None,
        "revision": row.revision,
        "notice": event.notice if event else None,
        "notice_url": url_for("consent_audit.notice", hash=event.notice) if event and event.notice else None,
        "erased": row.erased,
        "altered": row.problem,
    }
