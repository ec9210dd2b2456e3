"""A PostgreSQL server for the tests: one per run, a fresh database for each test.

``CONSENT_TEST_PG_URL`` names a server to use, as a role that may create databases and roles. Else one is started from
the system's programs, in a temporary folder, and stopped at the end; the system's own cluster is left alone.
"""

import os
import pwd
import shutil
import socket
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
    def database(self) -> Iterator[URL]:
        """A new, empty database."""
        name = f"consent_{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield self.url.set(database=name)
        finally:
            self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def libpq(url: URL) -> str:
    """*url* as PostgreSQL's own programs write it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def running() -> Iterator[Cluster]:
    """A server, until the block ends; RuntimeError where there is none to be had."""
    if chosen := os.environ.get("CONSENT_TEST_PG_URL"):
        yield Cluster(make_url(chosen).set(drivername="postgresql+psycopg"))
        return
    programs = newest_programs()
    folder = Path(mkdtemp(prefix="consent-pg-"))
    owner = ordinary_user()
    if owner is not None:
        os.chown(folder, owner, -1)
    server = None
    try:
        data = str(folder / "data")
        make = [
            str(programs / "initdb"),
            "-D",
            data,
            "-U",
            "tester",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run([*make, "--no-sync"], check=True, capture_output=True, user=owner, cwd=folder)
        port = free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 60,
        }
        command = [str(programs / "postgres"), "-D", data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, user=owner, cwd=folder)
        cluster = Cluster(URL.create("postgresql+psycopg", "tester", None, "127.0.0.1", port, "postgres"))
        until_it_answers(cluster, server, folder / "log")
        yield cluster
    finally:
        if server is not None:
            server.send_signal(2)  # SIGINT: a fast shutdown
            server.wait(30)
        shutil.rmtree(folder)


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


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


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
