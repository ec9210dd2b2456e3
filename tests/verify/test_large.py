"""A million events: checked in little memory, and in time that grows no faster than the log."""

from pathlib import Path

import pytest

from benchmarks.verifying import Log, checked
from consent.audit.export import write_folder


@pytest.mark.full
def test_a_million_events_are_checked_in_64_mib_and_linear_time(tmp_path: Path) -> None:
    spent = list[float]()
    for size in (100_000, 1_000_000):
        log = Log(size)
        write_folder(log.bundle(openings=True).parts(), tmp_path / str(size))
        run = checked(tmp_path / str(size), log.signer.key)
        assert f"{size:,} entries" in run.said
        assert f"Openings checked: {size:,}" in run.said
        assert run.memory <= 64
        spent.append(run.cpu)
    # Ten times the log; a machine that is busy meanwhile may double it, sorting or comparing all with all may not.
    assert spent[1] <= 20 * spent[0]
