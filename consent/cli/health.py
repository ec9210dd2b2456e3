"""``flask consent health``: whether the log is well, for whatever watches over the site."""

import click

from consent.cli.command import WRONG, bereaved, command, ledger_of, site_of
from consent.cli.terminal import say, say_json


@command("health", "flask consent health", "flask consent health --json")
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def health(ctx: click.Context, as_json: bool) -> None:
    """Say whether the log is well, or what is wrong with it; the exit code is then 1.

    It can be reached, continues what was signed, takes this policy, and nothing waits too long to be sealed. Quick
    enough for every minute; `doctor` looks at the whole deployment, `verify` at every event. A database that is missing
    though a log was begun is wrong, too. Where nothing is recorded yet, and where the database can't be reached, it
    ends with 3.
    """
    site = site_of(ctx)
    problems = list(bereaved(site))
    if not problems:
        ledger_of(ctx).size()
        problems = site.recorder.problems()
    if as_json:
        say_json({"ok": not problems, "problems": problems})
    else:
        say("\n".join(problems) or "The log is well.")
    ctx.exit(WRONG if problems else 0)
