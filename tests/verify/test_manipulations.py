"""Whatever is done to a bundle is found, named and located."""

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import consent.verify
from consent.ledger import Checkpoint, Receipt, leaf_hash
from consent.ledger.note import sign
from consent.ledger.tile import entry_bundle
from tests.ledger.memory import ORIGIN, MemoryLog, signer_of

from .bundles import KEY, checked, folder, places

SIZE = 600
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    log = MemoryLog().grow(SIZE)
    log.erase(5)
    return log


def leaves(bundle: bytes) -> Iterator[bytes]:
    while bundle:
        (length,) = struct.unpack(">H", bundle[:2])
        yield bundle[2 : 2 + length]
        bundle = bundle[2 + length :]


def flipped(data: bytes, at: int, bit: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


@pytest.mark.parametrize("bit", [1, 0x20, 0x80])
@pytest.mark.parametrize(
    ("file", "at", "place"),
    [
        ("tile/0/000", 0, "tile/0/000"),
        ("tile/0/001", 8191, "tile/0/001"),
        ("tile/0/002.p/88", 32 * 87, "tile/0/002.p/88"),
        ("tile/1/000.p/2", 40, "tile/1/000.p/2"),
    ],
)
def test_one_bit_of_a_tile(tmp_path: Path, log: MemoryLog, file: str, at: int, place: str, bit: int) -> None:
    files = log.files()
    report = checked(
        folder(tmp_path / "b", files | {file: flipped(files[file], at, bit)}), outside=(log.checkpoint(),)
    )
    assert report.verdict == "tampered"
    assert places(report) == [place]


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, 599])
def test_one_bit_of_a_leaf(tmp_path: Path, log: MemoryLog, index: int) -> None:
    files = log.files()
    name = next(name for name in files if name.startswith(f"tile/entries/00{index // 256}"))
    found = [*leaves(files[name])]
    for number, at in enumerate((20, len(found[index % 256]) // 2, len(found[index % 256]) - 1)):
        changed = [*found]
        changed[index % 256] = flipped(found[index % 256], at)
        path = folder(tmp_path / str(number), files | {name: entry_bundle(changed)})
        report = checked(path, outside=(log.checkpoint(),))
        assert report.verdict == "tampered"
        assert {place for place in places(report) if place.startswith("entry")} == {f"entry {index}"}


def test_every_bit_of_the_checkpoint(tmp_path: Path, log: MemoryLog) -> None:
    small = MemoryLog().grow(2)
    files = small.files()
    path = folder(tmp_path / "b", files)
    for at in range(len(files["checkpoint"])):
        for bit in (1, 0x80):
            (path / "checkpoint").write_bytes(flipped(files["checkpoint"], at, bit))
            report = checked(path)
            assert (report.verdict, places(report, "bad-signature")) == ("bad-signature", ["checkpoint"]), at


@pytest.mark.parametrize("member", ["opening", "salt"])
def test_one_bit_of_an_opening_or_its_salt(tmp_path: Path, log: MemoryLog, member: str) -> None:
    files = log.files()
    lines = files["openings.jsonl"].splitlines(keepends=True)
    members = json.loads(lines[17])
    assert members["index"] == 18
    members[member] = ("B" if members[member][0] == "A" else "A") + members[member][1:]
    lines[17] = json.dumps(members, separators=(",", ":")).encode() + b"\n"
    report = checked(folder(tmp_path / "b", files | {"openings.jsonl": b"".join(lines)}))
    assert places(report) == ["entry 18"]


def test_one_bit_of_a_document(tmp_path: Path, log: MemoryLog) -> None:
    files = log.files()
    name = f"documents/{log.notice}"
    report = checked(folder(tmp_path / "b", files | {name: flipped(files[name], 3)}))
    assert places(report) == [name]


def swapped(rows: list[bytes]) -> list[bytes]:
    return [*rows[:20], rows[21], rows[20], *rows[22:]]


@pytest.mark.parametrize(
    "change",
    [
        swapped,
        lambda rows: [*rows[:20], *rows[21:]],
        lambda rows: [*rows[:20], rows[20], *rows[20:]],
        lambda rows: [*rows[:20], rows[40], *rows[20:]],
        lambda rows: [*rows[:20], rows[19], *rows[21:]],
        lambda rows: rows[:20],
        lambda rows: [],
    ],
    ids=["swapped", "deleted", "doubled", "inserted", "replaced", "cut", "emptied"],
)
@pytest.mark.parametrize("file", ["tile/entries/001", "tile/entries/002.p/88", "openings.jsonl"])
def test_rows_that_are_moved_removed_or_added(
    tmp_path: Path, log: MemoryLog, file: str, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    files = log.files()
    if file == "openings.jsonl":
        files[file] = b"".join(change(files[file].splitlines(keepends=True)))
    else:
        files[file] = entry_bundle(change([*leaves(files[file])]))
    report = checked(folder(tmp_path / "b", files))
    assert report.verdict in {"tampered", "missing-opening"}
    first = {"tile/entries/001": 276, "tile/entries/002.p/88": 532, "openings.jsonl": 21}[file]
    named = [*places(report), *places(report, "missing-opening")]
    assert any(
        place.startswith(file) or place in {f"entry {first}", f"entry {first + 1}"} for place in named
    ), named


@pytest.mark.parametrize("name", ["tile/0/001", "tile/1/000.p/2", "tile/0/002.p/88", "tile/entries/002.p/88"])
def test_a_file_that_is_missing_cut_or_longer(tmp_path: Path, log: MemoryLog, name: str) -> None:
    files = log.files()
    for number, data in enumerate((None, files[name][:-1], files[name] + b"x", b"")):
        changed = {key: value for key, value in files.items() if key != name}
        report = checked(folder(tmp_path / str(number), changed if data is None else changed | {name: data}))
        assert report.verdict == "tampered"
        assert name in places(report)


def test_an_opening_that_is_gone_without_a_tombstone(tmp_path: Path, log: MemoryLog) -> None:
    report = checked(folder(tmp_path / "b", log.files() | {"erased.jsonl": b""}))
    assert (report.verdict, places(report, "missing-opening")) == ("missing-opening", ["entry 5"])


def test_a_tombstone_of_an_event_whose_opening_is_there_or_of_another_event(
    tmp_path: Path, log: MemoryLog
) -> None:
    ids = [record.id for record in log.records]
    for number, (index, id) in enumerate([(6, ids[6]), (5, ids[6]), (600, ids[6])]):
        line = b'{"id":"%s","index":%d}\n' % (str(id).encode(), index)
        report = checked(folder(tmp_path / str(number), log.files() | {"erased.jsonl": line}))
        assert report.verdict == "tampered"
        assert places(report) == [f"entry {index}" if index < 600 else "erased.jsonl, line 1"]


def test_a_log_that_records_one_event_twice(tmp_path: Path) -> None:
    twice = MemoryLog().grow(4)
    twice.append(twice.event(2))
    assert places(checked(folder(tmp_path / "b", twice.files()))) == ["entry 4"]


def test_an_entry_of_another_log(tmp_path: Path) -> None:
    mixed = MemoryLog().grow(4)
    mixed.append(mixed.event(9), origin="shop.example/privacy-choices")
    report = checked(folder(tmp_path / "b", mixed.files()))
    assert next((finding.place, finding.said) for finding in report.findings) == (
        "entry 4",
        "the leaf is of another log",
    )


def test_a_first_entry_that_names_no_key(tmp_path: Path) -> None:
    keyless = MemoryLog()
    keyless.records.clear()
    keyless.tiles = type(keyless.tiles)()
    keyless.append(keyless.event(0))
    assert places(checked(folder(tmp_path / "b", keyless.files()))) == ["entry 0"]


def test_an_opening_of_another_hour_than_its_leaf(tmp_path: Path) -> None:
    log = MemoryLog().grow(3)
    files = log.files()
    other = log.event(3)
    # Recorded, committed to and signed so: two statements of one event that contradict each other.
    late = MemoryLog().grow(3)
    late.append(other)
    record = late.records[3]
    assert record.salt is not None
    leaf = record.leaf.replace(b"T18:00:00Z", b"T17:00:00Z")
    late.records[3] = replace(record, leaf=leaf)
    late.tiles = type(late.tiles)()
    late.tiles.grow([leaf_hash(one.leaf) for one in late.records])
    assert files != late.files()
    assert places(checked(folder(tmp_path / "b", late.files()))) == ["entry 3"]


# --- compared with what was kept outside --------------------------------------------------------------


def test_entries_that_were_cut_off_show_only_against_what_was_kept_outside(
    tmp_path: Path, log: MemoryLog
) -> None:
    cut = folder(tmp_path / "b", MemoryLog().grow(550).files())
    assert checked(cut).verdict == "unanchored"
    assert checked(cut, outside=(log.checkpoint(550),)).verdict == "ok"
    report = checked(cut, outside=(log.checkpoint(),))
    assert (report.verdict, report.right) == ("truncated", False)
    assert checked(cut, receipts=(log.receipt(3).to_text(),)).verdict == "truncated"


@pytest.mark.parametrize("rewritten", [1, 200, 300, 549])
def test_a_log_rewritten_by_who_holds_the_key(tmp_path: Path, log: MemoryLog, rewritten: int) -> None:
    fork = MemoryLog().grow(rewritten)
    fork.append(fork.event(rewritten, granted=(), refused=("statistics", "videos")))
    path = folder(tmp_path / "b", fork.grow(SIZE + 50).files())
    assert checked(path).verdict == "unanchored"
    assert checked(path, outside=(log.checkpoint(rewritten),)).verdict == "ok"
    for old in {rewritten + 1, 550, SIZE}:
        report = checked(path, outside=(log.checkpoint(old),))
        assert (report.verdict, report.right) == ("forked", False)
    report = checked(path, receipts=(log.receipt(rewritten).to_text(),))
    assert (report.verdict, places(report, "forked")) == ("forked", [str(tmp_path / "receipt-0")])
    assert report.log == "forked"  # the receipt is sound, so it is the log that isn't


def test_a_checkpoint_of_the_same_size_with_another_root_is_a_fork(tmp_path: Path, log: MemoryLog) -> None:
    fork = MemoryLog().grow(SIZE - 1)
    fork.append(fork.event(7_000))
    assert checked(folder(tmp_path / "b", fork.files()), outside=(log.checkpoint(),)).verdict == "forked"


def test_another_key_a_key_of_another_name_and_another_log(tmp_path: Path, log: MemoryLog) -> None:
    path = folder(tmp_path / "b", log.files())
    other = signer_of(bytes(range(1, 33))).key
    named = signer_of(name="shop.example/privacy-choices").key
    for keys, origin in (((other,), None), ((named,), None), ((named,), ORIGIN), ((KEY,), "shop.example/x")):
        report = checked(path, keys=keys, origin=origin)
        assert (report.verdict, places(report, "bad-signature")) == ("bad-signature", ["checkpoint"])
    assert checked(path, keys=(KEY, other), origin=ORIGIN).verdict == "erased" or checked(path).right


def test_what_was_kept_outside_counts_only_if_it_is_signed(tmp_path: Path, log: MemoryLog) -> None:
    path = folder(tmp_path / "b", log.files())
    forged = log.checkpoint(300, signer_of(bytes(range(1, 33))))
    report = checked(path, outside=(forged,))
    assert report.verdict == "bad-signature"
    assert report.has("unanchored")


def test_a_receipt_that_was_altered_confirms_nothing(tmp_path: Path, log: MemoryLog) -> None:
    path = folder(tmp_path / "b", log.files())
    good = log.receipt(300)
    assert good.opening is not None
    wrong: list[Receipt] = [
        replace(good, index=301),
        replace(good, proof=good.proof[1:]),
        replace(good, proof=(*good.proof, good.proof[0])),
        replace(good, proof=good.proof[::-1]),
        replace(good, leaf=good.leaf.replace(b"given", b"refused")),
        replace(good, opening=good.opening.replace(b"statistics", b"statistiks")),
    ]
    for receipt in wrong:
        report = checked(path, receipts=(receipt.to_text(),))
        assert (report.verdict, report.has("unanchored")) == ("tampered", True)
        assert report.log == "unanchored"  # nobody can make a sound log look bad by bringing rubbish
    assert checked(path, receipts=(good.to_text(),)).verdict == "erased"


def test_a_proof_that_ends_too_early_confirms_nothing_though_its_hashes_fit(tmp_path: Path) -> None:
    # Who holds the key may sign any root: here that of entry 0 alone, for a log of two.
    log = MemoryLog().grow(2)
    path = folder(tmp_path / "b", log.files())
    note = sign(Checkpoint(ORIGIN, 2, log.records[0].leaf_hash).to_text(), log.signer)
    report = checked(path, receipts=(replace(log.receipt(0), proof=(), note=note).to_text(),))
    assert [(finding.verdict, finding.said) for finding in report.findings][:1] == [
        ("tampered", "is not what was signed: it was altered")
    ]


@pytest.mark.parametrize("rewritten", [1, 300, 599])
def test_a_rewritten_log_under_a_checkpoint_of_the_true_one(
    tmp_path: Path, log: MemoryLog, rewritten: int
) -> None:
    # Who has no key rebuilds leaves and tiles, whole in themselves, and keeps what was signed.
    fork = MemoryLog().grow(rewritten)
    fork.append(fork.event(9_000))
    files = fork.grow(SIZE).files() | {"checkpoint": log.files()["checkpoint"]}
    report = checked(folder(tmp_path / "b", files))
    assert (report.verdict, places(report)) == ("tampered", ["checkpoint"])


@pytest.mark.parametrize("kind", ["policy", "notice"])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_policy_or_notice_that_events_name_and_that_is_gone_is_found(
    tmp_path: Path, log: MemoryLog, monkeypatch: pytest.MonkeyPatch, kind: str, processes: int
) -> None:
    monkeypatch.setattr(consent.verify, "FEW_ENTRIES", 1)
    gone = f"documents/{log.policy if kind == 'policy' else log.notice}"
    files = {name: data for name, data in log.files().items() if name != gone}
    report = checked(folder(tmp_path / "b", files), processes=processes)
    assert (report.verdict, places(report)) == ("tampered", [gone])
    assert "entry 1 " in next(each.said for each in report.findings if each.place == gone)


@pytest.mark.parametrize("there", ["nothing", "a file", "a link"])
def test_what_stands_for_the_folder_of_documents_hides_nothing(
    tmp_path: Path, log: MemoryLog, there: str
) -> None:
    path = folder(tmp_path / "b", log.files())
    (path / "documents").rename(tmp_path / "elsewhere")
    if there == "a file":
        (path / "documents").write_bytes(b"")
    if there == "a link":
        (path / "documents").symlink_to(tmp_path / "elsewhere")
    assert places(checked(path)) == [f"documents/{each}" for each in sorted((log.policy, log.notice))]


def test_the_notice_of_an_event_is_the_one_that_it_names_itself(tmp_path: Path, log: MemoryLog) -> None:
    # What else stands in an opening may look like it.
    event = log.event(9_000, detail={"confirmed": [], "x": {"notice": "ef" * 32}})
    log.append(event)
    assert checked(folder(tmp_path / "b", log.files())).right
