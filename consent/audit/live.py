"""The log as it stands in the database, checked by the program that checks bundles.

Nothing is written for that: what ``consent.verify`` would read from a bundle's files it gets here from the tables. What
only a database has is looked at here (columns beside the leaves, the head) and in ``signed`` (checkpoints, the guard).
"""

import io
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import lru_cache
from typing import BinaryIO, cast

from consent.audit.export import document_hashes, stored_body
from consent.audit.optouts import OptOuts
from consent.audit.signed import compare_guard, compare_notes
from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Head, Ledger, Sealed, leaf_hash
from consent.ledger.bundle import lines_of_leaves, lines_of_tombstones
from consent.ledger.merkle import HASH_BYTES, Frontier
from consent.ledger.record import naming
from consent.ledger.tile import WIDTH
from consent.verify import (
    MOST_FINDINGS,
    Checkpoint,
    Enough,
    Entries,
    Key,
    Report,
    Trust,
    check_documents,
    check_endings,
    check_log,
    check_named,
    check_prunings,
    confirm,
    read_given,
)

#: How a leaf says below which index leaves were pruned.
_BOUND = re.compile(rb'"kind":"pruned","min_index":([0-9]{1,15}),')

Progress = Callable[[Iterator[Sealed], int], Iterator[Sealed]]


class Live:
    """The first *size* entries of *ledger*, as the files of the bundle that they would be (``verify.Source``).

    All but leaves and openings, which ``Rows`` reads together.
    """

    faults: Sequence[tuple[str, str]] = ()

    def __init__(self, ledger: Ledger, size: int) -> None:
        self.ledger = ledger
        self.stack = ExitStack()
        self.beside = dict[str, str]()
        """What is wrong in the columns beside the leaves, by place."""
        self._size = size
        self.bound = self._bound()
        """Entries below were pruned, but for those that are still there."""
        self.kept = dict[int, Sealed]()
        """Those that were read, until their openings are asked for."""
        self._tile = lru_cache(64)(self._stored_tile)

    def open(self, name: str) -> BinaryIO | None:
        """The file *name*; None if there is none."""
        if name == "kept.jsonl":
            return cast(BinaryIO, _Lines(lines_of_leaves(self._kept())))
        if name == "erased.jsonl":
            erased = (each for each in self.ledger.erased() if each[0] < self._size)
            return cast(BinaryIO, _Lines(lines_of_tombstones(erased)))
        folder, _, rest = name.partition("/")
        if folder == "documents":
            found = stored_body(self.ledger, rest)
        elif folder == "tile":
            level, _, number = rest.partition("/")
            whole, _, width = number.partition(".p/")
            found = self._tile(int(level), int(whole.replace("x", "").replace("/", "")), int(width or WIDTH))
        else:
            found = None
        return None if found is None else io.BytesIO(found)

    def names(self, folder: str = "") -> list[str]:
        """The names of what would lie in *folder*."""
        return document_hashes(self.ledger) if folder == "documents" else []

    def _stored_tile(self, level: int, index: int, width: int) -> bytes | None:
        storage = self.ledger.storage
        if width == WIDTH:
            # As it is stored: what stands for it elsewhere, entries or tiles below, may go one day.
            return storage.full_tile(level, index)
        try:
            found = storage.tile(level, index)
        except LedgerUnavailable:
            raise
        except LedgerError:
            return None
        return found[: width * HASH_BYTES]  # since the head was read it may have grown

    def _bound(self) -> int:
        """The bound; if that was altered, the highest that an event names, so that it hides nothing else."""
        try:
            return self.ledger.pruned()
        except LedgerUnavailable:
            raise
        except LedgerError as error:
            self.beside["bound"] = str(error)
        named = [0]
        for record in self.below(self.ledger.records(), self._size):
            if (said := _BOUND.search(record.leaf)) and (bound := int(said[1])) <= record.index:
                named.append(bound // WIDTH * WIDTH)
        return max(named)

    def below(self, records: Iterator[Sealed], size: int) -> Iterator[Sealed]:
        """Those of *records* below index *size*, up to the first that can't be read."""
        after = -1
        try:
            for record in records:
                if record.index >= size:
                    return
                after = record.index
                yield record
        except (ValueError, TypeError) as error:
            # An id, or a number, that is none.
            self.note(after + 1, f"this row, or one of the next, can't be read ({error})")

    def note(self, index: int, said: str) -> None:
        """Say what is wrong with entry *index* in the columns beside its leaf."""
        if len(self.beside) < MOST_FINDINGS:
            self.beside.setdefault(f"entry {index}", said)

    def _kept(self) -> Iterator[Sealed]:
        """What is there of the entries that were pruned; what is still to go is among them."""
        for record in self.below(self.ledger.records() if self.bound else iter(()), self.bound):
            if fault := beside(record):
                self.note(record.index, fault)
            self.kept[record.index] = record
            yield record


class _Lines(io.BufferedIOBase):
    """Lines that are made while they are read, as a file."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._made = lines

    def readline(self, size: int | None = -1, /) -> bytes:
        return next(self._made, b"")


class Rows(Entries):
    """The entries of a database, each row read once: its leaf, its opening, and the columns beside them."""

    def __init__(self, live: Live, size: int, report: Report, progress: Progress) -> None:
        super().__init__(live, size, live.ledger.origin, report, live.bound)
        self.personal = True
        self._live = live
        self._records = live.below(progress(live.ledger.records(live.bound - 1), size), size)
        self._next = next(self._records, None)
        self._tile = dict[int, Sealed]()
        self.opt_outs = OptOuts(live.bound)

    def leaves(self, index: int, width: int) -> list[bytes] | None:
        """The leaves under tile *index* of level 0, asked for in order; None if there are none of them."""
        places = range(index * WIDTH, index * WIDTH + width)
        self._tile = found = dict[int, Sealed]()
        if places.stop <= self._live.bound:
            return None
        while self._next is not None and self._next.index < places.stop:
            found[self._next.index] = self._next
            self._next = next(self._records, None)
        if not found:
            return None
        for place in places:
            if place not in found:
                self._live.note(place, "is not in the table of entries")
        return [found[place].leaf if place in found else b"" for place in places]

    def plain(self, index: int, width: int) -> None:
        """None: openings come with their rows here, not in lines, and each row is read once."""

    def looked_at(self, first: int, leaves: Sequence[bytes]) -> bytes:
        """The hashes of the *leaves* from entry *first* on; also whether ids and hashes beside them are theirs."""
        hashes = super().looked_at(first, leaves)
        records = self._tile.values()
        stored = b"".join([record.leaf_hash for record in records])
        ids = b"".join([record.id.bytes for record in records])
        if (stored, ids) != (hashes, bytes(self.ids[-16 * len(leaves) :])):
            for record in records:
                if fault := beside(record):
                    self._live.note(record.index, fault)
        return hashes

    def opening(self, index: int) -> tuple[bytes, bytes] | None:
        """Salt and opening of entry *index*; None if they aren't there."""
        record = self._tile.get(index) or self._live.kept.pop(index, None)
        if record is not None:
            self.opt_outs.look(index, record.leaf, record.body)
        if record is None or record.body is None or record.salt is None:
            return None
        if naming(record.subject) not in record.body:
            self._live.note(index, "its opening is filed under another subject than it names")
        return record.salt, record.body


def beside(record: Sealed) -> str | None:
    """What in the columns beside its leaf *record* contradicts it; None if nothing does."""
    if leaf_hash(record.leaf) != record.leaf_hash:
        return "its leaf_hash is not the hash of its leaf"
    if b'"id":"%s"' % str(record.id).encode() not in record.leaf:
        return "its uid is not the id in its leaf"
    return None


def own_keys(ledger: Ledger, tell: Callable[[str], None]) -> list[Key]:
    """The keys that count of *ledger*; none if its entry 0 was altered, which is found as such, and *tell* is told."""
    try:
        return [Key.parse(key) for key in ledger.verifier_keys()]
    except LedgerError as error:
        tell(f"The log's keys can't be read: {error}")
        return []


def verify_live(
    ledger: Ledger,
    keys: Sequence[Key],
    outside: Sequence[tuple[str, str]],
    *,
    progress: Progress,
    now: datetime,
    max_age: timedelta | None = None,
) -> Report:
    """Check the database of *ledger*, and compare it with the texts *outside*, each with the name it goes by.

    *keys* are those that count. What is found is looked for again, since others write meanwhile; only what is there
    both times is reported. LedgerUnavailable when the database can't be read now; LedgerError when it has no head.
    """
    report = _look(ledger, keys, outside, progress=progress, now=now, max_age=max_age)
    if not report.right:
        again = _look(ledger, keys, outside, progress=progress, now=now, max_age=max_age)
        report.findings = [finding for finding in report.findings if finding in again.findings]
    return report


def _look(
    ledger: Ledger,
    keys: Sequence[Key],
    outside: Sequence[tuple[str, str]],
    *,
    progress: Progress,
    now: datetime,
    max_age: timedelta | None,
) -> Report:
    report, trust = Report(), Trust([*keys], frozenset({ledger.origin}), _revoked(ledger))
    size, head = ledger.size(), ledger.head()
    source = Live(ledger, head.size)
    signed = Checkpoint(ledger.origin, head.size, head.root, ())
    known = read_given(outside, trust, report)
    rows = Rows(source, head.size, report, progress)
    try:
        # The database reads itself through beside that, in a thread of its own, where Python has nothing to do.
        with source.stack, ThreadPoolExecutor(1, "consent-contradictions") as pool:
            contradictions = pool.submit(ledger.storage.contradictions)
            check_documents(source, report)
            tree, _ = check_log(
                source, report, signed, place="head", now=now, max_age=max_age, looking=lambda *_: rows
            )
            check_named(source, report, rows)
            _check_head(ledger, head, size, report)
            compare_notes(ledger, trust, signed, tree, rows)
            check_prunings(trust, tree, rows)
            check_endings(trust, tree, rows)
            compare_guard(ledger, trust, signed, tree)
            _check_filed(ledger, rows)
            rows.opt_outs.compare(ledger, head.size, rows.pruned - len(rows.kept), report)
            confirm(known, signed, tree, rows)
            _say_contradictions(contradictions.result(), report)
            report.facts |= {
                "documents": len(source.names("documents")),
                "tombstones": rows.erased,
                "pruned": rows.pruned - len(rows.kept),
            }
        named = {finding.place for finding in report.findings if finding.verdict == "tampered"}
        for place, said in source.beside.items():
            if place not in named:
                report.add("tampered", place, said)
    except Enough:
        report.remarks.append(f"Stopped after {MOST_FINDINGS} findings. Later entries were not looked at.")
    return report


def _check_head(ledger: Ledger, head: Head, size: int, report: Report) -> None:
    """Whether the head is that of a tree, and no entry stands outside it; *size* was read before it."""
    try:
        root = Frontier.from_bytes(head.size, head.frontier).root()
    except LedgerError:
        root = b""
    if root != head.root:
        report.add("tampered", "head", "its frontier doesn't lead to its root")
    for stray in ledger.storage.strays():
        report.add("tampered", f"entry {stray}", "stands outside the tree, where no event is ever recorded")
        return
    if size > head.size:
        report.remarks.append(f"{size - head.size:,} entries are not under the tree yet, and not checked.")


def _say_contradictions(found: Sequence[str], report: Report) -> None:
    """Say what was *found* where tables and their indexes contradict each other."""
    if found:
        more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        said = "its tables and indexes contradict each other, so who looks or erases by an index can miss something"
        report.add("tampered", "database", f"{said}: {found[0]}{more}")


def _check_filed(ledger: Ledger, rows: Rows) -> None:
    """Whether all that is filed under an event's id has its entry, and each leaf that was pruned its tombstone."""
    report, gone, tombstones = rows.report, rows.pruned - len(rows.kept), 0
    for table, id in _filed(ledger, report):
        if table == "erased":
            tombstones += 1
        elif table == "opening":
            report.add("tampered", f"opening of {id}", "is of no entry: its leaf is gone, or never was here")
        elif not ledger.storage.is_erased(id):
            report.add(
                "tampered", f"opt-out by {id}", "holds by an event whose entry is gone and wasn't erased"
            )
    if tombstones < gone:
        report.add(
            "tampered",
            f"entries 0 to {rows.pruned - 1}",
            f"{gone:,} of their leaves are gone, and there are tombstones of {tombstones:,}: no leaf goes before what "
            "it committed to was erased",
        )


def _filed(ledger: Ledger, report: Report) -> Iterator[tuple[str, uuid.UUID]]:
    """What is filed under the id of no event; each table is named in which something is filed under what is no id."""
    named = set[str]()
    for table, id in ledger.storage.orphans():
        if id is not None:
            yield table, id
        elif table not in named:
            named.add(table)
            report.add("tampered", table, "one of its rows is filed under what is no event's id")


def _revoked(ledger: Ledger) -> list[Key]:
    """The keys of *ledger* that count no longer; none if its entry 0 was altered, which is found as such."""
    try:
        known = ledger.keys()
    except LedgerError:
        return []
    return [Key.parse(each.verifier) for each in known if not each.counts]
