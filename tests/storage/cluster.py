"""A PostgreSQL server for the tests: one per run, a fresh database for each test.

``CONSENT_TEST_PG_URL`` names a server to use, as a role that may create databases and roles. Else one is started from
the system's programs, in a temporary folder, and stopped at the end; the system's own cluster is left alone.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import psycopg
from sqlalchemy import URL, make_url

from tests.ports import free_port

LACKING = (
    "no PostgreSQL for these tests: install Debian's package postgresql, or set CONSENT_TEST_PG_URL to a "
    "server's URL"
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server; *url* connects as a role that may do everything there."""

    url: URL

    def run(self, *statements: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run *statements* one by one, each in a transaction of its own; what the last one returns."""
        found: list[tuple[object, ...]] = []
        with psycopg.connect(
            libpq(self.url.set(database=database or self.url.database)), autocommit=True
        ) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                found = cursor.fetchall() if cursor.description else []
        return found

    @contextmanager
    def database(self, *, like: URL | None = None) -> Iterator[URL]:
        """A new database: empty, or a copy of the one at *like*, which nobody is connected to."""
        name = f"consent_{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}" + (f" TEMPLATE {like.database}" if like else ""))
        try:
            yield self.url.set(database=name)
        finally:
            self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def libpq(url: URL) -> str:
    """*url* as PostgreSQL's own programs write it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


class Machine:
    """A server started from the system's programs, with all its files in *folder*; it is not started yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs, self.owner, self.port = newest_programs(), ordinary_user(), free_port()
        self.cluster = Cluster(
            URL.create("postgresql+psycopg", "tester", None, "127.0.0.1", self.port, "postgres")
        )
        self._server: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make a cluster of databases."""
        self._run("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def copy(self, primary: "Machine") -> None:
        """Become a standby of *primary*, which runs: the files it has now, and from then on its log."""
        self._run("pg_basebackup", "-d", libpq(primary.cluster.url), "-c", "fast", "-R", "--no-sync")

    def start(self, **settings: str) -> None:
        """Run with *settings*, until ``stop`` or ``kill``."""
        listening = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 60,
        }
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        for name, value in (listening | settings).items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, user=self.owner, cwd=self.folder)
        until_it_answers(self.cluster, self._server, self.folder / "log")

    def stop(self) -> None:
        """End in good order, if it runs."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)  # a fast shutdown
            self._server.wait(30)
            self._server = None

    def hang(self) -> None:
        """Do nothing more, and hold on to all connections, until ``kill``."""
        assert self._server is not None
        self._server.send_signal(
            signal.SIGSTOP
        )  # first, or it would start others in the place of those that end
        for process in self._children():
            os.kill(process, signal.SIGSTOP)

    def kill(self) -> None:
        """End at once and all of it, as when the power is cut: nobody hears another word of it."""
        self.hang()
        assert self._server is not None
        for process in self._children():
            os.kill(process, signal.SIGKILL)
        self._server.kill()
        self._server.wait(30)
        self._server = None

    def _children(self) -> list[int]:
        assert self._server is not None
        process = self._server.pid
        return [*map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]

    def promote(self) -> None:
        """Be no standby any longer but, soon, a server that takes what is written."""
        # Waiting for it would be a query, which gives way to what the standby still has to catch up with.
        self.cluster.run("SELECT pg_promote(wait => false)")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, capture_output=True, user=self.owner, cwd=self.folder)


@contextmanager
def machine(where: Path | None = None) -> Iterator[Machine]:
    """A place for a server, below *where* if that is given; it is stopped at the end, and nothing of it is left."""
    folder = Path(mkdtemp(prefix="consent-pg-", dir=where))
    made = Machine(folder)
    if made.owner is not None:
        os.chown(folder, made.owner, -1)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@contextmanager
def running(where: Path | None = None) -> Iterator[Cluster]:
    """A server, until the block ends; RuntimeError where there is none to be had. *where*: as ``machine``."""
    if chosen := os.environ.get("CONSENT_TEST_PG_URL"):
        yield Cluster(make_url(chosen).set(drivername="postgresql+psycopg"))
        return
    with machine(where) as made:
        made.make()
        made.start()
        yield made.cluster


def newest_programs() -> Path:
    """The folder with the newest PostgreSQL's programs of this system."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found and (own := shutil.which("initdb")):
        found = [Path(own).resolve()]
    if not found:
        raise RuntimeError(LACKING)
    return found[-1].parent


def ordinary_user() -> int | None:
    """Whom the server runs as, which can't be root; None for whoever runs this."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def until_it_answers(cluster: Cluster, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            cluster.run("SELECT 1")
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL didn't start: {log.read_text()}") from None
            time.sleep(0.05)
