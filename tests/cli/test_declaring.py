"""``init`` and ``diff``: a policy to begin with, and what a new one changes. Neither needs an app."""

import io
import json
import os
import re
import sys
import textwrap
import tomllib
from datetime import date
from pathlib import Path
from types import ModuleType

import click
import pytest

from consent.cli.init import asked
from consent.policy import load
from tests.audit.clinic import NEXT_POLICY, POLICY

from .conftest import run_for

init = run_for(None)


def broken() -> None:
    """An app that can't be made."""
    raise RuntimeError("the app is broken")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- init


def test_init_writes_a_policy_that_can_be_used_at_once_and_says_what_to_paste(folder: Path) -> None:
    before = date.today()
    result = init("init")
    assert result.exit_code == 0
    policy = load(folder / "consent.toml")
    assert policy.revision == 1
    assert before <= policy.effective <= date.today()
    for paste in (
        "consent.init_app(app)",
        "{{ consent_head() }}",
        "{{ consent_banner() }}",
        "{{ consent_link() }}",
    ):
        assert paste in result.stdout


def test_init_fills_in_who_answers_for_the_site_whatever_the_name(folder: Path) -> None:
    name = 'Dr. "Ärzte" \\ & Söhne\t#1'.replace("\t", " ")
    result = init(
        "init", "--name", name, "--site", "https://clinic.example", "--contact", "privacy@clinic.example"
    )
    assert result.exit_code == 0
    controller = load(folder / "consent.toml").controller
    assert (controller.name, controller.site, controller.contact) == (
        name,
        "https://clinic.example",
        "privacy@clinic.example",
    )
    assert "flask consent check" in (folder / "consent.toml").read_text()


def test_init_leaves_a_file_alone_unless_forced(folder: Path) -> None:
    (folder / "consent.toml").write_text("mine")
    result = init("init")
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert (folder / "consent.toml").read_text() == "mine"
    assert init("init", "--force").exit_code == 0
    assert load(folder / "consent.toml").services


def test_init_writes_into_the_folder_or_file_named(folder: Path) -> None:
    (folder / "mysite").mkdir()
    assert init("init", "mysite").exit_code == 0
    assert load(folder / "mysite" / "consent.toml").services
    result = init("init", "clinic.toml")
    assert load(folder / "clinic.toml").services
    assert 'CONSENT_POLICY="clinic.toml"' in result.stdout


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--site", "nonsense"),
        ("--contact", "nobody"),
        ("--name", ""),
        ("--name", "a\x7fb"),
        ("--name", "a\nb"),
    ],
)
def test_init_refuses_what_the_policy_would_and_writes_nothing(folder: Path, option: str, value: str) -> None:
    result = init("init", option, value)
    assert result.exit_code == 2
    assert f"{option}:" in result.stderr
    assert os.listdir(folder) == []


def test_init_into_a_folder_that_is_not_there_ends_with_3(folder: Path) -> None:
    result = init("init", "no/such/file.toml")
    assert result.exit_code == 3
    assert (
        result.stderr
        == "Error: no/such/file.toml: there is no folder no/such. Make it first, or name another.\n"
    )


class Keyboard(io.StringIO):
    """Standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_init_asks_on_a_terminal_for_what_is_not_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard = Keyboard("https://clinic.example\n\n")
    prompted = []

    def read(prompt: str = "") -> str:
        prompted.append(prompt)
        return keyboard.readline().rstrip("\n")

    monkeypatch.setattr(sys, "stdin", keyboard)
    monkeypatch.setattr(click.termui, "visible_prompt_func", read)
    assert asked({"name": "Clinic", "site": None, "contact": None}) == {
        "name": "Clinic",
        "site": "https://clinic.example",
        "contact": "privacy@example.org",
    }
    assert len(prompted) == 2
    monkeypatch.undo()


def test_init_says_without_a_terminal_what_was_not_given(folder: Path) -> None:
    result = init("init", "--name", "Clinic", "--contact", "privacy@clinic.example")
    assert "--site not given" in result.stderr
    assert "--name" not in result.stderr


def test_what_init_prints_runs_as_it_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = init("init", "--site", "https://clinic.example").stdout
    app, template = (
        block
        for block in re.findall(r"(?:^(?:    .*|)\n)+", shown, re.MULTILINE)
        if block.strip() and "flask consent" not in block
    )
    (folder / "templates").mkdir()
    (folder / "templates" / "home.html").write_text(textwrap.dedent(template).strip())
    code = textwrap.dedent(app).replace("Flask(__name__)", f"Flask('clinic', root_path={str(folder)!r})")
    module = ModuleType("clinic")
    exec(code, module.__dict__)
    html = module.create_app().test_client().get("/").text
    assert '<meta charset="utf-8">' in html
    assert "pc-banner" in html
    assert "This visit is counted." not in html


# --- diff


@pytest.fixture
def old(folder: Path) -> Path:
    """The policy so far."""
    (folder / "old.toml").write_text(POLICY)
    return folder / "old.toml"


def new(folder: Path, text: str) -> Path:
    """The policy to be."""
    (folder / "new.toml").write_text(text)
    return folder / "new.toml"


@pytest.mark.requirement("TTL-05")
@pytest.mark.requirement("INF-06")
def test_diff_says_what_changed_materially_and_who_is_asked_again(folder: Path, old: Path) -> None:
    result = init("diff", str(old), str(new(folder, NEXT_POLICY)))
    assert result.exit_code == 0
    material, wording, asked = result.stdout.split("\n\n")
    assert "services.videos.retention: 30 days → 90 days" in material
    assert "change: (nothing) → Video Co keeps what it learns for longer." in wording
    assert asked.splitlines()[0] == "Asked again:"
    assert [line.split(":")[0].strip() for line in asked.splitlines()[1:]] == ["videos"]


@pytest.mark.requirement("TTL-05")
def test_diff_of_wording_asks_nobody(folder: Path, old: Path) -> None:
    text = POLICY.replace("Counts visits and the pages read.", "Counts visits, and the pages that are read.")
    result = init("diff", str(old), str(new(folder, text)), "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (found["material"], found["asked_again"], found["problem"]) == (False, [], None)
    (change,) = found["changes"]
    assert change == {
        "place": "services.statistics.text",
        "before": "Counts visits and the pages read.",
        "after": "Counts visits, and the pages that are read.",
        "material": False,
    }
    assert "nobody" in init("diff", str(old), str(folder / "new.toml")).stdout


@pytest.mark.requirement("POL-03")
def test_diff_ends_with_1_when_terms_changed_under_the_same_revision(folder: Path, old: Path) -> None:
    text = POLICY.replace('retention = "30 days"', 'retention = "90 days"')
    result = init("diff", str(old), str(new(folder, text)))
    assert result.exit_code == 1
    assert "revision = 2" in result.stdout
    assert json.loads(init("diff", str(old), str(folder / "new.toml"), "--json").stdout)["problem"]


def test_diff_compares_wording_only_where_the_new_policy_has_any(folder: Path, old: Path) -> None:
    wording = '[services.videos]\ntext = "Zeigt Filme."\n'
    (folder / "old.de.toml").write_text(wording)
    result = init("diff", str(old), str(new(folder, POLICY)))
    assert (result.exit_code, result.stdout) == (0, "Nothing differs.\n")
    assert "new.toml has no wording files beside it, such as new.de.toml" in result.stderr
    assert "wording in other languages is not compared" in result.stderr
    (folder / "new.de.toml").write_text(wording.replace("Filme", "Videos"))
    result = init("diff", str(old), str(folder / "new.toml"))
    assert "Zeigt Filme. → Zeigt Videos." in result.stdout
    assert result.stderr == ""


def test_diff_of_equal_policies_says_so(old: Path) -> None:
    result = init("diff", str(old), str(old))
    assert (result.exit_code, result.stdout) == (0, "Nothing differs.\n")


def test_diff_names_every_fault_of_a_policy_and_the_folder_it_lies_in(folder: Path, old: Path) -> None:
    (folder / "next").mkdir()
    (folder / "next" / "consent.toml").write_text(
        POLICY.replace('purposes = ["testing"]', 'purposes = ["tseting"]').replace(
            '"13 months"', '"13 moons"'
        )
    )
    result = init("diff", str(old), str(folder / "next" / "consent.toml"))
    assert result.exit_code == 3
    assert result.stdout == ""
    assert f"{folder}/next/consent.toml: services.experiment.purposes" in result.stderr
    assert "services.statistics.cookies.visit" in result.stderr
    assert "Traceback" not in result.stderr


def test_diff_of_a_file_that_is_not_there_ends_with_2(old: Path) -> None:
    result = init("diff", str(old), "nothing.toml")
    assert result.exit_code == 2
    assert "nothing.toml" in result.stderr


def test_a_broken_app_keeps_nobody_from_init_and_diff(folder: Path, old: Path) -> None:
    run = run_for(broken)  # type: ignore[arg-type]  # it never returns an app
    assert run("init").exit_code == 0
    assert run("diff", str(old), str(old)).exit_code == 0
    assert tomllib.loads((folder / "consent.toml").read_text())
