"""A search as the address of a page spells it: a parameter for each thing that may be asked for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from werkzeug.datastructures import MultiDict

from consent.audit.search import Revisions, Search, SearchError, is_word, read_before, read_moment, read_word
from consent.errors import did_you_mean
from consent.ledger import Kind
from consent.policy.values import shown

#: The parameters that may be given several times, and those that may be given once.
SEVERAL: Final = ("kind", "language", "profile")
ONCE: Final = ("since", "until", "category", "answer", "revision", "signal")
SIGNALS: Final = {"with": True, "without": False}
#: The one with which an address asks for older events: those before this place.
BEFORE: Final = "before"
#: All that an address of a list may ask for.
ASKED: Final = (*SEVERAL, *ONCE, BEFORE)
#: What else the form holds that hands them out.
OF_FORM: Final = ("csrf_token", "format")


@dataclass(frozen=True, slots=True)
class Query:
    """What was typed, by parameter, without blanks around it; a parameter that says nothing isn't there."""

    fields: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, typed: MultiDict[str, str]) -> "Query":
        """The search in *typed*; any other parameter is nothing to it."""
        values = {name: given(typed, name) for name in (*SEVERAL, *ONCE)}
        return cls({name: found for name, found in values.items() if found})

    def search(self, kinds: Collection[Kind]) -> Search:
        """What it asks for among events of these *kinds*; SearchError for what can't be understood."""
        since, until, category, answer, revision, signal = map(self._one, ONCE)
        if signal is not None and signal not in SIGNALS:
            raise SearchError(
                f"{shown(signal)} says nothing of a signal; expected one of: {', '.join(SIGNALS)}."
            )
        asked = frozenset(self._kind(text, kinds) for text in self.fields.get("kind", ()))
        return Search(
            kinds=asked or (frozenset() if len(kinds) == len(Kind) else frozenset(kinds)),
            since=read_moment(since) if since else None,
            until=read_moment(until, end=True) if until else None,
            category=read_word("category", category) if category else None,
            answer=answer,
            revisions=Revisions.read(revision) if revision else None,
            languages=frozenset(read_word("language", each) for each in self.fields.get("language", ())),
            profiles=frozenset(read_word("profile", each) for each in self.fields.get("profile", ())),
            signal=None if signal is None else SIGNALS[signal],
        )

    @property
    def typed(self) -> Mapping[str, Sequence[str]]:
        """What the form shows again: all of it but what nobody can see, or could have typed."""
        return {
            name: kept
            for name, values in self.fields.items()
            if (kept := [value for value in values if is_word(value)])
        }

    def among(self, kinds: Collection[Kind]) -> dict[str, Sequence[str]]:
        """The fields that ask for the same among all events as it does among those of these *kinds*."""
        found = dict(self.fields)
        if len(kinds) < len(Kind):
            found.setdefault("kind", [kind.value for kind in kinds])
        return found

    def options(self, kinds: Collection[Kind]) -> list[str]:
        """The options by which the commands choose the same events among those of these *kinds*."""
        found = self.among(kinds)
        signals = found.pop("signal", ())
        options = [
            f"--{name}={value}"
            for name in (*SEVERAL, *ONCE)
            for value in found.get(name, ())
            if is_word(value)
        ]
        return [*options, *("--signal" if SIGNALS.get(each) else "--no-signal" for each in signals)]

    def _one(self, name: str) -> str | None:
        return only(name, self.fields.get(name, ()))

    @staticmethod
    def _kind(text: str, kinds: Collection[Kind]) -> Kind:
        if text not in kinds:
            raise SearchError(
                f"{shown(text)} is no kind of event on this page; expected one of: {', '.join(kinds)}."
            )
        return Kind(text)


def require_known(
    address: MultiDict[str, str], known: Collection[str], besides: Collection[str] = ()
) -> None:
    """SearchError for a parameter that isn't *known*: left out, it would let in events that weren't meant.

    Those *besides* ask for nothing and are let pass: the app itself puts them there.
    """
    for name in address:
        if name not in known and name not in besides:
            near = did_you_mean(name.lower(), known)
            raise SearchError(
                f"{shown(name)} is nothing that can be asked for here{f'. {near}' if near else '.'} "
                f"There are: {', '.join(known)}."
            )


def given(address: MultiDict[str, str], name: str) -> Sequence[str]:
    """What *address* says under *name*, without blanks around it and what is blank."""
    return [value.strip() for value in address.getlist(name) if value.strip()]


def place_before(address: MultiDict[str, str]) -> int | None:
    """The place in *address* below which it asks for events; None without one, SearchError for what is none."""
    return read_before(only(BEFORE, address.getlist(BEFORE)))


def only(name: str, values: Sequence[str]) -> str | None:
    """The one value that the parameter *name* has, None without any; SearchError for several."""
    if len(values) > 1:
        raise SearchError(
            f"{name} is given {len(values)} times; expected it once. Take the others out of the address."
        )
    return values[0] if values else None


def is_day(text: str) -> bool:
    """Whether a browser's date field can show *text*, which shows nothing else."""
    try:
        return str(date.fromisoformat(text)) == text
    except ValueError:
        return False
