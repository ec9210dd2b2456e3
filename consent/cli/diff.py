"""``flask consent diff``: what a new policy changes, and who will be asked again."""

from dataclasses import replace
from pathlib import Path

import click

from consent.cli.command import WRONG, command
from consent.cli.terminal import complain, say, say_json
from consent.errors import Fault, PolicyError
from consent.policy import Change, Difference, Policy, compare, load

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@command(
    "diff", "flask consent diff consent.toml consent-new.toml", "flask consent diff --json old.toml new.toml"
)
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def diff(ctx: click.Context, old: Path, new: Path, as_json: bool) -> None:
    """Say what the policy NEW changes against OLD.

    Material changes are those that visitors agree to, such as a purpose, a provider or a lifetime; grants
    given before don't cover them, so those visitors are asked again. A change of wording asks nobody.
    Wording in other languages is compared where NEW has such files beside it.

    Ends with 1 if terms changed and the revision wasn't raised: such a policy may not be used. The app isn't
    loaded.
    """
    before, after = loaded(old), loaded(new)
    if before.wordings and not after.wordings:
        complain(
            f"{new} has no wording files beside it, such as {new.stem}.{min(before.wordings)}.toml; "
            "wording in other languages is not compared."
        )
        before = replace(before, wordings={})
    difference = compare(before, after)
    if as_json:
        say_json(members(difference))
    else:
        say(in_words(difference))
    ctx.exit(WRONG if difference.problem else 0)


def loaded(path: Path) -> Policy:
    """The policy in *path*; PolicyError whose places say in which folder, since both names may be the same."""
    try:
        return load(path)
    except PolicyError as error:
        faults = [Fault(str(path.parent / one.place), one.problem, one.fix) for one in error.faults]
        raise PolicyError(faults) from error


def in_words(difference: Difference) -> str:
    """*difference* for a person: first what is material."""
    if not difference.changes:
        return "Nothing differs."
    parts = ["\n".join([f"{title}:", *map(line, changes)]) for title, changes in difference.by_weight()]
    parts.append("\n".join(["Asked again:", *(f"  {each}" for each in difference.asked_in_words)]))
    if difference.problem:
        parts.append(f"Wrong: {difference.problem}")
    return "\n\n".join(parts)


def line(change: Change) -> str:
    """*change* in one line."""
    before, after = change.sides
    return f"  {change.place}: {before} → {after}"


def members(difference: Difference) -> dict[str, object]:
    """*difference* as plain data for JSON."""
    return {
        "material": difference.material,
        "changes": [
            {"place": one.place, "before": one.before, "after": one.after, "material": one.material}
            for one in difference.changes
        ],
        "asked_again": [{"service": key, "why": why} for key, why in difference.asked_again],
        "problem": difference.problem and str(difference.problem),
    }
