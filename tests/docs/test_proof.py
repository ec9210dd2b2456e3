"""docs/proof.md: its commands show what they say, on a site with visitors."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from flask import Flask

from consent import Consent
from consent.ledger import Kind
from consent.storage import OwnStorage
from consent.testing import ConsentClient
from consent.web.site import Site
from tests.web.clinic import POLICY, Visitor
from tests.web.test_receipts import file_at, link_of

from .test_backups import ROOT, SITE

GUIDE = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
TAKEN, ALTERED, COPY, RESTORED, ERASED = re.findall(
    r"^```console\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL
)


def run(folder: Path, block: str, **variables: str) -> None:
    """Run the commands of *block* in *folder*; each prints the lines below it, of which … stands for any others."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT), **variables}
    for command, below in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        for line in filter(None, (line.strip("…").strip() for line in below.splitlines())):
            assert line in said, f"{command}: {said}"
        faulty = re.match(r"tampered|truncated|Error", below)
        assert (done.returncode == 0) is (faulty is None), f"{command}: {said}"


def visited(folder: Path, choice: str, receipt: str | None = None) -> Site:
    """The site in *folder* after somebody answered and withdrew; what it holds is closed.

    In between they saved the *receipt* of the answer under this name.
    """
    app = Flask("app", root_path=str(folder), instance_path=str(folder / "instance"))
    app.config.from_mapping(SECRET_KEY="a key for tests")
    app.test_client_class = ConsentClient
    Consent().init_app(app)
    visitor = Visitor(app.test_client())
    address = link_of(visitor, choice)
    if receipt:
        (folder / receipt).write_bytes(file_at(visitor.client, address).data)
    assert visitor.answer("none").status_code == 303
    site: Site = app.extensions["consent"]
    close(site)
    return site


def close(site: Site) -> None:
    storage = site.recorder.ledger.storage
    assert isinstance(storage, OwnStorage)
    storage.close()


def put(folder: Path, name: str) -> None:
    """Put the database *name* in the place of the site's."""
    for file in (folder / "instance").glob("consent.sqlite3*"):
        file.unlink()
    shutil.copy(folder / name, folder / "instance" / "consent.sqlite3")


def test_the_chapters_commands_show_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_text(POLICY)
    (tmp_path / "app.py").write_text(SITE)
    database = tmp_path / "instance" / "consent.sqlite3"
    site = visited(tmp_path, "all", receipt="answer.tlog-proof")
    key = site.recorder.ledger.verifier_keys()[0]
    close(site)

    run(tmp_path, TAKEN)
    shutil.copy(database, tmp_path / "sound.sqlite3")
    run(tmp_path, ALTERED)
    run(tmp_path, COPY, KEY=key)

    put(tmp_path, "sound.sqlite3")
    site = visited(tmp_path, "all")
    (tmp_path / "newer.txt").write_text(site.recorder.ledger.sign())
    close(site)
    shutil.copy(database, tmp_path / "newest.sqlite3")
    run(tmp_path, RESTORED)
    site = visited(tmp_path, "all")  # who answers and withdraws meanwhile is served
    assert [record.outline().kind for record in site.recorder.ledger.newest(limit=2)] == [
        Kind.WITHDRAWN,
        Kind.GIVEN,
    ]
    close(site)

    put(tmp_path, "newest.sqlite3")
    run(tmp_path, ERASED, ID=next(str(each.id) for each in site.recorder.ledger.newest(limit=1)))
