"""``flask consent verify``: whether anything in the log, or in a copy of it, was altered."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click

from consent import verify as program
from consent.audit.live import own_keys, verify_live
from consent.cli.command import IMPOSSIBLE, WRONG, command, ledger_of
from consent.cli.terminal import complain, say, say_json, with_progress

_Read = TypeVar("_Read")


class Read(click.ParamType[_Read]):
    """What *read*, which ``verify.py`` has for an option of the same name, makes of a text."""

    def __init__(self, name: str, read: Callable[[str], _Read]) -> None:
        self.name, self.read = name, read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> _Read:
        """What it makes of it; click's own error where it refuses."""
        try:
            return self.read(str(value))
        except ArgumentTypeError as error:
            self.fail(str(error), param, ctx)


_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@command(
    "verify",
    "flask consent verify",
    "flask consent verify --checkpoint march.txt --receipt mine.tlog-proof",
    "flask consent verify log.zip --json",
)
@click.argument("bundle", required=False, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--key",
    "keys",
    type=Read("key", program.verifier_key),
    multiple=True,
    metavar="KEY",
    help="A verifier key of the log, instead of those that this site knows; may be given again.",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    type=_FILE,
    multiple=True,
    help="A checkpoint that was kept elsewhere; may be given again.",
)
@click.option(
    "--receipt",
    "receipts",
    type=_FILE,
    multiple=True,
    help="A receipt that a visitor kept; may be given again.",
)
@click.option(
    "--max-age", type=Read("span", program.span), metavar="7d", help="How old the newest entry may be."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def verify(
    ctx: click.Context,
    bundle: Path | None,
    keys: Sequence[program.Key],
    checkpoints: Sequence[Path],
    receipts: Sequence[Path],
    max_age: timedelta | None,
    as_json: bool,
) -> None:
    """Say whether anything in the log was altered, and where.

    Without BUNDLE the database of this site is checked: every leaf, opening, policy and notice, the tree, the signed
    checkpoints, the guard beside the key. With BUNDLE, a folder or zip, that copy is. Both are compared with
    checkpoints and receipts that were kept outside: without one, whoever holds the key could have rewritten all of
    it. Ends with 1 if something is wrong.
    """
    now = datetime.now(UTC)
    try:
        if bundle is None:
            ledger = ledger_of(ctx)
            report = verify_live(
                ledger,
                keys or own_keys(ledger, complain),
                outside(checkpoints, receipts),
                progress=lambda records, total: with_progress(records, total, "entries verified"),
                now=now,
                max_age=max_age,
            )
        else:
            if not keys:
                keys = own_keys(ledger_of(ctx), complain)
                complain(
                    "No --key was given, so the keys are those that this site knows. That shows nothing to others: "
                    "they take the key from where they trust it."
                )
            report = program.verify(
                bundle, keys, now=now, checkpoints=checkpoints, receipts=receipts, max_age=max_age
            )
    except program.Unreadable as error:
        complain(f"Error: {error}")
        ctx.exit(IMPOSSIBLE)
    if as_json:
        say_json(program.as_data(report))
    else:
        say(program.in_words(report))
    if not report.right:
        ctx.exit(WRONG)


def outside(checkpoints: Sequence[Path], receipts: Sequence[Path]) -> list[tuple[str, str]]:
    """The files that were kept elsewhere: their names, and the texts in them."""
    return [
        *program.kept(checkpoints, program.LONGEST_NOTE),
        *program.kept(receipts, program.LONGEST_RECEIPT),
    ]
