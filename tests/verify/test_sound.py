"""A bundle in which everything is as it was recorded, and what else may rightly be said of it."""

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import pytest

from consent.audit.export import write_folder, write_zip
from consent.ledger.merkle import root_of
from consent.ledger.tile import TileReader, tiles_of
from consent.verify import Folder, Report, Tree, joined, tile_path
from tests.ledger.memory import ORIGIN, START, FullTiles, MemoryLog, files_of, signer_of

from .bundles import checked, days, folder, places, zipped


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 600])
def test_a_sound_bundle_is_ok_whether_folder_or_zip(tmp_path: Path, size: int) -> None:
    log = MemoryLog().grow(size)
    write_folder(log.bundle(program=b"pass").parts(), tmp_path / "bundle")
    write_zip(log.bundle(program=b"pass").parts(), tmp_path / "bundle.zip")
    for name in ("bundle", "bundle.zip"):
        report = checked(tmp_path / name, outside=(log.checkpoint(max(1, size // 2)), log.checkpoint()))
        assert (report.verdict, report.findings) == ("ok", [])
        assert report.facts == {
            "origin": ORIGIN,
            "entries": size,
            "root": root_of(size, TileReader(log.tiles)).hex(),
            "newest_hour": "2026-11-21T18:00:00Z",
            "openings": size,
            "anchored": size,
        }


def test_every_earlier_checkpoint_and_receipt_of_every_small_log_is_confirmed(tmp_path: Path) -> None:
    # Roots, edges and proofs by two implementations that share nothing: what the one signs the other has to find.
    log = MemoryLog()
    for size in range(1, 40):
        log.grow(size)
        path = folder(tmp_path / str(size), log.files())
        kept = tuple(log.checkpoint(old) for old in range(1, size + 1))
        receipts = tuple(
            log.receipt(index, old).to_text() for old in {size, size // 2 + 1} for index in range(old)
        )
        assert checked(path, outside=kept, receipts=receipts).verdict == "ok"


def test_both_implementations_find_the_same_roots_in_the_same_tiles(tmp_path: Path) -> None:
    log = MemoryLog().grow(700)
    source = Folder(folder(tmp_path / "bundle", log.files()))
    tree = Tree(source, 700, Report(), lambda index, width, stated: None)
    reader = TileReader(log.tiles)
    assert [tree.root(size) for size in range(1, 701)] == [root_of(size, reader) for size in range(1, 701)]
    for size in [*range(1, 700), 65_535, 65_536, 65_537, 256**3 + 5]:
        own = Tree(source, size, Report(), lambda index, width, stated: None)
        tiles = [tile for tile in tiles_of(size) if tile.width < 256]
        edge = [
            (level, index)
            for level in range(4)
            if (index := size >> 8 * (level + 1)) * 256 < size >> 8 * level
        ]
        assert [(tile.level, tile.index) for tile in tiles] == sorted(edge)
        assert [tile.path for tile in tiles] == [
            tile_path(*place, own.width(*place)) for place in sorted(edge)
        ]


def test_levels_above_the_second_are_followed_too() -> None:
    hashes = [number.to_bytes(32, "big") for number in range(256 * 256 + 300)]
    store = FullTiles()
    store.grow(hashes)
    for size in (65_535, 65_536, 65_537, 65_792, 65_836):
        edge = [
            store.tile(level, size >> 8 * (level + 1))[: count * 32]
            for level in range(3)
            if (count := (size >> 8 * level) % 256)
        ]
        assert joined(edge) == root_of(size, TileReader(store))


def test_without_anything_from_outside_a_bundle_is_consistent_and_unanchored(tmp_path: Path) -> None:
    report = checked(folder(tmp_path / "bundle", MemoryLog().grow(5).files()))
    assert (report.verdict, report.right) == ("unanchored", True)


def test_what_an_earlier_checkpoint_confirms_is_said_in_numbers(tmp_path: Path) -> None:
    log = MemoryLog().grow(5)
    report = checked(folder(tmp_path / "bundle", log.files()), outside=(log.checkpoint(3),))
    assert report.verdict == "ok"
    assert report.remarks == ["What was kept outside confirms the first 3 of 5 entries."]


def test_an_erased_opening_is_named_and_no_fault(tmp_path: Path) -> None:
    log = MemoryLog().grow(300)
    log.erase(7)
    log.erase(299)
    report = checked(folder(tmp_path / "bundle", log.files()), outside=(log.checkpoint(),))
    assert (report.verdict, report.right) == ("erased", True)
    assert report.facts["openings"] == 298


def test_a_receipt_from_before_an_erasure_still_confirms(tmp_path: Path) -> None:
    log = MemoryLog().grow(9)
    receipt = log.receipt(7).to_text()
    log.erase(7)
    report = checked(
        folder(tmp_path / "bundle", log.grow(20).files()), receipts=(receipt, log.receipt(7).to_text())
    )
    assert report.verdict == "erased"


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize("openings", [True, False])
def test_pruned_leaves_are_named_and_the_others_still_checked(tmp_path: Path, openings: bool) -> None:
    log = MemoryLog().grow(600)
    receipt, kept = log.receipt(7).to_text(), log.checkpoint(300)
    log.prune(512)
    files = log.files(openings=openings)
    assert "tile/entries/001" not in files
    assert files["kept.jsonl"].count(b"\n") == 1  # entry 0
    report = checked(
        folder(tmp_path / "bundle", files), outside=(kept, log.checkpoint()), receipts=(receipt,)
    )
    assert (report.verdict, report.right) == ("pruned", True)
    assert places(report, "pruned") == ["entries 0 to 511"]
    assert report.facts["anchored"] == 601
    assert report.facts["openings"] == (90 if openings else 0)


@pytest.mark.requirement("LOG-09")
def test_what_stays_of_a_pruned_log_is_checked_with_its_opening(tmp_path: Path) -> None:
    log = MemoryLog().grow(20)
    log.append(log.event(20, kind="operated", key=signer_of(bytes(range(1, 33))).key))
    log.grow(300).prune(256).grow(600).prune(512)
    files = log.files()
    lines = [json.loads(line)["index"] for line in files["kept.jsonl"].splitlines()]
    assert lines == [0, 20, 300]
    report = checked(folder(tmp_path / "bundle", files), outside=(log.checkpoint(),))
    assert (report.verdict, report.facts["openings"]) == ("pruned", 601 - 512 + 3)


@pytest.mark.requirement("LOG-09")
def test_what_is_missing_or_altered_around_a_pruning_is_named(tmp_path: Path) -> None:
    log = MemoryLog().grow(600).prune(256)
    files = log.files()
    kept, others = files["kept.jsonl"], "tile/entries/001"
    more = b'{"index":300,"leaf":"e30="}\n'
    changes: tuple[tuple[dict[str, bytes | None], str], ...] = (
        ({"kept.jsonl": kept.replace(b'"leaf":"e', b'"leaf":"f')}, "entry 0"),
        ({"kept.jsonl": b""}, "entry 0"),
        ({"kept.jsonl": kept + b'{"index":9,"leaf":"e30="}\n'}, "entry 9"),
        ({"kept.jsonl": kept + more}, "kept.jsonl, line 2"),
        ({others: b""}, others),
        ({others: None}, "entries 256 to 511"),  # as if they were pruned, too
        ({"tile/0/000": bytes(8192)}, "tile/0/000"),
    )
    for number, (change, place) in enumerate(changes):
        changed = {name: data for name, data in ({**files, **change}).items() if data is not None}
        report = checked(folder(tmp_path / str(number), changed), outside=(log.checkpoint(),))
        assert (report.verdict, place in places(report)) == ("tampered", True), report.findings
    for number, byte in enumerate(range(0, len(kept), 7)):
        flipped = bytearray(kept)
        flipped[byte] ^= 1
        path = folder(tmp_path / f"flipped-{number}", files | {"kept.jsonl": bytes(flipped)})
        assert checked(path).verdict == "tampered", byte


@pytest.mark.requirement("LOG-09")
def test_a_pruning_that_no_event_in_the_signed_tree_names_is_tampered(tmp_path: Path) -> None:
    log = MemoryLog().grow(600)
    log.first = 256
    report = checked(folder(tmp_path / "bundle", log.files()))
    assert places(report) == ["entries 0 to 255"]
    log.append(log.event(600, kind="pruned", min_index=1024))  # of what isn't there yet
    assert places(checked(folder(tmp_path / "later", log.files()))) == ["entries 0 to 255"]


def test_leaves_that_are_missing_in_the_middle_are_not_taken_for_pruned(tmp_path: Path) -> None:
    files = MemoryLog().grow(600).files()
    del files["tile/entries/001"]
    report = checked(folder(tmp_path / "bundle", files))
    assert "tile/entries/001" in places(report)


def test_without_openings_all_else_is_checked_and_that_is_said(tmp_path: Path) -> None:
    log = MemoryLog().grow(30)
    log.erase(4)
    report = checked(folder(tmp_path / "bundle", log.files(openings=False)), outside=(log.checkpoint(),))
    assert report.verdict == "erased"
    assert report.remarks == ["There are no openings here: what the events said is not checked."]


def test_the_newest_entry_may_be_too_old(tmp_path: Path) -> None:
    log = MemoryLog().grow(3)
    path = folder(tmp_path / "bundle", log.files())
    assert checked(path, outside=(log.checkpoint(),), max_age=days(2)).verdict == "ok"
    assert checked(path, outside=(log.checkpoint(),), max_age=days(1)).verdict == "stale"


def test_a_clock_that_was_set_back_is_a_remark(tmp_path: Path) -> None:
    log = MemoryLog().grow(3)
    log.append(log.event(3, time=log.event(3).time - days(1)))
    report = checked(folder(tmp_path / "bundle", log.files()), outside=(log.checkpoint(),))
    assert report.verdict == "ok"
    assert "first entry 3" in report.remarks[0]


@pytest.mark.parametrize(
    ("late", "said"),
    [(1, "1 entry is dated before the one ahead,"), (2, "2 entries are dated before the one ahead,")],
)
def test_one_entry_that_is_dated_before_the_one_ahead_is_told_in_the_singular(
    tmp_path: Path, late: int, said: str
) -> None:
    log = MemoryLog().grow(3)
    for hours in range(1, late + 1):
        log.append(log.event(len(log.records), time=START - timedelta(hours=hours)))
    assert checked(folder(tmp_path / "bundle", log.files())).remarks[0].startswith(f"{said} first entry 3: ")


def test_one_erased_opening_is_told_in_the_singular(tmp_path: Path) -> None:
    log = MemoryLog().grow(5)
    for index, said in ((2, "1 opening was erased"), (3, "2 openings were erased")):
        log.erase(index)
        report = checked(folder(tmp_path / str(index), log.files()), outside=(log.checkpoint(),))
        assert [finding.said for finding in report.findings] == [said]


def test_while_keys_change_either_key_is_enough_and_a_revoked_one_is_none(tmp_path: Path) -> None:
    old, new = signer_of(), signer_of(bytes(range(1, 33)))
    log = MemoryLog(old).grow(3)
    log.append(log.event(3, kind="operated", key=new.key))
    path = folder(tmp_path / "bundle", log.files(log.checkpoint(4, old, new)))
    kept = log.checkpoint(4, old, new)
    for keys in ((old.key,), (new.key,), (old.key, new.key)):
        assert checked(path, keys=keys, outside=(kept,)).verdict == "ok"
    assert checked(path, keys=(old.key, new.key), revoked=[old.key], outside=(kept,)).verdict == "ok"
    assert checked(path, keys=(old.key,), revoked=[old.key]).verdict == "bad-signature"


def test_a_key_that_the_log_never_announced_is_not_its_key(tmp_path: Path) -> None:
    other = signer_of(bytes(range(1, 33)))
    log = MemoryLog().grow(3)
    path = folder(tmp_path / "bundle", log.files(log.checkpoint(3, other)))
    assert checked(path, keys=(other.key,)).verdict == "bad-signature"


def test_bundles_of_the_same_log_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        log = MemoryLog().grow(300)
        write_zip(log.bundle(program=b"pass").parts(), tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    late = dataclasses.replace(log.bundle(program=b"pass"), documents=reversed([*log.documents]))
    assert files_of(late.parts()) == files_of(log.bundle(program=b"pass").parts())


def test_a_zip_made_by_another_program_is_read_too(tmp_path: Path) -> None:
    log = MemoryLog().grow(5)
    report = checked(
        zipped(tmp_path / "bundle.zip", log.files() | {".DS_Store": b"x"}), outside=(log.checkpoint(),)
    )
    assert report.verdict == "ok"
    assert report.remarks == ["Not part of a bundle, and not looked at: .DS_Store."]


def test_what_was_kept_outside_may_have_got_other_line_ends(tmp_path: Path) -> None:
    log = MemoryLog().grow(5)
    kept = [text.replace("\n", "\r\n") for text in (log.checkpoint(3), log.receipt(4).to_text())]
    report = checked(folder(tmp_path / "bundle", log.files()), outside=(kept[0],), receipts=(kept[1],))
    assert (report.verdict, report.facts["anchored"]) == ("ok", 5)
