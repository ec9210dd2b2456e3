"""Events written out for other programs: JSON Lines, CSV, bundles. Files and folders are whole, or not there."""

import csv
import io
import json
import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import IO, Final

from consent.audit.row import OWN, Like, Reader, Row, stamp
from consent.audit.search import Search, all_found
from consent.errors import LedgerError
from consent.ledger import Checkpoint, Ledger, Sealed
from consent.ledger.bundle import Bundle, Part
from consent.ledger.keys import VOUCHER
from consent.ledger.note import Note

#: The columns of the CSV file. Lists are words with a space between; ``detail`` is JSON.
COLUMNS: Final = (
    "index",
    "id",
    "kind",
    "time",
    "hour",
    "policy",
    "revision",
    "notice",
    "language",
    "profile",
    "source",
    "signal",
    "opted_out",
    "granted",
    "refused",
    "before_granted",
    "before_refused",
    "subject",
    "account",
    "detail",
    "key",
    "erased",
    "problem",
)
#: The kinds of documents that a log keeps.
KINDS: Final = ("policy", "notice", VOUCHER)
#: A spreadsheet takes a cell that begins so for a formula, also after what isn't seen, also in its full-width form.
_SIGN: Final = "[\\s\ufeff\u200b-\u200f\u2060{}]*[=+@\uff1d\uff0b\uff0d\uff20-]"
_FORMULA: Final = re.compile(f"{_SIGN.format('')}|[ \u00a0]*[\t\r\n]")
#: Where a cell begins for one that is set up for other separators than commas, as in much of Europe: to it our quotes
#: mean nothing within a line.
_FURTHER: Final = re.compile(f"([;\t\r\n])(?={_SIGN.format(chr(34))})")


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))
#: What a file of a bundle may be called: what leads nowhere else, on any system.
_INSIDE: Final = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}/)*[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
#: Stands where what a row has of its own will; neither format has it anywhere else.
_PLACE: Final = "\0"
#: Forms of lines remembered at most.
MOST_FORMS: Final = 4096


def json_line(members: object) -> str:
    """*members* as one line of JSON in plain ASCII, without the line's end."""
    return _ENCODER.encode(members)


@dataclass(slots=True)
class Lines:
    """Rows as lines. What those that are alike have in common is written once for all of them, as ``form`` says."""

    form: Callable[[Like], str]
    """The line of a row that is like this, with a ``%s`` for each of ``OWN``."""
    nothing: str
    """What stands for None."""
    quote: str
    """What stands before and after a text."""
    known: dict[Like, str] = field(default_factory=dict)

    def line(self, row: Row) -> str:
        """*row* as a line. What it has of its own are a number, ids and times, in which nothing is to be escaped."""
        if (form := self.known.get(row.like)) is None:
            if len(self.known) >= MOST_FORMS:
                self.known.clear()
            form = self.known[row.like] = self.form(row.like)
        nothing, quote = self.nothing, self.quote
        return form % (
            nothing if row.index is None else row.index,
            f"{quote}{row.id}{quote}",
            nothing if row.time is None else f"{quote}{row.time}{quote}",
            nothing if row.hour is None else f"{quote}{_hour(row.hour)}{quote}",
            nothing if row.subject is None else f"{quote}{row.subject}{quote}",
        )

    def write(self, rows: Iterable[Row], out: IO[str]) -> int:
        """Write each of *rows* to *out*; how many."""
        written = 0
        for row in rows:
            out.write(self.line(row))
            written += 1
        return written


def write_jsonl(rows: Iterable[Row], out: IO[str]) -> int:
    """Write each of *rows* as a line of JSON; how many. Subjects are included: see ``write_csv``."""
    return Lines(json_form, nothing="null", quote='"').write(rows, out)


def json_form(like: Like) -> str:
    """The line of JSON of a row that is like this (``Lines.form``)."""
    own = ",".join(f'"{name}":{_PLACE}' for name in OWN)
    return _as_form(f"{{{own},{json_line(like.members(personal=True)).removeprefix('{')}\n")


def write_csv(rows: Iterable[Row], out: IO[str]) -> int:
    """Write *rows* as CSV (RFC 4180) with a line of names first; how many rows.

    Subjects are included, since whoever checks an export must be able to follow one browser's events. What a
    spreadsheet would run as a formula has an apostrophe in front.
    """
    csv.writer(out).writerow(COLUMNS)
    return Lines(csv_form, nothing="", quote="").write(rows, out)


def csv_form(like: Like) -> str:
    """The line of CSV of a row that is like this (``Lines.form``)."""
    members, line = flattened(like.members(personal=True)), io.StringIO()
    csv.writer(line).writerow(_PLACE if name in OWN else cell(members[name]) for name in COLUMNS)
    return _as_form(line.getvalue())


def _as_form(line: str) -> str:
    return line.replace("%", "%%").replace(_PLACE, "%s")


#: Writes rows in some format, and says how many.
Writer = Callable[[Iterable[Row], IO[str]], int]
#: How to write each format that needs nothing besides the rows.
WRITERS: Final[dict[str, Writer]] = {"jsonl": write_jsonl, "csv": write_csv}


@lru_cache(64)
def _hour(hour: datetime) -> str:
    return stamp(hour, "seconds")


def schema_of(form: str) -> str:
    """What an export in the format *form* looks like, as JSON: a JSON Schema; for CSV a Table Schema (Frictionless)."""
    return files("consent").joinpath("schemas", f"{form}.json").read_text(encoding="utf-8")


def rows_below(
    size: int,
    reader: Reader,
    search: Search,
    progress: Callable[[Iterator[Sealed]], Iterator[Sealed]] = lambda records: records,
) -> Iterator[Row]:
    """The events below index *size* that *search* asks for, oldest first; later ones are left out.

    Their records, and those of some others, pass through *progress*.
    """
    records = takewhile(lambda record: record.index < size, all_found(reader, search))
    rows = reader.rows(progress(records))
    if search == Search():
        return rows
    return (row for row in rows if search.matches(row, reader.policy(row.policy)))


def write_rows(writer: Writer, rows: Iterable[Row], out: IO[bytes]) -> int:
    """Have *writer* write *rows* to *out*, in UTF-8; how many."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    try:
        return writer(rows, text)
    finally:
        text.detach()


def flattened(members: dict[str, object]) -> dict[str, object]:
    """*members* of a row with the answers before it as columns of their own."""
    before = members.pop("before")
    granted, refused = (before["granted"], before["refused"]) if isinstance(before, dict) else (None, None)
    return members | {"before_granted": granted, "before_refused": refused}


def cell(value: object) -> str:
    """*value* as the text of a CSV cell that no spreadsheet takes for a formula."""
    match value:
        case str():  # as most are
            text = value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            text = " ".join(str(item) for item in value)
        case dict():
            text = json_line(value)
        case _:
            text = str(value)
    text = _FURTHER.sub(r"\1'", text.replace("\0", ""))
    return f"'{text}" if _FORMULA.match(text) else text


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which gets the name *path* only when the block has ended well; its owner's alone.

    Until then *path* stays as it is, also when the machine stops. OSError when it can't be written;
    FileExistsError when *path* is something other than a file.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise FileExistsError(f"{path} is not a regular file; name a file, or send the output there with >")
    try:
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def bundle_of(
    ledger: Ledger,
    note: str,
    *,
    pruned: int,
    openings: bool,
    span: tuple[date, date] | None,
    progress: Callable[[Iterator[Sealed], int], Iterator[Sealed]],
) -> Bundle:
    """What goes into the bundle of *ledger* whose checkpoint is *note*: all of it as it is stored, altered or not.

    *pruned*: below which index entries were, when that was asked before the checkpoint was taken. *span*: the first and
    the last day of the entries whose openings go in; None: all of them.

    The records pass through *progress*, which gets their number, twice, or three times of a log that was pruned.
    """
    size = Checkpoint.parse(Note.parse(note).text).size
    return Bundle(
        checkpoint=note,
        records=lambda: progress(takewhile(lambda record: record.index < size, ledger.records()), size),
        tiles=ledger.storage,
        documents=document_hashes(ledger),
        document=lambda hash: stored_body(ledger, hash) or b"",
        erased=ledger.erased,
        program=files("consent").joinpath("verify.py").read_bytes(),
        openings=openings,
        span=span,
        needed=[document.hash for document in ledger.documents(VOUCHER)],
        pruned=pruned,
    )


def document_hashes(ledger: Ledger) -> list[str]:
    """The hashes under which policies, notices and what vouches for keys are stored."""
    return [*dict.fromkeys(document.hash for kind in KINDS for document in ledger.documents(kind))]


def stored_body(ledger: Ledger, hash: str) -> bytes | None:
    """What is stored under *hash*, which may be something else: unlike ``Ledger.document`` this takes it as it is."""
    found = ledger.storage.document(hash)
    return None if found is None else found.body


def inside(part: Part) -> str:
    """The path of *part*; LedgerError if it is none that surely stays within the bundle."""
    if len(part.path) > 1024 or not _INSIDE.fullmatch(part.path):
        raise LedgerError(
            f"A bundle has no file that is called {part.path[:200]!r}; expected letters, digits and .-_ between "
            "slashes. It would lie elsewhere, so nothing is written."
        )
    return part.path


def write_zip(parts: Iterable[Part], path: Path) -> None:
    """Write the bundle *parts* as a zip to *path*. As ``whole_file``."""
    with whole_file(path) as file:
        zip_to(parts, file)


def zip_to(parts: Iterable[Part], file: IO[bytes]) -> None:
    """Write the bundle *parts* as a zip to *file*; the same bytes for the same parts."""
    with zipfile.ZipFile(file, "w") as archive:
        for part in parts:
            # A date of its own would make each zip another.
            member = zipfile.ZipInfo(inside(part), (1980, 1, 1, 0, 0, 0))
            member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, 3
            member.external_attr = (stat.S_IFREG | 0o600) << 16
            # How long it becomes is not known yet.
            with archive.open(member, "w", force_zip64=True) as out:
                for chunk in part.chunks:
                    out.write(chunk)


def write_folder(parts: Iterable[Part], path: Path) -> None:
    """Write the bundle *parts* as a new folder *path*, its owner's alone, which appears when all is written.

    FileExistsError if there is something called *path*; OSError when it can't be written.
    """
    path = Path(os.path.realpath(path))
    if path.exists():
        raise FileExistsError(f"{path} is there already; name a folder that isn't")
    new = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        for part in parts:
            target = new / inside(part)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for chunk in part.chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        os.rename(new, path)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
