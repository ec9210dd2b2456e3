"""Tiles in which nothing is unusual are looked at at once, and by other processes: what is found stays the same."""

import base64
import io
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import pytest

import consent.verify
from consent.ledger import Kind
from consent.ledger.tile import entry_bundle
from consent.verify import WIDTH, Entries, Plain, Report
from tests.ledger.memory import ORIGIN, MemoryLog

from .bundles import checked, folder, places, zipped

#: A tile in small: entries of two kinds, opened and erased.
FIRST, SIZE = 256, 260
LEAVES = "tile/entries/001.p/4"
Files = dict[str, bytes]


class Held:
    """Files of a bundle that are held in memory (``verify.Source``)."""

    faults = ()

    def __init__(self, files: Files) -> None:
        self.files, self.stack = files, ExitStack()

    def open(self, name: str) -> BinaryIO | None:
        return io.BytesIO(self.files[name]) if name in self.files else None

    def names(self, folder: str = "") -> list[str]:
        return []


class OneByOne(Entries):
    """Entries that are looked at in the way that explains, always."""

    def plain(self, index: int, width: int) -> None:
        pass


@pytest.fixture(scope="module")
def tile() -> Files:
    """The files of entries 256 to 259 of a log, and nothing of the others."""
    log = MemoryLog().grow(FIRST + 1)
    log.append(log.event(FIRST + 1, kind=Kind.REFUSED, granted=(), refused=("statistics", "videos")))
    log.grow(SIZE)
    log.erase(FIRST + 2)
    files = log.files()
    return {
        LEAVES: files[LEAVES],
        "erased.jsonl": files["erased.jsonl"],
        "openings.jsonl": b"".join(files["openings.jsonl"].splitlines(keepends=True)[FIRST:]),
    }


def looked(files: Files, way: type[Entries] = Entries) -> dict[str, Any]:
    """All that is known after the tile of *files* was looked at: what was found, and where the check stands."""
    report = Report()
    entries = way(Held(files), SIZE, ORIGIN, report)
    hashes = entries.hashes(1, SIZE - FIRST, None)
    entries.finish()
    lines = [(each.number, each.index, each.match and each.match.string) for each in entries.lines]
    names = ("ids", "opened", "erased", "left_out", "last_hour", "newest", "late", "first_late", "lasting")
    return {
        "hashes": hashes,
        "lines": lines,
        "report": report,
        **{name: getattr(entries, name) for name in names},
    }


def is_plain(files: Files) -> bool:
    return Entries(Held(files), SIZE, ORIGIN, Report()).plain(1, SIZE - FIRST) is not None


def test_a_tile_with_openings_and_tombstones_is_plain(tile: Files) -> None:
    assert is_plain(tile)
    assert looked(tile)["report"].verdict == "erased"


EVEN, ODD = slice(0, None, 2), slice(1, None, 2)


def altered(good: bytes, bits: int, positions: slice) -> Iterator[bytes]:
    """*good* with one byte of its first lines altered, each at these *positions* in turn."""
    for at in range(min(len(good), 1200))[positions]:
        yield good[:at] + bytes([good[at] ^ bits]) + good[at + 1 :]


@pytest.mark.parametrize("name", [LEAVES, "openings.jsonl", "erased.jsonl"])
@pytest.mark.parametrize(
    ("bits", "positions"),
    [  # together each byte once; each in both ways is for the full run
        (0x01, EVEN),
        (0x20, ODD),
        pytest.param(0x01, ODD, marks=pytest.mark.full),
        pytest.param(0x20, EVEN, marks=pytest.mark.full),
    ],
    ids=["1 at even", "32 at odd", "1 at odd", "32 at even"],
)
def test_whatever_byte_is_altered_both_ways_find_the_same(
    tile: Files, name: str, bits: int, positions: slice
) -> None:
    found = [
        (looked(files) == looked(files, OneByOne), is_plain(files))
        for files in (tile | {name: data} for data in altered(tile[name], bits, positions))
    ]
    assert all(same for same, _ in found)
    # Some leaves might have been recorded so: that they weren't is for the tree to say.
    assert any(plain for _, plain in found) or (name, bits) != (LEAVES, 1)
    assert not all(plain for _, plain in found)


def test_whatever_line_is_gone_twice_or_elsewhere_both_ways_find_the_same(tile: Files) -> None:
    for name in ("openings.jsonl", "erased.jsonl"):
        good = tile[name].splitlines(keepends=True)
        for at, line in enumerate(good):
            left = good[:at] + good[at + 1 :]
            other = line.replace(b'"index":25', b'"index":026')
            for lines in (
                left,
                [*good, line],
                [line, *good],
                [*left, other],
                [*left, line, b"\n"],
                [b"{", *left],
            ):
                files = tile | {name: b"".join(lines)}
                assert looked(files) == looked(files, OneByOne), lines
    for gone in ("openings.jsonl", "erased.jsonl"):
        files = {name: data for name, data in tile.items() if name != gone}
        assert looked(files) == looked(files, OneByOne)
        assert is_plain(files) is (gone == "openings.jsonl")


def test_what_is_wrong_behind_a_tile_is_said_in_the_order_of_the_log_by_both_ways(tile: Files) -> None:
    both = {name: tile[name] + b"{" for name in ("openings.jsonl", "erased.jsonl")}
    assert is_plain(tile | both)
    assert looked(tile | both) == looked(tile | both, OneByOne)
    assert places(looked(tile | both)["report"]) == ["erased.jsonl, line 2", "openings.jsonl, line 4"]


@pytest.mark.parametrize("index", [256, 257, 259])
def test_a_tombstone_of_what_is_still_open_is_found_by_both_ways(tile: Files, index: int) -> None:
    leaf = consent.verify.leaves_in(tile[LEAVES], SIZE - FIRST)[index - FIRST]
    more = b'{"id":"%s","index":%d}\n' % (leaf[107:143], index)
    lines = sorted([*tile["erased.jsonl"].splitlines(keepends=True), more], key=lambda line: line[-5:])
    files = tile | {"erased.jsonl": b"".join(lines)}
    assert not is_plain(files)
    assert looked(files) == looked(files, OneByOne)
    assert places(looked(files)["report"]) == [f"entry {index}"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"T18:00:00Z", b"T18:30:00Z"),
        (b"2026-11-21T", b"2026-13-21T"),
        (b"2026-11-21T18", b"2026-11-21T17"),
        (b'"format":1', b'"format":2'),
        (b'"kind":"given"', b'"kind":"taken"'),
        (b'"kind":"given"', b'"kind":"operated"'),
        (b'"origin":"clinic', b'"origin":"klinic'),
        (b"}", b" }"),
        (b'"commitment":"', b'"commitment":"A'),
        (b"-4", b"4-"),
    ],
)
def test_a_leaf_that_was_recorded_otherwise_is_found_by_both_ways(
    tile: Files, old: bytes, new: bytes
) -> None:
    leaves = consent.verify.leaves_in(tile[LEAVES], SIZE - FIRST)
    for at, leaf in enumerate(leaves):
        changed = [*leaves[:at], leaf.replace(old, new, 1), *leaves[at + 1 :]]
        files = tile | {LEAVES: entry_bundle(changed)}
        # What was erased may have been of any hour.
        assert is_plain(files) is (changed == leaves or (at == 2 and new.endswith(b"T17")))
        assert looked(files) == looked(files, OneByOne)


def test_the_span_of_a_bundle_is_kept_by_both_ways(tile: Files) -> None:
    lines = tile["openings.jsonl"].splitlines(keepends=True)
    for since, left_out in (("2026-11-21", 0), ("2026-11-22", 2)):
        span = b'{"since":"%s","until":"2026-11-30"}\n' % since.encode()
        files = tile | {"span.json": span, "openings.jsonl": lines[1]}
        assert is_plain(files) is bool(left_out)
        assert looked(files)["left_out"] == left_out
        assert looked(files) == looked(files, OneByOne)


def test_base64_that_goes_on_behind_its_end_is_taken_by_neither_way(tile: Files) -> None:
    lines = tile["openings.jsonl"].splitlines(keepends=True)
    for at, line in enumerate(lines):
        start, text, end = line[:24], line[24:-57], line[-57:]
        opening = base64.b64decode(text)
        # Of two pieces that mean the same if each is read by itself.
        pieces = base64.b64encode(opening[:-90]) + base64.b64encode(opening[-90:])
        files = tile | {"openings.jsonl": b"".join([*lines[:at], start + pieces + end, *lines[at + 1 :]])}
        assert is_plain(files) is (pieces == text)
        assert looked(files) == looked(files, OneByOne)
        assert looked(files)["report"].has("tampered") is (pieces != text)


@pytest.mark.parametrize("end", [b"A", b"AAA=", b"AAAA", b"A==", b"="])
def test_a_salt_of_another_length_is_found_by_both_ways(tile: Files, end: bytes) -> None:
    lines = tile["openings.jsonl"].splitlines(keepends=True)
    for at, line in enumerate(lines):
        salt = line[-47:-4]
        for other in (salt + end, salt[:-1] + end, salt[:-2] + end, salt[:-3] + end):
            changed = [*lines[:at], line[:-47] + other + line[-3:], *lines[at + 1 :]]
            files = tile | {"openings.jsonl": b"".join(changed)}
            assert looked(files) == looked(files, OneByOne)
            assert is_plain(files) is (changed == lines)


def test_an_opening_of_unusual_length_is_right_all_the_same() -> None:
    for names in ((), tuple(f"service-{number}" for number in range(1000))):
        log = MemoryLog().grow(FIRST)
        log.append(log.event(FIRST, granted=names, refused=(), language="en", source="api"))
        files = log.files()
        name = "tile/entries/001.p/1"
        opening = files["openings.jsonl"].splitlines(keepends=True)[FIRST]
        entries = Entries(Held({name: files[name], "openings.jsonl": opening}), FIRST + 1, ORIGIN, Report())
        assert (entries.plain(1, 1) is None) is bool(names)
        entries.hashes(1, 1, None)
        assert (entries.opened, entries.report.findings) == (1, [])


# --- with other processes ---


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle whose tiles several processes look at, though it is short."""
    monkeypatch.setattr(consent.verify, "FEW_ENTRIES", 0)
    log = MemoryLog().grow(1100)
    for index in (300, 301, 511, 512, 1099):
        log.erase(index)
    return folder(tmp_path / "bundle", log.files())


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tiles that this process has looked at itself."""
    tiles = list[int]()

    def counted(first: int, *rest: Any) -> Plain | None:
        tiles.append(first // WIDTH)
        return PLAIN(first, *rest)

    monkeypatch.setattr(consent.verify, "plain", counted)
    return tiles


def test_any_number_of_processes_finds_the_same_and_shares_the_tiles(bundle: Path, here: list[int]) -> None:
    alone = checked(bundle)
    assert (alone.facts["openings"], here) == (1095, [1, 2, 3, 4])
    for processes, own in ((2, [2]), (3, [3])):
        here.clear()
        assert checked(bundle, processes=processes) == alone
        assert here == own


@pytest.mark.full
def test_a_process_that_begins_afresh_as_on_other_systems_helps_too(
    bundle: Path, here: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = checked(bundle)
    here.clear()
    monkeypatch.setattr(consent.verify, "Process", get_context("spawn").Process)
    assert (checked(bundle, processes=2), here) == (alone, [2])


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("openings.jsonl", b'{"index":400,', b'{"index": 400,'),
        ("openings.jsonl", b'{"index":400,', b'{"index":0400,'),
        ("openings.jsonl", b'{"index":700,', b'{"index":902,'),
        ("openings.jsonl", b'"index":1050,"opening":"e', b'"index":1050,"opening":"f'),
        ("erased.jsonl", b'"index":512}', b'"index":513}'),
        ("erased.jsonl", b'"index":511}', b'"index":300}'),
        ("tile/entries/002", b'"kind":"given"', b'"kind":"GIVEN"'),
        ("tile/entries/003", b'"format":1', b'"format":1 '),
        ("tile/0/002", b"\x00", b"\x01"),
    ],
)
def test_whatever_is_wrong_any_number_of_processes_says_it_in_the_same_order(
    bundle: Path, name: str, old: bytes, new: bytes
) -> None:
    data = (bundle / name).read_bytes()
    (bundle / name).write_bytes(data.replace(old, new, 1))
    alone = checked(bundle)
    assert alone.right is (new == b'{"index":0400,')
    assert [checked(bundle, processes=processes) for processes in (2, 3)] == [alone, alone]


def test_a_zip_is_looked_at_by_several_processes_too(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {str(path.relative_to(bundle)): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    path = zipped(tmp_path / "bundle.zip", files)
    data = bytearray(path.read_bytes())
    for damage in (0, 1):
        at = data.index(b"openings.jsonl") + 40_000
        data[at] ^= damage
        path.write_bytes(data)
        alone = checked(path)
        assert alone.right is not damage
        assert checked(path, processes=2) == alone


def refused(*_: object, **__: object) -> NoReturn:
    raise NotImplementedError("this system has none")  # as multiprocessing does where it lacks semaphores


def killed(reading: Connection, writing: Connection, *rest: Any) -> None:
    """A process that is killed when it has sent what it knows of its first tile."""

    class Last:
        def __enter__(self) -> "Last":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def send(self, found: object) -> None:
            writing.send(found)
            os.kill(os.getpid(), signal.SIGKILL)

    SEND(reading, cast(Connection, Last()), *rest)


def ended(*_: object) -> NoReturn:
    os._exit(1)


def astray(reading: Connection, writing: Connection, *_: object) -> None:
    """A process that says of tile 1 that it has more lines than there are, and of tile 3 what it says of another."""
    reading.close()
    for place, numbers, count in ((1, [257, 1], 9999), (2, [765, 5], 1)):
        writing.send((place, numbers, (b"", b"", [], (count, 0), 0, {})))


PLAIN, SEND = consent.verify.plain, consent.verify.send_plain


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Pipe", refused),
        ("Process", refused),
        ("send_plain", ended),
        ("send_plain", killed),
        ("send_plain", astray),
    ],
)
def test_where_no_process_helps_or_it_is_killed_the_same_is_found(
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    instead: object,
) -> None:
    alone = checked(bundle)
    monkeypatch.setattr(consent.verify, name, instead)
    for processes in (2, 3):
        assert checked(bundle, processes=processes) == alone
    assert capfd.readouterr() == ("", "")
