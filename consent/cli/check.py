"""``flask consent check``: whether policy, configuration, site and ledger are in order."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from consent.cli.browser import Broken, looked_at
from consent.cli.command import (
    WRONG,
    app_of,
    bereaved,
    command,
    database_file,
    has_database,
    on_server,
    said,
    site_in,
)
from consent.cli.host import host_advice, host_faults
from consent.cli.terminal import say, say_json
from consent.errors import ConfigurationError, ConsentError, Fault, PolicyError, did_you_mean
from consent.policy import lint
from consent.web.language import shipped
from consent.web.returning import safe_path
from consent.web.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found: *faults* are wrong, *advice* is probably not meant."""

    faults: tuple[Fault, ...]
    advice: tuple[Fault, ...] = ()
    site: Site | None = None
    broken: Sequence[Broken] | None = None
    """What a browser showed; None when none was asked for."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and not self.broken

    def members(self) -> dict[str, object]:
        """The findings as plain data for JSON."""
        policy = self.site.policy if self.site else None
        return {
            "ok": self.ok,
            "revision": policy and policy.revision,
            "digest": policy and policy.digest,
            "languages": list(self.site.languages) if self.site else None,
            "faults": [as_members(fault) for fault in self.faults],
            "advice": [as_members(fault) for fault in self.advice],
            **({} if self.broken is None else {"browser": [broken.members() for broken in self.broken]}),
        }


@command(
    "check", "flask consent check", "flask consent check --json", "flask consent check --browser --page /shop"
)
@click.option("--json", "as_json", is_flag=True, help="Answer in one line of JSON.")
@click.option(
    "--browser", is_flag=True, help="Also look at pages in Chromium, with the site's own style sheets."
)
@click.option(
    "--page",
    "pages",
    multiple=True,
    help="With --browser: a page to look at, / by default; may be given again.",
)
@click.option("--url", help="With --browser: where the site runs already, instead of being served here.")
@click.pass_context
def check(ctx: click.Context, as_json: bool, browser: bool, pages: tuple[str, ...], url: str | None) -> None:
    """Look over policy, configuration, site and ledger.

    Ends with 1 if something is wrong: the app doesn't start, its views or templates name keys that the policy
    doesn't have, the ledger has the same revision under other terms, its key is missing, and so on. What is
    only worth a look is listed as advice and doesn't count. Good to run before each deployment.

    With --browser it also measures how banner, dialog and preference centre look on the site's own pages, from 320
    pixels to a desk, light and dark, with more contrast and forced colours, in each language: whether refusing is as
    easy as accepting, and all can be read, reached and pressed. That needs the extra `browser`. Nothing is answered
    or recorded.
    """
    if not browser and (pages or url):
        raise click.UsageError("--page and --url go with --browser.")
    for page in pages:
        if not safe_path(page):
            raise click.BadParameter(f"{page!r} is no path of the site such as /contact", param_hint="--page")
    if url and not re.fullmatch(r"https?://[^/?#]+/?", url):
        raise click.BadParameter(f"{url!r} is no address such as http://127.0.0.1:5000", param_hint="--url")
    findings = found(ctx)
    if browser and findings.site is not None:
        broken, unmet = looked_at(findings.site, url=url, pages=pages or ("/",))
        findings = replace(findings, broken=broken, advice=(*findings.advice, *unmet))
    if as_json:
        say_json(findings.members())
    else:
        say(in_words(findings))
    ctx.exit(0 if findings.ok else WRONG)


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
    """What is wrong with the ledger; while there is no database yet, whether one could be made, but none is.

    One that was there, and is missing, is wrong.
    """
    if (file := database_file(site)) is not None and (fault := unwritable(file)):
        return [fault]
    if not has_database(site):
        return [Fault("ledger", problem.rstrip("."), "") for problem in bereaved(site)]
    try:
        problems = site.recorder.problems()
    except ConsentError as error:
        problems = [said(error)]
    return [Fault("ledger", problem.rstrip("."), "") for problem in [*problems, *unlinked(site)]]


def unlinked(site: Site) -> list[str]:
    """Why accounts and auditors can't be linked here: on a server their key isn't the signing key.

    That one is what ``problems`` look at.
    """
    if (site.accounts is None and site.settings.auditor is None) or not on_server(site):
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
    if faults := [*findings.faults, *(broken.fault() for broken in findings.broken or ())]:
        parts.append("\n".join(["Wrong:", *(f"  {str(fault).strip()}" for fault in faults)]))
    if findings.advice:
        parts.append("\n".join(["Worth a look:", *(f"  {fault}" for fault in findings.advice)]))
    if findings.ok and (site := findings.site):
        policy = site.policy
        parts.append(
            f"In order: revision {policy.revision}, {len(policy.services)} services, "
            f"languages {', '.join(site.languages)}."
        )
    return "\n\n".join(parts)
