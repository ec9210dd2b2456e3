"""Processes that are killed at any step: before a statement, before a file is synced or gets its name.

What merely reads is no step: to be killed before it leaves what is left by being killed after it.
"""

import os
import signal
import sqlite3
import traceback
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from consent.storage.bounded import BoundedConnection
from consent.storage.connections import Connections

_READING = ("SELECT", "PRAGMA busy_timeout")


def killed(
    step: int,
    work: Callable[[], object],
    first: Callable[[], object] = lambda: None,
    *,
    every: bool = True,
) -> bool:
    """Do *work* in a process of its own, which kill -9 ends before its step number *step*; whether it came so far.

    After the last step comes one more: all is done, and nobody was told. What *first* does isn't counted. Unless
    *every* statement is a step, those that put rows into one table of a file, one after the other, are two together.
    """
    child = os.fork()
    if child == 0:
        ended = 1
        try:
            steps = _Steps(step, every)
            first()
            steps.counting = True
            work()
            steps.take()
            ended = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(ended)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


class _Steps:
    """The steps of this process, which ends when there were *left* of them."""

    def __init__(self, left: int, every: bool) -> None:
        self._left, self._every = left, every
        self._before_this = ("", "")
        self.counting = False
        event.listen(Engine, "connect", self._trace)
        self._before(os, "fsync", "replace", "link")
        # Each exchange with a server: statements go there in batches, too.
        self._before(BoundedConnection, "wait")
        self._replace(Connections, "read", self._uncounted(Connections.read))

    def take(self) -> None:
        """One more step is about to be taken."""
        if self.counting and not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= self.counting

    def _trace(self, connection: object, record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(self._statement)

    def _statement(self, statement: str) -> None:
        if statement in ("BEGIN", "ROLLBACK") or statement.startswith(_READING):
            return
        what = statement.partition("VALUES")[0]
        if self._every or self._before_this != (what, what):
            self.take()
        self._before_this = (self._before_this[1], what)

    def _before(self, owner: Any, *names: str) -> None:
        for name in names:
            self._replace(owner, name, self._counted(getattr(owner, name)))

    def _replace(self, owner: Any, name: str, other: Callable[..., object]) -> None:
        setattr(owner, name, other)

    def _counted(self, really: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **options: object) -> object:
            self.take()
            return really(*arguments, **options)

        return counted

    def _uncounted(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def uncounted(*arguments: object) -> object:
            before, self.counting = self.counting, False
            try:
                return really(*arguments)
            finally:
                self.counting = before

        return uncounted
