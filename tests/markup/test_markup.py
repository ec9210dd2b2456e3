"""The Nu HTML checker reads every form of our markup: whole pages, in each language, and what stands inert.

It comes from the npm registry, and needs Java; without either the tests fail and say what to install.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.browser.libraries import cache_folder, file_of
from tests.demo.conftest import demo

from .documents import documents

Findings = Mapping[str, Sequence[str]]


def checked(found: Mapping[str, str], folder: Path, checker: Path) -> Findings:
    """What the checker says of each document of *found*, all in one run; *folder* is a place for them."""
    java = shutil.which("java")
    if java is None:
        pytest.fail(
            "the HTML checker needs Java, so nothing is checked: apt-get install default-jre-headless"
        )
    names = {f"{number:03}.html": name for number, name in enumerate(found)}
    for file, name in names.items():
        (folder / file).write_text(found[name], encoding="utf-8")
    command = [java, "-Xmx512m", "-jar", str(checker), "--format", "json", "--stdout", "--exit-zero-always"]
    done = subprocess.run(
        [*command, *(str(folder / file) for file in names)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, list[str]] = {name: [] for name in found}
    for message in json.loads(done.stdout)["messages"]:
        place = f"line {message.get('lastLine')}: {message['message']} {message.get('extract', '')!r}"
        said[names[Path(urlsplit(message["url"]).path).name]].append(f"{message['type']}, {place}")
    return said


@pytest.fixture(scope="session")
def checker(pytestconfig: pytest.Config) -> Path:
    """The checker's program."""
    return file_of("vnu", cache_folder(pytestconfig))


@pytest.mark.requirement("ENF-02")
@pytest.mark.requirement("ENF-07")
def test_every_form_of_our_markup_is_valid(checker: Path, tmp_path: Path, prepared_demo: Path) -> None:
    def make(**config: object) -> Flask:
        return demo(prepared_demo, **config)

    found = dict(documents(tmp_path / "clinic", make))
    folder = tmp_path / "documents"
    folder.mkdir()
    # What must be found is checked in the same run, so that a checker that says nothing can't pass.
    wrong = '<!doctype html><html lang="en"><title>x</title><script type="text/plain" src="/x.js"></script>'
    said = dict(checked({**found, "wrong": wrong}, folder, checker))
    assert any("src" in each for each in said.pop("wrong"))
    assert len(found) > 40
    faults = [f"{name}: {each}" for name, messages in said.items() for each in messages]
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def prepared_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample site's folder."""
    return tmp_path_factory.mktemp("demo") / "instance"
