"""The list of what was erased, beside the key, and a database on a server: each told what the other knows."""

import logging

from sqlalchemy import Connection

from consent.errors import LedgerError
from consent.storage import eraser
from consent.storage.birth import Birth
from consent.storage.server import Server
from consent.storage.tombstones import Tombstones, erased_again

log = logging.getLogger("consent")

#: Seconds that one step may take.
_PATIENCE = 10.0


class Listing:
    """Where the key is, and so the list."""

    def __init__(self, server: Server, tombstones: Tombstones, birth: Birth) -> None:
        self._server = server
        self._birth = birth
        self._tombstones = tombstones
        self._cleared: tuple[object, ...] = ()
        """The database in which nothing was back that had been erased."""
        self._failed = ""

    def settle(self) -> None:
        """Enter in the list what was erased, and erase again what an older backup has brought back of it.

        What goes wrong is told once, and keeps nobody from sealing and signing.
        """
        failed = ""
        for step in (self._enter, self._clear):
            try:
                step()
            except LedgerError as error:
                failed = str(error)
        if failed and failed != self._failed:
            log.error("the list of what was erased and the database aren't in step: %s", failed)
        self._failed = failed

    def problems(self) -> list[str]:
        """What is wrong with the list, and what is back that it holds."""
        try:
            listed = self._tombstones.read()
        except LedgerError as error:
            return [str(error)]
        back = self._server.read(lambda connection: eraser.back(connection, listed))
        if not back:
            return []
        return [
            f"{len(back)} events that had been erased are back, as after a restore. As a role that may erase, run: "
            f"flask consent forget --from {self._tombstones.path}"
        ]

    def _clear(self) -> None:
        which = self._server.read(eraser.which)
        if which == self._cleared:
            return
        listed = self._tombstones.read()
        back = self._server.read(lambda connection: eraser.back(connection, listed))
        if back:
            said = erased_again(self._birth.origin, self._birth.clock())
            self._server.write(lambda connection: eraser.erase_again(connection, said, back), _PATIENCE)
            log.warning("%d events that had been erased were back, and are erased again", len(back))
        self._cleared = which

    def _enter(self) -> None:
        def enter(connection: Connection) -> None:
            # They are in the file, durably, before they are gone from the table.
            if ids := eraser.take(connection):
                self._tombstones.add(ids)

        if self._server.read(eraser.waiting):
            self._server.write(enter, _PATIENCE)
