"""Bundles made to do harm: each ends in a verdict, or in being refused, and in nothing else."""

import hashlib
import os
import random
import struct
import zipfile
from pathlib import Path

import pytest

from consent.ledger import Checkpoint
from consent.ledger.note import sign
from consent.verify import LONGEST_DOCUMENT, Unreadable, main, shown
from tests.ledger.memory import MemoryLog

from .bundles import KEY, checked, folder, places, zipped


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return MemoryLog().grow(20)


def test_a_zip_that_unpacks_to_far_more_than_it_is(tmp_path: Path, log: MemoryLog) -> None:
    bomb = zipped(tmp_path / "b.zip", log.files() | {"openings.jsonl": bytes(50 * 2**20)})
    with pytest.raises(Unreadable, match=r"openings\.jsonl"):
        checked(bomb)


def test_a_zip_that_states_less_than_it_unpacks_to(tmp_path: Path, log: MemoryLog) -> None:
    path = zipped(tmp_path / "b.zip", log.files() | {"openings.jsonl": bytes(50 * 2**20)})
    data = path.read_bytes().replace(struct.pack("<I", 50 * 2**20), struct.pack("<I", 1000))
    path.write_bytes(data)
    report = checked(path)
    assert report.verdict == "tampered"


def test_files_that_lie_over_each_other_in_a_zip(tmp_path: Path, log: MemoryLog) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint", os.urandom(100_000))
        first = archive.infolist()[0]
        for number in range(50):
            same = zipfile.ZipInfo(f"documents/{number:064x}")
            for name in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(same, name, getattr(first, name))
            archive.filelist.append(same)
            archive.NameToInfo[same.filename] = same
    with pytest.raises(Unreadable, match="over each other"):
        checked(path)


def test_a_zip_with_more_files_than_are_read(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(300):
            archive.writestr(zipfile.ZipInfo(f"{number:060000d}"), b"")
    with pytest.raises(Unreadable, match="more files"):
        checked(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/passwd",
        "tile/../../x",
        "tile//x",
        "C:\\x",
        "a\\..\\b",
        "checkpoint",
        "./checkpoint",
    ],
)
def test_names_in_a_zip_that_no_bundle_has(tmp_path: Path, log: MemoryLog, name: str) -> None:
    path = zipped(tmp_path / "b.zip", log.files())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    report = checked(path)
    assert (report.verdict, places(report)) == ("tampered", [shown(name)])
    assert sorted(os.listdir(tmp_path)) == ["b.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack_are_refused(tmp_path: Path, log: MemoryLog, method: int) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("openings.jsonl", b"x" * 1000)
    assert "openings.jsonl" in places(checked(path))


def test_what_is_no_zip_or_not_there_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 and nothing else")
    (tmp_path / "empty.zip").write_bytes(b"")
    for name in ("b.zip", "empty.zip", "missing\x1b[2J.zip"):
        assert main([str(tmp_path / name), "--key", KEY]) == 3
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("Error: ")
        assert "\x1b" not in said.err


def test_any_damage_to_a_zip_ends_in_a_verdict_or_is_refused(tmp_path: Path, log: MemoryLog) -> None:
    path = zipped(tmp_path / "b.zip", log.files())
    good = path.read_bytes()
    chance = random.Random(7)
    found = set[str]()
    for _ in range(1500):
        data = bytearray(good)
        for _ in range(chance.choice((1, 1, 2, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(bytes(data[: chance.choice((len(data), chance.randrange(len(data))))]))
        try:
            found.add(checked(path).verdict)
        except Unreadable:
            found.add("unreadable")
    assert {"tampered", "bad-signature", "unreadable"} <= found


def test_any_damage_to_any_file_ends_in_a_verdict(tmp_path: Path, log: MemoryLog) -> None:
    files = log.files()
    path = folder(tmp_path / "b", files)
    chance = random.Random(11)
    for name, good in files.items():
        if name in {"README.txt", "verify.py", "erased.jsonl"}:
            continue
        for _ in range(60):
            data = bytearray(good)
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
            (path / name).write_bytes(data)
            if bytes(data) != good:
                assert not checked(path).right, (name, at)
        (path / name).write_bytes(good)
    assert checked(path).right


@pytest.mark.parametrize("target", ["checkpoint", "openings.jsonl", "tile/0/000.p/20", "erased.jsonl"])
def test_links_in_a_folder_are_not_followed(tmp_path: Path, log: MemoryLog, target: str) -> None:
    path = folder(tmp_path / "b", log.files())
    outside = tmp_path / "outside"
    os.rename(path / target, outside)
    (path / target).symlink_to(outside)
    report = checked(path)
    assert not report.right
    assert target in [finding.place for finding in report.findings]


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path, log: MemoryLog) -> None:
    path = folder(tmp_path / "b", log.files())
    os.rename(path / "tile", tmp_path / "outside")
    (path / "tile").symlink_to(tmp_path / "outside")
    assert "tile/0/000.p/20" in places(checked(path))


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path, log: MemoryLog) -> None:
    path = folder(tmp_path / "b", log.files())
    (path / "openings.jsonl").unlink()
    os.mkfifo(path / "openings.jsonl")
    assert places(checked(path)) == ["openings.jsonl"]


def test_a_document_is_read_up_to_the_length_that_any_has(tmp_path: Path, log: MemoryLog) -> None:
    def held(data: bytes) -> str:
        return f"documents/{hashlib.sha256(data).hexdigest()}"

    longest, longer = bytes(LONGEST_DOCUMENT), bytes(LONGEST_DOCUMENT + 1)
    path = folder(tmp_path / "b", log.files() | {held(longest): longest, held(longer): longer})
    with (path / "documents" / ("0" * 64)).open("wb") as sparse:
        sparse.truncate(2**35)
    report = checked(path)
    assert places(report) == sorted([f"documents/{'0' * 64}", held(longer)])
    assert "longer than 16,777,216 bytes" in report.findings[0].said


@pytest.mark.parametrize(
    "line",
    [
        b'{"index":1,"index":1,"opening":"","salt":""}\n',
        b'{"index":1,"opening":"","opening":"","salt":""}\n',
        b'{"index":' + b"9" * 100_000 + b',"opening":"","salt":""}\n',
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        b"x" * 2**20,
        b'{"index": 1,"opening":"","salt":""}\n',
        b'{"index":1,"opening":"","salt":""}',
    ],
    ids=["key twice", "opening twice", "huge number", "deep", "no text", "long", "spaces", "no end"],
)
def test_lines_that_are_no_openings(tmp_path: Path, log: MemoryLog, line: bytes) -> None:
    report = checked(folder(tmp_path / "b", log.files() | {"openings.jsonl": line}))
    assert places(report) == ["openings.jsonl, line 1"]


def test_a_checkpoint_of_a_huge_log_with_nothing_in_it_is_soon_done(tmp_path: Path, log: MemoryLog) -> None:
    for number, size in enumerate((0, 2**31 + 5, 2**62)):
        note = sign(Checkpoint(log.records[0].outline().origin, size, bytes(32)).to_text(), log.signer)
        path = folder(tmp_path / str(number), {"checkpoint": note.encode()})
        if size == 2**62:
            with pytest.raises(Unreadable, match="larger"):
                checked(path)
        else:
            assert checked(path).verdict == "tampered"


@pytest.mark.parametrize(
    "note", [b"", b"\n\n", b"\xff" * 10, b"x\n" * 100_000, b"a\n1\n\n" + "— a b\n".encode() * 90_000, b"\0"]
)
def test_a_checkpoint_that_is_none(tmp_path: Path, log: MemoryLog, note: bytes) -> None:
    report = checked(folder(tmp_path / "b", log.files() | {"checkpoint": note}))
    assert report.verdict == "bad-signature"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n",
        "\n\n",
        "é" * 10_000,
        "\0",
    ],
)
def test_what_was_kept_outside_and_is_nothing(tmp_path: Path, log: MemoryLog, text: str) -> None:
    path = folder(tmp_path / "b", log.files())
    for report in (checked(path, outside=(text,)), checked(path, receipts=(text,))):
        assert report.verdict == "bad-signature"


def test_nothing_that_is_printed_drives_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;x\x07\u202egpj\n\udc80"
    assert shown(evil) == "\\x1b]0;x\\x07\\u202egpj\\n\\udc80"
    assert shown("x" * 500) == "x" * 200 + "…"
    path = folder(tmp_path / "b", MemoryLog().grow(3).files() | {"documents/\x1b[2J": b"", "\x1b[31m": b""})
    assert main([str(path), "--key", KEY]) == 1
    said = capsys.readouterr().out
    assert "documents/\\x1b[2J" in said
    assert "\x1b" not in said


def test_a_log_whose_name_drives_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = MemoryLog().grow(3).files()["checkpoint"].replace(b"clinic", b"\xc2\x9b31m")
    assert main([str(folder(tmp_path / "b", {"checkpoint": note})), "--key", KEY]) == 1
    assert "\x9b" not in capsys.readouterr().out


def test_so_many_findings_end_the_check(tmp_path: Path) -> None:
    files = MemoryLog().grow(600).files()
    report = checked(folder(tmp_path / "b", files | {"erased.jsonl": b"", "openings.jsonl": b""}))
    assert len(report.findings) == 200
    assert report.verdict == "missing-opening"
    assert "Stopped after 200" in report.remarks[-1]
