"""``flask consent init``: a policy to begin with."""

import json
from datetime import date
from pathlib import Path

import click

import consent.policy
from consent.cli.command import command
from consent.cli.terminal import say
from consent.errors import PolicyError
from consent.policy import parse

STARTER = Path(consent.policy.__file__).parent / "starter.toml"
NAME = "consent.toml"
#: What the starter file says until it is edited, by option.
PLACEHOLDERS = {"name": "Example Ltd", "site": "https://example.org", "contact": "privacy@example.org"}
_DATE = "2026-01-01"

NEXT = """\
Wrote {path}.

1. Declare in it what the site stores. Then let it be checked, now and after each change:

    flask consent check

2. In the app factory ({name} lies in the app's own folder, or give CONSENT_POLICY its path):

    from consent import Consent

    consent = Consent()

    app.config.from_mapping(SECRET_KEY="…", CONSENT_POLICY="{name}")
    consent.init_app(app)

3. In the base template:

    <head>
      {{{{ consent_head() }}}}
    </head>
    <body>
      {{{{ consent_banner() }}}}
      …
      <footer>{{{{ consent_link() }}}}</footer>
    </body>

4. Wherever something optional happens, in a view or a template:

    from consent import current_consent

    if current_consent.allows("statistics"):
        count_visit()

    {{% call consent_block("statistics") %}} … {{% endcall %}}"""


@command(
    "init",
    "flask consent init",
    'flask consent init --name "Clinic" --site https://clinic.example --contact privacy@clinic.example',
    "flask consent init mysite/consent.toml",
)
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--name", help="Who answers for the site: the controller's name.")
@click.option("--site", help="The site's address, such as https://clinic.example.")
@click.option("--contact", help="Where visitors reach the controller: an e-mail or web address.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
def init(path: Path, name: str | None, site: str | None, contact: str | None, force: bool) -> None:
    """Write a policy to begin with, and say what to paste where.

    The policy is a commented file, consent.toml in the current folder or PATH, a folder or the file itself.
    A file that is there already is left alone. The app isn't loaded.
    """
    text = filled({"name": name, "site": site, "contact": contact}, today=date.today())
    file = path / NAME if path.is_dir() else path
    try:
        with file.open("w" if force else "x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError as error:
        raise click.UsageError(
            f"{file} is there already. Name another, or overwrite it with --force."
        ) from error
    say(NEXT.format(path=file, name=file.name))


def filled(controller: dict[str, str | None], *, today: date) -> str:
    """The starter file with what is given of the *controller*; click's usage error if it can't be used."""
    text = STARTER.read_text(encoding="utf-8").replace(_DATE, today.isoformat(), 1)
    for option, value in controller.items():
        if value is not None:
            # JSON writes a text as TOML does, but for one character; the parser below judges what is in it.
            quoted = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
            text = text.replace(f'"{PLACEHOLDERS[option]}"', quoted, 1)
    try:
        parse(text)
    except PolicyError as error:
        faults = (
            f"--{fault.place.rpartition('.')[2]}: {fault.problem}. {fault.fix}" for fault in error.faults
        )
        raise click.UsageError("\n".join(faults)) from error
    return text


def option_at(place: str) -> str:
    """The option whose value stands at *place* in the policy, else *place*."""
    option = place.rpartition(".")[2]
    return f"--{option}" if option in PLACEHOLDERS else place
