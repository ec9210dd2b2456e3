"""``flask consent doctor``: whether this deployment enforces what the policy says."""

from collections.abc import Callable, Iterator

import click

from consent.cli import keeping, response
from consent.cli.check import found as checked
from consent.cli.command import WRONG, command
from consent.cli.page import pieces
from consent.cli.patient import Line, Patient, admitted
from consent.cli.terminal import say, say_json
from consent.web.returning import safe_path

EXAMINATIONS: tuple[Callable[[Patient], Iterator[Line]], ...] = (
    response.gate,
    response.answer,
    pieces,
    response.security_policy,
    response.caches,
    response.transport,
    response.proxy,
    keeping.files,
    keeping.outside,
)


@command("doctor", "flask consent doctor", "flask consent doctor --page /contact --json")
@click.option(
    "--page",
    default="/",
    show_default=True,
    help="A page to ask for, as somebody who comes for the first time.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def doctor(ctx: click.Context, page: str, as_json: bool) -> None:
    """Say in one page whether this deployment enforces what the policy says.

    Asks the app for one page, as a stranger's browser would, and looks at what comes back; looks at the order of
    middlewares, HTTPS and cookies, proxies, files and their permissions; and runs what `check` runs. Ends with 1 if
    something is wrong; what is only worth a look doesn't count. Run it where the site runs, as who runs it.
    """
    if not safe_path(page):
        raise click.BadParameter(f"{page!r} is no path of the site such as /contact", param_hint="--page")
    findings = checked(ctx)
    lines = [Line("wrong", fault.place, fault.problem, fault.fix) for fault in findings.faults]
    lines += [Line("look", fault.place, fault.problem, fault.fix) for fault in findings.advice]
    if findings.site is not None:
        patient = admitted(findings.site, page)
        lines += [line for examine in EXAMINATIONS for line in examine(patient)]
    if as_json:
        say_json(
            {
                "ok": not any(line.level == "wrong" for line in lines),
                "lines": [members(line) for line in lines],
            }
        )
    else:
        say("\n".join(map(str, lines)))
    ctx.exit(WRONG if any(line.level == "wrong" for line in lines) else 0)


def members(line: Line) -> dict[str, str]:
    """*line* as plain data for JSON."""
    return {"level": line.level, "about": line.about, "said": line.said, "fix": line.fix}
