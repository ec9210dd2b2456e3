"""What one setting of an app holds: a text, a span of time, a list, a function, a switch, keys."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from consent.errors import ConfigurationError

DAY = 86_400
#: No cookie lives longer (RFC 6265bis §5.5), so no answer can.
LONGEST = 400 * DAY


def wrong(name: str, found: object, expected: str) -> ConfigurationError:
    """The error for a setting that holds something else than *expected*."""
    end = "" if expected.endswith("?") else "."
    return ConfigurationError(f"CONSENT_{name} is {found!r}; expected {expected}{end}")


def optional_text(config: Mapping[str, object], name: str) -> str | None:
    """The setting *name*, a text, or None."""
    value = config.get(f"CONSENT_{name}")
    if value is not None and (not isinstance(value, str) or not value):
        raise wrong(name, value, "a text")
    return value


def text(config: Mapping[str, object], name: str, default: str) -> str:
    """The setting *name*, a text, or *default*."""
    if isinstance(value := config.get(f"CONSENT_{name}"), Path):
        return str(value)
    return optional_text(config, name) or default


def path(config: Mapping[str, object], name: str, root: Path) -> Path | None:
    """The file that the setting *name* points to, relative to the app, or None."""
    value = config.get(f"CONSENT_{name}")
    if value is not None and not isinstance(value, str | Path):
        raise wrong(name, value, "the path of a file")
    return None if value is None else root / value


def seconds(config: Mapping[str, object], name: str, default: int, most: int = LONGEST) -> int:
    """The span of time in the setting *name*: a timedelta or a number of seconds, a day to *most* seconds."""
    value = config.get(f"CONSENT_{name}", default)
    if isinstance(value, timedelta):
        value = int(value.total_seconds())
    if not isinstance(value, int) or isinstance(value, bool) or not DAY <= value <= most:
        expected = f"a timedelta, or seconds, from 1 day to {most // DAY} days"
        raise wrong(name, config.get(f"CONSENT_{name}"), expected)
    return value


def strings(config: Mapping[str, object], name: str) -> tuple[str, ...]:
    """The texts listed in the setting *name*."""
    value = config.get(f"CONSENT_{name}", ())
    if isinstance(value, str):
        raise wrong(name, value, f"a list of texts. Write [{value!r}]")
    if not isinstance(value, Sequence | set | frozenset):
        raise wrong(name, value, "a list of texts")
    if not all(isinstance(each, str) for each in value):
        raise wrong(name, value, "a list of texts")
    return tuple(value)


def function(config: Mapping[str, object], name: str) -> Callable[[], Any] | None:
    """The function in the setting *name*, which takes no arguments, or None."""
    value = config.get(f"CONSENT_{name}")
    if value is not None and not callable(value):
        raise wrong(name, value, "a function without arguments")
    # Nobody would await its answer, and what is there to be awaited counts as a yes.
    if iscoroutinefunction(value) or iscoroutinefunction(type(value).__call__):
        raise wrong(name, value, "a function without arguments that isn't async")
    return value


def one_of(config: Mapping[str, object], name: str, default: str, *others: str) -> str:
    """The setting *name*, one of a few words."""
    value = config.get(f"CONSENT_{name}")
    if value is None:
        return default
    if not isinstance(value, str) or value not in (default, *others):
        raise wrong(name, value, " or ".join([default, *others]))
    return value


def switch(config: Mapping[str, object], name: str) -> bool:
    """The setting *name*, True or False; off by default."""
    value = config.get(f"CONSENT_{name}", False)
    if not isinstance(value, bool):
        raise wrong(name, value, "True or False")
    return value


def secret_keys(config: Mapping[str, object]) -> tuple[str | bytes, ...]:
    """Flask's keys, oldest first, as its sessions use them."""
    secret = config.get("SECRET_KEY")
    if not secret:
        raise ConfigurationError(
            "SECRET_KEY is not set, and the visitor's answer is signed with it. Set it before init_app, "
            "for example to the output of: python -c 'import secrets; print(secrets.token_hex())'"
        )
    if not is_key(secret):
        raise ConfigurationError("SECRET_KEY is no key; expected a text of whole characters, or bytes.")
    fallbacks = config.get("SECRET_KEY_FALLBACKS") or ()
    if isinstance(fallbacks, str | bytes) or not isinstance(fallbacks, Sequence):
        raise ConfigurationError(
            "SECRET_KEY_FALLBACKS must be a list of old keys, as Flask's documentation says."
        )
    if not all(map(is_key, fallbacks)):
        raise ConfigurationError(
            "SECRET_KEY_FALLBACKS holds something that is no key; expected texts of whole characters, or bytes."
        )
    return (*fallbacks, secret)


def is_key(value: object) -> bool:
    """Whether cookies can be signed with *value*: half a character (U+D800 to U+DFFF) has no bytes."""
    try:
        return bool(value.encode() if isinstance(value, str) else isinstance(value, bytes) and value)
    except UnicodeEncodeError:
        return False
