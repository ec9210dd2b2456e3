"""Exports on record: which there were, and which of them hold an event that is erased since."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from consent.audit.row import Reader, Row, stamp
from consent.audit.search import Revisions, Search, SearchError, read_moment
from consent.errors import LedgerError
from consent.ledger import Event, Kind, Ledger
from consent.policy import Policy
from consent.web.recorder import new_id

#: Stands in the leaf of each event of the kind, so that others needn't be read.
_LOOKED_UP = b'"kind":"accessed"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export: when, in what form, and of which events."""

    index: int
    """The place in the log of the event that records it."""
    time: datetime
    form: str
    search: Search
    below: int
    """It holds events with lower indexes only."""
    who: str | None
    """What stands for whoever made it (``lookup.stand_in``); None in a record of an older release."""

    def holds(self, row: Row, policy: Policy | None) -> bool:
        """Whether it holds the event of *row*, recorded under *policy*; of an erased one, whether it may."""
        return row.index is not None and row.index < self.below and self.search.may_match(row, policy)

    def members(self) -> dict[str, object]:
        """As plain data for JSON."""
        return {"time": stamp(self.time, "seconds"), **_said(self.form, self.search, self.below, self.who)}

    def in_words(self) -> str:
        """In one line for a person."""
        words = [self.form, f"events below {self.below}", *self.search.in_words()]
        words += [f"by {self.who}"] if self.who else []
        return f"{self.time:%Y-%m-%d %H:%M} UTC: {', '.join(words)}"


def record_export(
    ledger: Ledger,
    form: str,
    search: Search,
    below: int,
    *,
    who: str,
    time: datetime,
    policy: str | None,
    patience: float = 2.0,
) -> None:
    """Put on record that the events below index *below* that *search* asks for are exported now.

    *who* stands for whoever does it. LedgerError when that can't be done within *patience* seconds; then nothing should
    be handed out.
    """
    event = Event(
        id=new_id(),
        kind=Kind.ACCESSED,
        time=time,
        policy=policy,
        detail={"export": _said(form, search, below, who)},
    )
    ledger.record(event, salt=secrets.token_bytes(32), patience=patience)


def exports(ledger: Ledger) -> Iterator[Export]:
    """All exports on record, oldest first; one that can't be read is passed over, for verification to find."""
    for record in ledger.records():
        if _LOOKED_UP not in record.leaf:
            continue
        try:
            event = record.event()
        except LedgerError:
            continue
        found = (event.detail or {}).get("export") if event else None
        if event and isinstance(found, dict):
            yield _read(record.index, event.time, found)


def holding(exports: Sequence[Export], rows: Sequence[Row], reader: Reader) -> list[Export]:
    """Those of *exports* that hold any event of *rows*; *reader* knows their policies."""
    return [each for each in exports if any(each.holds(row, reader.policy(row.policy)) for row in rows)]


def _said(form: str, search: Search, below: int, who: str | None) -> dict[str, object]:
    """What is recorded; what an older release doesn't know stands in it only where it was asked for."""
    further: dict[str, object] = {
        "category": search.category,
        "answer": search.answer,
        "revision": search.revisions and str(search.revisions),
        "languages": sorted(search.languages) or None,
        "profiles": sorted(search.profiles) or None,
        "signal": search.signal,
        "who": who,
    }
    return {
        "below": below,
        "format": form,
        "kinds": sorted(search.kinds),
        "since": search.since and stamp(search.since, "seconds"),
        "until": search.until and stamp(search.until, "seconds"),
        **{name: value for name, value in further.items() if value is not None},
    }


def _read(index: int, time: datetime, found: dict[str, object]) -> Export:
    below, who = found.get("below"), found.get("who")
    return Export(
        index=index,
        time=time,
        form=str(found.get("format")),
        search=_search(found),
        below=below if isinstance(below, int) else index,
        who=who if isinstance(who, str) else None,
    )


def _search(found: dict[str, object]) -> Search:
    """What *found* asked for; everything when that can't be read, as that of a later release: it may be in it."""
    since, until, revision = (found.get(name) for name in ("since", "until", "revision"))
    category, answer, signal = (found.get(name) for name in ("category", "answer", "signal"))
    try:
        return Search(
            kinds=frozenset(map(Kind, _list(found.get("kinds")))),
            since=read_moment(since) if isinstance(since, str) else None,
            until=read_moment(until) if isinstance(until, str) else None,
            category=category if isinstance(category, str) else None,
            answer=answer if isinstance(answer, str) else None,
            revisions=Revisions.read(revision) if isinstance(revision, str) else None,
            languages=frozenset(_list(found.get("languages"))),
            profiles=frozenset(_list(found.get("profiles"))),
            signal=signal if isinstance(signal, bool) else None,
        )
    except (SearchError, ValueError):
        return Search()


def _list(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
