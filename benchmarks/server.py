"""Many writers on PostgreSQL, while what they record is sealed: beside bare inserts, and beside a hash chain."""

import hashlib
import multiprocessing
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import URL, make_url

from benchmarks import acts
from benchmarks.environment import Unavailable
from benchmarks.progress import Progress
from benchmarks.race import Share, compete
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread
from consent.cli.seal import keep_sealing
from consent.ledger import Ledger
from consent.storage import open_storage
from consent.storage.postgres import PostgresStorage
from consent.storage.roles import APP, statements
from consent.storage.sequencer import IN_PASSING
from tests.storage.cluster import libpq, running

WRITERS = 8
KEY = "consent.key"
METHOD = (
    f"{WRITERS} processes record for {{seconds:g}} s into one PostgreSQL database, as fast as they can, in each of "
    "{rounds} rounds; the kinds take turns, another first each time, each in a database of its own that has just been "
    "made, and share the processors with the server. "
    "“Bare” is one prepared statement by psycopg alone that writes the two rows of an event, made before the clock "
    "starts but for its id, each a commit, into tables that are like ours but for triggers and limits. “Live” "
    "is beside a process that does as `flask consent seal --every 1s`, which also signs. What proof costs is told "
    "with equal clients: “bare client, live” is the bare one's statement into the log's own tables, and its goal "
    "stands beside the 0.3 of the hash chain, which does as bare and locks one row, in which the newest hash "
    "stands, until its commit is synced: one statement too, so at its best. “Unsealed” is the whole component as "
    "the role consent_app while nothing seals, and “live” the same beside that process; over bare it also pays "
    "for making each event with its leaf and its commitment, and for the function that finds repetitions. “In "
    "passing” is the component as a role that may seal, so that each process seals up to {most} events once a "
    "second, and after each of its events while more wait. Sealed is what no longer waited when the last writer "
    "ended; counted, for searches, is what was by then: while more waits than a batch, sealing goes first."
)
_TABLES = """
    CREATE SCHEMA bare;
    CREATE TABLE bare.opening (LIKE consent.opening INCLUDING ALL EXCLUDING CONSTRAINTS);
    CREATE TABLE bare.inbox (LIKE consent.inbox INCLUDING ALL EXCLUDING CONSTRAINTS);
    CREATE TABLE bare.head (hash bytea);
    INSERT INTO bare.head VALUES ('');
    ALTER TABLE bare.inbox ADD COLUMN hash bytea;
"""
_LEFT = "SELECT (SELECT count(*) FROM consent.inbox), (SELECT coalesce(sum(size), 0)::bigint FROM consent.counted)"
_OPENING = "WITH opened AS (INSERT INTO {}.opening (uid, subject, salt, body) VALUES (%s, %s, %s, %s))"
_INSERT = f"{_OPENING} INSERT INTO {{}}.inbox (uid, leaf) VALUES (%s, %s)"
_CHAIN = f"""{_OPENING.format("bare")}, before AS (SELECT hash FROM bare.head FOR UPDATE), linked AS (
        INSERT INTO bare.inbox (uid, leaf, hash) SELECT %s, leaf, sha256(hash || leaf)
        FROM before, (SELECT %s::bytea AS leaf) AS new RETURNING hash
    ) UPDATE bare.head SET hash = linked.hash FROM linked"""


#: What the clients that aren't the component run, by kind.
_STATEMENTS = {
    "bare": _INSERT.format("bare", "bare"),
    "bare live": _INSERT.format("consent", "consent"),
    "chain": _CHAIN,
}


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; the server's files lie in *folder*, unless CONSENT_TEST_PG_URL names one."""
    rounds, seconds = (2, 1.5) if quick else (6, 5.0)
    progress = Progress("server")
    section = Section(
        name="server",
        title=f"{WRITERS} writers on PostgreSQL",
        method=METHOD.format(seconds=seconds, rounds=rounds, most=IN_PASSING),
    )
    # A server doesn't run as root, and its folder must be reached by whom it runs as.
    folder.parent.chmod(0o711)
    kinds = {kind: Writers([], [], []) for kind in (*_STATEMENTS, "unsealed", "live", "passing")}
    try:
        with running(folder) as cluster, cluster.database() as first:
            keys = folder / "keys"
            begin(written(first), keys)
            cluster.run(_TABLES, database=first.database)
            for round_ in range(rounds):
                progress.step(round_, rounds)
                for name in [*kinds][round_ % len(kinds) :] + [*kinds][: round_ % len(kinds)]:
                    # All begin alike: neither tables nor their indexes are of another size or age for one of them.
                    with cluster.database(like=first) as url, copied(keys) as key:

                        def look(database: str | None = url.database, kind: Writers = kinds[name]) -> None:
                            ((waiting, counted),) = cluster.run(_LEFT, database=database)
                            assert isinstance(waiting, int)
                            assert isinstance(counted, int)
                            kind.waiting.append(waiting)
                            kind.counted.append(counted)

                        as_app = url.update_query_dict({"options": f"-c role={APP}"})
                        with sealing(written(url), key) if name in ("live", "bare live") else nullcontext():
                            made = partial(
                                ready, name, written(as_app if name in ("unsealed", "live") else url)
                            )
                            shares = compete(made, writers=WRITERS, seconds=seconds, then=look)
                        kinds[name].rounds.append(shares)
    except RuntimeError as error:
        raise Unavailable(str(error)) from error
    bare, unsealed = kinds["bare"], kinds["unsealed"]
    section.figures = [
        figure("bare client, live", OURS, kinds["bare live"], bare, "bare", goal="≥ 0.8", seals=True),
        figure("hash chain", "hash chain", kinds["chain"], bare, "bare"),
        figure("live", OURS, kinds["live"], unsealed, "unsealed", seals=True),
        figure("in passing", OURS, kinds["passing"], unsealed, "unsealed", seals=True),
        figure("unsealed", OURS, unsealed, bare, "bare"),
        figure("live", OURS, kinds["live"], bare, "bare", seals=True),
        figure("in passing", OURS, kinds["passing"], bare, "bare", seals=True),
    ]
    return section


@dataclass(frozen=True, slots=True)
class Writers:
    """What the writers of one kind did in each round."""

    rounds: list[Sequence[Share]]
    waiting: list[int]
    """Events that waited to be sealed when a round was over."""
    counted: list[int]
    """Events that were counted by then."""

    @property
    def events(self) -> list[int]:
        """How many events each round recorded."""
        return [sum(share.commits for share in shares) for shares in self.rounds]


def figure(
    what: str, who: str, own: Writers, other: Writers, of: str, *, goal: str = "", seals: bool = False
) -> Figure:
    """Events of *own* over those of *other* in the same round."""
    longest = max(share.longest for shares in own.rounds for share in shares)
    sealed = 100 - 100 * sum(own.waiting) / sum(own.events)
    counted = 100 * sum(own.counted) / sum(own.events)
    return Figure(
        what=f"events each second, {what}",
        who=who,
        spread=Spread.of([one / two for one, two in zip(own.events, other.events, strict=True)]),
        unit=f"of {of} inserts",
        beside=[
            Beside("recorded", Spread.of(own.events).median, "each round"),
            Beside(of, Spread.of(other.events).median, "each round"),
            Beside("longest", 1e3 * longest, "ms"),
            *([Beside("sealed meanwhile", sealed, "%"), Beside("counted", counted, "%")] if seals else []),
        ],
        goal=goal,
    )


@contextmanager
def sealing(url: str, key: Path) -> Iterator[None]:
    """A process that does as ``flask consent seal --every 1s`` while the block runs."""
    context = multiprocessing.get_context("spawn")
    begun, ended = context.Event(), context.Event()
    process = context.Process(target=_seal, args=(url, key, begun, ended))
    process.start()
    try:
        if not begun.wait(timeout=60):
            raise RuntimeError("the process that seals did not begin")
        yield
    finally:
        ended.set()
        process.join()
    if process.exitcode:
        raise RuntimeError("the process that seals did not go on")


class _Ending:
    """When to stop sealing; RuntimeError in a pause before which nothing could be sealed."""

    def __init__(self, begun: Event, ended: Event) -> None:
        self._begun, self._ended, self._well = begun, ended, False

    def sealed(self) -> None:
        self._well = True
        self._begun.set()

    def is_set(self) -> bool:
        return self._ended.is_set()

    def wait(self, timeout: float) -> bool:
        if not self._well:
            raise RuntimeError("nothing was sealed or signed")
        self._well = False
        return self._ended.wait(timeout)


def _seal(url: str, key: Path, begun: Event, ended: Event) -> None:
    ledger = Ledger(open_storage(url, origin=acts.NAME, signing_key=key), acts.NAME)
    ending = _Ending(begun, ended)
    keep_sealing(ledger, 1.0, ending, ending.sealed)


def written(url: URL) -> str:
    """*url* as text, its password too."""
    return url.render_as_string(hide_password=False)


@contextmanager
def copied(keys: Path) -> Iterator[Path]:
    """The key file of a copy of the folder *keys*, for the copy of a log: no log may use the guard of another."""
    with TemporaryDirectory(dir=keys.parent) as folder:
        yield copytree(keys, Path(folder) / keys.name) / KEY


def begin(url: str, keys: Path) -> None:
    """Make the database at *url*, and a log in it with a key in the new folder *keys*."""
    keys.mkdir()
    key = keys / KEY
    key.touch(0o600)
    own = Ed25519PrivateKey.generate()
    key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    storage = open_storage(url, origin=acts.NAME, signing_key=key)
    assert isinstance(storage, PostgresStorage)
    storage.upgrade()
    storage.apply(statements())
    storage.close()


def ready(kind: str, url: str) -> Callable[[], None]:
    """The function that commits one event; its connection is open."""
    if kind not in _STATEMENTS:
        ledger = Ledger(open_storage(url, origin=acts.NAME), acts.NAME)
        ledger.size()
        return lambda: acts.record(ledger, acts.given())
    connection = psycopg.connect(libpq(make_url(url)), autocommit=True)
    event = acts.given()
    body = event.body()
    salt = hashlib.sha256(body).digest()
    before, after = event.leaf(acts.NAME, salt).split(str(event.id).encode())
    statement = _STATEMENTS[kind]

    def commit() -> None:
        id = uuid.uuid4()
        leaf = before + str(id).encode() + after
        connection.execute(statement, (id, uuid.uuid4(), salt, body, id, leaf))

    return commit
