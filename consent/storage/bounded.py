"""A connection to PostgreSQL that doesn't wait for ever: neither for a standby nor for a server that hangs.

The server's own timeouts end statements, but no commit that waits for a standby, and nothing when the server is
stopped.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors, generators
from psycopg.abc import PQGen
from psycopg.errors import Diagnostic
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn

from consent.storage.outages import NotAcknowledgedError

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
        self._warnings = warnings = list[str | None]()

        def listen(notice: Diagnostic) -> None:
            # The message is in the server's language; this code it has for nothing else that a commit does.
            if notice.sqlstate == "01000":
                warnings.append(notice.message_primary)

        self.add_notice_handler(listen)

    def __del__(self, *warn: Any) -> None:
        if os.getpid() == self._process:  # a forked child leaves its parent's alone
            super().__del__(*warn)

    @property
    def idle(self) -> bool:
        """Whether nothing is open on it: no transaction, and no statement that runs."""
        return self.pgconn.transaction_status == TransactionStatus.IDLE

    @contextmanager
    def within(self, patience: float) -> Iterator[None]:
        """All that the block waits for the server is *patience* seconds; then OperationalError."""
        self._deadline = time.monotonic() + patience + _GRACE
        try:
            yield
        finally:
            self._deadline = None

    def acknowledged(self, work: Callable[[], Found]) -> Found:
        """What *work* returns, which commits; not if the commit didn't reach the standbys it has to.

        When the wait for a synchronous standby is cut short the server commits, and warns. What was written is found
        under its id when the caller tries again.
        """
        self._warnings.clear()
        found = work()
        if self._warnings:
            raise NotAcknowledgedError(f"{self._warnings[0]}")
        return found

    def at_once(
        self, statement: bytes, values: Sequence[bytes | None], formats: Sequence[Format]
    ) -> bytes | None:
        """Run *statement* in a transaction of its own; the one value that it gives, in the server's binary form.

        *formats* of its *values*, one each. All go in one message, and one answer is waited for: the driver's cursors
        cost a client several times as much. Outside a transaction only.
        """
        if self._keeps_plans:
            try:
                name = self._plans.get(statement) or self._keep_plan(statement)
                self.pgconn.send_query_prepared(name, values, formats, Format.BINARY)
                return self._value()
            except (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement):
                self._keeps_plans = False  # behind a pooler that gives each transaction another session
        self.pgconn.send_query_params(statement, values, None, formats, Format.BINARY)
        return self._value()

    def _keep_plan(self, statement: bytes) -> bytes:
        name = b"consent_" + hashlib.sha256(statement).hexdigest()[:16].encode()
        self.pgconn.send_prepare(name, statement)
        self._value()
        self._plans[statement] = name
        return name

    def _value(self) -> bytes | None:
        (result,) = self.wait(generators.execute(self.pgconn))
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise errors.error_from_result(result, self.info.encoding)
        value: bytes | None = result.get_value(0, 0)
        return value

    def wait(self, gen: PQGen[Found], interval: float = 0.1, timeout: float | None = None) -> Found:
        """Run *gen*, which is what each operation of the driver consists of, to its end or until the deadline."""
        if self._deadline is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, max(0.0, self._deadline - time.monotonic()))
        except psycopg.OperationalError as error:
            if error.sqlstate is not None or time.monotonic() < self._deadline:
                raise
            self.close()
            raise psycopg.OperationalError("the server gave no answer in time") from error
