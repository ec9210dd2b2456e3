"""``flask consent stats``: how often what was answered, with the rates and how sure they are."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import click

from consent.audit.rates import DIMENSIONS, Rate, Rates
from consent.audit.recount import compare, recount
from consent.audit.row import Reader, Row
from consent.audit.search import Search
from consent.audit.share import FOR_REVIEW, Share, percent
from consent.audit.summary import Summary, tallies
from consent.audit.tally import Tally, tally
from consent.audit.wording import PRUNED_BELOW
from consent.cli.asked import say_absent, search_options
from consent.cli.command import WRONG, command, ledger_of
from consent.cli.terminal import progressing, say, say_json, table, with_progress
from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Ledger
from consent.ledger.replies import NO, SAID, YES, outcome

#: So many days have a line each; of more, each month has one.
MOST_DAYS = 62


@command(
    "stats",
    "flask consent stats",
    "flask consent stats --revision 3+ --category statistics",
    "flask consent stats --by language --since 2026-11-01 --until 2026-11-30 --json",
    "flask consent stats --check",
)
@search_options
@click.option(
    "--by",
    type=click.Choice(list(DIMENSIONS)),
    default="revision",
    show_default=True,
    help="Compare the rates of these, as before and after a revision.",
)
@click.option(
    "--check", is_flag=True, help="Instead, compare the counts and the index of searches with the events."
)
@click.option("--rebuild", is_flag=True, help="Instead, count all events anew, while the site runs.")
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def stats(ctx: click.Context, search: Search, by: str, check: bool, rebuild: bool, as_json: bool) -> None:
    """Count events and answers.

    Events by kind; answers by category, service, revision, language, profile and source, and by day. A rate has the
    interval in which it lies with 95 % certainty (Wilson's); below 20 answers none is stated.

    Answers are counted, not people: who answers twice counts twice. A category counts as yes when all its
    services were granted, as no when none was. For reviewing compliance; don't tune banners by it.

    The counts are kept as events are recorded, so that none but the newest events are read for them. What was erased
    counts by its kind and revision only. --check names the first day whose events say something else, or the first
    entry that the index of searches has wrong, and ends with 1; --rebuild makes both anew. Verification depends on
    neither.
    """
    ledger = ledger_of(ctx)
    if check and rebuild:
        raise click.UsageError("Name one of --check and --rebuild.")
    if check:
        compared(ctx, ledger)
    elif rebuild:
        rebuilt(ledger)
    else:
        shown(Reader(ledger), search, by, as_json=as_json)


def shown(reader: Reader, search: Search, by: str, *, as_json: bool) -> None:
    """Answer with the counts."""

    def progress(rows: Iterable[Row], total: int) -> Iterable[Row]:
        return with_progress(rows, total, "events read")

    say_absent(reader, search)
    counted = tally(reader, search, progress=progress)
    summary = Summary.of(counted, reader.policy)
    if as_json:
        say_json(summary.members() | in_json(reader, counted, summary, by))
    else:
        say("\n\n".join(in_tables(reader, counted, summary, by)))


def compared(ctx: click.Context, ledger: Ledger) -> None:
    """Say whether the counts, and the index of searches, are those of the events; end with 1 if not."""
    try:
        for _ in range(2):  # what others erased meanwhile is no difference
            found = compare(ledger, lambda records, total: with_progress(records, total, "events read"))
            if found is None:
                say(
                    f"The counts of {ledger.counted():,} entries, and the index of searches, are those of the events."
                )
                return
            said = f"{found.in_words()} To count anew, run: flask consent stats --rebuild"
    except LedgerUnavailable:
        raise
    except LedgerError as error:
        said = str(error)
    say(said)
    ctx.exit(WRONG)


def rebuilt(ledger: Ledger) -> None:
    """Count everything anew."""
    for _ in progressing(recount(ledger), ledger.size()):
        pass
    counted = ledger.counted()
    say(f"Counted {counted:,} entries anew; the {ledger.size() - counted:,} after them are counted in time.")


def in_json(reader: Reader, counted: Tally, summary: Summary, by: str) -> dict[str, object]:
    """The rates and the days, as plain data."""
    keys, rates = [*summary.categories, *summary.services], Rates.of(counted, reader.policy, by)
    return {
        "rates": {key: rates.to(key).members() for key in sorted(keys)},
        f"rates_by_{by}": {
            key: {value: each.members() for value, each in rates.by(by, key).items()}
            for key in sorted(summary.categories)
        },
        "days": {
            day.isoformat(): {said: found[said] for said in SAID}
            for day, found in counted.per_day(outcome).items()
        },
    }


def in_tables(reader: Reader, counted: Tally, summary: Summary, by: str) -> Iterator[str]:
    """*summary* and the rates as tables for a person."""
    span = f", {summary.first} to {summary.last} (days, UTC)" if summary.first else ""
    yield f"{summary.events:,} events{span}; {summary.erased:,} of them erased."
    if summary.pruned:
        yield f"Besides, {summary.pruned:,} were pruned before they were counted, and are counted nowhere here."
    if bound := reader.ledger.pruned():
        yield f"{PRUNED_BELOW.format(bound)} What was counted of them stays counted."
    yield from ranked("kind", summary.kinds)
    if not summary.answers:
        return
    yield f"Of these, {summary.answers:,} are answers; {summary.signals:,} came with a privacy signal."
    rates = Rates.of(counted, reader.policy, by)
    if summary.categories:
        rows = [(key, *cells(rates.to(key))) for key in sorted(summary.categories)]
        yield table(("category", *SAID), rows)
    if summary.services:
        services = tallies(summary.services, (YES, NO)).items()
        yield table(("service", YES, NO), [(key, *said.values()) for key, said in services])
    for category in sorted(summary.categories):
        compared = rates.by(by, category)
        if len(compared) > 1:
            yield f"{category}, by {by}:\n\n" + table(
                (by, "answers", *SAID),
                [(value, each.answers, *cells(each)) for value, each in compared.items()],
            )
    for name, counts in (
        ("revision", summary.revisions),
        ("language", summary.languages),
        ("profile", summary.profiles),
        ("source", summary.sources),
    ):
        yield from ranked(name, counts)
    yield by_day(counted.per_day(outcome))
    yield f"By day, yes is to everything, no to everything. {FOR_REVIEW}"


def cells(found: Rate) -> list[str]:
    """How many said yes, some and no, each with its share and the interval of that, where it is stated."""
    return [cell(found.share(said)) for said in SAID]


def cell(share: Share) -> str:
    """One of them: ``1,204 (40.1 %, 38.3 % to 41.9 %)``."""
    if share.value is None or share.interval is None:
        return str(share.part)
    low, high = map(percent, share.interval)
    return f"{share.part:,} ({percent(share.value)}, {low} to {high})"


def by_day(days: Mapping[date, Counter[str]]) -> str:
    """Answers by day; by month if there are many days."""
    name = "day" if len(days) <= MOST_DAYS else "month"
    found = dict[str, Counter[str]]()
    for day, said in days.items():
        found.setdefault(day.isoformat() if name == "day" else f"{day:%Y-%m}", Counter()).update(said)
    return table((name, *SAID), [(when, *(said[each] for each in SAID)) for when, said in found.items()])


def ranked(name: str, counts: Mapping[str, int]) -> Iterator[str]:
    """The table of *counts*, the highest first; none without any."""
    if counts:
        yield table((name, "events"), Counter(counts).most_common())
