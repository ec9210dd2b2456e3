"""What an auditor waits for: each page over a long log, an event by its id, and an export of all of it."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL
from werkzeug.test import TestResponse

from benchmarks.environment import Unavailable
from benchmarks.page import KEY
from benchmarks.progress import Progress
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread
from consent import Consent
from consent.audit.rates import DIMENSIONS
from consent.cli import cli
from consent.storage import OwnStorage
from consent.web.site import Site
from demo_site.earlier import earlier
from tests.storage.cluster import running

AUDIT = "/privacy-choices/audit"
#: What browsers send with a form of the page itself.
SAME = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "document"}
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
OLDER = re.compile(r'href="([^"]*before=[0-9]+[^"]*)"')
METHOD = (
    "A made-up history of a year, {size:,} events by `flask consent sample` on the sample site's policy, on SQLite and "
    "on PostgreSQL. Each page is asked for {rounds} times by Flask's test client, after once that isn't counted; the "
    "time is the response's. How the overview grows is taken from two such histories of a year: on each day of the "
    "longer one ten times as many answer, and in more ways. An export is `flask consent export` to a file, of all "
    "events unless it says otherwise."
)
MILLI = 1e3


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; databases and exports lie in *folder*, but for a server's that CONSENT_TEST_PG_URL names."""
    rounds, sizes = (3, (2_000, 20_000)) if quick else (9, (100_000, 1_000_000))
    section = Section(
        name="desk", title="The auditor's pages", method=METHOD.format(size=sizes[1], rounds=rounds)
    )
    progress, (few, many) = Progress("desk"), sizes
    taken = list[float]()
    for size in sizes:
        progress.say(f"a log of {size:,} events on SQLite")
        (folder / str(size)).mkdir()
        with site(folder / str(size)) as app:
            section.figures.append(sampled(app, size, "SQLite"))
            taken.append(asked(partial(app.test_client().get, f"{AUDIT}/overview"), rounds)[1].median)
            if size == many:
                section.figures += pages(app, rounds, "SQLite")
                section.figures += exports(app, folder, size, "SQLite")
    section.figures.append(
        Figure(
            what=f"overview, {many:,} events over {few:,}, SQLite",
            who=OURS,
            spread=Spread.exactly(taken[1] / taken[0]),
            unit=f"× the CPU time for {many // few} × the events",
            goal="≈ 1",
        )
    )
    progress.say(f"a log of {many:,} events on PostgreSQL")
    # A server doesn't run as root, and its folder must be reached by whom it runs as.
    folder.parent.chmod(0o711)
    try:
        with running(folder) as cluster, cluster.database() as url, site(folder, url) as app:
            section.figures.append(sampled(app, many, "PostgreSQL"))
            section.figures += pages(app, rounds, "PostgreSQL")
            section.figures += exports(app, folder, many, "PostgreSQL")
    except RuntimeError as error:
        raise Unavailable(str(error)) from error
    return section


@contextmanager
def site(folder: Path, url: URL | None = None) -> Iterator[Flask]:
    """A site whose log is empty, in *folder* or at *url*, and in which whoever asks may look at it."""
    app = Flask(__name__, instance_path=str(folder))
    policy = earlier(folder / "policy", datetime.now(UTC).date() - timedelta(days=365))
    app.config.from_mapping(SECRET_KEY=KEY, CONSENT_POLICY=policy, CONSENT_AUDITOR=lambda: "auditor")
    if url is not None:
        key = folder / "consent.key"
        key.touch(0o600)
        own = Ed25519PrivateKey.generate()
        key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        app.config.from_mapping(
            CONSENT_DATABASE=url.render_as_string(hide_password=False), CONSENT_SIGNING_KEY=str(key)
        )
    Consent(app)
    run(app, "db", "upgrade")
    yield app
    storage = consent_of(app).recorder.ledger.storage
    assert isinstance(storage, OwnStorage)
    storage.close()


def consent_of(app: Flask) -> Site:
    """The site's consent."""
    found: Site = app.extensions["consent"]
    return found


def run(app: Flask, *arguments: str) -> None:
    """``flask consent`` with *arguments*, in this process; RuntimeError unless it ends well."""
    result = app.test_cli_runner().invoke(cli, list(arguments))
    if result.exit_code:
        raise RuntimeError(f"flask consent {' '.join(arguments)}: {result.output}")


def sampled(app: Flask, size: int, database: str) -> Figure:
    """Fill the log with a history."""
    start = time.process_time()
    run(app, "sample", "--events", str(size))
    return rate(f"a history of {size:,}, {database}", size, time.process_time() - start)


def pages(app: Flask, rounds: int, database: str) -> Iterator[Figure]:
    """Every page, and an event by its id."""
    client, ledger = app.test_client(), consent_of(app).recorder.ledger
    for what, path in paths(client).items():
        yield page(f"{what}, {database}", partial(client.get, path), rounds, "≤ 300 ms")
    middle, newest = ledger.newest(before=ledger.size() // 2, limit=1)[0], ledger.newest(limit=1)[0]
    token = TOKEN.search(client.get(f"{AUDIT}/").text)
    if token is None:
        raise RuntimeError("the auditor's list has no form")
    for what, record in (("in the middle", middle), ("the newest", newest)):
        form = {"csrf_token": token[1], "event": str(record.id)}
        ask = partial(client.post, f"{AUDIT}/event", data=form, headers=SAME)
        yield page(f"an event by its id, {what}, {database}", ask, rounds, "≤ 50 ms")


def paths(client: FlaskClient) -> Mapping[str, str]:
    """The addresses of the pages, by what they show."""
    found = {f"overview by {name}": f"{AUDIT}/overview?by={name}" for name in DIMENSIONS}
    days = re.findall(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", client.get(f"{AUDIT}/policies").text)
    first, last = min(days), max(days)
    found["overview from an odd hour to another"] = f"{AUDIT}/overview?since={first}T09:30&until={last}T07:45"
    found["the newest"] = f"{AUDIT}/"
    for asked in (
        "kind=withdrawn",
        "kind=pruned",
        "category=performance&answer=yes",
        "category=functionality&answer=some",
        "revision=1",
        "language=ar",
        "profile=uk",
        "signal=with",
        f"since={first}T09:30&until={first}T23:10",
        "kind=withdrawn&language=ar&profile=uk&category=performance&answer=no",
    ):
        found[f"the newest of {asked.replace('&', ' ')}"] = f"{AUDIT}/?{asked}"
    found["older ones, at the log's beginning"] = f"{AUDIT}/?until={first}"
    if older := OLDER.search(client.get(f"{AUDIT}/?until={last}").text):
        found["the second page"] = older[1].replace("&amp;", "&")
    return found | {"policies": f"{AUDIT}/policies", "opt-outs and erasures": f"{AUDIT}/opt-outs"}


def page(what: str, ask: Callable[[], TestResponse], rounds: int, goal: str) -> Figure:
    """How long a page takes."""
    walls, cpu = asked(ask, rounds)
    return Figure(
        what=what,
        who=OURS,
        spread=walls,
        unit="ms",
        beside=[Beside("CPU", cpu.median, "ms")],
        goal=goal,
    )


def asked(ask: Callable[[], TestResponse], rounds: int) -> tuple[Spread, Spread]:
    """Wall and CPU time of an answer, in milliseconds; RuntimeError when it is none."""
    walls, cpus = list[float](), list[float]()
    for number in range(rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        response = ask()
        taken = MILLI * (time.perf_counter() - wall), MILLI * (time.process_time() - cpu)
        if response.status_code != 200:
            raise RuntimeError(f"{response.request.path}: {response.status}")
        if number:
            walls.append(taken[0])
            cpus.append(taken[1])
    return Spread.of(walls), Spread.of(cpus)


def exports(app: Flask, folder: Path, size: int, database: str) -> Iterator[Figure]:
    """Exports in each format, and of a few events."""
    rows = ("--output", str(folder / "export"))
    for what, arguments in (
        ("JSON Lines", ("--format", "jsonl", *rows)),
        ("CSV", ("--format", "csv", *rows)),
        ("JSON-LD", ("--format", "jsonld", *rows)),
        ("JSON Lines, withdrawals alone", ("--kind", "withdrawn", *rows)),
        ("a bundle", ("--bundle", str(folder / "export.zip"))),
    ):
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        before, start = peak(), time.process_time()
        run(app, "export", *arguments)
        taken = time.process_time() - start
        grown = Beside("memory grew by", peak() - before, "MiB")
        yield rate(f"export as {what}, {database}", size, taken, "≥ 20,000/s", beside=[grown])


def rate(what: str, size: int, seconds: float, goal: str = "", beside: Sequence[Beside] = ()) -> Figure:
    """*size* events in so much CPU time."""
    return Figure(
        what=what,
        who=OURS,
        spread=Spread.exactly(size / seconds),
        unit="events/s of CPU time",
        beside=beside,
        goal=goal,
    )


def peak() -> float:
    """The most memory that this process had since that was last forgotten, in MiB."""
    found = re.search(r"VmHWM:\s*([0-9]+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
