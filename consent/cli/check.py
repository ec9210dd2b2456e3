"""``flask consent check``: whether policy, configuration, site and ledger are in order."""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from consent.cli.command import WRONG, app_of, command, database_file, has_database, on_server, said, site_in
from consent.cli.host import host_advice, host_faults
from consent.cli.terminal import say, say_json
from consent.errors import ConfigurationError, ConsentError, Fault, PolicyError, did_you_mean
from consent.policy import lint
from consent.web.language import shipped
from consent.web.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found: *faults* are wrong, *advice* is probably not meant."""

    faults: tuple[Fault, ...]
    advice: tuple[Fault, ...] = ()
    site: Site | None = None

    def members(self) -> dict[str, object]:
        """The findings as plain data for JSON."""
        policy = self.site.policy if self.site else None
        return {
            "ok": not self.faults,
            "revision": policy and policy.revision,
            "digest": policy and policy.digest,
            "languages": list(self.site.languages) if self.site else None,
            "faults": [as_members(fault) for fault in self.faults],
            "advice": [as_members(fault) for fault in self.advice],
        }


@command("check", "flask consent check", "flask consent check --json")
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Look over policy, configuration, site and ledger.

    Ends with 1 if something is wrong: the app doesn't start, its views or templates name keys that the policy
    doesn't have, the ledger has the same revision under other terms, its key is missing, and so on. What is
    only worth a look is listed as advice and doesn't count. Good to run before each deployment.
    """
    findings = found(ctx)
    if as_json:
        say_json(findings.members())
    else:
        say(in_words(findings))
    ctx.exit(WRONG if findings.faults else 0)


def found(ctx: click.Context) -> Findings:
    """Everything there is to say of the app."""
    try:
        site = site_in(app_of(ctx))
    except PolicyError as error:
        return Findings(faults=error.faults)
    except ConfigurationError as error:
        return Findings(faults=configuration_faults(error))
    return Findings(
        faults=(*host_faults(site.app, site.policy), *ledger_faults(site)),
        advice=(*linted(site), *unspoken(site), *host_advice(site.app, site.policy)),
        site=site,
    )


def configuration_faults(error: ConfigurationError) -> tuple[Fault, ...]:
    """What *error* names, each on a line of its own; a line that is indented goes on with the one before."""
    parts = (line.partition(". ") for line in re.split(r"\n(?=\S)", said(error)))
    return tuple(Fault("configuration", problem.rstrip("."), fix) for problem, _, fix in parts)


def ledger_faults(site: Site) -> list[Fault]:
    """What is wrong with the ledger; while there is no database yet, whether one could be made, but none is."""
    if (file := database_file(site)) is not None and (fault := unwritable(file)):
        return [fault]
    if not has_database(site):
        return []
    try:
        problems = site.recorder.problems()
    except ConsentError as error:
        problems = [said(error)]
    return [Fault("ledger", problem.rstrip("."), "") for problem in [*problems, *unlinked(site)]]


def unlinked(site: Site) -> list[str]:
    """Why accounts can't be linked here: on a server their key isn't the one that signs, which ``problems`` look at."""
    if site.accounts is None or not on_server(site):
        return []
    try:
        site.recorder.link("")
    except ConsentError as error:
        return [said(error)]
    return []


def unwritable(file: Path) -> Fault | None:
    """Why nothing can be recorded in the database *file*, by the permissions of who runs this.

    The folder it lies in is made on first use, but none above that.
    """
    folder = file.parent
    place = folder if folder.exists() else folder.parent
    if not place.is_dir():
        problem = f"there is no folder {place}" if not place.exists() else f"{place} is not a folder"
        return Fault(
            "CONSENT_DATABASE",
            f"{problem}, so no answer can be recorded; expected a folder for {file.name}",
            f"Make the folder {folder}, or name another.",
        )
    targets = [place, *([file] if file.exists() else [])]
    if barred := [one for one in targets if not os.access(one, os.W_OK)]:
        return Fault(
            "CONSENT_DATABASE",
            f"{barred[0]} can't be written to, so no answer can be recorded; expected one that who runs "
            "the site may write to",
            "Change its owner or its permissions, or name another place. If the site runs as somebody else, "
            "run this as them.",
        )
    return None


def unspoken(site: Site) -> list[Fault]:
    """Wording in languages that the component itself has no words in: these aren't offered (advice)."""
    file = site.settings.policy
    return [
        Fault(
            f"{file.stem}.{tag}{file.suffix}",
            f'the language "{tag}" is not offered, for the component has no words of its own in it; it has '
            f"{', '.join(sorted(shipped()))}",
            did_you_mean(tag, shipped()) or "Keep the file for a later release, or remove it.",
        )
        for tag in sorted(site.policy.wordings)
        if tag not in shipped()
    ]


def linted(site: Site) -> list[Fault]:
    """The policy's lint, each with its file."""
    today = datetime.fromtimestamp(site.clock(), UTC).date()
    name = site.settings.policy.name
    return [
        Fault(f"{name}: {fault.place}", fault.problem, fault.fix) for fault in lint(site.policy, today=today)
    ]


def as_members(fault: Fault) -> dict[str, str]:
    """*fault* as plain data for JSON."""
    return {"place": fault.place, "problem": fault.problem, "fix": fault.fix}


def in_words(findings: Findings) -> str:
    """*findings* for a person."""
    parts = []
    if findings.faults:
        parts.append("\n".join(["Wrong:", *(f"  {str(fault).strip()}" for fault in findings.faults)]))
    if findings.advice:
        parts.append("\n".join(["Worth a look:", *(f"  {fault}" for fault in findings.advice)]))
    if not findings.faults and (site := findings.site):
        policy = site.policy
        parts.append(
            f"In order: revision {policy.revision}, {len(policy.services)} services, "
            f"languages {', '.join(site.languages)}."
        )
    return "\n\n".join(parts)
