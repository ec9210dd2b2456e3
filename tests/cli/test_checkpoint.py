"""``flask consent checkpoint``: what is printed and published, and what is never replaced."""

import os
import stat
from pathlib import Path

import pytest
from flask import Flask

from consent.ledger import Checkpoint, Ledger, open_checkpoint
from consent.ledger.merkle import HASH_BYTES, root_of
from consent.ledger.note import Note
from consent.ledger.tile import TileReader
from tests.audit.clinic import Clock, MakeApp, visit

from .conftest import Run, run_for
from .test_doctor import lines

ORIGIN = "clinic.example/privacy-choices"


class Published:
    """The tiles in a folder, as whoever fetches them has them (``TileStore``)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tile(self, level: int, index: int) -> bytes:
        whole = self._folder / f"tile/{level}/{index:03}"
        partial = sorted(whole.with_name(f"{whole.name}.p").glob("[0-9]*"), key=lambda path: int(path.name))
        return (whole if whole.exists() else partial[-1]).read_bytes()


def published(folder: Path, ledger: Ledger) -> Checkpoint:
    """The checkpoint in *folder*, which the tiles there have to bear out."""
    found = open_checkpoint((folder / "checkpoint").read_text(), ledger.verifier_keys(), ORIGIN)
    assert root_of(found.size, TileReader(Published(folder))) == found.root
    return found


def test_the_newest_checkpoint_is_printed_as_it_is_signed(app: Flask, run: Run, ledger: Ledger) -> None:
    visit(app, "all")
    result = run("checkpoint")
    assert result.exit_code == 0
    head = ledger.head()
    assert open_checkpoint(result.stdout, ledger.verifier_keys(), ORIGIN) == Checkpoint(
        ORIGIN, head.size, head.root
    )
    assert run("checkpoint").stdout == result.stdout == ledger.checkpoint()


def test_before_anything_is_recorded_there_is_none_and_no_database_is_made(run: Run, tmp_path: Path) -> None:
    result = run("checkpoint")
    assert (result.exit_code, result.stdout) == (3, "")
    assert not (tmp_path / "instance").exists()


def test_what_is_published_can_be_checked_by_whoever_fetches_it(
    app: Flask, run: Run, ledger: Ledger, tmp_path: Path
) -> None:
    there = tmp_path / "published"
    visit(app, "all")
    result = run("checkpoint", "--publish-to", str(there))
    assert result.exit_code == 0, result.output
    assert result.stdout == (there / "checkpoint").read_text()
    first = published(there, ledger)
    assert first.size == ledger.size()
    for _ in range(3):
        visit(app, "none")
    run("checkpoint", "--publish-to", str(there))
    assert published(there, ledger).size == first.size + 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in there.rglob("*") if path.is_file()} == {0o644}
    assert not list(there.rglob(".*"))
    tile = there / "tile" / "0" / f"000.p/{first.size + 3}"
    assert tile.stat().st_size == HASH_BYTES * (first.size + 3)


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ("{note}", "holds a checkpoint of 9 entries"),
        ("?", "is no checkpoint"),
        ("other.example/privacy-choices\n1\n{root}\n\n{line}\n", "checkpoint of another log, other.example"),
        (ORIGIN + "\n2\n{root}\n\n{line}\n", "the log was rewritten"),
    ],
)
def test_a_checkpoint_that_the_log_doesnt_continue_is_named_and_not_replaced(
    app: Flask, run: Run, ledger: Ledger, tmp_path: Path, lies: str, said: str
) -> None:
    visit(app, "all")
    note = Note.parse(ledger.sign())
    _, size, root = note.text.split("\n")[:3]
    line = note.signatures[0].to_line().strip()
    text = lies.format(note=note.to_text().replace(f"\n{size}\n", "\n9\n"), root=root, line=line)
    (tmp_path / "checkpoint").write_text(text)
    result = run("checkpoint", "--publish-to", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert "Nothing was published" in result.stderr
    assert (tmp_path / "checkpoint").read_text() == text
    assert not (tmp_path / "tile").exists()


def test_doctor_says_when_nobody_outside_is_known_to_hold_a_recent_one(
    make_app: MakeApp, tmp_path: Path, clock: Clock
) -> None:
    def said(level: str) -> list[str]:
        app = make_app(SESSION_COOKIE_SECURE=True)
        app.add_url_rule("/", "home", lambda: "home")
        return [line for line in lines(app)[level] if line.startswith("checkpoint: ")]

    assert said("ok") == said("look") == []
    app = make_app()
    visit(app, "all")
    assert "none was published" in said("look")[0]
    run_for(app)("checkpoint", "--publish-to", str(tmp_path / "published"))
    os.utime(tmp_path / "instance" / "consent.published", (clock(), clock()))
    assert "one of 3 entries was published" in said("ok")[0]
    clock.now += 30 * 86_400
    assert "one of 3 entries was published" in said("ok")[0]
    visit(app, "none")
    assert "published 30 days ago, and 1 entries" in said("look")[0]
