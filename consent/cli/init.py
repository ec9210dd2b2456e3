"""``flask consent init``: a policy to begin with."""

import errno
import json
import sys
import textwrap
from datetime import date
from pathlib import Path

import click

import consent.policy
from consent.cli.command import command
from consent.cli.terminal import complain, say
from consent.errors import PolicyError
from consent.policy import parse

STARTER = Path(consent.policy.__file__).parent / "starter.toml"
NAME = "consent.toml"
#: What the starter file says until it is edited, by option.
PLACEHOLDERS = {"name": "Example Ltd", "site": "https://example.org", "contact": "privacy@example.org"}
QUESTIONS = {
    "name": "Who answers for the site (a company, a person)",
    "site": "The site's public address",
    "contact": "Where visitors reach them (e-mail or web address)",
}
_DATE = "2026-01-01"

NEXT = """\
Wrote {path}.

1. Declare in it what the site stores. Then let it be checked, now and after each change:

    flask consent check

2. In the app's module, such as app.py ({name} lies in the same folder, or give CONSENT_POLICY its path):

{app}

3. In the template, such as templates/home.html beside that module:

{template}

4. See it: flask run"""

#: A whole app and a whole template: whoever has them already takes over the lines that name consent.
APP = """\
from flask import Flask, render_template

from consent import Consent, current_consent

consent = Consent()


def create_app():
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="change me", CONSENT_POLICY="{name}")
    consent.init_app(app)

    @app.get("/")
    def home():
        if current_consent.allows("statistics"):
            app.logger.info("a visit that may be counted")
        return render_template("home.html")

    return app
"""
TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Clinic</title>
  {{ consent_head() }}
</head>
<body>
  {{ consent_banner() }}
  <main>{% call consent_block("statistics") %}<p>This visit is counted.</p>{% endcall %}</main>
  <footer>{{ consent_link() }}</footer>
</body>
</html>
"""


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
    A file that is there already is left alone. On a terminal it asks for the name, the site and the contact
    that aren't given. The app isn't loaded.
    """
    file = path / NAME if path.is_dir() else path
    try:
        if file.exists() and not force:
            raise FileExistsError
        if not file.parent.is_dir():
            problem = f"there is no folder {file.parent}. Make it first, or name another"
            raise FileNotFoundError(errno.ENOENT, problem, str(file))
        given = asked({"name": name, "site": site, "contact": contact})
        text = filled(given, today=date.today())
        with file.open("w" if force else "x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError as error:
        raise click.UsageError(
            f"{file} is there already. Name another, or overwrite it with --force."
        ) from error
    if placeholders := [f"--{option}" for option, value in given.items() if value is None]:
        complain(f"Edit [controller] in it before anybody answers: {', '.join(placeholders)} not given.")
    app, template = (textwrap.indent(text, "    ") for text in (APP.replace("{name}", file.name), TEMPLATE))
    say(NEXT.format(path=file, name=file.name, app=app.rstrip(), template=template.rstrip()))


def asked(controller: dict[str, str | None]) -> dict[str, str | None]:
    """*controller* with what its reader answers, where a terminal is there to ask on.

    What visitors answer is bound to the site's address, so it shouldn't begin under a placeholder.
    """
    if not sys.stdin.isatty():
        return controller
    return {
        option: value
        if value is not None
        else click.prompt(QUESTIONS[option], default=PLACEHOLDERS[option], err=True)
        for option, value in controller.items()
    }


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
