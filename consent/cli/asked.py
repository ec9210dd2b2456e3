"""The options by which several commands choose events: kind and span of time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from consent.audit.search import Search, SearchError, read_moment
from consent.ledger import Kind

_Function = TypeVar("_Function", bound=Callable[..., Any])


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


def search_options(function: _Function) -> _Function:
    """*function* with the options ``--kind``, ``--since`` and ``--until``; ``search_of`` reads them."""
    kinds = click.Choice([kind.value for kind in Kind])
    known = ", ".join(kinds.choices)
    for option in (
        click.option(
            "--until", type=Moment(end=True), help="Up to this date, its end included, or time (UTC)."
        ),
        click.option("--since", type=Moment(end=False), help="From this date or time on (UTC)."),
        click.option(
            "--kind",
            "kinds",
            type=kinds,
            multiple=True,
            metavar="KIND",
            help=f"May be repeated. One of: {known}.",
        ),
    ):
        function = option(function)
    return function


def search_of(kinds: tuple[str, ...], since: datetime | None, until: datetime | None) -> Search:
    """What the options ask for; click's usage error when nothing could meet it."""
    try:
        return Search(kinds=frozenset(map(Kind, kinds)), since=since, until=until)
    except SearchError as error:
        raise click.UsageError(str(error)) from error
