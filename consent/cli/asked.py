"""The options by which several commands choose events: the same as the fields of the auditor's search."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

import click

from consent.audit.offered import Offered
from consent.audit.row import Reader
from consent.audit.search import Revisions, Search, SearchError, read_moment, read_word
from consent.audit.wording import LEAVES_OUT_ERASED
from consent.cli.terminal import complain
from consent.ledger import Kind
from consent.ledger.replies import SAID

#: The names of the options' values, in the order of the help.
NAMES = (
    "kinds",
    "since",
    "until",
    "category",
    "answer",
    "revisions",
    "languages",
    "profiles",
    "signal",
)


class Moment(click.ParamType[datetime]):
    """A date or time in UTC; with *end*, a day alone is taken to its last moment."""

    name = "date"

    def __init__(self, *, end: bool) -> None:
        self.end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment that the text names."""
        try:
            return read_moment(value, end=self.end)
        except SearchError as error:
            self.fail(str(error), param, ctx)


class Revision(click.ParamType[Revisions]):
    """One revision, several, or all from one on."""

    name = "revision"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Revisions:
        """The revisions that the text names."""
        try:
            return Revisions.read(value)
        except SearchError as error:
            self.fail(str(error), param, ctx)


class Word(click.ParamType[str]):
    """The name of a category, a language or a profile; *name* says of which."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, as it was typed."""
        try:
            return read_word(self.name, value)
        except SearchError as error:
            self.fail(str(error), param, ctx)


_KINDS = click.Choice([kind.value for kind in Kind])
_OPTIONS = (
    click.option(
        "--kind",
        "kinds",
        type=_KINDS,
        multiple=True,
        metavar="KIND",
        help=f"May be repeated. One of: {', '.join(_KINDS.choices)}.",
    ),
    click.option("--since", type=Moment(end=False), help="From this date or time on (UTC)."),
    click.option("--until", type=Moment(end=True), help="Up to this date, its end included, or time (UTC)."),
    click.option(
        "--category",
        type=Word("category"),
        metavar="KEY",
        help="Only what answers this category, or this service.",
    ),
    click.option("--answer", type=click.Choice(SAID), help="Only what answers --category so."),
    click.option(
        "--revision",
        "revisions",
        type=Revision(),
        metavar="N",
        help="Only under this revision of the policy; 3+ is it and all later ones, 2-4 several.",
    ),
    click.option(
        "--language",
        "languages",
        type=Word("language"),
        multiple=True,
        metavar="CODE",
        help="May be repeated.",
    ),
    click.option(
        "--profile", "profiles", type=Word("profile"), multiple=True, metavar="NAME", help="May be repeated."
    ),
    click.option("--signal/--no-signal", default=None, help="Only with, or without, a privacy signal."),
)


def search_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """*function* with the options that choose events; it gets what they ask for as ``search``.

    click's usage error when nothing could meet it.
    """

    @wraps(function)
    def asked(*arguments: Any, **values: Any) -> Any:
        return function(*arguments, search=_search_of(**{name: values.pop(name) for name in NAMES}), **values)

    found: Callable[..., Any] = asked
    for option in reversed(_OPTIONS):
        found = option(found)
    return found


def _search_of(
    kinds: tuple[str, ...], languages: tuple[str, ...], profiles: tuple[str, ...], **fields: Any
) -> Search:
    try:
        return Search(
            kinds=frozenset(map(Kind, kinds)),
            languages=frozenset(languages),
            profiles=frozenset(profiles),
            **fields,
        )
    except SearchError as error:
        raise click.UsageError(str(error)) from error


def say_absent(reader: Reader, search: Search) -> None:
    """Say on standard error what *search* names that no event on record has: an empty answer doesn't tell.

    Also where it leaves out erased events, of which nobody knows any more whether they are meant.
    """
    if search.of_opening:
        complain(LEAVES_OUT_ERASED)
    for sentence in Offered.of(reader).missing(search):
        complain(sentence)
