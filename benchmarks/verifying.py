"""How long ``verify.py`` takes for a large log, and how much memory, beside the hashing that nobody is spared."""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.place import ROOT
from benchmarks.progress import Progress
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread
from consent.audit.export import write_folder
from consent.ledger import Checkpoint, Event, Kind, Sealed, commitment, leaf_hash, opened
from consent.ledger.bundle import Bundle
from consent.ledger.merkle import root_of
from consent.ledger.note import Signer, sign
from consent.ledger.tile import TileReader, tile_root

PROGRAM = ROOT / "consent" / "verify.py"
ORIGIN = "clinic.example/privacy-choices"
START = datetime(2026, 11, 21, 18, 4, 5, tzinfo=UTC)
TILE = 256 * 32
#: The policy and the notice of all answers, by their hashes.
DOCUMENTS = {hashlib.sha256(body).hexdigest(): body for body in (b"a policy", b"a notice")}
POLICY, NOTICE = DOCUMENTS
METHOD = (
    "Time that passes while `python -I verify.py` checks a bundle that is a folder, in {rounds} rounds. It starts a "
    "process for each core, up to four; CPU time and largest resident memory are those of all of them, and what they "
    "share counts once. Each event is a visitor's answer with a salt of its own; there is one file of openings, or "
    "none. Beside it, in the same round: the SHA-256 of as many leaves and tree nodes in a bare loop."
)
#: Seconds between two looks at the memory of a program that runs.
LOOK = 0.05


#: Runs the program that its first argument names, then says the most memory it had, in KiB. (What the system says of
#: a child afterwards counts its parent's memory, too, which it shares until the program begins.)
MEASURED = """
import atexit, re, runpy, sys
sys.argv = sys.argv[1:]
def most():
    with open("/proc/self/status") as status:
        print(re.search("VmHWM:\\s*([0-9]+) kB", status.read())[1], file=sys.stderr)
atexit.register(most)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass
class Log:
    """A log of *size* entries: an answer a second, always the same bytes. The leaves are made when asked for."""

    size: int
    origin: str = ORIGIN
    levels: list[bytearray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signer = Signer.of(self.origin, Ed25519PrivateKey.from_private_bytes(bytes(32)))
        self.levels.append(bytearray().join(record.leaf_hash for record in self.records()))
        while len(below := self.levels[-1]) >= TILE:
            whole = range(0, len(below) - TILE + 1, TILE)
            self.levels.append(bytearray().join(tile_root(bytes(below[at : at + TILE])) for at in whole))

    def records(self) -> Iterator[Sealed]:
        """Its records. Answers differ in id, salt and hour; the rest of their bytes is written once."""
        yield record(0, opened(self.signer.key, origin=self.origin, time=START), self.origin)
        first = answer(1, START)
        leaf, body = first.leaf_over("*", self.origin), first.body()
        clock, hour = (
            str(START.replace(tzinfo=None)).replace(" ", "T").encode(),
            START.strftime("%Y-%m-%dT%H").encode(),
        )
        for index in range(1, self.size):
            now = START + timedelta(seconds=index)
            salt, subject = salt_of(index), subject_of(index)
            told = body.replace(clock, now.strftime("%Y-%m-%dT%H:%M:%S").encode())
            told = told.replace(str(first.subject).encode(), str(subject).encode())
            id = id_of(index)
            made = leaf.replace(b"*", commitment(salt, told).encode()).replace(
                str(first.id).encode(), str(id).encode()
            )
            made = made.replace(hour, now.strftime("%Y-%m-%dT%H").encode())
            yield Sealed(
                index=index,
                id=id,
                leaf=made,
                leaf_hash=leaf_hash(made),
                subject=subject,
                salt=salt,
                body=told,
            )

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of this tile."""
        return bytes(self.levels[level][index * TILE : (index + 1) * TILE])

    def bundle(self, *, openings: bool) -> Bundle:
        """What goes into its bundle."""
        root = root_of(self.size, TileReader(self))
        return Bundle(
            checkpoint=sign(Checkpoint(self.origin, self.size, root).to_text(), self.signer),
            records=self.records,
            tiles=self,
            documents=DOCUMENTS,
            document=DOCUMENTS.__getitem__,
            erased=lambda: (),
            program=PROGRAM.read_bytes(),
            openings=openings,
        )


def answer(index: int, now: datetime) -> Event:
    """What the visitor of entry *index* answered."""
    return Event(
        id=id_of(index),
        kind=Kind.GIVEN,
        time=now,
        policy=POLICY,
        subject=subject_of(index),
        notice=NOTICE,
        granted=("statistics",),
        refused=("videos",),
        language="en",
        profile="default",
        source="banner",
    )


def record(index: int, event: Event, origin: str) -> Sealed:
    """*event* as it is stored at *index* of the log *origin*."""
    salt, body = salt_of(index), event.body()
    leaf = event.leaf(origin, salt)
    return Sealed(
        index=index, id=event.id, leaf=leaf, leaf_hash=leaf_hash(leaf), subject=None, salt=salt, body=body
    )


def salt_of(index: int) -> bytes:
    """The salt of entry *index*."""
    return hashlib.sha256(b"salt%d" % index).digest()


def id_of(index: int) -> uuid.UUID:
    """The id of entry *index*."""
    return uuid.UUID(bytes=hashlib.sha256(b"id%d" % index).digest()[:16], version=4)


def subject_of(index: int) -> uuid.UUID:
    """Whose answer entry *index* is."""
    return uuid.UUID(bytes=hashlib.sha256(b"subject%d" % index).digest()[:16], version=4)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program, with the processes that it starts."""

    wall: float
    """Seconds that passed."""
    cpu: float
    """Seconds."""
    memory: float
    """MiB, at most at any time."""
    said: str


def checked(folder: Path, key: str) -> Run:
    """What checking the bundle *folder* took; RuntimeError if something was wrong with it."""
    command = [sys.executable, "-I", "-c", MEASURED, str(PROGRAM), str(folder), "--key", key]
    before, begun, most, said = os.times(), time.monotonic(), 0, None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        while said is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                said = program.communicate(timeout=LOOK)
            most = max(most, held(program.pid))
    wall, after = time.monotonic() - begun, os.times()
    if program.returncode:
        raise RuntimeError(f"the bundle that was to be measured doesn't hold: {said[0]}{said[1]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(wall, cpu, max(most, int(said[1])) / 1024, said[0])


def held(process: int) -> int:
    """KiB that *process* has now, and those that it started for themselves; 0 without any, as it tells its own."""
    try:
        helpers = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        more = sum(memory(int(helper), "Private_Clean", "Private_Dirty") for helper in helpers)
        return more and more + memory(process, "Rss")
    except OSError:
        return 0


def memory(process: int, *kinds: str) -> int:
    """KiB of these *kinds* that *process* has."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in lines[1:])
    return sum(int(sizes[kind].split()[0]) for kind in kinds)


def hashed(size: int) -> float:
    """Seconds for the hashes of *size* leaves and as many nodes."""
    leaf, start = answer(1, START).leaf(ORIGIN, bytes(32)), time.process_time()
    for _ in range(size):
        hashlib.sha256(b"\0" + leaf).digest()
        hashlib.sha256(b"\1" + leaf[:64]).digest()
    return time.process_time() - start


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; the bundles lie in *folder*."""
    rounds, sizes = (1, (10_000, 100_000)) if quick else (5, (100_000, 1_000_000))
    progress = Progress("verifying")
    section = Section(name="verifying", title="Verifying", method=METHOD.format(rounds=rounds))
    spent = dict[tuple[int, bool], float]()
    for size in sizes:
        progress.say(f"a log of {size:,} events")
        log = Log(size)
        for openings in (False, True):
            bundle = folder / f"{size}-{openings}"
            write_folder(log.bundle(openings=openings).parts(), bundle)
            runs, bare = list[Run](), list[float]()
            for _ in range(rounds):
                bare.append(hashed(size))
                runs.append(checked(bundle, log.signer.key))
            spent[size, openings] = Spread.of([run.cpu for run in runs]).median
            section.figures.append(
                Figure(
                    what=f"{size:,} events{', with openings' if openings else ''}",
                    who=OURS,
                    spread=Spread.of([run.wall for run in runs]),
                    unit="s",
                    beside=[
                        Beside("CPU", spent[size, openings], "s"),
                        Beside("hashing alone", Spread.of(bare).median, "s"),
                        Beside("memory", max(run.memory for run in runs), "MiB"),
                    ],
                    goal="≤ 8 s, ≤ 64 MiB" if size == 1_000_000 else "",
                )
            )
    few, many = sizes
    section.figures += [
        Figure(
            what=f"{many:,} events over {few:,}{', with openings' if openings else ''}, CPU",
            who=OURS,
            spread=Spread.exactly(spent[many, openings] / spent[few, openings]),
            unit=f"× for {many // few} × the events",
            goal="≤ 12",
        )
        for openings in (False, True)
    ]
    return section
