"""What a terminal is shown: columns, escapes written out, progress that is never part of the answer."""

import io
import sys

import pytest

from consent.cli import terminal
from consent.cli.terminal import facts, progressing, table, visible, with_progress


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – Ärzte, 医院, عيادة", "plain – Ärzte, 医院, عيادة"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\U000e0001", "\\U000e0001"),
        ("\ud800", "\\ud800"),
    ],
)
def test_whatever_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(visible(text)) == shown


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_to_the_right() -> None:
    assert table(("n", "name"), [(1, "a"), (22, "b\x1b")]).splitlines() == [" n  name", " 1  a", "22  b\\x1b"]


def test_a_table_without_rows_is_its_heading() -> None:
    assert table(("a", "b"), []) == "a  b"


def test_facts_stand_in_two_columns() -> None:
    assert facts([("id", 1), ("longer", "x\n")]) == "id      1\nlonger  x\\x0a"


class Screen(io.StringIO):
    """Standard error that is, or is not, a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_goes_to_standard_error_and_lets_everything_through(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    screen = Screen(terminal=is_terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal, "_OFTEN", 0.0)
    monkeypatch.setattr(terminal, "_SELDOM", 0.0)
    assert list(with_progress(range(300), 300, "events read")) == list(range(300))
    assert capsys.readouterr().out == ""
    assert "128 of 300 events read" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[2K") is is_terminal


def test_short_work_shows_no_progress_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(terminal=False)
    monkeypatch.setattr(sys, "stderr", screen)
    assert len(list(with_progress(range(300), 300, "events read"))) == 300
    assert screen.getvalue() == ""


def test_steps_that_are_not_all_taken_leave_nothing_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)
    for done in progressing([256, 512, 768], 1000):
        if done == 512:
            break
    assert screen.getvalue() == "256 of 1,000 entries counted\r\x1b[2K"
