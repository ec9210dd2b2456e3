"""``flask consent stats``: how often what was answered."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

import click

from consent.audit.row import Reader
from consent.audit.search import Search
from consent.audit.summary import NO, SOME, YES, Summary, summarise, tallies
from consent.cli.asked import search_of, search_options
from consent.cli.command import command, ledger_of
from consent.cli.terminal import say, say_json, table, with_progress
from consent.ledger import Sealed


@command("stats", "flask consent stats", "flask consent stats --since 2026-11-01 --until 2026-11-30 --json")
@search_options
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def stats(
    ctx: click.Context, kinds: tuple[str, ...], since: datetime | None, until: datetime | None, as_json: bool
) -> None:
    """Count events and answers.

    Events by kind; answers by category, service, revision, language, profile and source.
    Answers are counted, not people: who answers twice counts twice. A category counts as yes when all its
    services were granted, as no when none was. For reviewing compliance; don't tune banners by it.
    """
    search = search_of(kinds, since, until)
    summary = counted(Reader(ledger_of(ctx)), search)
    if as_json:
        say_json(summary.members())
    else:
        say("\n\n".join(in_tables(summary)))


def counted(reader: Reader, search: Search) -> Summary:
    """The counts over all events that *search* asks for."""
    pruned, left = reader.ledger.pruned(), 0

    def records() -> Iterator[Sealed]:
        nonlocal left
        for record in with_progress(reader.ledger.records(), reader.ledger.size(), "events read"):
            left += record.index < pruned
            yield record

    summary = summarise(filter(search.matches, reader.rows(records())), reader.policy)
    summary.pruned = pruned - left
    return summary


def in_tables(summary: Summary) -> Iterator[str]:
    """*summary* as tables for a person."""
    span = f", {summary.first} to {summary.last} (hours, UTC)" if summary.first else ""
    yield f"{summary.events} events{span}; {summary.erased} erased, {summary.altered} altered."
    if summary.pruned:
        yield f"Besides, {summary.pruned} were pruned, and are counted nowhere here."
    yield from ranked("kind", summary.kinds)
    if not summary.answers:
        return
    yield f"Of these, {summary.answers} are answers; {summary.signals} came with a privacy signal."
    if summary.categories:
        rows = tallies(summary.categories, (YES, SOME, NO)).items()
        yield table(("category", YES, SOME, NO), [(key, *said.values()) for key, said in rows])
    if summary.services:
        services = tallies(summary.services, (YES, NO)).items()
        yield table(("service", YES, NO), [(key, *said.values()) for key, said in services])
    for name, counts in (
        ("revision", summary.revisions),
        ("language", summary.languages),
        ("profile", summary.profiles),
        ("source", summary.sources),
    ):
        yield from ranked(name, counts)


def ranked(name: str, counts: Mapping[str, int]) -> Iterator[str]:
    """The table of *counts*, the highest first; none without any."""
    if counts:
        yield table((name, "events"), Counter(counts).most_common())
