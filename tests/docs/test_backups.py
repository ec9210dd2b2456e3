"""docs/retention.md: a backup comes back, and what was erased since does not (PostgreSQL's: tests/storage)."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from consent import Consent
from consent.storage import OwnStorage
from consent.testing import ConsentClient
from consent.web.site import Site
from tests.web.clinic import POLICY, Visitor
from tests.web.test_erasure import erase

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "retention.md").read_text(encoding="utf-8")
SITE = """
from flask import Flask
from consent import Consent

def create_app():
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY="a key for tests")
    Consent().init_app(app)
    return app
"""


def commands(title: str) -> list[list[str]]:
    """The commands under the heading *title*, block by block."""
    section = re.search(rf"^### {title}$(.*?)(?=^##|\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert section
    blocks = re.findall(r"^```console\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    return [re.findall(r"^\$ (.*)$", block, re.MULTILINE) for block in blocks]


def shell(folder: Path, *lines: str) -> str:
    """What these lines print when a shell in *folder* runs them; each must end well."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(lines)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.requirement("LOG-05")
def test_a_sqlite_backup_comes_back_without_what_was_erased_since(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_text(POLICY)
    (tmp_path / "app.py").write_text(SITE)
    app = Flask("app", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.config.from_mapping(SECRET_KEY="a key for tests")
    app.test_client_class = ConsentClient
    Consent().init_app(app)
    erased, kept = Visitor(app.test_client()), Visitor(app.test_client())
    for visitor in (erased, kept):
        visitor.answer("all")
    backing_up, restoring = commands("SQLite")

    assert shell(tmp_path, *backing_up) == "ok\n"
    assert erase(erased).status_code == 200
    site: Site = app.extensions["consent"]
    storage = site.recorder.ledger.storage
    assert isinstance(storage, OwnStorage)
    storage.close()
    assert "events that had been erased were back" in shell(tmp_path, *restoring)

    with closing(sqlite3.connect(tmp_path / "instance" / "consent.sqlite3")) as database:
        (openings,) = database.execute("SELECT count(*) FROM opening WHERE subject IS NOT NULL").fetchone()
        (entries,) = database.execute("SELECT count(*) FROM entry").fetchone()
    assert (openings, entries) == (
        1,
        5,
    )  # two of the log's own, one of each visitor, and what was erased again
