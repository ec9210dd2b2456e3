"""A policy as plain data and back: the form that is hashed, stored and read again years later.

What stands at its default is left out, so that a release which knows one field more changes no digest.
Lists keep their order; durations and dates are text; nothing depends on the TOML it came from.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from typing import Any

from .parts import Carrier, Category, Controller, Cookie, Duration, Provider, Service, Stored

#: The form's number: raised when a reader of the form before would misunderstand it.
FORMAT = 1


def plain(part: Any) -> dict[str, object]:
    """The fields of *part*, a dataclass, that do not stand at their default, by name."""
    values = {field: getattr(part, field.name) for field in fields(part)}
    return {
        field.name: _plain(value)
        for field, value in values.items()
        if field.default is MISSING or value != field.default
    }


def _plain(value: object) -> object:
    if isinstance(value, Duration):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return plain(value) if is_dataclass(value) else value


def policy_fields(data: bytes) -> dict[str, Any]:
    """The fields of the policy whose canonical form is *data*; else ValueError, TypeError or LookupError."""
    document = json.loads(data)
    if document.pop("format") != FORMAT:
        raise ValueError("another format")
    return _converted(document, _READERS)


def _texts(value: list[str]) -> tuple[str, ...]:
    return tuple(value)


def _origins(value: list[list[Any]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((directive, tuple(origins)) for directive, origins in value)


def _read(part: type, **readers: Callable[[Any], object]) -> Callable[[dict[str, Any]], Any]:
    return lambda value: part(**_converted(value, readers))


def _converted(value: dict[str, Any], readers: Mapping[str, Callable[[Any], object]]) -> dict[str, Any]:
    return {name: readers[name](item) if name in readers else item for name, item in value.items()}


def _each(read: Callable[[Any], Any]) -> Callable[[list[Any]], tuple[Any, ...]]:
    return lambda values: tuple(read(value) for value in values)


def _lifetime(value: str | None) -> Duration | None:
    return None if value is None else Duration.parse(value)


_READERS: dict[str, Callable[[Any], object]] = {
    "effective": date.fromisoformat,
    "controller": _read(Controller),
    "providers": _each(_read(Provider)),
    "categories": _each(_read(Category)),
    "carriers": _each(_read(Carrier, origins=_origins)),
    "services": _each(
        _read(
            Service,
            retention=Duration.parse,
            cookies=_each(_read(Cookie, lifetime=_lifetime)),
            storage=_each(_read(Stored)),
            origins=_origins,
            **dict.fromkeys(("purposes", "data", "recipients", "pages", "google_consent", "uses"), _texts),
        )
    ),
}
