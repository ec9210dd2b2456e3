"""Opt-outs of accounts: those that hold, compared with what the openings say of where each began and ended.

The table ``account`` says what holds now, and is under no root: who may write there could take an opt-out back, or make
one up. Of an event whose opening was erased nobody knows whether it was about an account.
"""

import json
import re
import uuid
from collections.abc import Sequence
from typing import Final, NamedTuple

from consent.ledger import Kind, Ledger
from consent.verify import Report

#: How almost all openings begin, which are about no account.
_OF_NONE: Final = b'{"account":null,'
#: Kinds of which no event ends an opt-out, whatever its opening said.
_ENDS_NONE: Final = frozenset(
    {
        *(Kind.OPTED_OUT, Kind.SIGNAL_OPT_OUT, Kind.GIVEN_ONCE, Kind.EXPIRED, Kind.IMPORTED),
        *(Kind.ACCESSED, Kind.OPERATED, Kind.PRUNED),
    }
)
#: Kinds of which no event begins one. An answer does, of whichever kind, that is given under a privacy signal.
_BEGINS_NONE: Final = frozenset(
    {
        *(Kind.GIVEN_ONCE, Kind.EXPIRED, Kind.INVALIDATED),
        *(Kind.ERASED, Kind.ACCESSED, Kind.OPERATED, Kind.PRUNED),
    }
)
_KIND: Final = re.compile(rb'"kind":"([a-z_]+)"')
#: Above all indexes, so that what waits to be sealed comes after what is.
_WAITING: Final = 2**40


class _Told(NamedTuple):
    """What the newest event about an account said."""

    place: int
    """Its index, and above all of these what waits."""
    opted_out: bool
    unknown: int
    """How many events before it are erased and may have ended an opt-out."""


class OptOuts:
    """What the openings say, looked at in the order of the log; only what is about an account is kept in memory."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._newest = dict[str, _Told]()
        self._waiting = dict[uuid.UUID, int]()
        self._unknown = self._end = 0

    def look(self, index: int, leaf: bytes, body: bytes | None) -> None:
        """Note what the event at *index* says; its opening *body* is None once it is erased."""
        self._end = index + 1
        if body is None:
            self._unknown += _kind(leaf) not in _ENDS_NONE
        elif not body.startswith(_OF_NONE) and (said := _said(body)):
            self._newest[said[0]] = _Told(index, said[1], self._unknown)

    def compare(self, ledger: Ledger, size: int, gone: int, report: Report) -> None:
        """Say where what holds isn't what the first *size* entries say, and what came since.

        *gone* entries below the bound were pruned.
        """
        for record in ledger.records(size - 1):
            self.look(record.index, record.leaf, record.body)
        for number, (id, leaf, body) in enumerate(ledger.storage.waiting()):
            self._waiting[id] = _WAITING + number
            self.look(_WAITING + number, leaf, body)
        erased = set[uuid.UUID]()
        for holding in ledger.storage.held():
            index = self._waiting.get(holding.id) if holding.index is None else holding.index
            told = self._newest.pop(holding.link, None)
            # An event without an entry was pruned; that there is none at all is said of all tables together.
            at = self._bound - 1 if index is None else index
            if told is not None and told.place >= at and not told.opted_out:
                said = f"still holds, and {_place(told.place)} ended it"
            elif holding.opened and at < self._end and (told is None or told.place < at):
                said = "is of an account that this event doesn't opt out"
            elif not holding.opened and holding.id in erased:
                said = "is of two accounts, and an event opts out one"
            elif not holding.opened and holding.leaf and (kind := _kind(holding.leaf)) in _BEGINS_NONE:
                said = f"can't be: what it said is erased, and it is of the kind {kind}, which opts out no account"
            else:
                if not holding.opened:
                    erased.add(holding.id)
                continue
            report.add("tampered", f"opt-out by {holding.id}", said)
        self._say_missing([each for each in self._newest.values() if each.opted_out], gone, report)

    def _say_missing(self, missing: Sequence[_Told], gone: int, report: Report) -> None:
        """Say of *missing*, opt-outs that hold no more, which of them nothing can have ended."""
        unsure = list[int]()
        for told in sorted(missing, reverse=True):
            ending = self._unknown - told.unknown + (gone if told.place < self._bound else 0)
            if ending > len(unsure):  # each event ends one
                unsure.append(told.place)
                continue
            report.add(
                "tampered",
                _place(told.place),
                "opts out an account that isn't opted out any more, and no event ended that"
                + (f": those that were erased can have ended {ending:,} others" if ending else ""),
            )
        if unsure:
            report.remarks.append(
                f"{len(unsure):,} opt-outs of accounts hold no more, and nobody can tell why: events that were erased "
                f"since may have ended them. The first is that of {_place(unsure[-1])}."
            )


def _kind(leaf: bytes) -> str | None:
    """The kind of event that *leaf* is of; None if that can't be read."""
    found = _KIND.search(leaf)
    return found[1].decode() if found else None


def _said(body: bytes) -> tuple[str, bool] | None:
    """The account that the opening *body* is about, and whether it is opted out then; None if it can't be read."""
    try:
        members = json.loads(body)
        link, opted_out = members["account"], members["opted_out"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (link, opted_out is True) if isinstance(link, str) else None


def _place(index: int) -> str:
    return f"entry {index}" if index < _WAITING else "an event that waits to be sealed"
