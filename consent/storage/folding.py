"""The write-ahead log of a SQLite file, which is emptied once anything was erased: there it still stands in full.

Whoever reads an older state keeps it from being emptied. So each write tries again until it is, in every process: a
file beside the database says that it is still to be done, also when the process that erased has ended or was killed.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from consent.storage import engine as engines
from consent.storage import faults

#: Milliseconds that whoever erases waits for others who read. Who merely writes doesn't wait at all.
MOMENT = 200


@dataclass(slots=True, eq=False)
class Folding:
    """What one process knows of the write-ahead log; *mark* is the file that tells the others, None in memory."""

    mark: Path | None
    unsure: bool = True
    """Whether whoever was here before may have left something in it."""
    owed: bool = False
    """Whether this process has erased something since it was emptied."""

    @property
    def due(self) -> bool:
        """Whether it is still to be emptied."""
        return self.mark is not None and (self.unsure or self.owed or self.mark.exists())

    def owe(self) -> None:
        """Something is being erased. Called before that is durable, so that it holds for a process that is killed."""
        self.owed = True
        if self.mark is not None:
            with suppress(OSError):  # a full disk keeps nobody from erasing, and this process knows it
                self.mark.touch(0o600)

    def fold(self, engine: Engine, milliseconds: int = 0) -> None:
        """Fold it back into the file and empty it, if that is due; what keeps it from that keeps nobody else."""
        if self.mark is None or not self.due:
            return
        with suppress(*faults.RAISED):
            if not engines.fold(engine, milliseconds):
                if self.owed:  # somebody else may have taken the mark away, who saw only what was before
                    self.owe()
                return
            self.unsure = self.owed = False
            with suppress(OSError):
                self.mark.unlink(missing_ok=True)
