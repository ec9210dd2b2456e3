"""Everything found wrong with one file, each with its place, so that nobody mends a policy fault by fault."""

import re
import tomllib
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import Fault
from .shape import (
    HIGHEST_REVISION,
    CarrierTable,
    CategoryTable,
    ControllerTable,
    CookieTable,
    ProviderTable,
    ServiceTable,
    ServiceWords,
    Table,
    WordingTable,
)
from .synonyms import meant
from .values import found, shown
from .weakening import refused

#: Keys and list positions from the top of the file.
Place = tuple[str | int, ...]

_Table = TypeVar("_Table", bound=Table)

_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")
_TABLES: dict[tuple[str, ...], type[Table]] = {
    ("controller",): ControllerTable,
    ("providers", "*"): ProviderTable,
    ("categories", "*"): CategoryTable,
    ("carriers", "*"): CarrierTable,
    ("services", "*"): ServiceTable,
    ("services", "*", "cookies", "*"): CookieTable,
}
_WORDS: dict[str, type[Table]] = {"services": ServiceWords, "categories": CategoryTable}
#: Pydantic's word for what was expected → ours, and an example of it.
_EXPECTED = {
    "string_type": ("a text", 'Write it in quotes: "…".'),
    "bool_type": ("true or false", "Write true or false, without quotes."),
    "int_type": ("a whole number", "Write it in digits, without quotes."),
    "date_type": ("a date", "Write it like 2026-11-01, without quotes and without a time."),
    "list_type": ("a list", 'Write it in brackets: ["…"].'),
    "dict_type": ("a table", 'Write it in braces: { name = "…" }.'),
    "model_type": ("a table", "Write it under a heading in brackets of its own, key by key."),
}
_EXPECTED_COOKIE = ("a lifetime or a table", 'Write "session", or such as "13 months".')


def place_text(place: Place) -> str:
    """*place* as TOML would write it, such as ``services.statistics.cookies."_ga_*"``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else shown(part))
    return text


class Report:
    """Collects the faults of the file *name* and remembers which places hold nothing usable."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._found: list[tuple[Place, Fault]] = []
        self._spoilt: set[Place] = set()
        self._order: dict[Place, int] = {}

    def add(self, place: Place, problem: str, fix: str) -> None:
        """Note that at *place* there is *problem*, mended by *fix*."""
        where = f"{self.name}: {place_text(place)}" if place else self.name
        self._found.append((place, Fault(where, problem, fix)))

    def faults(self) -> list[Fault]:
        """All faults, those of one table together, tables in the order of the file."""
        last = len(self._order)
        ranked = sorted(self._found, key=lambda one: self._order.get(one[0][:2], last) if one[0] else -1)
        return [fault for _, fault in ranked]

    def spoilt(self, place: Place) -> bool:
        """Whether what stands at *place*, or around it, has been refused already and could not be read."""
        return any(place[:length] in self._spoilt for length in range(len(place) + 1))

    def spoilt_within(self, place: Place) -> bool:
        """Whether *place* or anything in it has been refused already and could not be read."""
        return self.spoilt(place) or any(spoilt[: len(place)] == place for spoilt in self._spoilt)

    def spoilt_names(self, section: str) -> set[str]:
        """The names in *section* whose tables could not be read at all: they exist, so may be referred to."""
        return {str(place[1]) for place in self._spoilt if len(place) == 2 and place[0] == section}

    def read(self, text: str, shape: type[_Table]) -> _Table:
        """What of *text* has the right *shape*; the rest is left out and reported."""
        raw = self._parsed(text)
        self._order = _order(raw)
        try:
            return shape.model_validate(raw)
        except ValidationError as error:
            mistakes = error.errors(include_url=False, include_context=True)
        for mistake in mistakes:
            self._mistake(raw, mistake, shape)
        for place in sorted({_existing(raw, mistake["loc"]) for mistake in mistakes}, key=_backwards):
            _remove(raw, place)
            self._spoilt.add(place)
        return shape.model_validate(raw)

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            text.encode()  # a lone surrogate is in no file, but can be in a str
            return tomllib.loads(text)
        except UnicodeEncodeError:
            self.add((), "the text cannot be written as UTF-8", "Save the file as UTF-8.")
        except tomllib.TOMLDecodeError as error:
            self.add((), f"this is not TOML: {error}", "Mend that line first; it hides what comes after it.")
        except ValueError:
            self.add((), "a number or date in it cannot be read", "Look for one with far too many digits.")
        except RecursionError:
            self.add((), "lists or tables are nested too deeply", "A policy nests four levels at most.")
        self._spoilt.add(())
        return {}

    def _mistake(self, raw: dict[str, Any], mistake: ErrorDetails, shape: type[Table]) -> None:
        place, kind = mistake["loc"], mistake["type"]
        context = mistake.get("ctx", {})
        if kind == "refused":
            self.add(_existing(raw, place), context["problem"], context["fix"])
        elif kind == "extra_forbidden":
            self.add(place, *_unknown_key(place, shape))
        elif kind in ("greater_than_equal", "less_than_equal"):
            problem = f"a revision is a number from 1 to {HIGHEST_REVISION}"
            self.add(place, problem, "Begin with 1 and add 1 whenever terms change.")
        else:
            in_cookies = place[2:3] == ("cookies",) and kind == "model_type"
            expected, fix = _EXPECTED_COOKIE if in_cookies else _EXPECTED[kind]
            self.add(_existing(raw, place), f"found {found(mistake['input'])}, expected {expected}", fix)


def _unknown_key(place: Place, shape: type[Table]) -> tuple[str, str]:
    *around, key = (str(part) for part in place)
    if told := refused(key):
        return told
    if shape is WordingTable:
        known: Iterable[str] = _WORDS.get(around[0] if around else "", shape).model_fields
        problem = f"{shown(key)} is not wording, and this file holds only wording"
        return problem, meant(key, known) or "Facts stand in the policy itself; remove it here."
    pattern = tuple("*" if position % 2 else part for position, part in enumerate(around))
    known = _TABLES.get(pattern, shape).model_fields
    return f"{shown(key)} is not a key of this table", (
        meant(key, known) or f"Known here: {', '.join(sorted(known))}."
    )


def _order(raw: dict[str, Any]) -> dict[Place, int]:
    places: list[Place] = []
    for name, value in raw.items():
        places.append((name,))
        places += [(name, key) for key in value] if isinstance(value, dict) else []
    return {place: position for position, place in enumerate(places)}


def _existing(raw: Any, place: Place) -> Place:
    """The part of *place* that the file has: a cookie's lifetime may stand alone, without its table."""
    for length, part in enumerate(place):
        if not isinstance(raw, dict | list) or (isinstance(raw, dict) and part not in raw):
            return place[:length]
        raw = raw[part]  # type: ignore[index]
    return place


def _remove(raw: Any, place: Place) -> None:
    for part in place[:-1]:
        raw = raw[part]
    del raw[place[-1]]


def _backwards(place: Place) -> tuple[int, ...]:
    """Sorts the later items of a list first, so that removing one moves none that is still to go."""
    return tuple(-part for part in place if isinstance(part, int))
