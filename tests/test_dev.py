"""``dev.py`` says in one line all that a machine lacks."""

import os
import shutil
from pathlib import Path

import pytest

import dev

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
