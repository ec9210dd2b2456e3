"""A bundle on the disk is whole, or not there; and its owner's alone."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from consent.audit.export import write_folder, write_zip
from consent.errors import LedgerError
from consent.ledger.bundle import Part
from tests.ledger.memory import MemoryLog

Write = Callable[[Iterable[Part], Path], None]
both = pytest.mark.parametrize("write", [write_folder, write_zip])


def parts() -> Iterator[Part]:
    return MemoryLog().grow(300).bundle().parts()


def test_folder_and_zip_have_the_same_files(tmp_path: Path) -> None:
    expected = MemoryLog().grow(300).files()
    write_folder(parts(), tmp_path / "folder")
    write_zip(parts(), tmp_path / "bundle.zip")
    folder = {
        str(path.relative_to(tmp_path / "folder")): path.read_bytes()
        for path in (tmp_path / "folder").rglob("*")
        if path.is_file()
    }
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == folder == expected


@both
def test_an_export_that_is_interrupted_leaves_nothing(tmp_path: Path, write: Write) -> None:
    def interrupted() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise KeyboardInterrupt

    def some() -> Iterator[Part]:
        yield from list(parts())[:3]
        yield Part("openings.jsonl", interrupted())

    with pytest.raises(KeyboardInterrupt):
        write(some(), tmp_path / "bundle")
    assert os.listdir(tmp_path) == []


def test_a_zip_that_is_interrupted_leaves_the_one_that_was_there(tmp_path: Path) -> None:
    def failing() -> Iterator[Part]:
        yield next(parts())
        raise OSError("the disk is full")

    (tmp_path / "bundle.zip").write_bytes(b"the last one")
    with pytest.raises(OSError, match="the disk is full"):
        write_zip(failing(), tmp_path / "bundle.zip")
    assert (tmp_path / "bundle.zip").read_bytes() == b"the last one"
    assert os.listdir(tmp_path) == ["bundle.zip"]


@pytest.mark.parametrize("there", ["folder", "file"])
def test_a_folder_replaces_nothing(tmp_path: Path, there: str) -> None:
    target = tmp_path / "bundle"
    target.mkdir() if there == "folder" else target.write_bytes(b"")
    with pytest.raises(FileExistsError, match="is there already"):
        write_folder(parts(), target)
    assert os.listdir(tmp_path) == ["bundle"]


@both
@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "a/../../out",
        "/tmp/out",
        ".",
        "..",
        "",
        "a//b",
        "a/./b",
        "a/",
        "a\\..\\out",
        "C:out",
        "a\0",
        "a\n",
    ],
)
def test_whatever_a_part_is_called_nothing_is_written_outside(
    tmp_path: Path, write: Write, name: str
) -> None:
    with pytest.raises(LedgerError, match="A bundle has no file that is called"):
        write([*list(parts())[:2], Part(name, [b"evil"])], tmp_path / "bundle")
    assert os.listdir(tmp_path) == []


@both
def test_what_was_written_is_its_owners_alone(tmp_path: Path, write: Write) -> None:
    write(parts(), tmp_path / "bundle")
    assert stat.S_IMODE((tmp_path / "bundle").stat().st_mode) & 0o077 == 0
