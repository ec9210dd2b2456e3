"""Every command explains itself, and the documentation has every command, with examples that run."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from flask import Flask

from consent.cli import cli
from consent.cli.command import Command
from consent.cli.move import TO
from tests.audit.clinic import newest, site_of, visit
from tests.storage.cluster import Cluster

from .conftest import Run, run_for

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
#: What is typed in the console blocks of the documentation.
TYPED = re.findall(r"^\$ (flask consent [^\n]*)$", DOCUMENTED, re.MULTILINE)
#: The id that all examples use.
SAMPLE_ID = "8f2b6c1e-9d4a-4c55-b1de-6a0f0c3e7a11"


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands())


def test_the_commands_of_the_design_are_there() -> None:
    assert set(COMMANDS) >= {
        "init",
        "diff",
        "check",
        "doctor",
        "log",
        "show",
        "stats",
        "export",
        "db upgrade",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_examples_of_itself(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, Command)
    result = run_for(None)(*name.split(), "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert command.examples
    for example in command.examples:
        assert example in result.output
        assert re.match(rf"flask (--app \w+ )?consent {name}\b", example)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_each_of_its_options_is_documented_with_an_example(name: str) -> None:
    heading = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", DOCUMENTED, re.MULTILINE | re.DOTALL)
    assert heading, f"docs/commands.md has no section {name}"
    assert f"$ flask consent {name}" in heading[1]
    for parameter in COMMANDS[name].params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert f"`{option}" in heading[1], f"docs/commands.md says nothing of {name} {option}"


def test_the_documentation_knows_no_command_that_is_not_there() -> None:
    assert set(re.findall(r"^## ([a-z ]+)$", DOCUMENTED, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("typed", TYPED)
def test_each_documented_example_runs(
    typed: str,
    app: Flask,
    run: Run,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app.config["SESSION_COOKIE_SECURE"] = True
    app.add_url_rule("/", "home", lambda: "home")
    if " sample" not in typed:  # which is for logs in which nobody has answered
        visit(app, "all").answer("none")
        receipt = site_of(app).recorder.ledger.receipt(newest(app).id)
        assert receipt
        (tmp_path / "mine.tlog-proof").write_text(receipt.to_text())
    (tmp_path / "consent-new.toml").write_text(
        (tmp_path / "consent.toml").read_text().replace("revision = 1", 'revision = 2\nchange = "New."')
    )
    (tmp_path / "work").mkdir()
    inside = tmp_path / "work" if " init" in typed else tmp_path
    monkeypatch.chdir(inside)
    command = typed.split(" | ")[0]
    if SAMPLE_ID in command:
        command = command.replace(SAMPLE_ID, str(newest(app).id))
    with database(typed, request) as there:
        result = run(*shlex.split(command.replace(TO, there))[2:], input="y\n")
    assert result.exit_code == 0, result.output


@contextmanager
def database(typed: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database on a server, if what is *typed* names one."""
    if TO not in typed:
        yield ""
        return
    server: Cluster = request.getfixturevalue("server")
    with server.database() as url:
        yield url.render_as_string(hide_password=False)


@pytest.mark.parametrize("code", ["0", "1", "2", "3"])
def test_the_exit_codes_are_explained(code: str) -> None:
    assert re.search(rf"^\| {code} \|", DOCUMENTED, re.MULTILINE)
    assert f" {code} " in " ".join(run_for(None)("--help").output.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_option_ends_with_2_and_says_nothing_on_standard_output(name: str) -> None:
    result = run_for(None)(*name.split(), "--no-such-option")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "--no-such-option" in result.stderr


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"init", "diff"}))
def test_without_an_app_commands_end_with_2_and_say_what_is_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLASK_APP", raising=False)
    result = run_for(None)(*name.split(), *(["x"] if name in ("show", "keys account", "db move") else []))
    assert result.exit_code == 2
    assert result.stdout == ""
