"""The files of a bundle: all that others need, nothing that isn't the log's, and none of a log with holes."""

import dataclasses
import hashlib
import json
import struct
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from consent.errors import LedgerError, ProofError
from consent.ledger import Sealed, leaf_hash
from consent.ledger.tile import tiles_of

from .memory import START, MemoryLog, files_of


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600])
def test_a_bundle_has_every_tile_and_every_leaf_where_outside_tools_look_for_them(size: int) -> None:
    log = MemoryLog().grow(size)
    files = log.files()
    tiles = tiles_of(size)
    assert {name for name in files if name.startswith("tile/")} == {
        *(tile.path for tile in tiles),
        *(tile.entries_path for tile in tiles if tile.level == 0),
    }
    found = list[bytes]()
    for tile in (tile for tile in tiles if tile.level == 0):
        data = files[tile.entries_path]
        while data:
            (length,) = struct.unpack(">H", data[:2])
            found.append(data[2 : 2 + length])
            data = data[2 + length :]
    assert found == [record.leaf for record in log.records]
    assert b"".join(files[tile.path] for tile in tiles if tile.level == 0) == b"".join(map(leaf_hash, found))


def test_what_was_recorded_after_the_checkpoint_is_not_in_it() -> None:
    log = MemoryLog().grow(300)
    note = log.checkpoint()
    before = files_of(log.bundle(note).parts())
    log.grow(700)
    log.erase(500)
    assert files_of(log.bundle(note).parts()) == before


def test_without_openings_nothing_personal_is_in_it() -> None:
    log = MemoryLog().grow(300)
    files = log.files(openings=False)
    assert "openings.jsonl" not in files
    assert not any(b'"granted"' in data for data in files.values())
    assert len(log.files()["openings.jsonl"].splitlines()) == 300


def test_an_opening_that_was_erased_while_the_bundle_was_made_is_nowhere_in_it() -> None:
    log = MemoryLog().grow(10)
    found = dict[str, bytes]()
    for part in log.bundle().parts():
        if part.path == "openings.jsonl":
            log.erase(7)
        found[part.path] = b"".join(part.chunks)
    assert [json.loads(line)["index"] for line in found["openings.jsonl"].splitlines()] == [*range(7), 8, 9]
    assert json.loads(found["erased.jsonl"]) == {"id": str(log.records[7].id), "index": 7}


@pytest.mark.parametrize(
    "gone", [[0], [5], [255], [256], [*range(256, 512)], [599], [*range(512, 600)], [*range(600)]]
)
def test_of_a_log_with_holes_there_is_no_bundle(gone: list[int]) -> None:
    log = MemoryLog().grow(600)

    def records() -> Iterator[Sealed]:
        return (record for record in log.records if record.index not in gone)

    with pytest.raises(LedgerError, match=r"missing|there are"):
        files_of(dataclasses.replace(log.bundle(), records=records).parts())


def test_of_a_log_whose_tiles_are_too_short_there_is_no_bundle() -> None:
    log = MemoryLog().grow(600)
    log.tiles.full[0, 1] = log.tiles.full[0, 1][0][:-32], log.tiles.full[0, 1][1]
    with pytest.raises(LedgerError, match="tile/0/001 is shorter"):
        log.files()


@pytest.mark.parametrize(
    "name",
    ["../../evil", "/tmp/evil", "a/b", ".", "..", "", "\x1b[31m", "\u202e", "A" * 64, "f" * 70_000, "a\n"],
)
def test_what_a_document_is_called_in_the_database_names_no_file_unless_it_is_a_hash(name: str) -> None:
    log = MemoryLog().grow(3)
    log.documents |= {name: b"a body", f"{name}/": b"a body"}
    misnamed = f"documents/misnamed-{hashlib.sha256(b'a body').hexdigest()}"
    paths = [part.path for part in log.bundle().parts() if part.path.startswith("documents/")]
    assert sorted(paths) == sorted([f"documents/{log.policy}", f"documents/{log.notice}", misnamed])
    assert log.files()[misnamed] == b"a body"


@pytest.mark.parametrize("pruned", [0, 256])
def test_of_a_log_with_a_leaf_that_is_longer_than_any_there_is_no_bundle(pruned: int) -> None:
    log = MemoryLog().grow(600)
    log.records[300] = dataclasses.replace(log.records[300], leaf=b"x" * 65_536)
    with pytest.raises(LedgerError, match="leaf of entry 300 has 65,536 bytes"):
        files_of(dataclasses.replace(log.bundle(), pruned=pruned).parts())


def test_a_bundle_needs_a_checkpoint() -> None:
    with pytest.raises(ProofError):
        MemoryLog().files("nothing signed")


def test_the_readme_names_the_log_and_says_that_the_key_comes_from_elsewhere() -> None:
    said = MemoryLog().grow(3).files()["README.txt"].decode()
    assert "clinic.example/privacy-choices: 3 entries" in said
    assert "python verify.py . --key KEY" in said
    assert "never from here" in said
    assert MemoryLog().signer.key not in said


def test_of_some_days_only_the_documents_go_in_that_their_openings_name_and_what_vouches_for_keys() -> None:
    log = MemoryLog().grow(3)
    log.append(log.event(3, time=START - timedelta(days=1), notice="ee" * 32))
    log.documents |= {"ee" * 32: b"the notice of the day before", "dd" * 32: b"a voucher", "aa" * 32: b"none"}
    bundle = dataclasses.replace(log.bundle(), needed=["dd" * 32])

    def documents(day: date) -> set[str]:
        files = files_of(dataclasses.replace(bundle, span=(day, day)).parts())
        return {name.removeprefix("documents/") for name in files if name.startswith("documents/")}

    assert documents(START.date()) == {log.policy, log.notice, "dd" * 32}
    assert documents(START.date() - timedelta(days=1)) == {log.policy, "ee" * 32, "dd" * 32}
    assert {name for name in files_of(bundle.parts()) if name.startswith("documents/")} == {
        f"documents/{hash}" for hash in log.documents
    }


def test_of_some_days_an_opening_that_was_erased_meanwhile_is_nowhere_in_it_and_its_tombstone_is() -> None:
    log = MemoryLog().grow(10)
    bundle = dataclasses.replace(log.bundle(), span=(START.date(), START.date()))
    found = dict[str, bytes]()
    for part in bundle.parts():
        if part.path == "openings.jsonl":
            log.erase(7)
        found[part.path] = b"".join(part.chunks)
    assert [json.loads(line)["index"] for line in found["openings.jsonl"].splitlines()] == [*range(7), 8, 9]
    assert json.loads(found["erased.jsonl"])["index"] == 7
