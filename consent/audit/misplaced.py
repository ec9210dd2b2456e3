"""The index by which events are searched, held against the events: each has its row, and no row is of none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from consent.ledger import Sealed
from consent.ledger.facets import place


@dataclass(frozen=True, slots=True)
class Misplaced:
    """The first entry for which the index says something else than the events do."""

    index: object
    """In SQLite who alters a row can put anything there."""
    what: str

    def in_words(self) -> str:
        """In one sentence for a person."""
        return f"Entry {self.index} {self.what}."


class Placed:
    """The *rows* of the index, passed in their order beside the events: index, place, and the id of the facets."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._next = next(rows, None)
        self.first: Misplaced | None = None
        """The first difference so far."""

    def look(self, record: Sealed, hour: int, facets: int) -> None:
        """Hold the row of *record* against what it says: its *hour*, and the id of its *facets*."""
        if self._passed(record.index):
            return
        if self._next is None or self._next[0] != record.index:
            self.first = Misplaced(record.index, "is not in the index by which events are searched")
        elif self._next[1:] != (place(hour, record.index), facets):
            said = "stands in the index by which events are searched as one that said something else"
            self.first = Misplaced(record.index, said)
        else:
            self._next = next(self._rows, None)

    def finish(self, size: int, end: int) -> None:
        """Go on behind the *size* entries that were looked at: what came since ends at *end*."""
        if not self._passed(size):
            while self._next is not None and isinstance(self._next[0], int) and self._next[0] < end:
                self._next = next(self._rows, None)
            self._passed(None)

    def _passed(self, index: int | None) -> bool:
        """Whether there is a difference before *index*: a row of no event."""
        row = self._next
        if self.first or row is None or (isinstance(row[0], int) and index is not None and row[0] >= index):
            return self.first is not None
        said = "is in the index by which events are searched, and there is none such that is counted"
        self.first = Misplaced(row[0], said)
        return True
