"""A connection to PostgreSQL that doesn't wait for ever: neither for a standby nor for a server that hangs.

The server's own timeouts end statements, but no commit that waits for a standby, and nothing when the server is
stopped.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors, generators
from psycopg.abc import PQGen
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn

Found = TypeVar("Found")

#: Seconds more than the server itself is given, whose own words say better what is wrong.
_GRACE = 0.2


class BoundedConnection(psycopg.Connection):
    """Closes itself when the server doesn't answer within what ``within`` allows."""

    def __init__(self, pgconn: PGconn) -> None:
        super().__init__(pgconn)
        self._deadline: float | None = None
        self._process = os.getpid()
        self._keeps_plans, self._plans = True, dict[bytes, bytes]()

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

    def at_once(
        self, statement: bytes, binary: Sequence[bytes | None], texts: Sequence[bytes | None]
    ) -> Sequence[bytes | None]:
        """Run *statement* in a transaction of its own; the one row that it gives, in the server's binary form.

        Its values are first those of *binary*, in that form, then *texts*. All go in one message, and one answer is
        waited for: the driver's cursors cost a client several times as much. Outside a transaction only.
        """
        values = [*binary, *texts]
        formats = [*(Format.BINARY for _ in binary), *(Format.TEXT for _ in texts)]
        if self._keeps_plans:
            try:
                self._keep_plan(statement)
                self.pgconn.send_query_prepared(self._plans[statement], values, formats, Format.BINARY)
                return self._row()
            except (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement):
                self._keeps_plans = False  # behind a pooler that gives each transaction another session
        self.pgconn.send_query_params(statement, values, None, formats, Format.BINARY)
        return self._row()

    def _keep_plan(self, statement: bytes) -> None:
        if statement not in self._plans:
            name = b"consent_" + hashlib.sha256(statement).hexdigest()[:16].encode()
            self.pgconn.send_prepare(name, statement)
            self._row()
            self._plans[statement] = name

    def _row(self) -> Sequence[bytes | None]:
        (result,) = self.wait(generators.execute(self.pgconn))
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise errors.error_from_result(result, self.info.encoding)
        return [result.get_value(0, column) for column in range(result.nfields)]

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
