"""Many writers on PostgreSQL, while what they record is sealed: beside bare inserts, and beside a hash chain."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import make_url

from benchmarks import acts
from benchmarks.environment import Unavailable
from benchmarks.progress import Progress
from benchmarks.race import Share, compete
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread
from consent.ledger import Ledger
from consent.storage import open_storage
from consent.storage.sequencer import IN_PASSING
from tests.storage.cluster import libpq, running

WRITERS = 8
METHOD = (
    f"{WRITERS} processes record for {{seconds:g}} s into one PostgreSQL database, as fast as they can, in each of "
    "{rounds} rounds; those of the three kinds take turns. The component's seal meanwhile, each once a second at most "
    "and up to {most} events, as web workers do by default; what they don't get to waits for the next. “Bare” is "
    "one prepared statement by psycopg alone that writes the same two rows, "
    "whose bytes are made before the clock starts, each a commit; the component makes each event anew, with its leaf "
    "and its commitment. The hash chain does as bare, and locks one row, in which the newest hash stands, until its "
    "commit is synced: one statement too, so at its best."
)
_TABLES = """
    CREATE SCHEMA bare;
    CREATE TABLE bare.opening (LIKE consent.opening INCLUDING ALL);
    CREATE TABLE bare.inbox (LIKE consent.inbox INCLUDING ALL);
    CREATE TABLE bare.head (hash bytea);
    INSERT INTO bare.head VALUES ('');
    ALTER TABLE bare.inbox ADD COLUMN hash bytea;
"""
_OPENING = "WITH opened AS (INSERT INTO bare.opening (uid, subject, salt, body) VALUES (%s, %s, %s, %s))"
_BARE = f"{_OPENING} INSERT INTO bare.inbox (uid, leaf) VALUES (%s, %s)"
_CHAIN = f"""{_OPENING}, before AS (SELECT hash FROM bare.head FOR UPDATE), linked AS (
        INSERT INTO bare.inbox (uid, leaf, hash) SELECT %s, leaf, sha256(hash || leaf)
        FROM before, (SELECT %s::bytea AS leaf) AS new RETURNING hash
    ) UPDATE bare.head SET hash = linked.hash FROM linked"""


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; the server's files lie in *folder*, unless CONSENT_TEST_PG_URL names one."""
    rounds, seconds = (2, 1.5) if quick else (6, 3.0)
    progress = Progress("server")
    section = Section(
        name="server",
        title=f"{WRITERS} writers on PostgreSQL",
        method=METHOD.format(seconds=seconds, rounds=rounds, most=IN_PASSING),
    )
    # A server doesn't run as root, and its folder must be reached by whom it runs as.
    folder.parent.chmod(0o711)
    try:
        with running(folder) as cluster, cluster.database() as url:
            there = url.render_as_string(hide_password=False)
            begin(there, folder / "consent.key")
            cluster.run(_TABLES, database=url.database)
            kinds = {kind: partial(ready, kind, there) for kind in ("bare", "ledger", "chain")}
            found: dict[str, list[Sequence[Share]]] = {kind: [] for kind in kinds}
            for round_ in range(rounds):
                progress.step(round_, rounds)
                for kind, each in kinds.items():
                    found[kind].append(compete(each, writers=WRITERS, seconds=seconds))
            ((sealed, waiting),) = cluster.run(
                "SELECT size, (SELECT count(*) FROM consent.inbox) FROM consent.head", database=url.database
            )
    except RuntimeError as error:
        raise Unavailable(str(error)) from error
    rates = {
        kind: [sum(share.commits for share in shares) / seconds for shares in each]
        for kind, each in found.items()
    }
    assert isinstance(sealed, int)
    assert isinstance(waiting, int)
    meanwhile = Beside("sealed meanwhile", 100 * sealed / (sealed + waiting), "%")
    section.figures = [
        figure(OURS, rates["ledger"], rates["bare"], found["ledger"], [meanwhile], goal="≥ 0.8"),
        figure("hash chain", rates["chain"], rates["bare"], found["chain"], []),
    ]
    return section


def figure(
    who: str,
    rates: Sequence[float],
    bare: Sequence[float],
    rounds: Sequence[Sequence[Share]],
    beside: Sequence[Beside],
    *,
    goal: str = "",
) -> Figure:
    """Events each second of *who*, over bare inserts of the same round."""
    return Figure(
        what="events each second",
        who=who,
        spread=Spread.of([own / other for own, other in zip(rates, bare, strict=True)]),
        unit="of bare inserts",
        beside=[
            Beside("in all", Spread.of(rates).median, "/s"),
            Beside("bare", Spread.of(bare).median, "/s"),
            Beside("longest", 1e3 * max(share.longest for shares in rounds for share in shares), "ms"),
            *beside,
        ],
        goal=goal,
    )


def begin(url: str, key: Path) -> None:
    """Make the database at *url*, and a log in it with the key in the file *key*."""
    key.touch(0o600)
    own = Ed25519PrivateKey.generate()
    key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    storage = open_storage(url, origin=acts.NAME, signing_key=key)
    storage.upgrade()
    storage.close()


def ready(kind: str, url: str) -> Callable[[], None]:
    """The function that commits one event; its connection is open."""
    ledger = Ledger(open_storage(url, origin=acts.NAME), acts.NAME)
    if kind == "ledger":
        ledger.size()
        return lambda: acts.record(ledger, acts.given())
    connection = psycopg.connect(libpq(make_url(url)), autocommit=True)
    event = acts.given()
    leaf, body = event.leaf(acts.NAME, bytes(32)), event.body()
    salt = hashlib.sha256(body).digest()
    statement = _BARE if kind == "bare" else _CHAIN

    def commit() -> None:
        id = uuid.uuid4()
        connection.execute(statement, (id, uuid.uuid4(), salt, body, id, leaf))

    return commit
