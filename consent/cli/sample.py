"""``flask consent sample``: a made-up history, for trying what auditors do."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

import click

from consent.audit.recount import catch_up
from consent.audit.sample import Era, History, mark, profiles
from consent.cli.command import command, site_of
from consent.cli.terminal import complain, say, with_progress
from consent.errors import LedgerError
from consent.ledger import KEPT, Document, Event, Ledger, erasure
from consent.policy import Policy, load
from consent.web.extension import declared_whole
from consent.web.recorder import moment, new_id, policy_document
from consent.web.site import Site

#: Events of one transaction, and one in how many is erased.
BATCH, ERASED = 4096, 400
_PATIENCE = 60.0


@command(
    "sample",
    "flask consent sample --events 10000",
    "flask consent sample --events 100000 --before old/consent.toml",
)
@click.option(
    "--events",
    type=click.IntRange(1, 10_000_000),
    default=10_000,
    show_default=True,
    help="So many, over the last year, or since the first policy is in force.",
)
@click.option(
    "--before",
    "earlier",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    metavar="FILE",
    help="A policy that was in force before, of a lower revision and an earlier day, the oldest first. Repeatable.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another number is another history.")
@click.pass_context
def sample(ctx: click.Context, events: int, earlier: tuple[Path, ...], seed: int) -> None:
    """Fill an empty log with made-up events, for trying searches, charts and exports.

    A year with its weekdays, or as much of it as there was a policy in force, of answers in each language and under
    several profiles, of withdrawals, and with some erased. Each stands under the policy of its day. The log itself
    says first that no visitor did any of it, and the auditor's pages say so, too. A log in which anybody has answered
    is left alone: use a database that is for trying.
    """
    site = site_of(ctx)
    ledger = site.recorder.ledger
    if answered(ledger):
        raise LedgerError(
            "visitors have answered in this log, and made-up events don't belong beside theirs. Name another "
            "database in CONSENT_DATABASE, for trying."
        )
    site.recorder.prepare()
    end = datetime.fromtimestamp(site.clock(), UTC)
    eras = [era_of(site, ledger, policy) for policy in policies(site, earlier, end.date())]
    salt = secrets.token_bytes(32)
    ledger.record_once(mark(ledger.origin, moment(site.clock()), site.policy.digest), salt=salt)
    history = History(eras, end, events, seed)
    made = with_progress(fill(ledger, iter(history)), events, "events made up")
    forgotten = [event.id for number, event in enumerate(made) if number % ERASED == ERASED - 1]
    for first in range(0, len(forgotten), BATCH):
        event = erasure("operator", id=new_id(), time=moment(site.clock()), policy=site.policy.digest)
        ledger.erase(
            event,
            salt=secrets.token_bytes(32),
            ids=forgotten[first : first + BATCH],
            listed=False,
            patience=_PATIENCE,
        )
    for _ in catch_up(ledger):
        pass
    complain("The log says of itself that it is sample data.")
    say(f"Recorded {events:,} made-up events; {len(forgotten):,} of them are erased.")


def answered(ledger: Ledger) -> bool:
    """Whether anybody has answered in *ledger*; also when all that is left of it is that it was pruned."""
    while ledger.seal():
        pass
    return ledger.pruned() > 0 or any(record.outline().kind not in KEPT for record in ledger.records())


def policies(site: Site, earlier: Sequence[Path], today: date) -> list[Policy]:
    """The policies of the history, the site's own last; LedgerError unless revisions and days rise until *today*."""
    session = site.app.config["SESSION_COOKIE_NAME"]
    found = [
        *(declared_whole(load(file), site.settings, session_cookie=session) for file in earlier),
        site.policy,
    ]
    revisions = [policy.revision for policy in found]
    if revisions != sorted(set(revisions)):
        raise LedgerError(
            f"the revisions are {', '.join(map(str, revisions))}; expected each to be higher than the one before, and "
            "the site's own to be the highest."
        )
    days = [policy.effective for policy in found]
    if days != sorted(set(days)) or days[-1] >= today:
        raise LedgerError(
            f"the policies are in force from {', '.join(map(str, days))}; expected each day to be after the one before "
            f"it, and before {today}: no event stands under a policy that came later."
        )
    return found


def era_of(site: Site, ledger: Ledger, policy: Policy) -> Era:
    """The time under *policy*, with its notices, which are put on record."""
    notices = replace(site.notices, policy=policy, known={}, by_hash={})
    shown = {
        (language, profile): notices.get(language, profile)
        for language in site.languages
        for profile in profiles()
    }
    documents = [Document(hash=each.hash, kind="notice", body=each.body) for each in shown.values()]
    ledger.keep([policy_document(policy), *{each.hash: each for each in documents}.values()])
    return Era(policy=policy, notices={key: each.hash for key, each in shown.items()})


def fill(ledger: Ledger, events: Iterator[Event]) -> Iterator[Event]:
    """*events*, recorded many at a time."""
    while batch := list(islice(events, BATCH)):
        ledger.record_all([(event, secrets.token_bytes(32)) for event in batch], patience=_PATIENCE)
        yield from batch
