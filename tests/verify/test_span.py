"""A bundle with the openings of some days: what lies outside is left out on purpose, and nothing inside may be."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from consent.ledger.pruning import SIGNED
from tests.ledger.memory import MemoryLog, files_of, signer_of

from .bundles import KEY, checked, folder, places

MARCH = date(2026, 3, 1), date(2026, 3, 31)
#: The entries of the log below, and whose openings a bundle of March has: entry 0 and 7 are the site's own.
OUTSIDE, INSIDE, OWN = (1, 2, 6), (3, 4, 5), (0, 7)


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    made = MemoryLog()
    days = ("2026-02-01T10", "2026-02-28T23:59:59.999", "2026-03-01T00", "2026-03-15T12", "2026-03-31T23:59")
    for number, day in enumerate((*days, "2026-04-01T00"), start=1):
        made.append(made.event(number, time=datetime.fromisoformat(day).replace(tzinfo=UTC)))
    key = signer_of(bytes(range(1, 33))).key
    made.append(made.event(7, kind="operated", key=key, detail={"fingerprint": SIGNED}))
    return made


@pytest.fixture(scope="module")
def march(log: MemoryLog) -> dict[str, bytes]:
    """The files of its bundle of March."""
    return files_of(replace(log.bundle(), span=MARCH).parts())


def opened(files: dict[str, bytes]) -> list[int]:
    """The entries whose openings are in *files*."""
    return [json.loads(line)["index"] for line in files["openings.jsonl"].splitlines()]


def without(files: dict[str, bytes], *indexes: int) -> dict[str, bytes]:
    """*files* without the openings of the entries *indexes*."""
    lines = files["openings.jsonl"].splitlines(keepends=True)
    left = b"".join(line for line in lines if json.loads(line)["index"] not in indexes)
    return files | {"openings.jsonl": left}


def spanning(since: str, until: str) -> bytes:
    """The file by which a bundle says that its openings are of these days."""
    return json.dumps({"since": since, "until": until}, separators=(",", ":")).encode() + b"\n"


def test_a_bundle_of_march_has_all_leaves_and_the_openings_of_march_and_of_the_site_itself(
    log: MemoryLog, march: dict[str, bytes]
) -> None:
    whole = log.files()
    assert opened(march) == sorted((*INSIDE, *OWN))
    assert march["span.json"] == spanning("2026-03-01", "2026-03-31")
    for name in whole:
        if name.startswith(("tile/", "checkpoint", "erased")):
            assert march[name] == whole[name]


def test_what_lies_outside_is_said_to_be_left_out_and_never_to_be_erased(
    tmp_path: Path, log: MemoryLog, march: dict[str, bytes]
) -> None:
    report = checked(folder(tmp_path / "bundle", march), outside=(log.checkpoint(),))
    assert (report.verdict, report.findings) == ("ok", [])
    assert report.remarks[-1] == (
        "The openings of 3 entries outside 2026-03-01 to 2026-03-31 were left out; their leaves were checked."
    )
    assert (report.facts["since"], report.facts["until"]) == ("2026-03-01", "2026-03-31")
    assert (report.facts["left_out"], report.facts["openings"]) == (3, 5)


@pytest.mark.parametrize("index", INSIDE)
def test_an_opening_of_march_that_is_gone_is_found(
    tmp_path: Path, march: dict[str, bytes], index: int
) -> None:
    report = checked(folder(tmp_path / "bundle", without(march, index)))
    assert report.verdict == "missing-opening"
    assert places(report, "missing-opening") == [f"entry {index}"]


@pytest.mark.parametrize(
    ("since", "until", "missing"),
    [
        ("2026-02-01", "2026-03-31", (1, 2)),
        ("2026-02-28", "2026-03-31", (2,)),
        ("2026-03-01", "2026-04-01", (6,)),
        ("2026-02-01", "2026-02-28", (1, 2)),
    ],
)
def test_a_bundle_that_claims_other_days_than_its_openings_are_of_is_found(
    tmp_path: Path, march: dict[str, bytes], since: str, until: str, missing: tuple[int, ...]
) -> None:
    report = checked(folder(tmp_path / "bundle", march | {"span.json": spanning(since, until)}))
    assert places(report, "missing-opening") == [f"entry {index}" for index in missing]
    assert report.verdict == "missing-opening"


@pytest.mark.parametrize("index", OWN)
def test_the_sites_own_openings_are_missed_on_any_day(
    tmp_path: Path, march: dict[str, bytes], index: int
) -> None:
    report = checked(folder(tmp_path / "bundle", without(march, index)))
    assert places(report, "missing-opening") == [f"entry {index}"]


def test_a_bundle_of_some_days_without_any_openings_is_found(tmp_path: Path, march: dict[str, bytes]) -> None:
    files = {name: data for name, data in march.items() if name != "openings.jsonl"}
    report = checked(folder(tmp_path / "bundle", files))
    assert places(report, "missing-opening") == [f"entry {index}" for index in sorted((*INSIDE, *OWN))]


def test_an_opening_outside_is_checked_as_any(tmp_path: Path, log: MemoryLog) -> None:
    files = log.files() | {"span.json": spanning("2026-03-01", "2026-03-31")}
    report = checked(folder(tmp_path / "whole", files))
    assert (report.verdict, report.facts["left_out"], report.facts["openings"]) == ("unanchored", 0, 8)
    lines = files["openings.jsonl"].splitlines(keepends=True)
    first, second = (json.loads(line) for line in lines[1:3])
    first["opening"] = second["opening"]
    lines[1] = json.dumps(first, separators=(",", ":")).encode() + b"\n"
    report = checked(folder(tmp_path / "altered", files | {"openings.jsonl": b"".join(lines)}))
    assert (report.verdict, places(report)) == ("tampered", ["entry 1"])


def test_what_was_erased_outside_is_erased_and_not_left_out(tmp_path: Path) -> None:
    made = MemoryLog().grow(4)
    made.erase(2)
    bundle = replace(made.bundle(), span=MARCH)
    report = checked(folder(tmp_path / "bundle", files_of(bundle.parts())))
    assert places(report, "erased") == ["erased.jsonl"]
    assert (report.facts["left_out"], report.has("missing-opening")) == (2, False)


@pytest.mark.requirement("LOG-09")
def test_of_a_pruned_log_what_stayed_for_its_opening_is_here_also_where_that_is_left_out(
    tmp_path: Path,
) -> None:
    made = MemoryLog().grow(600).prune(512, open=(5, 9))
    report = checked(folder(tmp_path / "bundle", files_of(replace(made.bundle(), span=MARCH).parts())))
    assert {finding.verdict for finding in report.findings} == {"pruned", "unanchored"}
    assert report.facts["left_out"] == 600 - 512 + 2
    assert any(
        "of 2 that stayed as long as their openings did, 2 are here" in said for said in report.remarks
    )


def damaged() -> Iterator[bytes]:
    good = spanning("2026-03-01", "2026-03-31")
    yield from (b"", b"\n", b"{}\n", b"null\n", b"\xff\xfe", b"[" * 90, good * 2, good[:-1], b" " + good)
    yield from (good.replace(b":", b": "), good.replace(b"}", b',"since":"2026-01-01"}'), b"x" * 2**20)
    yield spanning("2026-03-31", "2026-03-01")
    yield spanning("2026-02-30", "2026-03-31")
    yield spanning("0000-01-01", "2026-03-31")
    yield spanning("2026-03-01T00:00:00Z", "2026-03-31")
    yield spanning("2026-03-01", "٢٠٢٦-03-31")


@pytest.mark.parametrize("data", [*damaged()], ids=lambda data: repr(data[:40]))
def test_what_is_no_span_is_found_and_excuses_nothing(
    tmp_path: Path, march: dict[str, bytes], data: bytes
) -> None:
    report = checked(folder(tmp_path / "bundle", march | {"span.json": data}))
    assert (report.verdict, places(report)) == ("tampered", ["span.json"])
    assert places(report, "missing-opening") == [f"entry {index}" for index in OUTSIDE]


def test_a_span_that_is_a_link_is_not_followed(tmp_path: Path, march: dict[str, bytes]) -> None:
    path = folder(tmp_path / "bundle", march)
    (path / "span.json").rename(tmp_path / "outside")
    (path / "span.json").symlink_to(tmp_path / "outside")
    assert places(checked(path, keys=(KEY,))) == ["span.json"]
