"""Look-ups on record: an event is shown only once it is, by whom, and whoever reads of it sees who has before."""

import secrets
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consent.audit.row import stamp
from consent.errors import LedgerError
from consent.ledger import KEPT, Event, Kind, Ledger, Record, auditor_link, looked_up, seen
from consent.web.recorder import PATIENCE, REPEAT, Recorder, moment, new_id
from consent.web.site import Site

#: Of somebody's events so many are asked for look-ups, the newest; and so many look-ups are listed.
MOST_EVENTS, MOST = 200, 50
#: What stands for ids of which nothing is on record is made under this key, which lives as long as the process: nobody
#: can find out later what was asked for.
_PASSING: Final = secrets.token_bytes(32)


class Untraced(LedgerError):
    """A look-up or an export that can't be put on record, so that nothing may be shown of it. The message says why."""

    def __init__(self, said: str, why: LedgerError) -> None:
        super().__init__(f"{said} {why}")
        self.said = said
        """The message without why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """One time that somebody looked an event up."""

    time: datetime
    who: str
    """What stands for the auditor (``stand_in``)."""
    how: str
    """On a ``page``, or by which command."""
    index: int | None
    """The place in the log of the event that was looked up; None while that waits to be sealed."""

    def members(self) -> dict[str, object]:
        """As plain data for JSON."""
        return {
            "time": stamp(self.time, "milliseconds"),
            "who": self.who,
            "how": self.how,
            "index": self.index,
        }


@dataclass(frozen=True, slots=True)
class LookUps:
    """Who has looked somebody's record up: the newest first, and how many more there are."""

    listed: Sequence[LookUp] = ()
    further: int = 0


def stand_in(recorder: Recorder, who: str) -> str:
    """What stands in the log for the auditor or operator *who*, never a name; LedgerError without the key for it."""
    return auditor_link(recorder.linking_key(), who)


def look_up(site: Site, id: uuid.UUID, who: str, how: str) -> Record | None:
    """The record of the event *id*, once it is on record that *who* looks it up, and *how*; None if there is none.

    The same by the same within a minute is recorded once. What is of the site or its log, and of nobody, needs no
    trace. Untraced when it can't be recorded; another LedgerError when the ledger can't be read.
    """
    recorder = site.recorder
    ledger = recorder.ledger
    record = ledger.get(id)
    if record is not None and _of_nobody(record):
        return record
    found = _found(ledger, id, record)
    try:
        with recorder.turn():
            event = looked_up(
                seen((record and record.salt) or _PASSING, id),
                who=stand_in(recorder, who),
                how=how,
                found=found,
                id=new_id(),
                time=moment(site.clock()),
                policy=recorder.named_policy(),
            )
            salt = secrets.token_bytes(32)
            ledger.record(event, salt=salt, merge_within=REPEAT, patience=PATIENCE)
    except LedgerError as error:
        said = "Nothing is shown, because it can't be put on record now that it was looked up."
        raise Untraced(said, error) from error
    return record


def look_ups(ledger: Ledger, record: Record) -> LookUps:
    """Who has looked *record* up, or any other event of the same subject."""
    found = [each for event in _same(ledger, record) for each in _of(ledger, event)]
    found.sort(key=lambda each: each.time, reverse=True)
    return LookUps(found[:MOST], max(0, len(found) - MOST))


def _of_nobody(record: Record) -> bool:
    try:
        return record.outline().kind in KEPT
    except LedgerError:
        return False


def _found(ledger: Ledger, id: uuid.UUID, record: Record | None) -> str:
    if record is not None:
        return "erased" if record.body is None else "event"
    return "pruned" if ledger.was_pruned(id) else "nothing"


def _same(ledger: Ledger, record: Record) -> Sequence[Record]:
    """The events of the subject of *record*, the newest of them; itself in any case."""
    event = _readable(record)
    if record.subject is None or event is None or event.kind is Kind.ACCESSED:
        return [record]
    linked = ledger.of_subject(record.subject)[-MOST_EVENTS:]
    return linked if any(each.id == record.id for each in linked) else [*linked, record]


def _of(ledger: Ledger, record: Record) -> Iterator[LookUp]:
    if not record.salt:
        return
    for each in ledger.of_subject(seen(record.salt, record.id)):
        event = _readable(each)
        said = (event.detail or {}).get("look_up") if event else None
        if event and isinstance(said, dict):
            yield LookUp(
                time=event.time, who=str(said.get("who")), how=str(said.get("how")), index=record.index
            )


def _readable(record: Record) -> Event | None:
    try:
        return record.event()
    except LedgerError:
        return None
