"""The page on which an auditor has the whole log checked: it grows while the check runs, without any script."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

from flask import Response
from flask_wtf.csrf import generate_csrf

from consent.audit.form import FormError, sent
from consent.audit.page import context_of, page, reader
from consent.audit.plain import hour_in_words, in_plain_words, place_in_words, with_times
from consent.audit.running import BUSY, Check, busy
from consent.audit.untold import untold
from consent.errors import LedgerError, ProofError
from consent.ledger import Checkpoint, Ledger, Receipt
from consent.ledger.note import Note
from consent.verify import FINE, VERDICTS, Report, shown
from consent.web.site import current_site

#: Bytes of its form: a checkpoint or a receipt fits in, as forms send it.
LARGEST: Final = 256 * 1024
#: What the text that an auditor brings is called in what is found.
BROUGHT: Final = "what you pasted"
#: What is said of anything else.
NOT_KEPT: Final = (
    "What you pasted is neither a receipt nor a signed checkpoint, or not the whole of one. Paste the whole text of "
    "the file, or nothing. The log was not checked."
)
TEMPLATE: Final = "verification.html"


def verification_page(
    problem: str | None = None, code: HTTPStatus = HTTPStatus.OK, pasted: str = ""
) -> Response:
    """The page before anything is checked, saying what would be. 503 when the ledger can't be read."""
    try:
        said = said_of(reader().ledger)
    except LedgerError as error:
        return unavailable(error)
    return page(TEMPLATE, code, **said, problem=problem, pasted=pasted, check=None, steps=())


def verified() -> Response:
    """Check the log, as the form asks, and say how far it is while that goes on."""
    try:
        pasted = sent("checked", LARGEST).get("outside", "")
    except FormError as error:
        return verification_page(str(error), error.code)
    if busy():
        return verification_page(BUSY, HTTPStatus.CONFLICT, pasted)
    try:
        ledger = reader().ledger
        said = said_of(ledger)
    except LedgerError as error:
        return unavailable(error)
    text = as_kept(pasted)
    if text and not is_kept(text):
        return verification_page(NOT_KEPT, HTTPStatus.BAD_REQUEST, pasted)
    check = Check(ledger, [(BROUGHT, text)] if text else ())
    context = context_of(
        **said,
        problem=None,
        pasted=pasted,
        check=check,
        steps=check.steps(),
        outcome=outcome,
        event=event_in(text),
    )
    template = current_site().notices.environment.get_template(f"consent/audit/{TEMPLATE}")
    response = Response(template.generate(context), mimetype="text/html")
    # Nginx would keep it back until it is whole.
    response.headers["X-Accel-Buffering"] = "no"
    return response


def unavailable(error: LedgerError) -> Response:
    """The page when there is nothing to check."""
    return page(
        TEMPLATE,
        HTTPStatus.SERVICE_UNAVAILABLE,
        problem=untold("The ledger can't be read now.", error),
        entries=None,
        keys=(),
        check=None,
        steps=(),
    )


def said_of(ledger: Ledger) -> dict[str, object]:
    """What the page says of *ledger* before and while it is checked, and the token of its form."""
    return {"token": generate_csrf(), "entries": ledger.size(), "keys": keys_of(ledger)}


def keys_of(ledger: Ledger) -> Sequence[str]:
    """The verifier keys of *ledger*; none where its first entry was altered, which a check finds."""
    try:
        return ledger.verifier_keys()
    except LedgerError:
        return ()


def as_kept(pasted: str) -> str:
    """A checkpoint or receipt as it was before a form sent it; empty if there was none."""
    text = pasted.replace("\r\n", "\n").replace("\r", "\n").strip()
    return f"{text}\n" if text else ""


def is_kept(text: str) -> bool:
    """Whether *text* looks like a receipt or a signed checkpoint, of whichever log."""
    if event_in(text) is not None:
        return True
    try:
        Checkpoint.parse(Note.parse(text).text)
    except ProofError:
        return False
    return True


def event_in(text: str) -> str | None:
    """The id of the event whose receipt *text* is; None if it is none."""
    try:
        return str(Receipt.parse(text).outline().id)
    except (ProofError, LedgerError):
        return None


def outcome(check: Check) -> dict[str, object]:
    """What came of *check*, for the template: only after its last step."""
    report = check.report
    if report is None:
        return {"verdict": None, "said": check.problem}
    return {
        "verdict": report.verdict,
        "plain": in_plain_words(report),
        "said": VERDICTS[report.verdict],
        "log": report.log,
        "log_said": VERDICTS.get(report.log or ""),
        "right": report.right,
        "log_right": report.log in FINE,
        "findings": [
            (each.verdict, place_in_words(each.place), with_times(shown(each.said)))
            for each in report.findings
        ],
        "remarks": [with_times(remark) for remark in report.remarks],
        "facts": list(facts_of(report, check.seconds)),
        "confirmed": bool(report.facts.get("anchored")),
    }


def facts_of(report: Report, seconds: float) -> Iterator[tuple[str, str]]:
    """What was checked: pairs of a name and what is said of it."""
    facts = report.facts
    if "entries" in facts:
        yield "entries", f"{facts['entries']:,}, the newest of {hour_in_words(facts.get('newest_hour'))}"
        yield "root", f"{facts.get('root')} (a fingerprint of them all)"
    for name, fact, said in (
        (
            "openings",
            "openings",
            "{:,} compared with their leaves: what events say, with what the log has committed to",
        ),
        ("tombstones", "tombstones", "{:,}, each of which stands where something was erased"),
        ("pruned", "pruned", "the leaves of {:,} entries; their hashes are in the tree"),
        ("documents", "documents", "{:,} policies, notices and the like"),
        (
            "checkpoints",
            "checkpoints",
            "{:,} that are stored, compared with the tree: states of the log that were signed",
        ),
        ("signed", "signed", "the first {:,} entries"),
        ("confirmed", "anchored", "{:,} entries, by what was kept elsewhere"),
    ):
        if isinstance(count := facts.get(fact), int) and (count or fact != "pruned"):
            yield name, said.format(count)
    yield "duration", f"{seconds:.1f} seconds"
