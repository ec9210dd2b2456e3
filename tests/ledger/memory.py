"""A log in memory, as a database would keep it: entries, the tiles that are full, openings, documents."""

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.errors import LedgerError
from consent.ledger import Checkpoint, Document, Event, Kind, Receipt, Sealed, commitment, leaf_hash, opened
from consent.ledger.bundle import Bundle, Part
from consent.ledger.merkle import inclusion_proof, root_of
from consent.ledger.note import Signer, sign
from consent.ledger.pruning import Span, attested, lasts, pruning, stays
from consent.ledger.tile import TileReader, completed_tiles, tile_root

ORIGIN = "clinic.example/privacy-choices"
START = datetime(2026, 11, 21, 18, 4, 5, 123000, tzinfo=UTC)


@dataclass
class FullTiles:
    """Entries, the tiles that are full with their roots, nothing else; and what was read of them."""

    entries: list[bytes] = field(default_factory=list)
    full: dict[tuple[int, int], tuple[bytes, bytes]] = field(default_factory=dict)
    read: list[tuple[int, int]] = field(default_factory=list)

    def grow(self, hashes: Sequence[bytes]) -> None:
        old = len(self.entries)
        self.entries += hashes
        for tile in completed_tiles(old, len(self.entries)):
            hashes_of_tile = self.gather(tile.level, tile.index)
            self.full[tile.level, tile.index] = hashes_of_tile, tile_root(hashes_of_tile)

    def gather(self, level: int, index: int) -> bytes:
        places = range(index * 256, index * 256 + 256)
        if level == 0:
            return b"".join(self.entries[places.start : places.stop])
        below = [self.full[level - 1, place][1] for place in places if (level - 1, place) in self.full]
        return b"".join(below)

    def full_tile(self, level: int, index: int) -> bytes | None:
        stored = self.full.get((level, index))
        return stored[0] if stored else None

    def tile(self, level: int, index: int) -> bytes:
        self.read.append((level, index))
        stored = self.full.get((level, index))
        found = stored[0] if stored else self.gather(level, index)
        if not found:
            raise LedgerError("no such tile")
        return found


def signer_of(seed: bytes = bytes(range(32)), name: str = ORIGIN) -> Signer:
    """The signer whose private key is *seed*."""
    return Signer.of(name, Ed25519PrivateKey.from_private_bytes(seed))


@dataclass
class MemoryLog:
    """The log ``ORIGIN``, which entry 0 opens; always the same bytes for the same acts."""

    signer: Signer = field(default_factory=signer_of)
    records: list[Sealed] = field(default_factory=list)
    tiles: FullTiles = field(default_factory=FullTiles)
    documents: dict[str, bytes] = field(default_factory=dict)
    erased: list[tuple[int, uuid.UUID]] = field(default_factory=list)
    first: int = 0
    """The first entry whose leaf isn't pruned."""

    def __post_init__(self) -> None:
        for kind, body in (("policy", b'{"revision":1}'), ("notice", b"<section>Hello</section>")):
            self.documents[Document.of(kind, body).hash] = body
        self.policy, self.notice = self.documents
        self.append(opened(self.signer.key, origin=ORIGIN, time=START))

    def append(self, event: Event, origin: str = ORIGIN) -> None:
        """*event*, as the next entry."""
        salt = hashlib.sha256(b"salt" + len(self.records).to_bytes(8, "big")).digest()
        body = event.body()
        leaf = event.leaf_over(commitment(salt, body), origin)
        self.records.append(
            Sealed(
                index=len(self.records),
                id=event.id,
                leaf=leaf,
                leaf_hash=leaf_hash(leaf),
                subject=event.subject,
                salt=salt,
                body=body,
            )
        )
        self.tiles.grow([leaf_hash(leaf)])

    def event(self, number: int, **members: object) -> Event:
        """An answer, as the *number*-th act of this log; *members* as ``Event`` takes them."""
        act: dict[str, object] = {
            "id": uuid.UUID(bytes=hashlib.sha256(b"id%d" % number).digest()[:16], version=4),
            "kind": Kind.GIVEN,
            "time": START + timedelta(seconds=number),
            "policy": self.policy,
            "notice": self.notice,
            "granted": ("statistics",),
            "refused": ("videos",),
            "language": "en",
            "profile": "default",
            "source": "banner",
        }
        return Event(**act | members)  # type: ignore[arg-type]  # Event checks what it gets

    def grow(self, size: int) -> "MemoryLog":
        """This log with answers up to *size* entries."""
        while len(self.records) < size:
            self.append(self.event(len(self.records)))
        return self

    def erase(self, index: int) -> None:
        """Delete the opening of entry *index*, and say so."""
        record = self.records[index]
        self.records[index] = Sealed(
            index=index,
            id=record.id,
            leaf=record.leaf,
            leaf_hash=record.leaf_hash,
            subject=None,
            salt=None,
            body=None,
        )
        self.erased = sorted([*self.erased, (index, record.id)])

    def prune(
        self,
        min_index: int,
        open: Sequence[int] = (),
        says: Callable[[dict[str, Any]], object] = lambda own: own,
        signers: Sequence[Signer] | None = None,
    ) -> "MemoryLog":
        """This log after all below *min_index* was erased and pruned, but for what stays; it says so itself.

        The entries *open* are not erased. *says*: what it says instead of what it would. *signers*: who sign that,
        if not the log's key; nobody, in logs of an older release.
        """
        for record in self.records[1:min_index]:
            if record.body is not None and not lasts(record) and record.index not in open:
                self.erase(record.index)
        event = pruning(
            min_index,
            self.records,
            self.tiles,
            origin=ORIGIN,
            time=START + timedelta(hours=1 + self.first // 256),
            policy=self.policy,
            span=Span(cookies=0, retention=0),
        )
        detail = says(dict(event.detail or {}))
        event = replace(event, detail=detail if isinstance(detail, dict) else None)
        signers = [self.signer] if signers is None else signers
        if signers and event.detail:
            event = attested(event, ORIGIN, signers)
        self.append(event)
        self.erased = [each for each in self.erased if each[0] >= min_index]
        self.first = min_index
        return self

    def checkpoint(self, size: int | None = None, *signers: Signer) -> str:
        """The signed checkpoint of the first *size* entries."""
        size = len(self.records) if size is None else size
        root = root_of(size, TileReader(self.tiles))
        return sign(Checkpoint(ORIGIN, size, root).to_text(), *(signers or [self.signer]))

    def receipt(self, index: int, size: int | None = None) -> Receipt:
        """The receipt of entry *index* under the checkpoint of *size* entries."""
        size = len(self.records) if size is None else size
        record = self.records[index]
        return Receipt(
            index=index,
            proof=tuple(inclusion_proof(index, size, TileReader(self.tiles))),
            note=self.checkpoint(size),
            leaf=record.leaf,
            salt=record.salt,
            opening=record.body,
        )

    def bundle(self, checkpoint: str | None = None, *, openings: bool = True, program: bytes = b"") -> Bundle:
        """What goes into a bundle of this log."""
        return Bundle(
            checkpoint=checkpoint or self.checkpoint(),
            records=lambda: (each for each in self.records if each.index >= self.first or stays(each)),
            tiles=self.tiles,
            documents=self.documents,
            document=self.documents.__getitem__,
            erased=lambda: iter(self.erased),
            program=program,
            openings=openings,
            pruned=self.first,
        )

    def files(self, checkpoint: str | None = None, *, openings: bool = True) -> dict[str, bytes]:
        """The files of the bundle, by path."""
        return files_of(self.bundle(checkpoint, openings=openings).parts())


def files_of(parts: Iterator[Part]) -> dict[str, bytes]:
    """Each part's path and bytes."""
    return {part.path: b"".join(part.chunks) for part in parts}
