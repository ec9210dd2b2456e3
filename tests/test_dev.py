"""``dev.py`` runs every test once, and says in one line all that a machine lacks."""

import os
import shutil
import sys
from pathlib import Path

import pytest

import dev

TESTS = Path(__file__).parent
PACKAGES = "chromium nginx-light default-jre-headless postgresql sqlite3"
ELSEWHERE = (
    "Chromium, or set CONSENT_CHROMIUM to its path, and nginx, or set CONSENT_NGINX to its path, "
    "and Java 17 or later, so that `java` is on PATH, "
    "and PostgreSQL, or set CONSENT_TEST_PG_URL to a server's URL, and SQLite's shell, sqlite3"
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine on which an ordinary user works, and none of the programs is to be found."""
    for name in ("CONSENT_CHROMIUM", "CONSENT_FIREFOX", "CONSENT_NGINX", "CONSENT_TEST_PG_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: iter(()))
    monkeypatch.setattr(dev, "installed", lambda package: package != "chromium")
    return monkeypatch


@pytest.mark.parametrize(
    ("debian", "says"),
    [
        (True, f"please run: sudo apt-get install {PACKAGES}; then run this again"),
        (False, f"please install {ELSEWHERE}; then run this again"),
    ],
)
def test_all_programs_to_be_installed_by_hand_stand_in_one_line(
    bare: pytest.MonkeyPatch, debian: bool, says: str
) -> None:
    bare.setattr(dev, "on_debian", lambda: debian)
    with pytest.raises(dev.Missing) as caught:
        dev.programs()
    assert str(caught.value) == says


def test_the_full_run_asks_for_a_second_browser(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(dev, "on_debian", lambda: True)
    with pytest.raises(dev.Missing, match="chromium nginx-light firefox-esr default-jre-headless"):
        dev.programs(full=True)


def test_what_is_there_is_not_named(bare: pytest.MonkeyPatch) -> None:
    bare.setattr(dev, "on_debian", lambda: True)
    bare.setattr(shutil, "which", lambda name: None if name in ("java", "sqlite3") else f"/bin/{name}")
    bare.setattr(dev, "installed", lambda package: True)
    with pytest.raises(dev.Missing, match="install default-jre-headless sqlite3; then"):
        dev.programs()


def test_every_file_of_tests_is_in_one_part_of_the_run() -> None:
    files = [str(file.relative_to(TESTS.parent)) for file in TESTS.rglob("test_*.py")]
    assert sorted(file for part in dev.test_parts() for file in part) == sorted(files)


def test_no_part_of_the_run_is_empty() -> None:
    assert all(dev.test_parts())


def test_the_run_ends_with_the_worst_of_its_parts_and_shows_what_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_good.py").write_text("def test_good(): pass\n")
    (tmp_path / "test_bad.py").write_text("def test_bad(): assert 'this' == 'that'\n")
    parts = [[str(tmp_path / f"test_{name}.py")] for name in ("bad", "good", "good")]
    monkeypatch.setattr(dev, "test_parts", lambda: parts)
    monkeypatch.setattr(dev, "PYTHON", Path(sys.executable))
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    assert dev.test_all(["-c", os.devnull, "-p", "no:cacheprovider"], environment) == 1
    said = capfd.readouterr().out
    assert [said.count(text) for text in ("[3/3]", ": 1 passed in ", ": 1 failed in ")] == [1, 2, 1]
    assert "'this' == 'that'" in said


def test_what_is_run_keeps_what_it_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(dev, "set_up", lambda *, tools: None)
    ran: list[dict[str, str]] = []
    monkeypatch.setattr(os, "chdir", lambda folder: None)
    monkeypatch.setattr(os, "execve", lambda path, command, environment: ran.append(environment))
    dev.main(["states"])
    assert ["PYTHONDONTWRITEBYTECODE" in each for each in ran] == [False]
