"""What a pruning says of itself is held against all that is left; what it can't be held against is said."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent.ledger import Kind
from consent.ledger.note import Signer, encoded
from consent.ledger.pruning import SIGNED
from consent.verify import Report
from tests.ledger.memory import START, MemoryLog, signer_of

from .bundles import KEY, checked, folder, places


def pruned(
    says: Callable[[dict[str, Any]], object] = lambda own: own,
    *,
    runs: Mapping[str, str] = SIGNED,
    signers: Sequence[Signer] | None = None,
) -> MemoryLog:
    """A log of 600 entries, pruned below 512, which *says* so; entries 0 and 20 stay for ever, and 30 as it is open.

    Entry 20 says that the site *runs* a release which has prunings signed. *signers* do so, if not the log's key.
    """
    log = MemoryLog().grow(20)
    log.append(log.event(20, kind=Kind.OPERATED, detail={"fingerprint": dict(runs)}))
    log.grow(600)
    return log.prune(512, [30], says, signers)


def of_an_older_release(says: Callable[[dict[str, Any]], object] = lambda own: own) -> MemoryLog:
    """The same of before prunings were signed."""
    return pruned(lambda own: says({name: own[name] for name in own if name != "root"}), runs={}, signers=())


def report_of(path: Path, files: dict[str, bytes], log: MemoryLog, **options: Any) -> Report:
    """What comes of checking *files*, a bundle of *log*."""
    return checked(folder(path, files), outside=(log.checkpoint(),), **options)


def without(files: dict[str, bytes], name: str, index: int) -> dict[str, bytes]:
    """*files* without the line of entry *index* in *name*."""
    lines = [line for line in files[name].splitlines(True) if json.loads(line)["index"] != index]
    assert len(lines) < files[name].count(b"\n")
    return files | {name: b"".join(lines)}


@pytest.mark.requirement("LOG-09")
def test_what_a_pruning_says_is_repeated_with_what_of_it_could_be_checked(tmp_path: Path) -> None:
    log = pruned()
    report = report_of(tmp_path / "log", log.files(), log)
    assert (report.verdict, len(places(report))) == ("pruned", 0)
    (said,) = report.remarks[:1]
    assert "Entry 600, of 2026-11-21T19:00:00Z, says that leaves below 512 were pruned" in said
    assert "the latest of 2026-11-21T18:00:00Z, when all were kept for 0 days" in said
    assert "The 2 that stay for ever are looked for; of 1 that stayed" in said


@pytest.mark.requirement("LOG-09")
def test_a_leaf_that_stays_for_ever_and_is_gone_is_tampered(tmp_path: Path) -> None:
    log = pruned()
    gone = without(without(log.files(), "kept.jsonl", 20), "openings.jsonl", 20)
    assert places(report_of(tmp_path / "gone", gone, log)) == ["entries 0 to 511"]


@pytest.mark.requirement("LOG-09")
def test_a_leaf_that_stayed_with_its_opening_may_go_with_it(tmp_path: Path) -> None:
    log = pruned()
    gone = without(without(log.files(), "kept.jsonl", 30), "openings.jsonl", 30)
    report = report_of(tmp_path / "gone", gone, log)
    assert report.verdict == "pruned"
    assert "of 1 that stayed as long as their openings did, 0 are here" in report.remarks[0]
    few = pruned(lambda own: own | {"stay": own["stay"] | {"open": 0}})
    assert places(report_of(tmp_path / "few", few.files(), few)) == ["entries 0 to 511"]


@pytest.mark.requirement("LOG-09")
def test_an_opening_without_its_leaf_is_named(tmp_path: Path) -> None:
    log = pruned()
    report = report_of(tmp_path / "log", without(log.files(), "kept.jsonl", 30), log)
    assert places(report) == ["openings.jsonl, line 3"]
    assert any("the opening of entry 30, whose leaf isn't here" in each.said for each in report.findings)


@pytest.mark.requirement("LOG-09")
def test_a_pruning_of_what_was_not_due_by_its_own_word_is_tampered(tmp_path: Path) -> None:
    log = pruned(lambda own: own | {"days": {"cookies": 366, "retention": 1096}})
    report = report_of(tmp_path / "log", log.files(), log)
    assert places(report) == ["entry 600"]
    assert any("had leaves pruned that were not due" in each.said for each in report.findings)


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize("old", [False, True])
def test_what_stays_and_what_visitors_hold_contradict_a_pruning_that_names_too_early_an_hour(
    tmp_path: Path, old: bool
) -> None:
    lie = {"until": "2020-01-01T00:00:00Z"}
    log = of_an_older_release(lambda own: lie) if old else pruned(lambda own: own | lie)
    assert places(report_of(tmp_path / "kept", log.files(), log)) == ["entry 0", "entry 20", "entry 30"]
    path = folder(tmp_path / "receipt", log.files())
    assert places(checked(path, receipts=(log.receipt(7).to_text(),)))[-1].endswith("receipt-0")


@pytest.mark.requirement("LOG-09")
def test_a_leaf_that_a_wrong_clock_dated_after_the_pruning_contradicts_nothing(tmp_path: Path) -> None:
    log = MemoryLog().grow(30)
    log.append(log.event(30, time=START + timedelta(hours=1000)))
    log.grow(600).prune(512, [30])
    assert report_of(tmp_path / "log", log.files(), log).verdict == "pruned"


@pytest.mark.requirement("LOG-09")
def test_a_pruning_of_an_older_release_verifies_and_that_less_was_checked_is_said(tmp_path: Path) -> None:
    log = of_an_older_release(lambda own: {"until": own["until"]})
    files = without(without(log.files(), "kept.jsonl", 20), "openings.jsonl", 20)
    report = report_of(tmp_path / "log", files, log)
    assert report.verdict == "pruned"
    assert report.remarks == [
        "No key has signed what entry 600 says of the pruning, as it is of an older release: whoever could write into "
        "the database could have put it there.",
        "Entry 600, of 2026-11-21T19:00:00Z, says that leaves below 512 were pruned. Which of them were to stay it "
        "says not, as it is of an older release: whether one that was is gone isn't seen.",
    ]


@pytest.mark.requirement("LOG-09")
def test_a_pruning_that_nobody_has_signed_is_tampered_where_the_log_says_that_they_are(
    tmp_path: Path,
) -> None:
    log = of_an_older_release()
    report = report_of(tmp_path / "before", log.files(), log)
    assert (report.verdict, "No key has signed" in report.remarks[0]) == ("pruned", True)
    log = pruned(signers=())
    assert places(report_of(tmp_path / "since", log.files(), log)) == ["entry 600"]
    assert report_of(tmp_path / "closed", log.files(openings=False), log).verdict == "pruned"
    log = MemoryLog().grow(600).prune(256).prune(512, signers=())
    assert places(report_of(tmp_path / "after", log.files(), log)) == ["entry 601"]


@pytest.mark.requirement("LOG-09")
def test_a_pruning_counts_only_with_the_signature_of_a_key_that_is_given(tmp_path: Path) -> None:
    other = signer_of(bytes(range(1, 33)))
    log = pruned(signers=[other])
    path = folder(tmp_path / "log", log.files())
    report = checked(path, outside=(log.checkpoint(),))
    assert (report.verdict, places(report, "bad-signature")) == ("bad-signature", ["entry 600"])
    assert checked(path, keys=(KEY, other.key), outside=(log.checkpoint(),)).verdict == "pruned"
    report = checked(path, keys=(KEY, other.key), revoked=[other.key], outside=(log.checkpoint(),))
    assert report.verdict == "pruned"
    assert "What entry 600 says of the pruning only a revoked key has signed." in report.remarks


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize("change", [{"until": "2026-11-21T17:00:00Z"}, {"root": encoded(bytes(32))}])
def test_what_was_signed_of_a_pruning_is_of_these_words_and_these_entries(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    log = pruned()
    signed = (json.loads(log.records[600].body or b"{}"))["detail"]["signed"]
    log = pruned(lambda own: own | change | {"signed": signed}, signers=())
    report = report_of(tmp_path / "words", log.files(), log)
    assert "what it says of the pruning is not what was signed" in [each.said for each in report.findings]
    log = pruned(lambda own: own | {"root": encoded(bytes(32))})
    report = report_of(tmp_path / "entries", log.files(), log)
    assert places(report) == ["entry 600"]
    assert "is of other entries below 512" in report.findings[-1].said


@pytest.mark.requirement("LOG-09")
def test_without_openings_a_pruning_says_less_and_that_is_said(tmp_path: Path) -> None:
    log = pruned()
    report = report_of(tmp_path / "log", log.files(openings=False), log)
    assert report.verdict == "pruned"
    assert "it says in its opening, which is not here" in report.remarks[0]


@pytest.mark.requirement("LOG-09")
def test_what_is_said_of_a_pruning_cannot_be_said_to_be_erased(tmp_path: Path) -> None:
    log = pruned()
    log.erase(600)
    assert places(report_of(tmp_path / "log", log.files(), log)) == ["entry 600"]


@pytest.mark.requirement("LOG-09")
def test_a_pruning_that_nobody_outside_has_seen_is_named(tmp_path: Path) -> None:
    log = pruned()
    path = folder(tmp_path / "log", log.files())
    for size, expected in ((600, True), (601, False)):
        report = checked(path, outside=(log.checkpoint(size),))
        assert report.verdict == "pruned"
        assert any("Entry 600, which says what was pruned" in each for each in report.remarks) is expected


@pytest.mark.requirement("LOG-09")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda own: None,
        lambda own: {"until": "2020"},
        lambda own: {"until": "2026-99-21T18:00:00Z"},
        lambda own: own | {"until": None},
        lambda own: own | {"days": 3},
        lambda own: own | {"days": {"cookies": "1", "retention": 0}},
        lambda own: own | {"days": {"cookies": -1, "retention": 0}},
        lambda own: own | {"stay": None},
        lambda own: own | {"stay": own["stay"] | {"always": True}},
    ],
)
def test_a_pruning_that_says_something_else_is_tampered(
    tmp_path: Path, wrong: Callable[[dict[str, Any]], object]
) -> None:
    log = pruned(wrong)
    assert places(report_of(tmp_path / "log", log.files(), log)) == ["entry 600"]
