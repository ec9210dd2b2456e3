"""What a log that has grown large costs: the next decision, a proof, the disk, and checking it where it lies."""

import itertools
import os
import random
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contest import Entry, Pair, contestant, interleave
from benchmarks.progress import Progress
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread
from benchmarks.verifying import DOCUMENTS, Log
from consent.audit.live import verify_live
from consent.ledger import Document, Ledger
from consent.ledger.merkle import inclusion_proof
from consent.storage import open_storage
from consent.verify import Key

#: The log of the sample site, whose policy the measured site has.
NAME = "larkmere.example/privacy-choices"
BATCH, PROOFS = 10_000, 500
MILLI = 1e3
METHOD = (
    "Two sites alike, each a process, on SQLite: one whose log is empty, one whose log has {size:,} visitors' answers, "
    "each of a subject of its own. They take turns: a visitor's POST that accepts everything, one at a time, in "
    "{rounds:,} rounds; the disk's syncs are in it, and make the slowest. Then of the large log: proofs of entries "
    "chosen at random, the file's size, and CPU time of what `flask consent verify` does."
)


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; the sites' databases lie in *folder*."""
    rounds, size = (100, 50_000) if quick else (1000, 1_000_000)
    progress = Progress("growth")
    section = Section(
        name="growth", title="A log that has grown", method=METHOD.format(size=size, rounds=rounds)
    )
    with ExitStack() as stack:
        entries = list[Entry]()
        for name in ("empty", "large"):
            (folder / name).mkdir()
            site = stack.enter_context(contestant("flask_assent", folder / name))
            entries.append(Entry(site, "decision"))
        progress.say(f"a log of {size:,} events")
        file = folder / "large" / "flask_assent" / "consent.sqlite3"
        with log_in(file) as ledger:
            fill(ledger, file, size)
            kinds = zip(("policy", "notice"), DOCUMENTS.values(), strict=True)
            ledger.keep([Document.of(kind, body) for kind, body in kinds])
        found = interleave(entries, rounds=rounds, calls=1, progress=progress)
    section.figures += decisions([found[entry] for entry in entries], size)
    with log_in(file) as ledger:
        section.figures += [proofs(ledger), storage(file, ledger), checked(ledger)]
    return section


@contextmanager
def log_in(file: Path) -> Iterator[Ledger]:
    """The log in *file*, until the block ends."""
    storage = open_storage(f"sqlite:///{file}", origin=NAME)
    try:
        yield Ledger(storage, NAME)
    finally:
        storage.close()


def fill(ledger: Ledger, file: Path, size: int) -> None:
    """Put so many events into the log in one go, and seal them: recording each would take a sync of the disk."""
    first = ledger.size()
    records = itertools.islice(Log(size, NAME).records(), 1, None)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        while batch := list(itertools.islice(records, BATCH)):
            with connection:
                connection.executemany(
                    "INSERT INTO entry VALUES (?, ?, ?, ?)",
                    [(first + each.index - 1, each.id.hex, each.leaf, each.leaf_hash) for each in batch],
                )
                connection.executemany(
                    "INSERT INTO opening VALUES (?, ?, ?, ?)",
                    [
                        (each.id.hex, each.subject and each.subject.hex, each.salt, each.body)
                        for each in batch
                    ],
                )
    while ledger.seal(patience=600):
        pass


def decisions(sites: Sequence[Sequence[Pair]], size: int) -> list[Figure]:
    """A whole decision on the empty log and on the one of *size* events."""
    figures, slowest = list[Figure](), list[float]()
    for pairs, what in zip(sites, ("an empty log", f"a log of {size:,}"), strict=True):
        walls = [MILLI * pair.full_wall for pair in pairs]
        slowest.append(statistics.quantiles(walls, n=100, method="inclusive")[98])
        figures.append(
            Figure(
                what=f"a whole decision, {what}",
                who=OURS,
                spread=Spread.of(walls),
                unit="ms",
                beside=[
                    Beside("p99", slowest[-1], "ms"),
                    Beside("CPU", MILLI * Spread.of([pair.full_cpu for pair in pairs]).median, "ms"),
                ],
            )
        )
    figures.append(
        Figure(
            what="p99, large over empty",
            who=OURS,
            spread=Spread.exactly(slowest[1] / slowest[0]),
            unit="×",
            goal="≈ 1",
        )
    )
    return figures


def proofs(ledger: Ledger) -> Figure:
    """An inclusion proof of any entry."""
    head, taken, chosen = ledger.head(), list[float](), random.Random(1)
    lengths = set[int]()
    for _ in range(PROOFS):
        index = chosen.randrange(head.size)
        start = time.perf_counter()
        lengths.add(len(inclusion_proof(index, head.size, ledger.tree)))
        taken.append(MILLI * (time.perf_counter() - start))
    return Figure(
        what="inclusion proof",
        who=OURS,
        spread=Spread.of(taken),
        unit="ms",
        beside=[Beside("hashes", max(lengths)), Beside("longest", max(taken), "ms")],
        goal="≤ 5 ms",
    )


def storage(file: Path, ledger: Ledger) -> Figure:
    """What an event takes of the disk, with its indexes and its share of the tree."""
    (newest,) = ledger.newest(ledger.size() // 2, 1)
    return Figure(
        what="storage, openings and tree with it",
        who=OURS,
        spread=Spread.exactly(os.stat(file).st_size / ledger.size()),
        unit="bytes an event",
        beside=[Beside("leaf", len(newest.leaf)), Beside("opening", len(newest.body or b""))],
    )


def checked(ledger: Ledger) -> Figure:
    """What ``flask consent verify`` does."""
    keys, start = [Key.parse(key) for key in ledger.verifier_keys()], time.process_time()
    report = verify_live(ledger, keys, (), progress=lambda records, size: records, now=datetime.now(UTC))
    taken = time.process_time() - start
    if not report.right:
        raise RuntimeError(f"the log that was to be measured doesn't hold: {report.findings[:3]}")
    return Figure(
        what="verified in the database, with openings",
        who=OURS,
        spread=Spread.exactly(taken),
        unit="s",
        beside=[Beside("per 100,000", 1e5 * taken / ledger.size(), "s")],
    )
