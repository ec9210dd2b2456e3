"""Ports for servers that tests start as programs of their own."""

import random
import socket
import subprocess
import time
from pathlib import Path

#: Seconds that a program has until it listens.
PATIENCE = 60.0


def free_port() -> int:
    """A port such that it and the next one are free: below those that systems give to connections of their own."""
    while True:
        number = random.randrange(10_000, 30_000, 2)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", number))
                second.bind(("127.0.0.1", number + 1))
            except OSError:
                continue
            return number


def await_listening(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return as soon as *process* listens on *port*; AssertionError with its *log* if it ends before, or never does."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())
