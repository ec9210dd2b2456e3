"""The tables of the log, as the files of the bundle that they would be.

What is in columns beside the leaves, which no bundle has, is looked at by the way.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import BinaryIO, cast

from consent.audit.export import document_hashes
from consent.audit.optouts import OptOuts
from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Ledger, Sealed, leaf_hash
from consent.ledger.bundle import lines_of_leaves, lines_of_tombstones
from consent.ledger.merkle import HASH_BYTES
from consent.ledger.record import naming
from consent.ledger.tile import WIDTH
from consent.verify import MOST_FINDINGS, Entries, Report

Progress = Callable[[Iterator[Sealed], int], Iterator[Sealed]]

#: How a leaf says below which index leaves were pruned.
_BOUND = re.compile(rb'"kind":"pruned","min_index":([0-9]{1,15}),')


class Tables:
    """The first *size* entries of *ledger*, as the files of the bundle that they would be (``verify.Source``).

    All but leaves and openings, which ``Rows`` reads together.
    """

    faults: Sequence[tuple[str, str]] = ()

    def __init__(self, ledger: Ledger, size: int) -> None:
        self.ledger = ledger
        self.stack = ExitStack()
        self.beside = dict[str, str]()
        """What is wrong in the columns beside the leaves, by place."""
        self.kinds = dict[str, str]()
        """Of the documents that were read the kinds that they are stored as, which no bundle has, by hash."""
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
            stored = self.ledger.storage.document(rest)
            found = None if stored is None else stored.body
            if stored is not None:
                self.kinds[rest] = stored.kind
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

    def __init__(self, tables: Tables, size: int, report: Report, progress: Progress) -> None:
        super().__init__(tables, size, tables.ledger.origin, report, tables.bound)
        self.personal = True
        self._tables = tables
        self._records = tables.below(progress(tables.ledger.records(tables.bound - 1), size), size)
        self._next = next(self._records, None)
        self._tile = dict[int, Sealed]()
        self.opt_outs = OptOuts(tables.bound)

    def leaves(self, index: int, width: int) -> list[bytes] | None:
        """The leaves under tile *index* of level 0, asked for in order; None if there are none of them."""
        places = range(index * WIDTH, index * WIDTH + width)
        self._tile = found = dict[int, Sealed]()
        if places.stop <= self._tables.bound:
            return None
        while self._next is not None and self._next.index < places.stop:
            found[self._next.index] = self._next
            self._next = next(self._records, None)
        if not found:
            return None
        for place in places:
            if place not in found:
                self._tables.note(place, "is not in the table of entries")
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
                    self._tables.note(record.index, fault)
        return hashes

    def opening(self, index: int) -> tuple[bytes, bytes] | None:
        """Salt and opening of entry *index*; None if they aren't there."""
        record = self._tile.get(index) or self._tables.kept.pop(index, None)
        if record is not None:
            self.opt_outs.look(index, record.leaf, record.body)
        if record is None or record.body is None or record.salt is None:
            return None
        if naming(record.subject) not in record.body:
            self._tables.note(index, "its opening is filed under another subject than it names")
        return record.salt, record.body


def beside(record: Sealed) -> str | None:
    """What in the columns beside its leaf *record* contradicts it; None if nothing does."""
    if leaf_hash(record.leaf) != record.leaf_hash:
        return "its leaf_hash is not the hash of its leaf"
    if b'"id":"%s"' % str(record.id).encode() not in record.leaf:
        return "its uid is not the id in its leaf"
    return None
