"""A bundle: the log as others check it offline, in the layout of C2SP tlog-tiles. ``docs/format.md`` draws it.

A bundle is a sequence of files whose bytes follow from the state of the log alone. They come piece by piece, so that
no log is too large for the memory; what becomes of them, a folder or a zip, is for the caller.
"""

import hashlib
import itertools
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol

from consent.canonical import canonical
from consent.errors import LedgerError
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.leaf import LONGEST_LEAF
from consent.ledger.merkle import HASH_BYTES
from consent.ledger.note import Note, encoded
from consent.ledger.pruning import lasts, stays
from consent.ledger.tile import WIDTH, Tile, TileStore, entry_bundle, tiles_of

_README = """\
This is a copy of the consent log {origin}: {size} entries.

Check it with Python 3.11 or later and the package "cryptography":

    python verify.py . --key KEY

or with the name of the zip in place of the dot. KEY is the log's verifier key, a text that begins with the log's name.
Take it from where the site publishes it, never from here: whoever made this copy could have put in another. For the
same reason take verify.py from a release of Flask-Assent if you don't trust whoever gave you this.

Who kept an earlier checkpoint of the log or a visitor's receipt adds it, with --checkpoint FILE or --receipt FILE.
Without one the copy is shown to be consistent, but not that it is the log which others were shown.

The last line names the worst of these:

    ok               everything is what was recorded and signed
    erased           so it is, and some openings were erased, as erased.jsonl states
    pruned           so it is, and the oldest leaves were pruned, as the log says; their hashes are here
    unanchored       so it is, but it was compared with nothing from outside
    stale            the newest entry is older than --max-age allows
    missing-opening  an opening is gone, and nothing says that it was erased
    bad-signature    none of the keys given signed it, or it is another log
    truncated        entries are gone that others were shown before
    forked           the log was rewritten since others were shown it
    tampered         something is not what was recorded; the line above says where

openings.jsonl, if it is here, is personal data: what each visitor answered. It may be left out; all else is still
checked. span.json, if it is here, names the first and the last day that openings.jsonl is of. Whoever made this copy
says so, and the program says it again: compare these days with those that you asked for.
"""

_DAY = re.compile(rb'"hour":"([0-9]{4}-[0-9]{2}-[0-9]{2})T')
_HASH = re.compile(rb'"([0-9a-f]{64})"')
_NAME = re.compile(r"[0-9a-f]{64}")


class Part(NamedTuple):
    """One file of a bundle."""

    path: str
    """With slashes, such as ``tile/0/000``."""
    chunks: Iterable[bytes]
    """Its bytes, which are made while they are read: read them before the next part."""


class Stored(Protocol):
    """What a bundle needs of a record."""

    @property
    def index(self) -> int:
        """Its place in the log."""

    @property
    def leaf(self) -> bytes:
        """Its leaf."""

    @property
    def salt(self) -> bytes | None:
        """None once its opening is erased."""

    @property
    def body(self) -> bytes | None:
        """None once its opening is erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What goes into a bundle."""

    checkpoint: str
    """The signed note of the tree that the bundle is of. Entries after it are left out."""
    records: Callable[[], Iterator[Stored]]
    """All records in index order; called twice, and once more of a log that was pruned."""
    tiles: TileStore
    documents: Iterable[str]
    """The hashes of all policies, notices and vouchers, in any order."""
    document: Callable[[str], bytes]
    """The bytes stored under such a hash."""
    erased: Callable[[], Iterable[tuple[int, uuid.UUID]]]
    """Index and id of each event whose opening was erased, in index order; called after the records were read."""
    program: bytes
    """``verify.py``."""
    openings: bool = True
    """Whether the openings, which are personal data, go in."""
    span: tuple[date, date] | None = None
    """The first and the last day (UTC) of the entries whose openings go in, and what these need of the documents.

    None: of all. Openings of leaves that stay for ever say nothing of anybody, and go in always.
    """
    needed: Collection[str] = ()
    """The hashes of documents that go in also where no such opening names them: what vouches for keys."""
    pruned: int = 0
    """Entries below this index were pruned. Of them only those go in that stay (``pruning.stays``)."""

    def parts(self) -> Iterator[Part]:
        """The files, always in the same order. ProofError if the checkpoint is none.

        LedgerError, also while chunks are read, if entries or tiles are missing, and for a leaf that none can be.
        """
        signed = Checkpoint.parse(Note.parse(self.checkpoint).text)
        readme = _README.format(origin=signed.origin, size=signed.size)
        yield Part("README.txt", [readme.encode()])
        yield Part("checkpoint", [self.checkpoint.encode()])
        if self.span is not None:
            first, last = map(str, self.span)
            yield Part("span.json", [_line({"since": first, "until": last})])
        yield from self._entries(signed.size)
        for tile in tiles_of(signed.size):
            yield Part(tile.path, [self._tile(tile)])
        # Whose opening is written has no tombstone here, also when it is erased meanwhile.
        written, named = bytearray(-(-signed.size // 8)), set(self.needed)
        if self.openings:
            yield Part("openings.jsonl", lines_of_openings(self._noted(signed.size, written, named)))
        erased = ((index, id) for index, id in self.erased() if index < signed.size)
        yield Part("erased.jsonl", lines_of_tombstones(each for each in erased if not _in(written, each[0])))
        yield from self._documents(named)
        yield Part("verify.py", [self.program])

    def _documents(self, named: Collection[str]) -> Iterator[Part]:
        done = set[str]()
        for hash in sorted(self.documents):
            if self.span is None or hash in named:
                body = self.document(hash)
                if (name := document_name(hash, body)) not in done:
                    done.add(name)
                    yield Part(f"documents/{name}", [body])

    def _below(self, size: int) -> Iterator[Stored]:
        records = itertools.takewhile(lambda record: record.index < size, self.records())
        for record in records:
            if record.index >= self.pruned or stays(record):
                if len(record.leaf) > LONGEST_LEAF:
                    raise LedgerError(
                        f"The leaf of entry {record.index} has {len(record.leaf):,} bytes, and none has more than "
                        f"{LONGEST_LEAF:,}, which is what a bundle holds: somebody else wrote it, and no bundle can be "
                        "made. What else is wrong says: flask consent verify"
                    )
                yield record

    def _entries(self, size: int) -> Iterator[Part]:
        if self.pruned:
            yield Part("kept.jsonl", lines_of_leaves(self._below(self.pruned)))
        expected = self.pruned
        records = (record for record in self._below(size) if record.index >= self.pruned)
        for batch in _batched(records, WIDTH):
            first = batch[0].index
            if first != expected:
                raise LedgerError(f"entries before entry {first} are missing; no bundle can be made")
            if [record.index for record in batch] != [*range(first, first + len(batch))]:
                raise LedgerError(f"entries after entry {first} are missing; no bundle can be made")
            expected = first + len(batch)
            tile = Tile(0, first // WIDTH, len(batch))
            yield Part(tile.entries_path, [entry_bundle(record.leaf for record in batch)])
        if expected != size:
            raise LedgerError(f"the checkpoint is of {size} entries, and there are {expected}")

    def _tile(self, tile: Tile) -> bytes:
        hashes = self.tiles.tile(tile.level, tile.index)[: tile.width * HASH_BYTES]
        if len(hashes) != tile.width * HASH_BYTES:
            raise LedgerError(f"the tile {tile.path} is shorter than it was; no bundle can be made")
        return hashes

    def _noted(self, size: int, written: bytearray, named: set[str]) -> Iterator[Stored]:
        """The records whose openings go in, each marked in *written*; of a span, *named* gets what they name."""
        for record in self._below(size):
            if record.body is None or not self._asked(record):
                continue
            written[record.index >> 3] |= 1 << (record.index & 7)
            if self.span is not None:
                named |= {
                    hash.decode() for said in (record.leaf, record.body) for hash in _HASH.findall(said)
                }
            yield record

    def _asked(self, record: Stored) -> bool:
        if self.span is None or lasts(record):
            return True
        first, last = map(str, self.span)
        return (day := _DAY.search(record.leaf)) is not None and first <= day[1].decode() <= last


def is_hash(name: str) -> bool:
    """Whether *name* is one that a document can be stored under: SHA-256, in 64 lower-case hex digits."""
    return _NAME.fullmatch(name) is not None


def document_name(hash: str, body: bytes) -> str:
    """What the file of the document *body* is called, which is stored under *hash*.

    What is no hash may lead anywhere, and never becomes a name: that follows from the bytes then, and says so.
    """
    return hash if is_hash(hash) else f"misnamed-{hashlib.sha256(body).hexdigest()}"


def lines_of_leaves(records: Iterable[Stored]) -> Iterator[bytes]:
    """The lines of ``kept.jsonl``."""
    for record in records:
        yield _line({"index": record.index, "leaf": encoded(record.leaf)})


def lines_of_openings(records: Iterable[Stored]) -> Iterator[bytes]:
    """The lines of ``openings.jsonl``."""
    for record in records:
        if record.body is not None and record.salt is not None:
            # As ``_line`` would write it, which takes as long as all else that is done for an event.
            body, salt = encoded(record.body), encoded(record.salt)
            yield b'{"index":%d,"opening":"%s","salt":"%s"}\n' % (record.index, body.encode(), salt.encode())


def lines_of_tombstones(erased: Iterable[tuple[int, uuid.UUID]]) -> Iterator[bytes]:
    """The lines of ``erased.jsonl``."""
    for index, id in erased:
        yield _line({"id": str(id), "index": index})


def _in(written: bytearray, index: int) -> bool:
    return bool(written[index >> 3] & 1 << (index & 7))


def _line(members: dict[str, object]) -> bytes:
    return canonical(members) + b"\n"


def _batched(records: Iterable[Stored], count: int) -> Iterator[list[Stored]]:
    records = iter(records)
    while batch := list(itertools.islice(records, count)):
        yield batch
