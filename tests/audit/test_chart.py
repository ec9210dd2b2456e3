"""Charts: drawing, sentences and table say the same, whatever is counted; and nobody needs colour, script or style."""

import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader

from consent.audit import drawing
from consent.audit.chart import TOO_FEW, UNCHANGED, Bars, Chart, Lines, Series, Shares, Strip
from consent.audit.drawing import DASHES, MARKS, MOST_SERIES, PATTERNS, few, round_up
from consent.audit.share import THRESHOLD, Share, percent
from consent.audit.span import MOST, Span, spans, unit_of
from consent.audit.unbroken import unbroken

CHECKOUT = Path(__file__).parents[2]
FIRST = date(2026, 11, 1)
HOSTILE = "\"><script>alert(1)</script>{{ 7*7 }}' onload=x"
NAMES = ("all allowed", "some allowed", "none allowed")


def days(count: int) -> tuple[Span, ...]:
    """*count* days as the steps of a chart."""
    return spans(FIRST, FIRST + timedelta(days=count - 1))


def bars(
    *counts: tuple[int, ...], steps: tuple[Span | str, ...] | None = None, title: str = "Answers"
) -> Bars:
    """Bars of one series for each of *counts*."""
    series = tuple(Series(NAMES[at], each) for at, each in enumerate(counts))
    return Bars(
        key="a", title=title, step="Days", steps=steps or days(len(counts[0])), unit="answers", series=series
    )


def lines(*rates: tuple[Share, ...]) -> Lines:
    """Lines of one series for each of *rates*."""
    named = tuple(Shares(NAMES[at], each) for at, each in enumerate(rates))
    return Lines(key="l", title="Rates", step="Days", steps=days(len(rates[0])), lines=named)


def strip(*counts: int) -> Strip:
    """A strip of *counts*."""
    return Strip(key="s", title="Events", step="Days", steps=days(len(counts)), unit="events", counts=counts)


def parsed(chart: Chart) -> ElementTree.Element:
    """The drawing, which must be well formed."""
    return ElementTree.fromstring(chart.svg)


def page(chart: Chart) -> str:
    """What the template makes of *chart*."""
    environment = Environment(loader=FileSystemLoader(CHECKOUT / "templates"), autoescape=True)
    template = environment.from_string(
        '{% from "consent/audit/chart.html" import figure with context %}{{ figure(chart) }}'
    )
    return template.render(chart=chart, unbroken=unbroken)


def drawn(chart: Bars) -> list[list[int]]:
    """The counts that can be measured in the drawing of *chart*, by step; those of zero aren't drawn."""
    top = round_up(max(chart.totals))
    return [
        [round(float(part.attrib["height"].rstrip("%")) * top / 100) for part in group.iter("rect")]
        for group in parsed(chart).findall("g")
    ]


@given(st.lists(st.tuples(*[st.integers(0, 500)] * 3), min_size=1, max_size=40))
def test_bars_are_as_high_as_the_table_beside_them_says(counted: list[tuple[int, ...]]) -> None:
    chart = bars(*zip(*counted, strict=True))
    assert [[int(text.replace(",", "")) for text in row[1:]] for row in chart.rows] == [
        [*counts, sum(counts)] for counts in counted
    ]
    if any(map(sum, counted)):
        assert drawn(chart) == [[count for count in counts if count] for counts in counted]


def test_the_parts_of_a_bar_stand_on_each_other_from_the_bottom_up() -> None:
    (group,) = parsed(bars((1,), (2,), (5,))).findall("g")
    parts = [(float(part.attrib["y"][:-1]), float(part.attrib["height"][:-1])) for part in group.iter("rect")]
    assert parts[0][0] + parts[0][1] == pytest.approx(100)
    assert all(upper[0] + upper[1] == pytest.approx(lower[0]) for lower, upper in pairwise(parts))


def test_the_sentence_states_the_sums_and_when_there_were_the_most() -> None:
    assert bars((1, 4), (2, 8)).finding == (
        "15 answers from 2026-11-01 to 2026-11-02: 5 all allowed and 10 some allowed. The most are 12 (2026-11-02)."
    )
    assert bars((3,)).finding == "3 answers on 2026-11-01."
    assert bars((1,)).finding == "1 answer on 2026-11-01."
    assert strip(0, 7, 7).finding == (
        "14 events from 2026-11-01 to 2026-11-03. The most are 7 (2026-11-02, and 1 more). 1 of 3 days has none."
    )


def test_where_nothing_was_counted_the_chart_says_so() -> None:
    assert bars((0, 0)).finding == "No answers from 2026-11-01 to 2026-11-02."
    assert strip(0).finding == "No events on 2026-11-01."
    assert lines((Share(0, 0),)).finding == "There is nothing to count on 2026-11-01."
    for chart in (bars(()), strip(), lines(())):
        assert "<table" not in page(chart)
        parsed(chart)


@pytest.mark.parametrize("count", [1, 2, 62, 400, 4000])
def test_whatever_the_number_of_days_a_chart_has_room_for_its_steps(count: int) -> None:
    steps = days(count)
    assert len(steps) <= MOST
    shown = Strip(key="s", title="Events", step="Days", steps=steps, unit="events", counts=(1,) * len(steps))
    assert len(shown.rows) == len(parsed(shown).findall("g")) == len(steps)
    assert len(parsed(shown).findall("text")) <= drawing.NAMED


@given(st.dates(), st.dates())
def test_spans_hold_every_day_once(one: date, other: date) -> None:
    first, last = sorted((one, other))
    found = spans(first, last)
    assert (found[0].first, found[-1].last) == (first, last)
    assert all(after.first - before.last == timedelta(days=1) for before, after in pairwise(found))
    assert all(span.first <= span.last for span in found)
    assert len(found) <= 100


def test_spans_begin_where_weeks_months_and_years_do() -> None:
    assert spans(FIRST, FIRST - timedelta(days=1)) == ()
    assert all(span.first.weekday() == 0 for span in days(100)[1:])
    assert all(span.first.day == 1 for span in days(1000)[1:])
    assert all((span.first.month, span.first.day) == (1, 1) for span in days(4000)[1:])
    assert str(days(1000)[1]) == "2026-12-01 to 2026-12-31"


def test_huge_numbers_are_drawn_and_written_in_few_letters() -> None:
    huge = 10**30
    chart = bars((huge, 1), (3, huge // 2))
    assert parsed(chart).findall("text")[2].text == "2e30"
    assert chart.rows[0][1] == f"{huge:,}"
    assert [few(number) for number in (0, 8, 400, 1000, 1500, 2 * 10**6, 10**18, 5 * 10**21)] == (
        ["0", "8", "400", "1k", "1.5k", "2M", "1E", "5e21"]
    )


@given(st.integers(0, 10**25))
def test_a_scale_ends_at_an_even_round_number_that_holds_all(count: int) -> None:
    top = round_up(count)
    assert count <= top <= max(2, count * 2)
    assert top % 2 == 0
    assert set(str(top)[1:]) <= {"0"}


def test_hostile_names_are_text_everywhere() -> None:
    chart = Bars(
        key="a",
        title=HOSTILE,
        step=HOSTILE,
        steps=(HOSTILE,),
        unit=HOSTILE,
        series=(Series(HOSTILE, (3,)), Series("b", (4,))),
    )
    html = page(chart)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert parsed(chart).attrib["aria-label"].startswith(f"Chart: {HOSTILE}.")
    with pytest.raises(ValueError, match="no key"):
        Strip(key='x" onload="', title="", step="", steps=(), unit="", counts=())


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="6 series"):
        Bars(
            key="a", title="", step="", steps=("x",), unit="", series=(Series("n", (1,)),) * (MOST_SERIES + 1)
        )
    with pytest.raises(ValueError, match="2 values for 1 steps"):
        Lines(key="a", title="", step="", steps=("x",), lines=(Shares("n", (Share(0, 0),) * 2),))
    with pytest.raises(ValueError, match="no share"):
        Share(3, 2)


EVERY: list[Chart] = [
    bars((1, 2, 3), (4, 0, 6), (7, 8, 9)),
    lines((Share(5, 20), Share(9, 19), Share(8, 20)), (Share(1, 30), Share(2, 30), Share(3, 30))),
    strip(0, 1, 5),
]


@pytest.mark.parametrize("chart", EVERY, ids=lambda chart: chart.key)
def test_a_figure_needs_neither_script_nor_style_and_fetches_nothing(chart: Chart) -> None:
    html = page(chart)
    assert not re.search(r"<script|<style|\bstyle=|\bon\w+=|https?:", html)
    assert set(re.findall(r"url\(([^)]*)\)", html)) <= {
        f"#pc-{chart.key}-{number}" for number in range(MOST_SERIES)
    }
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("chart", EVERY, ids=lambda chart: chart.key)
def test_the_figure_has_the_drawing_the_sentence_and_the_table_of_the_same_chart(chart: Chart) -> None:
    html = page(chart)
    assert str(chart.svg) in html
    read = re.sub("</?span[^>]*>", "", html)
    assert chart.finding in read
    assert re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", read) == [
        *chart.columns,
        *(value for row in chart.rows for value in row),
    ]
    assert 'role="img"' in html
    assert f'aria-label="Chart: {chart.title}. Its numbers are in the table below."' in html


def test_no_line_breaks_a_date_or_a_percentage_in_two() -> None:
    whole = '<span class="pc-whole">{}</span>'.format
    html = page(lines((Share(5, 20), Share(8, 20))))
    assert (
        f"{whole('25.0 %')} (5 of 20; {whole('95 %')} interval {whole('11.2 %')} to {whole('46.9 %')})"
        in html
    )
    assert f"from {whole('2026-11-01')} to {whole('2026-11-02')}:" in html
    assert unbroken("<b> is < 0.1 %") == f"&lt;b&gt; is {whole('&lt; 0.1 %')}"


def test_series_differ_by_more_than_colour() -> None:
    for told_apart in (PATTERNS, DASHES, MARKS):
        assert len(set(told_apart)) == len(told_apart) == MOST_SERIES
    chart = bars((1,), (1,), (1,))
    fills = [part.attrib["fill"] for part in parsed(chart).find("g").iter("rect")]  # type: ignore[union-attr]
    assert len(set(fills)) == 3
    assert [name for name, _ in chart.legend] == list(NAMES)
    assert all(fill in sample for fill, (_, sample) in zip(fills, chart.legend, strict=True))


def test_every_class_of_a_drawing_has_its_look_and_series_stand_out_from_the_page() -> None:
    css = (CHECKOUT / "static" / "audit.css").read_text(encoding="utf-8")
    used = {
        name
        for chart in EVERY
        for found in re.findall(r'class="([^"]*)"', page(chart))
        for name in found.split()
    }
    assert all(re.search(rf"\.{name}\b", css) for name in used)
    for number in range(MOST_SERIES):
        light, dark = re.search(rf"--pc-{number}: light-dark\((#\w+), (#\w+)\)", css).groups()  # type: ignore[union-attr]
        assert contrast(light, "#ffffff") >= 4.5
        assert contrast(dark, "#161c22") >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours such as #0a4d5e."""
    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_those_of_the_literature(part: int, whole: int, low: float, high: float) -> None:
    assert Share(part, whole).interval == pytest.approx((low, high), abs=0.00005)
    assert Share(whole - part, whole).interval == pytest.approx((1 - high, 1 - low), abs=0.00005)


def test_of_too_few_no_rate_is_shown_but_their_counts_are() -> None:
    few_answers, enough = Share(7, THRESHOLD - 1), Share(7, THRESHOLD)
    assert (few_answers.value, few_answers.interval) == (None, None)
    assert few_answers.in_words() == "too few for a rate (7 of 19)"
    assert enough.in_words() == "35.0 % (7 of 20; 95 % interval 18.1 % to 56.7 %)"


def test_hardly_any_is_not_none_and_nearly_all_is_not_all() -> None:
    assert [percent(share) for share in (0, 1e-9, 0.5, 1 - 1e-9, 1)] == [
        "0.0 %",
        "< 0.1 %",
        "50.0 %",
        "> 99.9 %",
        "100.0 %",
    ]


def test_a_line_is_broken_where_there_are_too_few_and_shows_its_interval() -> None:
    chart = lines((Share(5, 20), Share(9, 19), Share(8, 20), Share(9, 20)))
    assert [len(each.attrib["points"].split()) for each in parsed(chart).iter("polyline")] == [1, 2]
    assert [len(each.attrib["points"].split()) for each in parsed(chart).iter("polygon")] == [4, 4]
    (mark, *_) = parsed(chart).findall("svg[@class]")
    assert float(mark.attrib["y"][:-1]) == pytest.approx(75)


def test_a_change_is_told_only_where_chance_would_not_make_it() -> None:
    assert lines((Share(10, 40), Share(13, 40))).finding.endswith(UNCHANGED)
    assert lines((Share(10, 400), Share(300, 400))).finding == (
        "All together from 2026-11-01 to 2026-11-02: all allowed 38.8 % (310 of 800; 95 % interval 35.4 % to 42.2 %). "
        "“all allowed” rises from 2.5 % (2026-11-01) to 75.0 % (2026-11-02)."
    )
    assert lines((Share(3, 9), Share(11, 19))).finding.endswith(TOO_FEW.format("days"))
    assert "falls from 75.0 %" in lines((Share(300, 400), Share(10, 400))).finding


def test_a_chart_says_how_many_of_its_steps_have_answers_enough_for_a_rate() -> None:
    one = lines((Share(3, 9), Share(11, 40), Share(3, 9))).finding
    assert one.endswith(" 1 of 3 days has the 20 answers that a rate needs.")
    two = lines((Share(3, 9), Share(11, 40), Share(11, 40))).finding
    assert two.endswith(f" 2 of 3 days have the 20 answers that a rate needs. {UNCHANGED}")


def test_of_a_single_rate_no_change_is_told() -> None:
    assert lines((Share(11, 40),)).finding.endswith("95 % interval 16.1 % to 42.8 %).")
    for rates in ((Share(11, 40),), (Share(3, 9), Share(11, 40))):
        assert UNCHANGED not in lines(rates).finding


@pytest.mark.parametrize("start", [FIRST, date(2023, 12, 31), date(2000, 2, 29), date(1, 1, 1)])
@pytest.mark.parametrize(
    ("count", "called"),
    [
        (1, "days"),
        (MOST, "days"),
        (MOST + 1, "weeks"),
        (MOST * 7 - 7, "weeks"),
        (MOST * 7 + 8, "months"),
        (365 * 5, "months"),
        (365 * 6, "years"),
        (366 * MOST + 366, "centuries"),
    ],
)
def test_spans_are_called_what_they_are(start: date, count: int, called: str) -> None:
    assert unit_of(spans(start, start + timedelta(days=count - 1))) == called


def test_a_strip_shows_any_as_more_than_none_and_the_most_as_full() -> None:
    levels = [
        [float(part.attrib["height"][:-1]) for part in group.iter("rect")][1:]
        for group in parsed(strip(0, 1, 1000)).findall("g")
    ]
    assert levels == [[], [20.0], [100.0]]
