"""Check a bundle of a consent log, or a receipt: one file, the standard library, ``cryptography``, and nothing else.

    python verify.py BUNDLE --key KEY [--checkpoint FILE …] [--receipt FILE …]
    python verify.py RECEIPT --key KEY

A second implementation on purpose: it shares no line with the component that wrote the bundle, and was written from
RFC 6962, the C2SP formats and ``docs/format.md``. It is long, and stays one file, so that it can be handed on as one.
The signed checkpoint is believed because of its signature, the tiles because they lead to its root, the leaves because
of their hashes, the openings because of their commitments, and nothing else in the bundle at all. Memory stays small:
some 24 bytes an entry, for their ids.

There are two ways through the entries. ``Entries`` looks at one after the other and says what is wrong: it decides.
``plain`` looks at a tile at once, in other processes too, and can only say that all in it is as it is usually written,
and right. Whatever it doesn't say that of is looked at the other way, so it hides nothing and names nothing.
"""

import argparse
import base64
import binascii
import contextlib
import hashlib
import io
import json
import os
import re
import signal
import stat
import struct
import sys
import zipfile
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import compress
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, Protocol, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

#: All there are, the worst first, with what each means. The worst one found decides.
VERDICTS = {
    "tampered": "Something here is not what was recorded. Do not rely on it.",
    "forked": "The log was rewritten: it is not the one that others were shown before.",
    "truncated": "Entries are gone that others were shown before.",
    "bad-signature": "No key that you gave has signed this log.",
    "missing-opening": "What some events said is gone, and nothing says that it was erased.",
    "stale": "The newest entry is older than you allow.",
    "unanchored": "Consistent, but compared with nothing from outside: whoever holds the key could have rewritten "
    "all of it.",
    "pruned": "The oldest leaves are not here, as the log says. Their hashes are, so the others are still checked.",
    "erased": "What some events said was erased, as is stated here. That they happened is still checked.",
    "ok": "Everything here is what was recorded and signed.",
}
#: What to do about a verdict, on the command line.
ADVICE = {
    "unanchored": "Give a checkpoint (--checkpoint) or a visitor's receipt (--receipt) that was kept elsewhere."
}
#: These are no fault.
FINE = frozenset({"unanchored", "pruned", "erased", "ok"})

WIDTH, HASH = 256, 32
#: What a bundle may have: bytes of each kind of file, and entries. More can't be read.
LONGEST_NOTE, LONGEST_RECEIPT, LONGEST_LINE, LONGEST_DOCUMENT = 131_072, 786_432, 524_288, 16 * 2**20
LONGEST_LEAF = 65_535
LONGEST_ENTRIES = WIDTH * (2 + LONGEST_LEAF)
#: So many bytes of lines are read ahead; those of a tile are usually far shorter.
MOST_AHEAD = 2**21
MOST_ENTRIES = 2**32
#: A zip's list of contents in bytes, and how far its files may shrink.
LONGEST_LIST, SMALL, STEEPEST = 16 * 2**20, 2**20, 100
#: Policies and notices that are asked for.
MOST_NAMED = 65_536
#: After so many findings there is nothing more to learn.
MOST_FINDINGS = 200

sha256 = hashlib.sha256


class Unreadable(Exception):
    """It can't be checked at all."""


class Fault(Exception):
    """Something that isn't as it has to be; the message says what."""


class Enough(Exception):
    """So much is wrong that checking stops."""


# --- what was found -----------------------------------------------------------------------------------


class Finding(NamedTuple):
    """A verdict, and the place it is about: an entry, or a file."""

    verdict: str
    place: str
    said: str


@dataclass
class Report:
    """What came of checking a bundle."""

    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """Worth knowing, and no fault."""
    facts: dict[str, object] = field(default_factory=dict)
    unusable: Sequence[Finding] | None = None
    """The findings about what was given from outside, which tell nothing of the log; None until that is looked at."""

    def add(self, verdict: str, place: str, said: str) -> None:
        """One more finding; Enough when there are too many."""
        self.findings.append(Finding(verdict, place, said))
        if len(self.findings) >= MOST_FINDINGS:
            raise Enough

    def has(self, *verdicts: str) -> bool:
        """Whether one of these was found."""
        return any(finding.verdict in verdicts for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The worst verdict."""
        return worst(self.findings)

    @property
    def log(self) -> str | None:
        """The worst verdict on the log, without what was given and can't be used; None if it wasn't looked at."""
        if (unusable := self.unusable) is None:
            return None
        return worst([finding for finding in self.findings if finding not in unusable])

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict in FINE


def worst(findings: Sequence[Finding]) -> str:
    """The verdict of *findings* as a whole."""
    found = {finding.verdict for finding in findings}
    return next(name for name in VERDICTS if name == "ok" or name in found)


# --- where the bytes come from --------------------------------------------------------------------------


class Source(Protocol):
    """Where the files of a bundle come from."""

    stack: contextlib.ExitStack
    """What is to be closed in the end."""

    @property
    def faults(self) -> Sequence[tuple[str, str]]:
        """What is wrong with it as a whole: places, and what is to be said of them."""

    def open(self, name: str) -> BinaryIO | None:
        """The file *name*; None if there is none, Fault if it can't be read."""

    def names(self, folder: str = "") -> list[str]:
        """The names of what lies in *folder*."""


class Folder:
    """A bundle that is a folder. Links are not followed."""

    faults: Sequence[tuple[str, str]] = ()

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.stack = contextlib.ExitStack()
        self._folders = set[Path]()
        """Those that are no links, nor lie behind any."""

    def open(self, name: str) -> BinaryIO | None:
        """The file *name*; None if there is none, Fault if it is something else."""
        path = self.root / name
        try:
            kind = os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(kind) or not self._within(path.parent):
            raise Fault("is no plain file, and is not followed")
        return path.open("rb", 65_536)

    def _within(self, folder: Path) -> bool:
        """Whether no link leads to *folder*; it takes longer to find out than to read a tile."""
        if folder not in self._folders and os.path.realpath(folder) == str(folder):
            self._folders.add(folder)
        return folder in self._folders

    def names(self, folder: str = "") -> list[str]:
        """The names of what lies in *folder*."""
        path = self.root / folder
        if not path.is_dir() or not self._within(path):
            return []
        return sorted(os.listdir(path))


class _Bounded(io.FileIO):
    """A file of which nobody takes more into memory at once than a zip's list of contents may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > LONGEST_LIST:
            raise Unreadable("The zip has more files than are read. Unpack it, and check the folder.")
        return super().read(size) or b""


class Zip:
    """A bundle that is a zip. Nothing is unpacked to the disk."""

    def __init__(self, path: Path) -> None:
        self.stack = contextlib.ExitStack()
        file = self.stack.enter_context(_Bounded(path))
        try:
            self.zip = self.stack.enter_context(zipfile.ZipFile(file))
            self._list(path.stat().st_size)
        except (*_BROKEN, RuntimeError) as error:
            self.stack.close()
            raise Unreadable(f"{path} is neither a folder nor a zip that can be read ({error}).") from error
        except Unreadable:
            self.stack.close()
            raise

    def _list(self, size: int) -> None:
        self.members = dict[str, zipfile.ZipInfo]()
        self.faults = list[tuple[str, str]]()
        packed = 0
        for info in self.zip.infolist():
            name = info.orig_filename
            packed += info.compress_size
            if name in self.members:
                self.faults.append((name, "is there twice"))
            elif {"", ".", ".."} & {*name.removesuffix("/").split("/")} or re.search(r"[\\:\0]", name):
                self.faults.append((name, "is no name of a file in a bundle"))
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
                self.faults.append((name, "is packed in a way that no bundle is"))
            elif info.file_size > SMALL + STEEPEST * info.compress_size:
                raise Unreadable(f"The file {shown(name)} in the zip unpacks to far more than it is.")
            elif info.header_offset < 0:
                raise Unreadable(f"The file {shown(name)} in the zip lies before its beginning.")
            self.members[name] = info
        if packed > size:
            raise Unreadable("The files in the zip lie over each other.")

    def open(self, name: str) -> BinaryIO | None:
        """The file *name*; None if there is none, Fault if it is damaged."""
        if (info := self.members.get(name)) is None:
            return None
        try:
            return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, self.zip.open(info)), 65_536))
        except (*_BROKEN, RuntimeError) as error:
            raise Fault(f"is damaged ({error})") from error

    def names(self, folder: str = "") -> list[str]:
        """The names of what lies in *folder*."""
        start = f"{folder}/" if folder else ""
        inside = (name.removeprefix(start) for name in self.members if name.startswith(start))
        return sorted({name.split("/")[0] for name in inside} - {""})


#: What reading a zip that is damaged, or made to do harm, raises.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,  # how zipfile refuses a way of packing, or a feature, that it does not know
)


def read(source: Source, name: str, most: int) -> bytes | None:
    """The bytes of *name*, *most* at most; None if there is no such file, Fault if it is damaged or longer."""
    try:
        if (file := source.open(name)) is None:
            return None
        with file:
            data = file.read(most + 1)
    except _BROKEN as error:
        raise Fault(f"is damaged ({error})") from error
    if len(data) > most:
        raise Fault(f"is longer than {most:,} bytes")
    return data


# --- notes, checkpoints, receipts ------------------------------------------------------------------------


class Key(NamedTuple):
    """A verifier key of C2SP signed-note."""

    written: str
    name: str
    id: bytes
    public: Ed25519PublicKey

    @classmethod
    def parse(cls, written: str) -> "Key":
        """The key *written* as ``name+id+base64``; ValueError for anything else than an Ed25519 key."""
        name, mark, code = written.split("+", 2)
        raw = unbase64(code)
        own = sha256(name.encode() + b"\n" + raw).digest()[:4]
        if raw[:1] != b"\1" or mark != own.hex() or not name or re.search(r"\s", name):
            raise ValueError(
                "no verifier key: expected NAME+ID+BASE64 of an Ed25519 key, as the site published it"
            )
        return cls(written, name, own, Ed25519PublicKey.from_public_bytes(raw[1:]))


class Checkpoint(NamedTuple):
    """What a log signed of itself."""

    origin: str
    size: int
    root: bytes
    signers: tuple[str, ...]
    """The keys among the known ones that signed it, as they are written."""


_MARK = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")


@dataclass
class Trust:
    """What was known before the bundle was opened."""

    keys: list[Key]
    origins: frozenset[str]
    revoked: list[Key] = field(default_factory=list)
    """Keys that count no longer: others may have had them."""

    def checkpoint(self, note: str) -> Checkpoint:
        """The checkpoint in *note*; Fault unless a known key signed it for the log."""
        text, gap, marks = note.rpartition("\n\n")
        lines, text = text.split("\n"), f"{text}\n"
        if not gap or not marks.endswith("\n") or len(lines) < 3 or re.search(r"[\x00-\x09\x0b-\x1f]", note):
            raise Fault("is no signed checkpoint")
        if not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]) or "" in lines or len(lines[2]) != 44:
            raise Fault("is no signed checkpoint")
        try:
            found = Checkpoint(lines[0], int(lines[1]), unbase64(lines[2]), signers(self.keys, text, marks))
        except ValueError as error:
            raise Fault("is no signed checkpoint") from error
        if found.origin not in self.origins:
            raise Fault(f"is of another log, {shown(found.origin)}")
        if not found.signers:
            raise Fault("is signed by none of the keys that you gave")
        return found


def signers(keys: Iterable[Key], text: str, marks: str) -> tuple[str, ...]:
    """Those of *keys* that signed *text*, by the lines *marks*; ValueError for others, Fault if one doesn't hold."""
    found = list[str]()
    for line in marks[:-1].split("\n")[:64]:
        if not (match := _MARK.fullmatch(line)):
            raise ValueError("no line of a signature")
        value = unbase64(match[2])
        for key in keys:
            if (key.name, key.id) == (match[1], value[:4]):
                try:
                    key.public.verify(value[4:], text.encode())
                except InvalidSignature as error:
                    raise Fault(f"has a signature of {shown(key.name)} that doesn't hold") from error
                found.append(key.written)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a visitor kept, checked by itself."""

    index: int
    leaf_hash: bytes
    checkpoint: Checkpoint
    leaf: bytes
    opening: bytes | None
    """None once it was erased."""


class Outside(NamedTuple):
    """What was kept outside, in the file *place*."""

    place: str
    checkpoint: Checkpoint
    receipt: Receipt | None
    """The receipt that the checkpoint is from."""


_RECEIPT = "c2sp.org/tlog-proof@v1\n"
_BASE64 = r"[A-Za-z0-9+/]*={0,2}"
_EXTRA = re.compile(
    rf'\{{"leaf":"({_BASE64})","opening":(?:null,"salt":null|"({_BASE64})","salt":"({_BASE64})")\}}'.encode()
)
_HEAD = re.compile(
    rf"c2sp\.org/tlog-proof@v1\nextra ({_BASE64})\nindex (0|[1-9][0-9]{{0,18}})((?:\n[A-Za-z0-9+/]{{43}}=){{0,63}})"
)


def receipt_in(text: str, trust: Trust) -> Receipt:
    """The receipt *text* (C2SP tlog-proof); Fault when something in it isn't what was signed."""
    head, _, note = text.partition("\n\n")
    checkpoint = trust.checkpoint(note)
    try:
        if not (parts := _HEAD.fullmatch(head)) or not (extra := _EXTRA.fullmatch(unbase64(parts[1]))):
            raise Fault("is no receipt of a known form")
        leaf, proof = unbase64(extra[1].decode()), [unbase64(line) for line in parts[3].split()]
        opening, salt = (unbase64((extra[number] or b"").decode()) for number in (2, 3))
    except ValueError as error:
        raise Fault("is no receipt of a known form") from error
    outline = Leaves(checkpoint.origin).read(leaf)
    found = Receipt(
        int(parts[2]), sha256(b"\0" + leaf).digest(), checkpoint, leaf, None if extra[2] is None else opening
    )
    if (
        not outline
        or not included(found, proof)
        or (extra[2] is not None and commitment_of(salt, opening) != outline[0])
    ):
        raise Fault("is not what was signed: it was altered")
    return found


def included(receipt: Receipt, proof: Sequence[bytes]) -> bool:
    """Whether *proof* leads from the receipt's entry to the root of its checkpoint (RFC 9162 §2.1.3.2)."""
    place, last, found = receipt.index, receipt.checkpoint.size - 1, receipt.leaf_hash
    if place > last:
        return False
    for other in proof:
        if not last:
            return False
        if place & 1 or place == last:
            found = node(other, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, other)
        place, last = place >> 1, last >> 1
    return not last and found == receipt.checkpoint.root


def unbase64(text: str) -> bytes:
    """What *text* is the one spelling of in base64; ValueError for anything else."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("another spelling of the same base64")
    return data


# --- leaves and openings --------------------------------------------------------------------------------

_KINDS = (
    "given|given_once|refused|withdrawn|opted_out|signal_opt_out|expired|invalidated|imported|erased|accessed"
)
#: What kind and members together may be.
_ACT = (
    rb'(?:"key":"([^"\\\x00-\x20+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2})","kind":"operated"'
    rb'|"kind":"pruned","min_index":(0|[1-9][0-9]{0,15})|"kind":"(?:(operated)|%s)")'
)


#: The first bytes of a leaf: commitment, hour, id.
_LEAF_HEAD_LENGTH = 145
_LEAF_HEAD = re.compile(
    rb'\{"commitment":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])","format":1,'
    rb'"hour":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z)",'
    rb'"id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",'
)
_LEAF_TAIL = _ACT + rb',"origin":"%s","policy":(?:null|"[0-9a-f]{64}")\}'
#: Commitment, hour, id; the key that an entry announces, and the index below which it says leaves were pruned, or None;
#: whether it is of a kind that is never erased or pruned.
Outline = tuple[bytes, bytes, bytes, bytes | None, bytes | None, bool]
#: Of these, what stands behind the id.
Act = tuple[bytes | None, bytes | None, bool]


class Leaves:
    """The one spelling of a leaf of format 1 of the log *origin*; None: of any."""

    def __init__(self, origin: str | None) -> None:
        name = (
            r'[^"\\\x00-\x1f]+' if origin is None else re.escape(json.dumps(origin, ensure_ascii=False)[1:-1])
        )
        self.tail = re.compile(_LEAF_TAIL % (_KINDS.encode(), name.encode()))
        # Most leaves end as others did.
        self.known = dict[bytes, Act]()

    def read(self, leaf: bytes) -> Outline | None:
        """What later checks need of *leaf*; None if it isn't spelt so."""
        if not (head := _LEAF_HEAD.match(leaf)):
            return None
        commitment, hour, id = head.groups()
        act = self.act(leaf[_LEAF_HEAD_LENGTH:])
        return act and (commitment, hour, id, *act)

    def act(self, tail: bytes) -> Act | None:
        """What later checks need of the bytes of a leaf behind its id; None if they aren't spelt so."""
        if (act := self.known.get(tail)) is None:
            if not (match := self.tail.fullmatch(tail)):
                return None
            if len(self.known) >= 4096:
                self.known.clear()
            self.known[tail] = act = match[1], match[2], any(match.groups())
        return act


_ANY_LEAF = Leaves(None)


def commitment_of(salt: bytes, opening: bytes) -> bytes | None:
    """What a leaf has that commits to *salt* and *opening*: HMAC-SHA256; None unless the salt has 32 bytes.

    It is written out as RFC 2104 §2 has it, since that takes half the time of the library's.
    """
    if len(salt) != 32:
        return None
    inner = sha256(salt.translate(_IPAD) + _INNER + opening).digest()
    code = sha256(salt.translate(_OPAD) + _OUTER + inner).digest()
    return binascii.b2a_base64(code, newline=False)[:43].translate(_URL_SAFE)


_IPAD, _OPAD = (bytes(value ^ pad for value in range(256)) for pad in (0x36, 0x5C))
#: The key, 32 bytes of salt, is filled up to a block of 64.
_INNER, _OUTER = b"\x36" * 32 + b"consent/opening/v1\0", b"\x5c" * 32
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_OPENING = re.compile(rb'\{"index":([0-9]{1,10}),"opening":"([^"]*)","salt":"([^"]*)"\}\n')
_TOMBSTONE = re.compile(rb'\{"id":"([0-9a-f-]{36})","index":([0-9]{1,10})\}\n')
_KEPT = re.compile(rb'\{"index":([0-9]{1,10}),"leaf":"([^"]*)"\}\n')
_DAY = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SPAN = re.compile(rb'\{"since":"(%s)","until":"(%s)"\}\n' % (_DAY, _DAY))


def span_in(source: Source, report: Report) -> tuple[bytes, bytes] | None:
    """The first and the last day that the openings in *source* are of, as it says; None of all, or if it is no span."""
    try:
        if (data := read(source, "span.json", 100)) is None:
            return None
        if not (match := _SPAN.fullmatch(data)) or match[1] > match[2]:
            raise Fault("states no days from a first to a last")
        for day in match.groups():
            datetime.fromisoformat(day.decode())
    except (Fault, ValueError) as error:
        said = str(error) if isinstance(error, Fault) else "states a day that no calendar has"
        report.add("tampered", "span.json", said)
        return None
    return match[1], match[2]


@dataclass
class Lines:
    """A file of lines in the order of the log, each of one entry, read along with the entries."""

    name: str
    file: BinaryIO | None
    pattern: re.Pattern[bytes]
    index_group: int
    report: Report
    number: int = 0
    index: int = -1
    match: re.Match[bytes] | None = None
    waiting: list[bytes] = field(default_factory=list)
    """What was read and not come to yet."""
    broken: Exception | None = None
    """Why nothing behind that can be read; it is said where it is come to."""

    def _read(self) -> bytes:
        if self.waiting:
            return self.waiting.pop(0)
        if self.broken is not None:
            raise self.broken
        return b"" if self.file is None else self.file.readline(LONGEST_LINE)

    def advance(self) -> None:
        """On to the next line; a broken one ends the file, behind which there are no entries."""
        before, self.match, self.index = self.index, None, MOST_ENTRIES
        self.number += 1
        try:
            if not (line := self._read()):
                return
            if not (match := self.pattern.fullmatch(line)) or int(match[self.index_group]) <= before:
                raise Fault("is no line of such a file, or not in the order of the log; the rest is not read")
        except (*_BROKEN, Fault) as error:
            said = str(error) if isinstance(error, Fault) else f"can't be read: it is damaged ({error})"
            self.report.add("tampered", f"{self.name}, line {self.number}", said)
            return
        self.match, self.index = match, int(match[self.index_group])

    def ahead(self) -> list[bytes]:
        """The present line, and those behind it that may be of the same tile; fewer if they are long."""
        if self.match is None or self.file is None:
            return []
        waiting, room = self.waiting, MOST_AHEAD - sum(map(len, self.waiting))
        try:
            while self.broken is None and len(waiting) < WIDTH and room > 0:
                if not (line := self.file.readline(LONGEST_LINE)):
                    break
                waiting.append(line)
                room -= len(line)
        except (*_BROKEN, OSError) as error:
            self.broken = error
        return [self.match.string, *waiting]

    def index_of(self, line: bytes) -> int:
        """The entry that *line* is of; one behind all others if it can't be read."""
        match = self.pattern.fullmatch(line)
        return int(match[self.index_group]) if match else MOST_ENTRIES

    def come_to(self, count: int) -> None:
        """On to the last of *count* lines ahead, which are in order."""
        if count > 1:
            self.index = self.index_of(self.waiting[count - 2])
            self.number += count - 1
            del self.waiting[: count - 1]

    def skip(self, index: int) -> None:
        """On behind the lines of entries before *index*, which others look at."""
        while count := bisect_left(self.ahead(), index, key=self.index_of):
            self.come_to(count)
            self.advance()

    def behind(self, index: int) -> Iterator[int]:
        """The numbers of the lines of entries before *index* that nobody asked for."""
        while self.match and self.index < index:
            yield self.number
            self.advance()


# --- what was pruned ------------------------------------------------------------------------------------------


_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z")
#: How an event says that from then on prunings are signed.
_SIGNED = b'"prunings":"signed"'


class Pruning(NamedTuple):
    """What an event says of the leaves that it lets go."""

    entry: int
    bound: int
    """Below it leaves were pruned."""
    hour: str
    """When, by the event's leaf."""
    until: str | None = None
    """The latest hour of what was below the bound; None without an opening."""
    days: int | None = None
    """For how long all of that was kept; None in logs of before it was stated, and so the rest."""
    always: tuple[int, str] | None = None
    """How many leaves below the bound stay for ever; SHA-256 of their indexes, each in eight bytes."""
    open: int = 0
    """How many others stayed, as they had their openings."""
    root: bytes | None = None
    """Over all entries below the bound."""
    statement: str = ""
    """What is signed of it."""
    signatures: tuple[str, ...] = ()
    """The lines of those who signed that; none in logs of before it was signed."""

    @classmethod
    def read(cls, index: int, bound: int, hour: str, opening: bytes | None, origin: str) -> "Pruning":
        """What the leaf of entry *index* says, and its *opening*; Fault unless that is of a known form."""
        if opening is None:
            return cls(index, bound, hour)
        try:
            members = json.loads(opening)
            said = members["detail"]
            until, days, stay = said["until"], said.get("days"), said.get("stay")
            if until is not None or days is not None:
                for text in (until, hour):
                    if not _HOUR.fullmatch(text):
                        raise ValueError("no hour")
                    datetime.fromisoformat(text)
            if days is None and stay is None:
                return cls(index, bound, hour, until)
            numbers = [days["cookies"], days["retention"], stay["always"], stay["open"]]
            if any(type(number) is not int or not 0 <= number < MOST_ENTRIES for number in numbers):
                raise ValueError("no number of days or leaves")
            found = cls(
                index, bound, hour, until, sum(numbers[:2]), (numbers[2], stay["indexes"]), numbers[3]
            )
            if "root" not in said and "signed" not in said:
                return found
            lines = tuple(map(str, said.pop("signed", ())))
            text = json.dumps(
                said | {"min_index": bound, "time": members["time"]},
                ensure_ascii=False,
                separators=(",", ":"),
                sort_keys=True,
            )
            statement = f"consent/pruning/v1\n{origin}\n{text}\n"
            return found._replace(root=unbase64(said["root"]), statement=statement, signatures=lines)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Fault("what it says of the pruning is of no known form") from error

    @property
    def due(self) -> bool:
        """Whether all that it let go had been kept for as long as it says."""
        if self.days is None or self.until is None:
            return True
        return (datetime.fromisoformat(self.hour) - datetime.fromisoformat(self.until)).days >= self.days

    def contradicted(self, hour: str) -> bool:
        """Whether a leaf below the bound can't be of *hour*. What is dated after the event, a wrong clock has dated."""
        return self.until is not None and self.until < hour <= self.hour


# --- what was said of keys -----------------------------------------------------------------------------------


#: What an opening has in it that says of a key that it ended.
_ENDS = b'"detail":{"key":{'


class Ending(NamedTuple):
    """What an event says of a key that ended."""

    entry: int
    act: str
    """``retired`` or ``revoked``."""
    key: str
    note: str
    """The SHA-256 of the note that says so, which is among the documents."""

    @classmethod
    def read(cls, index: int, id: str, opening: bytes, origin: str) -> "Ending":
        """What the *opening* of entry *index*, the event *id*, says; Fault unless that is of the known form."""
        try:
            said = json.loads(opening)["detail"]["key"]
            note = said.pop("note")
            [(act, key)] = said.items()
            if act not in ("retired", "revoked") or not re.fullmatch(r"[0-9a-f]{64}", note):
                raise ValueError("no ending of a key")
            code = bytearray(
                sha256(
                    json.dumps(
                        ["consent/id/v1", "key ended", origin, note],
                        ensure_ascii=False,
                        separators=(",", ":"),
                    ).encode()
                ).digest()[:16]
            )
            Key.parse(key)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Fault("says that a key ended, and no key has signed that") from error
        code[6], code[8] = code[6] & 0x0F | 0x80, code[8] & 0x3F | 0x80
        if code.hex() != id.replace("-", ""):
            raise Fault("says that a key ended, under an id that doesn't follow from what was signed of it")
        return cls(index, act, key, note)


def note_in(source: Source, hash: str) -> tuple[list[str], str]:
    """The lines and the signatures of the note that is the document *hash*; Fault if it is missing, or none."""
    if (data := read(source, f"documents/{hash}", LONGEST_NOTE)) is None:
        raise Fault("is missing")
    text, gap, marks = data.decode(errors="replace").rpartition("\n\n")
    if sha256(data).hexdigest() != hash or not gap or not marks.endswith("\n"):
        raise Fault("is no note")
    return text.split("\n"), marks


def signed_as(lines: Sequence[str], marks: str, keys: Iterable[Key]) -> frozenset[str]:
    """Those of *keys* that signed a note of *lines*; none if one of the signatures *marks* doesn't hold."""
    try:
        return frozenset(signers(keys, "".join(f"{line}\n" for line in lines), marks))
    except (ValueError, Fault):
        return frozenset()


def vouched_by(source: Source, key: Key, keys: Iterable[Key], origin: str) -> frozenset[str]:
    """Those of *keys*, none of which is *key*, for which that vouched in one of the documents."""
    found, known = set[str](), {each.written: each for each in keys}
    for name in source.names("documents"):
        with contextlib.suppress(Fault):
            lines, marks = note_in(source, name)
            if lines[:2] == ["consent/key/v1", origin] and len(lines) == 3 and (new := known.get(lines[2])):
                both = {key.written, new.written}
                found |= {new.written} if signed_as(lines, marks, [key, new]) == both else set()
    return frozenset(found)


# --- the tree ----------------------------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    """The hash of a node of the tree (RFC 6962 §2.1)."""
    return sha256(b"\1" + left + right).digest()


def mth(row: Sequence[bytes]) -> bytes:
    """The root over *row* as RFC 6962 §2.1 defines it: of one, itself; else split at the largest power of two."""
    if len(row) == 1:
        return row[0]
    left = 1 << (len(row) - 1).bit_length() - 1
    return node(mth(row[:left]), mth(row[left:]))


def hashes_of(leaves: Iterable[bytes]) -> bytes:
    """The hashes of *leaves* (RFC 6962 §2.1), one behind the other."""
    return b"".join([sha256(b"\0" + leaf).digest() for leaf in leaves])


def full_root(tile: bytes) -> bytes:
    """The root over the hashes of a full tile."""
    while len(tile) > HASH:
        tile = b"".join([sha256(b"\1" + tile[at : at + 64]).digest() for at in range(0, len(tile), 64)])
    return tile


def leaves_in(data: bytes, width: int) -> list[bytes]:
    """The leaves in a file of entries, each behind its length in two bytes; Fault unless there are *width*."""
    leaves, at = list[bytes](), 0
    while at + 2 <= len(data) and len(leaves) <= width:
        end = at + 2 + (data[at] << 8 | data[at + 1])
        leaves.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(leaves) != width:
        raise Fault(f"has not the leaves of {width} entries")
    return leaves


def split(tile: bytes) -> list[bytes]:
    """The hashes of *tile*."""
    return [tile[at : at + HASH] for at in range(0, len(tile), HASH)]


def tile_path(level: int | str, index: int, width: int) -> str:
    """Where C2SP tlog-tiles has this tile."""
    path = f"{index % 1000:03d}"
    while index := index // 1000:
        path = f"x{index % 1000:03d}/{path}"
    return f"tile/{level}/{path}" if width == WIDTH else f"tile/{level}/{path}.p/{width}"


@dataclass
class Tree:
    """The tiles of a log that is signed at *place*, over *size* entries."""

    source: Source
    size: int
    report: Report
    leaf_hashes: Callable[[int, int, bytes | None], bytes | None]
    """From the leaves: the hashes of those under a tile of level 0, by its index, its width and the hashes it states.

    None without leaves. Where some of them were pruned, what the tile states stands for these.
    """
    place: str = "checkpoint"
    missing: set[str] = field(default_factory=set)
    damaged: bool = False
    """Whether the tiles don't lead to the signed root."""

    def blame(self, place: str, said: str) -> None:
        """A tile isn't what it has to be."""
        self.damaged = True
        self.report.add("tampered", place, said)

    def width(self, level: int, index: int) -> int:
        """How many hashes the tile has in this tree."""
        return min(WIDTH, (self.size >> 8 * level) - index * WIDTH)

    def stored(self, level: int, index: int) -> bytes | None:
        """The hashes of this tile in the bundle; None, and a finding once, if it isn't there whole."""
        width = self.width(level, index)
        path = tile_path(level, index, width)
        try:
            if (data := read(self.source, path, WIDTH * HASH)) is None:
                raise Fault("is missing")
            if len(data) != width * HASH:
                raise Fault(f"has {len(data)} bytes; {width * HASH} were expected")
        except Fault as fault:
            if path not in self.missing:
                self.missing.add(path)
                self.blame(path, str(fault))
            return None
        return data

    def edge(self, size: int) -> list[tuple[int, int, bytes | None]]:
        """The tiles that the tree of the first *size* entries ends with: level, index, its hashes in that tree.

        Each has on its level what no full tile above stands for; from the lowest level up.
        """
        found = list[tuple[int, int, bytes | None]]()
        for level in range((size.bit_length() + 7) // 8):
            index, count = size >> 8 * (level + 1), (size >> 8 * level) % WIDTH
            if count:
                data = self.stored(level, index)
                found.append((level, index, data[: count * HASH] if data else None))
        return found

    def check(self, root: bytes) -> None:
        """Find everything in tiles and leaves that doesn't lead to *root*, which is signed."""
        if not self.size:
            if root != sha256(b"").digest():
                self.blame(self.place, "is of no entries, and has not the root of none")
            return
        edge = self.edge(self.size)
        sound = joined([data for _, _, data in edge]) == root
        below = [
            self._below(level, index, self.width(level, index), data, sound)
            for level, index, data in reversed(edge)
        ][::-1]
        if sound:
            for (level, index, data), other in zip(edge, below, strict=True):
                if level == 0 and data and other:
                    self._blame_entries(index * WIDTH, data, other)
            return
        self.damaged = True
        filled = [data if other is None else other for (_, _, data), other in zip(edge, below, strict=True)]
        if joined(filled) == root:
            for (level, index, data), other in zip(edge, filled, strict=True):
                if data and other:
                    self._blame_tile(level, index, data, other)
        elif not self.report.has("tampered"):
            self.blame(self.place, "is of another tree: the entries have another root")

    def _below(self, level: int, index: int, width: int, data: bytes | None, trusted: bool) -> bytes | None:
        """The hashes that this tile ought to have, by what is below it; None if nothing is there."""
        if level == 0:
            return self.leaf_hashes(index, width, data)
        rows = split(data) if data else [None] * width
        return b"".join(
            self._subtree(level - 1, index * WIDTH + place, expected, trusted and data is not None)
            for place, expected in enumerate(rows)
        )

    def _subtree(self, level: int, index: int, expected: bytes | None, trusted: bool) -> bytes:
        """Check a full tile and all below it against *expected*, the hash above; the hash by what is below."""
        data = self.stored(level, index)
        own = full_root(data) if data else None
        sound = data is not None and own == expected
        below = self._below(level, index, WIDTH, data, trusted and sound)
        if data is None:
            return full_root(below) if below else expected or bytes(HASH)
        if below is None or below == data:
            if trusted and not sound:
                span = WIDTH ** (level + 1)
                what = f"entries {index * span} to {(index + 1) * span - 1}"
                self.blame(tile_path(level, index, WIDTH), f"is not what was signed, and so are {what}")
            return cast(bytes, own)
        if sound:
            if level == 0:
                self._blame_entries(index * WIDTH, data, below)
            return cast(bytes, expected)
        found = full_root(below)
        if trusted or level == 0:
            self._blame_tile(level, index, data, below)
            if trusted and found != expected and level == 0:
                self._blame_entries(index * WIDTH, data, below)
        return found

    def _blame_entries(self, first: int, data: bytes, below: bytes) -> None:
        for place, (signed, found) in enumerate(zip(split(data), split(below), strict=False), first):
            if signed != found:
                self.report.add("tampered", f"entry {place}", "the leaf is not the one that was signed")

    def _blame_tile(self, level: int, index: int, data: bytes, below: bytes) -> None:
        path = tile_path(level, index, self.width(level, index))
        for place, (stated, found) in enumerate(zip(split(data), split(below), strict=False)):
            if stated != found:
                self.blame(path, f"hash {place} is not that of what lies below it")

    def root(self, size: int) -> bytes | None:
        """The root of the first *size* entries, from the tiles; None if one is missing."""
        return joined([data for _, _, data in self.edge(size)]) if size else sha256(b"").digest()


def joined(edge: Sequence[bytes | None]) -> bytes | None:
    """The root of a tree from its edge, the lowest level first: what is left of one level ends the next."""
    rest = list[bytes]()
    for data in edge:
        if data is None:
            return None
        rest = [mth(split(data) + rest)]
    return rest[0]


# --- what is named -------------------------------------------------------------------------------------------

_POLICY = re.compile(rb'"policy":"([0-9a-f]{64})"')
#: What an opening begins with may end within this, and a browser and a time stand behind it: of several, the last one
#: is its own, since others are texts within it.
_NOTICE = re.compile(rb'.*"notice":"([0-9a-f]{64})"', re.DOTALL)


def policy_in(tail: bytes) -> bytes | None:
    """The digest of the policy that the end of a leaf names."""
    found = _POLICY.search(tail)
    return found and found[1]


def notice_in(opening: bytes) -> bytes | None:
    """The hash of the notice that an opening names."""
    found = _NOTICE.match(opening)
    return found and found[1]


def name(named: dict[bytes, int], digest: bytes | None, index: int) -> None:
    """Note that entry *index* names *digest*, unless an earlier one does. So many are enough for any log."""
    if digest is not None and len(named) < MOST_NAMED:
        named.setdefault(digest, index)


# --- tiles in which nothing is unusual -----------------------------------------------------------------------


class Plain(NamedTuple):
    """What the rest of the check needs of a tile in which all is right, and written as it usually is."""

    hashes: bytes
    ids: bytes
    turns: list[tuple[int, bytes]]
    """The entries that are of another hour than the one ahead of them, with theirs."""
    lines: tuple[int, int]
    """How many openings and tombstones are beside these leaves."""
    bare: int
    """How many entries have neither."""
    named: dict[bytes, int]
    """The digests of policies and notices that those name whose openings are here, each with the first entry."""


_IDS = re.compile(rb"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})*")
_COMMITMENTS = re.compile(rb"(?:[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])*")
#: Where these stand in a leaf.
_COMMITMENT_AT, _HOUR_AT, _ID_AT, _TAIL_AT = slice(15, 58), slice(79, 99), slice(107, 143), slice(145, None)
#: Where these stand in the line of an opening, from its end: browser and time, what is written ahead of the salt, the
#: salt, and what is written behind it.
_REST_AT, _AHEAD_AT, _SALT_AT, _END_AT = slice(-177, -57), slice(-57, -47), slice(-47, -3), slice(-3, None)


def plain(
    first: int,
    leaves: Sequence[bytes],
    openings: Sequence[bytes],
    tombstones: Sequence[bytes],
    act: Callable[[bytes], Act | None],
    may_lack: Callable[[bytes], bool],
) -> Plain | None:
    """What remains of the *leaves* from entry *first* on, and of the lines from there on, if all that is beyond doubt.

    A check spends most of its time here. So one thing is asked of each leaf: whether it is, byte for byte, what is
    written out below for its hour, its id and the opening beside it. None says nothing against it.

    *act* is that of ``Leaves``. *may_lack* says of an hour whether its entries may have neither opening nor tombstone.
    """
    ids, unopened, turns = list[bytes](), list[bytes](), list[tuple[int, bytes]]()
    tails, beginnings = dict[bytes, int](), dict[bytes, int]()
    open_lines, closed_lines = iter(openings), iter(tombstones)
    line, tombstone = next(open_lines, b""), next(closed_lines, b"")
    opened = erased = bare = 0
    last_hour = time = b""
    try:
        for index, leaf in enumerate(leaves, first):
            hour, id, tail = leaf[_HOUR_AT], leaf[_ID_AT], leaf[_TAIL_AT]
            if (said := act(tail)) is None or said[2]:
                return None
            if hour != last_hour:
                if not _LEAF_HEAD.match(leaf):
                    return None
                datetime.fromisoformat(hour.decode())
                turns.append((index, hour))
                last_hour, time = hour, b'"time":"' + hour[:14]
            start = b'{"index":%d,"opening":"' % index
            if line.startswith(start):
                salt = binascii.a2b_base64(line[_SALT_AT], strict_mode=True)
                rest = binascii.a2b_base64(line[_REST_AT], strict_mode=True)
                beginning = line[len(start) : _REST_AT.start]
                beginnings.setdefault(beginning, index)
                tails.setdefault(tail, index)
                opening = _begun(beginning) + rest
                if line[_AHEAD_AT] != b'","salt":"' or line[_END_AT] != b'"}\n' or opening[-34:-12] != time:
                    return None
                if (commitment := commitment_of(salt, opening)) is None:
                    return None
                opened, line = opened + 1, next(open_lines, b"")
            else:
                commitment = leaf[_COMMITMENT_AT]
                unopened.append(commitment)
                if tombstone == b'{"id":"%s","index":%d}\n' % (id, index):
                    erased, tombstone = erased + 1, next(closed_lines, b"")
                elif may_lack(hour):
                    bare += 1
                else:
                    return None
            spelt = b'{"commitment":"%s","format":1,"hour":"%s","id":"%s",%s' % (commitment, hour, id, tail)
            if leaf != spelt:
                return None
            ids.append(id)
        named = dict[bytes, int]()
        for tail, index in tails.items():
            name(named, policy_in(tail), index)
        for beginning, index in beginnings.items():
            name(named, notice_in(_begun(beginning)), index)
    except ValueError:
        return None
    joined = b"".join(ids)
    if not _IDS.fullmatch(joined) or not _COMMITMENTS.fullmatch(b"".join(unopened)):
        return None
    numbers = binascii.unhexlify(joined.replace(b"-", b""))
    return Plain(hashes_of(leaves), numbers, turns, (opened, erased), bare, named)


@lru_cache(256)
def _begun(text: bytes) -> bytes:
    """What an opening begins with, from its base64. Most begin as others did, until they name a browser and a time.

    ValueError if it isn't to be gone on behind it, or is longer than should be remembered.
    """
    if b"=" in text or len(text) > 8192:
        raise ValueError("no beginning of an opening as it usually is")
    return binascii.a2b_base64(text, strict_mode=True)


# --- the entries ---------------------------------------------------------------------------------------------


class Entries:
    """The leaves of a bundle in their order, each looked at once, with openings and tombstones beside them."""

    def __init__(
        self, source: Source, size: int, origin: str, report: Report, bound: int | None = None
    ) -> None:
        self.source, self.size, self.origin, self.report, self.bound = source, size, origin, report, bound
        known = Leaves(origin)
        self.read, self.act = known.read, known.act
        self.ids = bytearray()
        self.named = dict[bytes, int]()
        """The digests of policies and notices that entries name whose openings are here, each with the first entry."""
        self.kept = list[int]()
        """Entries that were pruned all around; their ids come first."""
        self.kept_hours, self.kept_open = list[bytes](), array("Q")
        """Their hours; those among them that stayed because of their openings, which a span may leave out."""
        self.always, self.count = sha256(), 0
        """Of the entries that stay for ever: the hash over their indexes, and their number."""
        self.lasting = list[tuple[int, str]]()
        """Both as they were at the beginning of each tile."""
        self.prunings = dict[int, Pruning]()
        """What the log says of what was pruned, by the index below which that was."""
        self.signed_from: int | None = None
        """The first entry which says that prunings are signed, or is one that is."""
        self.announced = set[str]()
        self.endings = list[Ending]()
        """What the log says of keys that ended, in its order."""
        self.newest, self.last_hour, self.late, self.first_late = b"", b"", 0, -1
        self.erased = self.pruned = self.opened = 0
        self.orphans, self.first_orphan = 0, (0, 0)
        """Openings of entries whose leaves were pruned; line and entry of the first."""
        self.span, self.left_out = span_in(source, report), 0
        """The first and the last day of which openings are here, if not of all; entries without, outside these."""
        self.personal = self.span is not None
        self.lines = [
            self._lines("openings.jsonl", _OPENING, 1),
            self._lines("erased.jsonl", _TOMBSTONE, 2),
        ]
        self.others = self._lines("kept.jsonl", _KEPT, 1)

    def _lines(self, name: str, pattern: re.Pattern[bytes], group: int) -> Lines:
        file = None
        try:
            if file := self.source.open(name):
                self.source.stack.enter_context(file)
        except Fault as fault:
            self.report.add("tampered", name, str(fault))
        self.personal |= name == "openings.jsonl" and file is not None
        lines = Lines(name, file, pattern, group, self.report)
        lines.advance()
        return lines

    def hashes(self, index: int, width: int, stated: bytes | None) -> bytes | None:
        """The hashes of the leaves under tile *index* of level 0, which states *stated*.

        None, and a finding, if they aren't there. Those that were pruned are taken as they are stated.
        """
        path, first = tile_path("entries", index, width), index * WIDTH
        self.lasting.append((self.count, self.always.hexdigest()))
        if (found := self.plain(index, width)) is not None:
            return self._pass(found)
        try:
            if (leaves := self.leaves(index, width)) is not None:
                return self.looked_at(first, leaves)
            if self.pruned == first and width == WIDTH:
                self.pruned += WIDTH
                return self._kept(first, stated)
            self.report.add("tampered", path, "is missing")
        except Fault as fault:
            self.report.add("tampered", path, str(fault))
        if self.pruned <= first:
            # So that each id stays at the place of its entry.
            self.ids += b"".join(place.to_bytes(16) for place in range(first, first + width))
        self._skip(first + width)
        return None

    def leaves(self, index: int, width: int) -> list[bytes] | None:
        """The leaves under tile *index* of level 0; None if they aren't there, Fault if they are damaged."""
        if (data := read(self.source, tile_path("entries", index, width), LONGEST_ENTRIES)) is None:
            return None
        return leaves_in(data, width)

    def plain(self, index: int, width: int) -> Plain | None:
        """What ``plain`` says of tile *index* of level 0 and the lines that come next, which is not behind them yet."""
        first = index * WIDTH
        openings, tombstones = ahead = [lines.ahead() for lines in self.lines]
        try:
            # Entry 0 has to be of a kind that says something.
            leaves = self.leaves(index, width) if index else None
        except Fault:
            return None
        if (
            leaves is None
            or (found := plain(first, leaves, openings, tombstones, self.act, self._may_lack)) is None
        ):
            return None
        for lines, some, count in zip(self.lines, ahead, found.lines, strict=True):
            if count < len(some) and lines.index_of(some[count]) < first + width:
                return None
        return found

    def _pass(self, found: Plain) -> bytes:
        """Go on behind a tile of which this was *found*; the hashes of its leaves."""
        for index, hour in found.turns:
            if hour != self.last_hour:
                self._clock(index, hour)
        self.ids += found.ids
        for digest, index in found.named.items():
            name(self.named, digest, index)
        opened, erased = found.lines
        self.opened, self.erased = self.opened + opened, self.erased + erased
        self.left_out += found.bare if self.personal else 0
        passed = [(lines, count) for lines, count in zip(self.lines, found.lines, strict=True) if count]
        for lines, count in passed:
            lines.come_to(count)
        # What is wrong with the lines behind these comes to light in the order of the log.
        for lines, _ in sorted(passed, key=lambda each: each[0].index):
            lines.advance()
        return found.hashes

    def _may_lack(self, hour: bytes) -> bool:
        """Whether an event of this hour may have neither opening nor tombstone."""
        return not self.personal or (self.span is not None and not self.span[0] <= hour[:10] <= self.span[1])

    def looked_at(self, first: int, leaves: Sequence[bytes]) -> bytes:
        """The hashes of the *leaves* from entry *first* on; what is wrong with them is in the report then."""
        self._look(enumerate(leaves, first))
        return hashes_of(leaves)

    def _kept(self, first: int, stated: bytes | None) -> bytes | None:
        """Look at the leaves that are left of a pruned tile; its hashes, as far as they follow from these."""
        found, leaves = bytearray(stated or b""), list[tuple[int, bytes]]()
        while (line := self.others.match) and (index := self.others.index) < first + WIDTH:
            try:
                leaf = unbase64(line[2].decode())
            except ValueError:
                leaf = b""
            leaves.append((index, leaf))
            place = (index - first) * HASH
            found[place : place + HASH] = sha256(b"\0" + leaf).digest()
            self.others.advance()
        self.kept += [index for index, _ in leaves]
        self._look(leaves)
        self._skip(first + WIDTH)
        return None if stated is None else bytes(found)

    def _look(self, leaves: Iterable[tuple[int, bytes]]) -> None:
        """Look at *leaves*, each with its index, and at what lies beside them."""
        ids = list[bytes]()
        beside = self.personal or any(lines.match for lines in self.lines)
        for index, leaf in leaves:
            if (outline := self.read(leaf)) is None:
                ids.append(b"%032x" % index)
                self._explain(index, leaf)
                self._skip(index + 1)
                if index < self.pruned:
                    self.kept_hours.append(b"")
                continue
            commitment, hour, id, key, pruned, always = outline
            ids.append(id)
            if hour != self.last_hour:
                self._clock(index, hour)
            opening = self._open(index, commitment, hour, id, always) if beside else None
            if opening is not None:
                name(self.named, policy_in(leaf[_TAIL_AT]), index)
                name(self.named, notice_in(opening), index)
            if index < self.pruned:
                self.kept_hours.append(self.last_hour)
                if opening is not None and not always:
                    self.kept_open.append(index)
            if always:
                self._act(index, hour.decode(), key, pruned, opening)
                if pruned is None and opening is not None and _ENDS in opening:
                    self._ending(index, id.decode(), opening)
            if index == 0 and key is None:
                self.report.add("tampered", "entry 0", "names no key, which the first entry does")
        self.ids += binascii.unhexlify(b"".join(ids).replace(b"-", b""))

    def _act(
        self, index: int, hour: str, key: bytes | None, pruned: bytes | None, opening: bytes | None
    ) -> None:
        """What an entry that stays for ever says of the log."""
        self.always.update(index.to_bytes(8))
        self.count += 1
        if key is not None:
            self.announced.add(key.decode(errors="replace"))
        elif pruned is None:
            if self.signed_from is None and opening is not None and _SIGNED in opening:
                self.signed_from = index
        elif int(pruned) <= index and not int(pruned) % WIDTH:
            try:
                found = Pruning.read(index, int(pruned), hour, opening, self.origin)
            except Fault as fault:
                self.report.add("tampered", f"entry {index}", str(fault))
                found = Pruning(index, int(pruned), hour)
            self.prunings.setdefault(found.bound, found)
            self._pruning(found)

    def _ending(self, index: int, id: str, opening: bytes) -> None:
        try:
            self.endings.append(Ending.read(index, id, opening, self.origin))
        except Fault as fault:
            self.report.add("tampered", f"entry {index}", str(fault))

    def _pruning(self, found: Pruning) -> None:
        """Hold what an event says of what is pruned against what is here, all of which came before it."""
        if not found.due:
            self.report.add(
                "tampered",
                f"entry {found.entry}",
                f"says of {found.until} that it was kept for {found.days:,} days, and is itself of {found.hour}: it "
                "had leaves pruned that were not due",
            )
        here = self.lasting[found.bound // WIDTH]
        if found.always is not None and here != found.always:
            self.report.add(
                "tampered",
                f"entries 0 to {found.bound - 1}",
                f"{here[0]:,} leaves are here that stay for ever, and they are not the {found.always[0]:,} that entry "
                f"{found.entry} says stay",
            )

    def _explain(self, index: int, leaf: bytes) -> None:
        other = _ANY_LEAF.read(leaf) is not None
        said = "the leaf is of another log" if other else "is no leaf of format 1 as it would be written"
        if len(leaf) > LONGEST_LEAF:  # as only a database can hold it
            said = f"its leaf has {len(leaf):,} bytes, and none has more than {LONGEST_LEAF:,}: no bundle can hold it"
        self.report.add("tampered", f"entry {index}", said)

    def _clock(self, index: int, hour: bytes) -> None:
        try:
            datetime.fromisoformat(hour.decode())
        except ValueError:
            self.report.add("tampered", f"entry {index}", "its hour is no time")
            return
        if hour < self.last_hour:
            self.first_late = index if not self.late else self.first_late
            self.late += 1
        self.last_hour, self.newest = hour, max(self.newest, hour)

    def _open(self, index: int, commitment: bytes, hour: bytes, id: bytes, always: bool) -> bytes | None:
        """Look at what lies beside the leaf of entry *index*; its opening, if it is the right one."""
        openings, tombstones = self.lines
        if openings.index < index or tombstones.index < index:
            self._skip(index)
        found, right = self.opening(index), None
        if found is not None:
            self.opened += 1
            salt, opening = found
            if commitment_of(salt, opening) != commitment:
                self.report.add(
                    "tampered", f"entry {index}", "the opening is not the one that the leaf commits to"
                )
            elif opening[-34:-12] != b'"time":"' + hour[:14]:
                self.report.add("tampered", f"entry {index}", "the opening is of another hour than its leaf")
            else:
                right = opening
        if tombstones.index == index and (line := tombstones.match) is not None:
            self._tombstone(index, line[1] == id, found is not None, always)
            tombstones.advance()
        elif found is None and self.personal:
            if always or not self._may_lack(hour):
                self.report.add("missing-opening", f"entry {index}", "has neither opening nor tombstone")
            else:
                self.left_out += 1
                if index < self.pruned:
                    self.kept_open.append(index)
        return right

    def opening(self, index: int) -> tuple[bytes, bytes] | None:
        """Salt and opening of entry *index*, asked for in order; None if they aren't there."""
        lines = self.lines[0]
        if lines.index != index or (line := lines.match) is None:
            return None
        _, body, salt = line.groups()
        lines.advance()
        try:
            return binascii.a2b_base64(salt, strict_mode=True), binascii.a2b_base64(body, strict_mode=True)
        except ValueError:
            return b"", b""

    def _tombstone(self, index: int, own: bool, open: bool, always: bool) -> None:
        self.erased += 1
        if always:
            said = "is said to be erased, and is of a kind that never is: it says nothing of anybody"
            self.report.add("tampered", f"entry {index}", said)
        if not own:
            self.report.add("tampered", f"entry {index}", "the tombstone is of another event")
        if open:
            self.report.add(
                "tampered", f"entry {index}", "is said to be erased, and its opening is still there"
            )

    def _skip(self, index: int) -> None:
        """Pass over lines of entries before *index*: their leaves can't be read, or were pruned."""
        for lines in self.lines:
            for number in lines.behind(index):
                if self.pruned <= lines.index:
                    self.report.add(
                        "tampered", f"{lines.name}, line {number}", "is of an entry that can't be read"
                    )
                elif lines is self.lines[0]:
                    self.orphans += 1
                    self.first_orphan = self.first_orphan if self.first_orphan[0] else (number, lines.index)

    def finish(self) -> None:
        """What can be said only after the last entry."""
        for lines in self.lines:
            if lines.match:
                self.report.add(
                    "tampered", f"{lines.name}, line {lines.number}", "is of no entry of this log"
                )
        if self.others.match:
            self.report.add(
                "tampered", f"kept.jsonl, line {self.others.number}", "is of no entry that was pruned around"
            )
        self._doubles()
        if self.pruned or self.bound:
            self._bounded()
        if self.erased:
            self.report.add(
                "erased", "erased.jsonl", f"{counted(self.erased, 'opening was', 'openings were')} erased"
            )
        if self.late:
            self.report.remarks.append(
                f"{counted(self.late, 'entry is', 'entries are')} dated before the one ahead, first entry "
                f"{self.first_late}: an answer that was recorded late, or a clock that was set back."
            )
        if not self.personal:
            self.report.remarks.append("There are no openings here: what the events said is not checked.")
        if self.span is not None:
            first, last = (day.decode() for day in self.span)
            self.report.facts |= {"since": first, "until": last, "left_out": self.left_out}
            self.report.remarks.append(
                f"The openings of {counted(self.left_out, 'entry', 'entries')} outside {first} to {last} were left "
                "out; their leaves were checked."
            )

    def _bounded(self) -> None:
        """Whether the log says of what is pruned that it was."""
        named = max(self.prunings, default=0)
        if self.bound and self.bound not in self.prunings:
            self.report.add("tampered", "bound", f"is {self.bound}, which no event of the log names")
        if self.bound is not None and self.bound < named:
            self.report.remarks.append(
                f"It is on record that entries below {named} were pruned, and not done."
            )
        if self.pruned > named:
            self.report.add(
                "tampered",
                f"entries {named} to {self.pruned - 1}",
                "their leaves are missing, and no event of the log says that they were pruned",
            )
        if self.kept[:1] != [0]:
            self.report.add("tampered", "entry 0", "is missing: it is never pruned")
        left = f", but for {len(self.kept):,} that the log needs" if self.kept else ""
        self.report.add("pruned", f"entries 0 to {self.pruned - 1}", f"their leaves are not here{left}")
        bounds = sorted(self.prunings)
        for index, hour in zip(self.kept, self.kept_hours, strict=True):
            self.dated(f"entry {index}", index, hour.decode(), bounds)
        if self.orphans:
            line, entry = self.first_orphan
            said = (
                f"is the opening of entry {entry}, whose leaf isn't here: one of {self.orphans:,} such lines"
            )
            self.report.add("tampered", f"openings.jsonl, line {line}", said)
        self._stayed()

    def dated(self, place: str, index: int, hour: str, bounds: Sequence[int]) -> None:
        """Whether entry *index*, which *place* shows to be of *hour*, may be below one of the *bounds*, in order."""
        if (after := bisect_right(bounds, index)) == len(bounds) or index >= self.pruned:
            return
        found = self.prunings[bounds[after]]
        if found.contradicted(hour):
            said = f"entry {index} is of {hour}; entry {found.entry} says that what it had pruned was of {found.until}"
            self.report.add("tampered", place, f"{said} at the latest")

    @property
    def pruning(self) -> Pruning | None:
        """What the log says of how far it was pruned; None if it wasn't."""
        return self.prunings.get(max((bound for bound in self.prunings if bound <= self.pruned), default=0))

    def _stayed(self) -> None:
        """Say of what was pruned what its event says, and how far that could be checked."""
        if (found := self.pruning) is None:
            return
        who = f"Entry {found.entry}, of {found.hour}, says that leaves below {found.bound} were pruned"
        if self.personal and not found.signatures:
            self.report.remarks.append(
                f"No key has signed what entry {found.entry} says of the pruning, as it is of an older release: "
                "whoever could write into the database could have put it there."
            )
        if found.always is None:
            why = (
                "in its opening, which is not here"
                if found.until is None
                else "not, as it is of an older release"
            )
            self.report.remarks.append(
                f"{who}. Which of them were to stay it says {why}: whether one that was is gone isn't seen."
            )
            return
        still = bisect_left(self.kept_open, found.bound)
        if still > found.open:
            self.report.add(
                "tampered",
                f"entries 0 to {found.bound - 1}",
                f"{still:,} have their openings still, and entry {found.entry} says that {found.open:,} had them",
            )
        self.report.remarks.append(
            f"{who}, the latest of {found.until}, when all were kept for {found.days:,} days. The {found.always[0]:,} "
            f"that stay for ever are looked for; of {found.open:,} that stayed as long as their openings did, "
            f"{still:,} are here. That the others were as old, and which they were, is its word."
        )

    def _doubles(self) -> None:
        """Find ids that stand twice. The first halves of all are compared, a sixteenth of them at a time."""
        halves, first_bytes = memoryview(self.ids).cast("Q")[::2], self.ids[::16]
        suspects = set[int]()
        for part in range(16):
            chosen = first_bytes.translate(bytes(byte % 16 == part for byte in range(256)))
            some = list(compress(halves, chosen))
            if len(set(some)) < len(some):
                suspects |= {half for half, count in Counter(some).items() if count > 1}
        first = dict[bytes, int]()
        for number, half in enumerate(halves if suspects else ()):
            if half in suspects:
                id = bytes(self.ids[number * 16 :][:16])
                rest = number - len(self.kept)
                place = self.kept[number] if rest < 0 else self.pruned + rest
                if (other := first.setdefault(id, place)) != place:
                    self.report.add("tampered", f"entry {place}", f"has the id of entry {other}")


# --- with the help of other processes ------------------------------------------------------------------------

#: So many look at the entries at most, as each has memory of its own; of a short log one process does.
MOST_PROCESSES, FEW_ENTRIES = 4, 20_000


class Shared(Entries):
    """Entries at whose tiles this process and others look by turns.

    What these send is taken in the order of the log. It can only be that a tile is plain: where they don't say so, or
    have come to other lines, or say nothing any more, this process looks. So the same is found with any number of them.
    """

    def __init__(
        self, bundle: Path, processes: int, source: Source, size: int, origin: str, report: Report
    ) -> None:
        super().__init__(source, size, origin, report)
        processes = processes if size >= FEW_ENTRIES else 1
        # Besides, this process looks at the tree: it has two turns where each of the others has three.
        self.turns = [*range(processes)] * 2 + [*range(1, processes)]
        self.helpers = {turn: self._start(bundle, turn) for turn in range(1, processes)}

    def _start(self, bundle: Path, turn: int) -> Connection | None:
        """What another process sends that looks at the tiles whose *turn* it is; None if there can be none."""
        try:
            reading, writing = Pipe(duplex=False)
            with writing:
                given = (reading, writing, bundle, self.size, self.origin, self.turns, turn)
                process = Process(target=send_plain, args=given, daemon=True)
                process.start()
        except Exception:  # however this system says that it has no other process: one is enough
            return None
        for end in (process.join, process.terminate, reading.close):
            self.source.stack.callback(end)
        return reading

    def plain(self, index: int, width: int) -> Plain | None:
        """As one process would say it, from the one whose turn it is."""
        turn = self.turns[index % len(self.turns)]
        if (helper := self.helpers.get(turn)) is not None:
            try:
                place, numbers, sent = helper.recv()
            except (EOFError, OSError):
                self.helpers[turn] = None
            else:
                found = None if sent is None else Plain(*sent)
                if (place == index and found) and all(
                    lines.number == number and len(lines.ahead()) >= count
                    for lines, number, count in zip(self.lines, numbers, found.lines, strict=True)
                ):
                    return found
        return super().plain(index, width)


def send_plain(
    reading: Connection,
    writing: Connection,
    bundle: Path,
    size: int,
    origin: str,
    turns: Sequence[int],
    turn: int,
) -> None:
    """What another process does: send of each tile whose *turn* it is which lines are beside it, and if it is plain."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # So that it ends when nobody reads any more.
    reading.close()
    # Whatever goes wrong here goes wrong, or doesn't, in the process that reads, and is said there.
    with contextlib.suppress(Exception), writing, (source := source_of(bundle)).stack:
        entries = Entries(source, size, origin, Report())
        for index in range(-(-size // WIDTH)):
            if turns[index % len(turns)] == turn:
                for lines in entries.lines:
                    lines.skip(index * WIDTH)
                found = entries.plain(index, min(WIDTH, size - index * WIDTH))
                numbers = [lines.number for lines in entries.lines]
                writing.send((index, numbers, None if found is None else tuple(found)))


# --- all of it ------------------------------------------------------------------------------------------------


def verify(
    bundle: Path,
    keys: Sequence[Key],
    *,
    now: datetime,
    origin: str | None = None,
    checkpoints: Sequence[Path] = (),
    receipts: Sequence[Path] = (),
    revoked: Iterable[str] = (),
    max_age: timedelta | None = None,
    processes: int = 1,
) -> Report:
    """Check *bundle* with verifier *keys* that come from elsewhere; Unreadable or OSError if it can't be read.

    It may be a receipt alone, which is compared with nothing.

    Without *origin* the log has to be called as one of the keys. *checkpoints* and *receipts* were kept outside. A
    signature of a key in *revoked* counts for nothing. With several *processes* a large log is checked sooner; what is
    found is the same.
    """
    report = Report()
    looking = Entries if processes == 1 else partial(Shared, bundle, processes)
    ended = {*revoked}
    trust = Trust(
        [key for key in keys if key.written not in ended],
        frozenset({origin} if origin is not None else {key.name for key in keys}),
        [key for key in keys if key.written in ended],
    )
    if not bundle.is_dir():
        [(place, text)] = kept([bundle], LONGEST_RECEIPT)
        if text.startswith(_RECEIPT):
            check_receipt(place, text, trust, report)
            return report
    outside = [*kept(checkpoints, LONGEST_NOTE), *kept(receipts, LONGEST_RECEIPT)]
    source = source_of(bundle)
    try:
        for name, said in source.faults:
            report.add("tampered", shown(name), said)
        with source.stack:
            check(source, report, trust, outside, now=now, max_age=max_age, looking=looking)
    except Enough:
        report.remarks.append(f"Stopped after {MOST_FINDINGS} findings. Later entries were not looked at.")
    return report


def source_of(bundle: Path) -> Source:
    """The files of *bundle*."""
    return Folder(bundle) if bundle.is_dir() else Zip(bundle)


def kept(paths: Sequence[Path], most: int) -> list[tuple[str, str]]:
    """Each of the files *paths*: its name, and the text in it."""
    found = list[tuple[str, str]]()
    for path in paths:
        with path.open("rb") as file:
            text = file.read(most).decode(errors="replace")
            # Mail, editors and other systems put in line ends of their own, and lines before and after.
            text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
            found.append((shown(str(path)), f"{text}\n"))
    return found


def check(
    source: Source,
    report: Report,
    trust: Trust,
    outside: Sequence[tuple[str, str]],
    *,
    now: datetime,
    max_age: timedelta | None,
    looking: Callable[[Source, int, str, Report], Entries] = Entries,
) -> None:
    """Everything that ``verify`` looks at, into *report*."""
    known = read_given(outside, trust, report)
    check_documents(source, report)
    if (signed := signed_in(source, trust, report)) is not None:
        tree, entries = check_log(source, report, signed, now=now, max_age=max_age, looking=looking)
        check_named(source, report, entries)
        check_prunings(trust, tree, entries)
        check_endings(trust, tree, entries)
        confirm(known, signed, tree, entries)


def check_log(
    source: Source,
    report: Report,
    signed: Checkpoint,
    *,
    place: str = "checkpoint",
    now: datetime,
    max_age: timedelta | None,
    looking: Callable[[Source, int, str, Report], Entries] = Entries,
) -> tuple[Tree, Entries]:
    """Whether entries and tiles are those of the tree that is *signed* at *place*; that tree, and the entries.

    *looking* makes what looks at the entries of *source*.
    """
    if signed.size > MOST_ENTRIES:
        raise Unreadable(f"A log of {signed.size} entries is larger than this program takes.")
    report.facts |= {"origin": shown(signed.origin), "entries": signed.size, "root": signed.root.hex()}
    entries = looking(source, signed.size, signed.origin, report)
    tree = Tree(source, signed.size, report, entries.hashes, place)
    tree.check(signed.root)
    entries.finish()
    if not signed.size:
        report.add("tampered", "entry 0", "is missing: no log is without it")
    if entries.announced and signed.signers and not entries.announced & {*signed.signers}:
        report.add("bad-signature", place, "no entry of the log announces the key that signed it")
    report.facts |= {"newest_hour": entries.newest.decode() or None, "openings": entries.opened}
    check_age(report, place, entries.newest, now, max_age)
    return tree, entries


def check_prunings(trust: Trust, tree: Tree, entries: Entries) -> None:
    """Whether keys have signed what the log says of prunings, and that of this tree.

    Who can write into the database can write such an event, and it comes under the next checkpoint like any other.
    """
    report, since = tree.report, entries.signed_from
    named = {finding.place for finding in report.findings}
    for found in sorted(entries.prunings.values(), key=lambda each: each.entry):
        place = f"entry {found.entry}"
        if not found.signatures:
            if entries.personal and since is not None and since < found.entry and place not in named:
                said = f"says that leaves below {found.bound} were pruned, and no key has signed that"
                report.add("tampered", place, f"{said}; since entry {since} they do")
            continue
        try:
            marks = "".join(f"{line}\n" for line in found.signatures)
            by, gone = (signers(keys, found.statement, marks) for keys in (trust.keys, trust.revoked))
        except (ValueError, Fault):
            report.add("tampered", place, "what it says of the pruning is not what was signed")
            continue
        since = found.entry if since is None else since
        if not tree.damaged and tree.root(found.bound) != found.root:
            report.add(
                "tampered", place, f"what was signed of the pruning is of other entries below {found.bound}"
            )
        elif not by and gone:
            report.remarks.append(
                f"What entry {found.entry} says of the pruning only a revoked key has signed."
            )
        elif not by:
            said = "none of the keys that you gave has signed what it says of the pruning"
            report.add("bad-signature", place, f"{said}; older keys are to be given, too")


def check_endings(trust: Trust, tree: Tree, entries: Entries) -> None:
    """Whether those have signed what the log says of keys that ended who may say it (``docs/format.md``)."""
    keys, ended = [*trust.keys, *trust.revoked], set[str]()
    for found in entries.endings:
        said = f"says that a key was {found.act}"
        if found.key not in {key.written for key in keys}:
            unknown = f"which you did not give: whether that was signed is not checked: {shown(found.key)}"
            tree.report.remarks.append(f"Entry {found.entry} {said}, {unknown}.")
        elif fault := _unsigned(found, keys, ended, tree.source, entries.origin):
            verdict, why = fault
            tree.report.add(verdict, f"entry {found.entry}", f"{said}, and {why}: {found.key}")
        else:
            ended.add(found.key)
            if found.act == "revoked" and found.key in {key.written for key in trust.keys}:
                tree.report.remarks.append(
                    f"Entry {found.entry} {said}, since others may have had it: {shown(found.key)}. What only that "
                    "signed counts no longer; give it as a key that counts no longer, too (--revoked)."
                )


def _unsigned(
    found: Ending, keys: Sequence[Key], ended: set[str], source: Source, origin: str
) -> tuple[str, str] | None:
    """The verdict on what ends one of *keys* and doesn't hold, and why; None if it does. *ended* were before."""
    try:
        lines, marks = note_in(source, found.note)
    except Fault as fault:
        return "tampered", f"documents/{found.note} {fault}, by which that was signed"
    if lines != ["consent/ending/v1", origin, found.act, found.key]:
        return "tampered", "what was signed says something else"
    by, own = signed_as(lines, marks, keys), Key.parse(found.key)
    if not by - {found.key}:
        return (
            "bad-signature",
            "none of the keys that you gave has signed that beside it; others are to be given, too",
        )
    if found.act == "revoked" and found.key not in by:
        return "tampered", "that key itself has not signed it, without which nobody can"
    if not (by - ended) & vouched_by(source, own, [key for key in keys if key != own], origin):
        return "tampered", "none has signed that which it vouched for and which hadn't ended"
    return None


def confirm(known: Sequence[Outside], signed: Checkpoint, tree: Tree, entries: Entries) -> None:
    """Compare the tree that is *signed*, and its *entries*, with what is *known* from outside."""
    report, anchored, bounds = tree.report, 0, sorted(entries.prunings)
    for place, found, receipt in known:
        covered = compared(place, found, signed, tree)
        anchored = max(anchored, covered)
        if covered and receipt is not None and (outline := _ANY_LEAF.read(receipt.leaf)):
            entries.dated(place, receipt.index, outline[1].decode(), bounds)
    report.facts["anchored"] = anchored
    if not anchored:
        report.add("unanchored", tree.place, "nothing that was kept outside confirms it")
    elif anchored < signed.size:
        report.remarks.append(
            f"What was kept outside confirms the first {anchored:,} of {signed.size:,} entries."
        )
    if anchored and (pruning := entries.pruning) is not None and anchored <= pruning.entry:
        report.remarks.append(
            f"Entry {pruning.entry}, which says what was pruned, is not among these: whoever can write into the "
            "database could have put it there."
        )


def signed_in(source: Source, trust: Trust, report: Report) -> Checkpoint | None:
    """The bundle's checkpoint; None, and a finding, unless it is signed."""
    try:
        if (note := read(source, "checkpoint", LONGEST_NOTE)) is None:
            raise Fault("is missing")
        return trust.checkpoint(note.decode(errors="replace"))
    except Fault as fault:
        report.add("bad-signature", "checkpoint", str(fault))
    return None


def check_documents(source: Source, report: Report) -> None:
    """Whether each policy and notice has the hash that it is stored under."""
    for name in source.names("documents"):
        place = f"documents/{name}"
        try:
            if not re.fullmatch(r"[0-9a-f]{64}", name) or (file := source.open(place)) is None:
                raise Fault("is no name of a document")
            code, length = sha256(), 0
            with file:
                while piece := file.read(65_536):
                    code.update(piece)
                    if (length := length + len(piece)) > LONGEST_DOCUMENT:
                        raise Fault(f"is longer than {LONGEST_DOCUMENT:,} bytes, as no document is")
            if code.hexdigest() != name:
                raise Fault("is not the document that was stored: it has another hash")
        except (*_BROKEN, Fault) as error:
            said = str(error) if isinstance(error, Fault) else f"is damaged ({error})"
            report.add("tampered", shown(place), said)
    usual = {"checkpoint", "tile", "documents", "README.txt", "verify.py"}
    usual |= {"span.json", "kept.jsonl", "openings.jsonl", "erased.jsonl"}
    if others := [name for name in source.names() if name not in usual]:
        listed = ", ".join(map(shown, others[:5]))
        report.remarks.append(
            f"Not part of a bundle, and not looked at: {listed}{', …' if others[5:] else ''}."
        )


def check_named(source: Source, report: Report, entries: Entries) -> None:
    """Whether each policy and notice is there that *entries* name whose openings are here: nobody knows else what was
    asked. What they left out who took the openings of some days only is not missed.
    """
    there = {*source.names("documents")}
    missing = {digest.decode(): index for digest, index in entries.named.items()}
    for digest in sorted(missing.keys() - there, key=lambda each: (missing[each], each)):
        said = f"is missing: entry {missing[digest]} was recorded under this policy, or after this notice"
        report.add("tampered", f"documents/{digest}", said)


def check_age(report: Report, place: str, newest: bytes, now: datetime, max_age: timedelta | None) -> None:
    """What is signed at *place* states no time; what there is, is the hour of the newest entry."""
    if not newest:
        return
    age = now - datetime.fromisoformat(newest.decode())
    if max_age is not None and age > max_age + timedelta(hours=1):
        report.add("stale", place, f"the newest entry is of {newest.decode()}")
    if age < -timedelta(hours=1):
        report.remarks.append(f"The newest entry is dated {newest.decode()}, which is yet to come.")


def read_given(outside: Sequence[tuple[str, str]], trust: Trust, report: Report) -> Sequence[Outside]:
    """What of *outside*, the names and texts of what was kept there, can be used."""
    before = len(report.findings)
    known = [found for place, text in outside if (found := read_outside(place, text, trust, report))]
    report.unusable = report.findings[before:]
    return known


def read_outside(place: str, text: str, trust: Trust, report: Report) -> Outside | None:
    """What *text* is, which was kept outside: a checkpoint or a receipt; None, and a finding, if it is neither.

    The receipt's entry is in its checkpoint's tree: if the log begins with this tree, it has the entry.
    """
    if text.startswith(_RECEIPT):
        found = read_receipt(place, text, trust, report)
        return None if found is None else Outside(place, found.checkpoint, found)
    try:
        return Outside(place, trust.checkpoint(text), None)
    except Fault as fault:
        report.add("bad-signature", place, str(fault))
    return None


def read_receipt(place: str, text: str, trust: Trust, report: Report) -> Receipt | None:
    """The receipt in *text*; None, and a finding, if it isn't what was signed."""
    try:
        return receipt_in(text, trust)
    except Fault as fault:
        report.add("tampered" if "altered" in str(fault) else "bad-signature", place, str(fault))
    return None


def check_receipt(place: str, text: str, trust: Trust, report: Report) -> None:
    """A receipt without a bundle: whether the log has signed a tree with this entry in it, and what that says."""
    if (found := read_receipt(place, text, trust, report)) is None:
        return
    leaf, signed = json.loads(found.leaf), found.checkpoint
    report.facts |= {
        "origin": shown(signed.origin),
        "entries": signed.size,
        "index": found.index,
        "leaf": leaf,
    }
    report.remarks.append(
        f"Entry {found.index} of the log {shown(signed.origin)}, signed when that had {signed.size:,} entries: "
        f"{shown(leaf['kind'])}, in the hour from {shown(leaf['hour'])}."
    )
    report.remarks.append("Whether the log still has it is for a bundle to show.")
    if found.opening is None:
        report.add("erased", place, "what it said was erased before this receipt was made")
        return
    try:
        said = json.loads(found.opening)
        answers = (f"{name}: {shown(', '.join(said[name])) or 'nothing'}" for name in ("granted", "refused"))
        report.remarks.append(f"It says, at {shown(said['time'])}: {'; '.join(answers)}.")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        report.remarks.append("What it says is of no known form.")


def compared(place: str, older: Checkpoint, signed: Checkpoint, tree: Tree) -> int:
    """How many entries of the log *older* confirms; 0, and a finding, if it contradicts it."""
    report = tree.report
    if older.size > signed.size:
        report.add("truncated", place, f"is of {older.size:,} entries; there are {signed.size:,}")
        return 0
    if tree.damaged:
        report.remarks.append(f"{place} is not compared: the tiles don't hold.")
        return 0
    if tree.root(older.size) != older.root:
        report.add("forked", place, f"the first {older.size:,} entries were others when it was signed")
        return 0
    return older.size


# --- the command line -------------------------------------------------------------------------------------------


def shown(text: str) -> str:
    """*text* so that printing it can do no harm: on one line, without control characters, of limited length."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:200])
    return plain if len(text) <= 200 else f"{plain}…"


def counted(count: int, one: str, more: str) -> str:
    """*count* of what is called *one*, or *more* where there aren't just one."""
    return f"{count:,} {one if count == 1 else more}"


def meaning(verdict: str) -> str:
    """What *verdict* means, and what to do about it here."""
    return " ".join(filter(None, (VERDICTS[verdict], ADVICE.get(verdict))))


def in_words(report: Report) -> str:
    """*report* for a person: each finding on a line, what was checked, and what it means."""
    lines = [f"{finding.verdict}  {finding.place}: {shown(finding.said)}" for finding in report.findings]
    lines += [f"note  {remark}" for remark in report.remarks]
    facts = report.facts
    if "anchored" in facts:
        lines += [
            "",
            f"Log {facts['origin']}: {facts['entries']:,} entries, "
            f"the newest of {facts['newest_hour'] or 'an unknown hour'}.",
        ]
        lines.append(
            f"Openings checked: {facts['openings']:,}. Confirmed from outside: {facts['anchored']:,} entries."
        )
    lines += ["", f"{report.verdict}: {meaning(report.verdict)}"]
    if not report.right and (log := report.log) in FINE:
        lines.append(f"All that is wrong is in what you gave. The log without it is {log}: {meaning(log)}")
    return "\n".join(lines).lstrip("\n")


def as_data(report: Report) -> dict[str, object]:
    """*report* for programs."""
    return {
        "ok": report.right,
        "verdict": report.verdict,
        **({"log": log} if (log := report.log) else {}),
        "findings": [{**finding._asdict(), "said": shown(finding.said)} for finding in report.findings],
        "remarks": report.remarks,
        **report.facts,
    }


def verifier_key(text: str) -> Key:
    """The option ``--key``."""
    try:
        return Key.parse(text.strip())
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{shown(text)} is {error}") from error


def span(text: str) -> timedelta:
    """The option ``--max-age``: ``36h``, ``7d`` or ``4w``."""
    if not (found := re.fullmatch(r"([0-9]{1,5})([hdw])", text)):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no span of time; expected such as 36h, 7d or 4w")
    return (
        int(found[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[found[2]]
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="verify.py",
        description="Check a bundle of a consent log, or one receipt, offline.",
        epilog="Exit codes: 0 nothing is wrong, 1 something is wrong, 2 used wrongly, 3 it couldn't be read. "
        "Take key, checkpoints and receipts from elsewhere, never from the bundle.",
    )
    made.add_argument("bundle", type=Path, help="the folder or zip; or a receipt")
    made.add_argument(
        "--key",
        type=verifier_key,
        action="append",
        required=True,
        help="the log's verifier key, as the site published it; may be given again, for older keys",
    )
    made.add_argument(
        "--revoked", action="append", default=[], metavar="KEY", help="a key that counts no longer"
    )
    made.add_argument("--origin", help="the log's name; by default the name of the key")
    for name, what in (("--checkpoint", "a checkpoint"), ("--receipt", "a receipt")):
        made.add_argument(
            name,
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help=f"{what} that was kept elsewhere; may be given again",
        )
    made.add_argument("--max-age", type=span, metavar="7d", help="how old the newest entry may be")
    made.add_argument("--json", action="store_true", help="answer in one line of JSON")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what *arguments* name, say what was found; the exit code."""
    asked = parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        report = verify(
            asked.bundle,
            asked.key,
            now=datetime.now(UTC),
            origin=asked.origin,
            checkpoints=asked.checkpoint,
            receipts=asked.receipt,
            revoked=asked.revoked,
            max_age=asked.max_age,
            processes=min(os.cpu_count() or 1, MOST_PROCESSES),
        )
    except (Unreadable, OSError) as error:
        where = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else error
        print(f"Error: {shown(str(where))}", file=sys.stderr)
        return 3
    print(json.dumps(as_data(report)) if asked.json else in_words(report))
    return 0 if report.right else 1


def run() -> NoReturn:
    """The program."""
    sys.exit(main())


if __name__ == "__main__":
    run()
