"""What an auditor takes away: the events of a search as a file, or a bundle with the openings of some days."""

from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import IO, Final, NamedTuple

from flask import Response, send_file

from consent.audit.copying import copied
from consent.audit.export import WRITERS, rows_below, write_rows, zip_to
from consent.audit.exported import record_export
from consent.audit.form import FormError, sent
from consent.audit.jsonld import Records
from consent.audit.listing import problem_page
from consent.audit.lookup import Untraced, stand_in
from consent.audit.page import reader
from consent.audit.query import OF_FORM, ONCE, SEVERAL, Query, require_known
from consent.audit.search import Search, SearchError
from consent.audit.untold import untold
from consent.errors import LedgerError
from consent.ledger import Kind, Ledger
from consent.policy.values import shown
from consent.web.recorder import PATIENCE, moment
from consent.web.site import current_site


class Form(NamedTuple):
    """A form that events are handed out in."""

    ending: str
    mimetype: str


FORMS: Final = {
    "bundle": Form("zip", "application/zip"),
    "csv": Form("csv", "text/csv"),
    "jsonl": Form("jsonl", "application/jsonl"),
    "jsonld": Form("jsonld", "application/ld+json"),
}


def downloaded(who: str) -> Response:
    """The file that the form asks for, once it is on record that the auditor *who* took it; else the log, and why not.

    It is whole before any of it is sent, and lies meanwhile in a temporary file that has no name.
    """
    try:
        sent_form = sent("handed out")
        require_known(sent_form, (*SEVERAL, *ONCE, *OF_FORM))
        name = sent_form.get("format", "")
        search = Query.of(sent_form).search(tuple(Kind))
        if name not in FORMS:
            raise SearchError(f"{shown(name)} is no form to hand out; expected one of: {', '.join(FORMS)}.")
        if name == "bundle" and search.days is None:
            raise SearchError(
                "A bundle is of whole days, and of all that was on them. Search by the two dates alone."
            )
    except FormError as error:
        return problem_page(str(error), error.code)
    except SearchError as error:
        return problem_page(str(error), HTTPStatus.BAD_REQUEST)
    try:
        file = written(name, search, who)
    except Untraced as error:
        return problem_page(untold(error.said, error), HTTPStatus.SERVICE_UNAVAILABLE)
    except (LedgerError, OSError) as error:
        return problem_page(untold("The file can't be made now.", error), HTTPStatus.SERVICE_UNAVAILABLE)
    return attached(file, FORMS[name], search)


def written(form: str, search: Search, who: str) -> IO[bytes]:
    """A temporary file with what *search* asks for in this *form*; whoever takes it closes it. As ``write_to``."""
    file = TemporaryFile()  # noqa: SIM115 - the response closes it
    try:
        write_to(file, form, search, who)
    except BaseException:
        with suppress(OSError):  # what a full disk hasn't taken, it doesn't take now
            file.close()
        raise
    return file


def write_to(file: IO[bytes], form: str, search: Search, who: str) -> None:
    """Write to *file* in this *form* what *search* asks for, on record first; Untraced when that can't be recorded."""
    source = reader()
    ledger = source.ledger
    if form == "bundle":
        copied(
            ledger,
            lambda parts: zip_to(parts, emptied(file)),
            span=search.days,
            record=lambda size: record(ledger, form, search, size, who),
            progress=lambda records, total: records,
            patience=PATIENCE,
        )
        return
    size = ledger.size()
    record(ledger, form, search, size, who)
    writer = Records.of(current_site(), source).write if form == "jsonld" else WRITERS[form]
    write_rows(writer, rows_below(size, source, search), file)


def emptied(file: IO[bytes]) -> IO[bytes]:
    """*file* without what was written to it."""
    file.seek(0)
    file.truncate()
    return file


def record(ledger: Ledger, form: str, search: Search, below: int, who: str) -> None:
    """Put on record that the auditor *who* is handed this; Untraced when that can't be done."""
    recorder = current_site().recorder
    try:
        with recorder.turn():
            record_export(
                ledger,
                form,
                search,
                below,
                who=stand_in(recorder, who),
                time=moment(current_site().clock()),
                policy=recorder.named_policy(),
                patience=PATIENCE,
            )
    except LedgerError as error:
        raise Untraced("Nothing is handed out, because it can't be put on record now.", error) from error


def attached(file: IO[bytes], form: Form, search: Search) -> Response:
    """*file*, sent from its beginning as an attachment."""
    length = file.tell()
    file.seek(0)
    response = send_file(
        file, form.mimetype, as_attachment=True, download_name=file_name(search, form.ending), etag=False
    )
    response.content_length = length
    return response


def file_name(search: Search, ending: str) -> str:
    """What the file is called, after the days that *search* names."""
    words = ["consent"]
    if search.since is not None:
        words += ["from", str(search.since.date())]
    if search.until is not None:
        words += ["to", str((search.until - timedelta.resolution).date())]
    return f"{'-'.join(words)}.{ending}"
