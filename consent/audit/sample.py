"""A made-up history, to try searches, charts and exports on: it says in the log itself that it is one.

No visitor ever did any of it. What its events say follows from a seed, so that the same history comes twice.
"""

import random
import uuid
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from consent.ledger import Event, Kind, Ledger, derived_id
from consent.ledger.replies import NO, SOME, YES
from consent.policy import Policy

#: What an auditor reads of such a log.
SAID: Final = "Sample data: no visitor did any of this."

#: The days of a history, at most; it ends with the one before *end*.
_DAYS = 365
#: How often people come on the days of a week, from Monday on, and in the hours of a day.
_WEEK = (1.0, 1.05, 1.02, 1.0, 0.9, 0.5, 0.45)
_HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 15, 14, 12, 13, 14, 14, 13, 12, 11, 12, 13, 11, 7, 3)
_LANGUAGES = (0.78, 0.16, 0.06)
_PROFILES = {"eu": 0.45, "us_ca": 0.3, "uk": 0.12, "default": 0.13}
_SOURCES = {"banner": 0.8, "dialog": 0.12, "centre": 0.08}
_SIGNAL = 0.12
#: Of a hundred answers: all, none; the rest choose.
_ALL, _NONE = 0.42, 0.43
#: Of those who choose: how often a category gets yes, some, no.
_EACH = (0.42, 0.06, 0.52)
#: How likely a later event follows a grant, and how many grants are kept in mind for that.
_WITHDRAWN, _KEPT = 0.07, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Era:
    """The time under one policy."""

    policy: Policy
    notices: Mapping[tuple[str, str], str]
    """Hashes of the notices that were shown, by language and profile."""


@dataclass(slots=True)
class History:
    """*events* made-up events of the year before *end*, under *eras* one after the other.

    Each begins on the day from which its policy is in force; the history with the first, if that is within the year.
    Fewer people allow things once they are asked again.
    """

    eras: Sequence[Era]
    end: datetime
    events: int
    seed: int = 1
    chance: random.Random = field(init=False)
    grants: list[tuple[uuid.UUID, Event]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def __iter__(self) -> Iterator[Event]:
        """The events in the order of their times."""
        for moment in self._moments():
            yield self._withdrawn(moment) if self._withdraws() else self._answered(moment)

    def _moments(self) -> Iterator[datetime]:
        start = (self.end - timedelta(days=_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
        days = [
            day
            for number in range(_DAYS)
            if (day := start + timedelta(days=number)).date() >= self.eras[0].policy.effective
        ]
        weights = [_WEEK[day.weekday()] * self.chance.uniform(0.85, 1.15) for day in days]
        total, done, owed = sum(weights), 0, 0.0
        for day, weight in zip(days, weights, strict=True):
            owed += self.events * weight / total
            many = min(self.events, round(owed)) - done
            done += many
            hours = self.chance.choices(range(24), _HOURS, k=many)
            offsets = sorted(3600 * hour + self.chance.uniform(0, 3600) for hour in hours)
            yield from (day + timedelta(seconds=offset) for offset in offsets)

    def _era(self, moment: datetime) -> Era:
        beginnings = [era.policy.effective for era in self.eras]
        return self.eras[bisect_right(beginnings, moment.date()) - 1]

    def _answered(self, moment: datetime) -> Event:
        era, chance = self._era(moment), self.chance
        optional = [service.key for service in era.policy.optional_services]
        granted = self._choice(era, optional)
        refused = [key for key in optional if key not in granted]
        language, profile = self._shown(era)
        event = Event(
            id=uuid.UUID(int=chance.getrandbits(128), version=4),
            kind=Kind.GIVEN if granted else Kind.REFUSED,
            time=moment,
            policy=era.policy.digest,
            subject=uuid.UUID(int=chance.getrandbits(128), version=4) if granted else None,
            granted=tuple(granted),
            refused=tuple(refused),
            notice=era.notices[language, profile],
            language=language,
            profile=profile,
            signal=chance.random() < _SIGNAL,
            source=chance.choices(list(_SOURCES), list(_SOURCES.values()))[0],
        )
        if granted:
            self._keep(event)
        return event

    def _choice(self, era: Era, optional: Sequence[str]) -> list[str]:
        later = self.eras.index(era) / max(1, len(self.eras))
        asked, every = self.chance.random(), _ALL - 0.06 * later
        if asked < every:
            return [key for key in optional if not era.policy.service(key).special_category]
        if asked < every + _NONE + 0.06 * later:
            return []
        # Most go by the categories, as the form does; few look into one.
        granted = list[str]()
        for category in era.policy.optional_categories:
            said = self.chance.choices((YES, SOME, NO), _EACH)[0]
            for service in era.policy.services_in(category.key):
                if said == YES or (said == SOME and self.chance.random() < 0.5):
                    granted.append(service.key)
        return [key for key in optional if key in granted]

    def _shown(self, era: Era) -> tuple[str, str]:
        languages = sorted(
            {language for language, _ in era.notices}, key=lambda tag: tag != era.policy.language
        )
        weights = _LANGUAGES[: len(languages)]
        language = self.chance.choices(languages[: len(weights)], weights)[0]
        return language, self.chance.choices(list(_PROFILES), list(_PROFILES.values()))[0]

    def _keep(self, event: Event) -> None:
        if len(self.grants) >= _KEPT:
            self.grants.pop(self.chance.randrange(_KEPT))
        self.grants.append((event.id, event))

    def _withdraws(self) -> bool:
        return bool(self.grants) and self.chance.random() < _WITHDRAWN

    def _withdrawn(self, moment: datetime) -> Event:
        _, before = self.grants.pop(self.chance.randrange(len(self.grants)))
        era, every = self._era(moment), (*before.granted, *before.refused)
        profile = before.profile or "default"
        language = before.language if (before.language, profile) in era.notices else era.policy.language
        ended = before.policy != era.policy.digest
        return Event(
            id=uuid.UUID(int=self.chance.getrandbits(128), version=4),
            kind=Kind.INVALIDATED if ended else Kind.WITHDRAWN,
            time=moment,
            policy=era.policy.digest,
            subject=before.subject,
            granted=(),
            refused=every,
            before_granted=before.granted,
            before_refused=before.refused,
            notice=None if ended else era.notices[language or "en", profile],
            language=language,
            profile=profile,
            source="ledger" if ended else "mine",
        )


def profiles() -> Sequence[str]:
    """The profiles that a history has notices for."""
    return tuple(_PROFILES)


def mark(origin: str, time: datetime, policy: str) -> Event:
    """The event that says of the log named *origin* that what it holds is made up."""
    return Event(id=mark_id(origin), kind=Kind.OPERATED, time=time, policy=policy, detail={"sample": SAID})


def mark_id(origin: str) -> uuid.UUID:
    """The id of that event."""
    return derived_id("sample", origin)


def is_sample(ledger: Ledger) -> bool:
    """Whether the log says of itself that it is made up; one look-up by id."""
    return ledger.get(mark_id(ledger.origin)) is not None
