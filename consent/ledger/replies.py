"""What an answer is counted as: what it says to each category, as a whole and by what tells answers apart.

Each of that is counted by itself. So there are few such counts of a day, however many answer and however differently,
and what sums them up costs the same.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from consent.ledger.event import ANSWERS
from consent.ledger.facets import Facets

#: What somebody can have said to a category: to all of its services, to some, or to none.
YES, SOME, NO = "yes", "some", "no"
SAID: Final = (YES, SOME, NO)
#: What stands for what isn't known.
UNKNOWN: Final = "unknown"
#: Characters of a value that answers are told apart by. Whoever writes into the database may put longer ones into an
#: event, or such as no text of every database holds; they count as unknown.
LONGEST_VALUE: Final = 100


def _value(text: str | None) -> str:
    return text if text and len(text) <= LONGEST_VALUE and text.isprintable() else UNKNOWN


#: What answers are told apart by: the name, and what it is for facets under a policy of this revision.
VALUES: Final[Mapping[str, Callable[[Facets, str], str]]] = {
    "revision": lambda facets, revision: revision,
    "language": lambda facets, revision: _value(facets.language),
    "profile": lambda facets, revision: _value(facets.profile),
    "signal": lambda facets, revision: "sent" if facets.signal else "not sent",
    "source": lambda facets, revision: _value(facets.source),
}


class Reply(NamedTuple):
    """One thing that an answer is counted as."""

    dimension: str
    """By what answers are told apart (``VALUES``); empty for all together."""
    value: str
    """The answer's own under that."""
    category: str
    """To which it is a reply; empty for all together, which is counted under no dimension."""
    said: str


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """As much of a policy as decides what answers under it say. Two of one policy are not equal: keep the first."""

    revision: str
    categories: tuple[tuple[str, tuple[str, ...]], ...]
    """Those that visitors are asked about, with the keys of their services."""

    @classmethod
    def read(cls, body: bytes) -> "Outline | None":
        """That of the policy whose canonical form is *body*; None if it is none."""
        try:
            members = json.loads(body)
            optional = [each["key"] for each in members["categories"] if not each.get("always_on")]
            if any(_value(key) != key for key in optional):
                raise ValueError("a category with a key that none can have")
            services: dict[str, list[str]] = {key: [] for key in optional}
            for each in members["services"]:
                if each["category"] in services:
                    services[each["category"]].append(each["key"])
            return cls(
                _value(str(members["revision"])),
                tuple((key, tuple(found)) for key, found in services.items() if found),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Replies:
    """What was counted of some days, of the answers among the first *size* entries."""

    size: int
    whole: Sequence[tuple[int, str, str, int]]
    """Day from 1970 on (UTC), category, what was said, and how many said it."""
    apart: Mapping[tuple[str, str, str], int]
    """How many answers there were by their value under a dimension, category, and what was said."""
    faded: Sequence[tuple[int, int, int]]
    """Day, id of the facets, and how many events that are counted above were erased since."""


def is_answer(facets: Facets) -> bool:
    """Whether a visitor answered, and what is known."""
    return facets.known and facets.kind in ANSWERS


def outcome(facets: Facets) -> str | None:
    """What an answer came to as a whole: ``yes`` to everything, ``some``, or ``no`` to everything; None for others."""
    if not is_answer(facets):
        return None
    if not facets.granted:
        return NO
    return SOME if facets.refused else YES


def to_services(granted: Iterable[str], refused: Iterable[str]) -> dict[str, str]:
    """What was said to each service, by its key."""
    return dict.fromkeys(granted, YES) | dict.fromkeys(refused, NO)


def to_category(answers: Set[str | None]) -> str | None:
    """What *answers* to its services amount to for a category; None when nothing was answered."""
    if answers <= {None}:
        return None
    if YES not in answers:
        return NO
    return YES if answers == {YES} else SOME


@lru_cache(8192)
def replies_of(facets: Facets, outline: Outline | None) -> tuple[Reply, ...]:
    """What an event with these *facets* is counted as, under a policy of this *outline*; nothing if it is no answer.

    Without an outline no category is known.
    """
    whole = outcome(facets)
    if whole is None:
        return ()
    services = to_services(facets.granted or (), facets.refused or ())
    said = [
        (category, found)
        for category, keys in (outline.categories if outline else ())
        if (found := to_category({services.get(key) for key in keys}))
    ]
    revision = outline.revision if outline else UNKNOWN
    return (
        *(Reply("", "", category, each) for category, each in (("", whole), *said)),
        *(Reply(name, of(facets, revision), *each) for name, of in VALUES.items() for each in said),
    )
