"""A connection to PostgreSQL that doesn't wait for ever: neither for a standby nor for a server that hangs.

The server's own timeouts end statements, but no commit that waits for a standby, and nothing when the server is
stopped.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import TupleRow

Found = TypeVar("Found")

#: Seconds more than the server itself is given, whose own words say better what is wrong.
_GRACE = 0.2


class BoundedConnection(psycopg.Connection):
    """Closes itself when the server doesn't answer within what ``within`` allows."""

    def __init__(self, pgconn: PGconn) -> None:
        super().__init__(pgconn)
        self._deadline: float | None = None
        self._process = os.getpid()

    def __del__(self, *warn: Any) -> None:
        if os.getpid() == self._process:  # a forked child leaves its parent's alone
            super().__del__(*warn)

    @contextmanager
    def within(self, patience: float) -> Iterator[None]:
        """All that the block waits for the server is *patience* seconds; then OperationalError."""
        self._deadline = time.monotonic() + patience + _GRACE
        try:
            yield
        finally:
            self._deadline = None

    def at_once(self, statements: str, values: Mapping[str, object]) -> TupleRow | None:
        """Run *statements* in a transaction of their own; the last row that they give, if any.

        They go in one message, and one answer is waited for: a pipeline costs a client several times as much. The
        values are written into it by libpq's rules for literals. Nothing is left open, whatever happens.
        """
        whole = f"BEGIN ISOLATION LEVEL READ COMMITTED; {statements}; COMMIT"
        self.autocommit = True  # or the driver would begin one by itself, and wait for that
        try:
            cursor = psycopg.ClientCursor(self)
            cursor.execute(whole.encode(), values)
            found = None
            for result in cursor.results():
                found = result.fetchone() if result.description else found
            return found
        finally:
            if not self.closed:
                if self.info.transaction_status != TransactionStatus.IDLE:
                    self.rollback()
                self.autocommit = False

    def wait(self, gen: PQGen[Found], interval: float = 0.1, timeout: float | None = None) -> Found:
        """Run *gen*, which is what each operation of the driver consists of, to its end or until the deadline."""
        bounded = gen if self._deadline is None else self._bounded(gen, self._deadline)
        return super().wait(bounded, interval, timeout)

    def _bounded(self, gen: PQGen[Found], deadline: float) -> PQGen[Found]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if time.monotonic() > deadline:
                    self.close()
                    raise psycopg.OperationalError("the server gave no answer in time")
                wanted = gen.send(ready)
        except StopIteration as done:
            found: Found = done.value
            return found
