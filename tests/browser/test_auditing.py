"""The three questions that auditors come with, played through without JavaScript; axe on each page of the desk."""

import csv
import json
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect

from consent.audit.today import SAME
from consent.cli import cli
from consent.look import served
from states.clinic import Visitor, found
from states.desk import AUDIT, desk
from states.visits import RECEIPT

from .test_axe import RULES
from .test_axe import axe as axe

pytestmark = pytest.mark.browser


@dataclass(frozen=True, slots=True)
class Desk:
    """The running site, whose every visitor is its auditor, too."""

    app: Flask
    url: str

    def run(self, command: str, folder: Path) -> Result:
        """What *command*, as a page shows it, does; its files are in *folder*."""
        words = shlex.split(command)
        assert words[:2] == ["flask", "consent"]
        placed = [
            str(folder / word) if re.fullmatch(r"[a-z]+\.(zip|csv)", word) else word for word in words[2:]
        ]
        done = self.app.test_cli_runner().invoke(cli, placed, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The desk, on a year of sample data."""
    app = desk(tmp_path_factory.mktemp("desk"), events=700)
    with served(app) as address:
        yield Desk(app, address.rstrip("/"))


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without JavaScript."""
    found = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    found.set_default_timeout(10_000)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page of it."""
    opened = context.new_page()
    yield opened
    opened.close()


def asked(page: Page, **fields: str) -> None:
    """Open the search by keyboard, choose *fields* in it, and send it by Enter."""
    page.locator("summary", has_text="Search").focus()
    page.keyboard.press("Enter")
    for name, value in fields.items():
        field = page.locator(f".pc-search [name={name}]")
        field.select_option(value) if name in ("category", "answer") else field.fill(value)
    page.locator(".pc-search button").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")


def count_on(page: Page) -> int:
    """How many events the page says are found."""
    said = page.locator("main").inner_text()
    return int(re.search(r"([\d,]+) events are found in all", said)[1].replace(",", ""))  # type: ignore[index]  # else it fails


def test_was_consent_given_under_this_receipt_and_what_was_shown(site: Desk, page: Page) -> None:
    visitor = Visitor(site.app.test_client())
    link = found(RECEIPT, visitor.follow(visitor.answer("all")))
    receipt = visitor.client.get(f"{link}&file=yes").text

    page.goto(f"{site.url}{AUDIT}/verification")
    page.get_by_label("A checkpoint or a receipt").fill(receipt)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text(
        "The verdict: erased"
    )  # as some sample data is, which is no fault
    expect(page.locator("main")).to_contain_text("The log has the event of the receipt.")
    expect(page.locator(".pc-steps li:visible")).to_have_text("That was all.")
    page.get_by_role("button", name="Show it").press("Enter")

    expect(page.locator("h1")).to_have_text("Consent given")
    expect(page.get_by_role("row", name="Visit statistics")).to_contain_text("granted (changed)")
    expect(page.locator("main")).to_contain_text(
        "this event is in the log that was signed, and says what it said then"
    )
    expect(page.locator("main")).to_contain_text(SAME)
    shown = page.frame_locator(".pc-frame")
    expect(shown.get_by_role("button", name="Accept all").first).to_be_visible()
    expect(shown.locator("body")).to_contain_text("which pages are read, in our own database")


def test_how_many_refused_statistics_since_revision_3(site: Desk, page: Page) -> None:
    page.goto(f"{site.url}{AUDIT}/")
    asked(page, category="statistics", answer="no", revision="3+")
    expect(page.locator("main")).to_contain_text("Asked for: all kinds; statistics: no; revision 3+.")
    counted = count_on(page)
    rows = [row.inner_text() for row in page.locator("tbody tr").all()]
    while page.get_by_role("link", name="Older events").count():
        with page.expect_navigation():
            page.get_by_role("link", name="Older events").press("Enter")
        rows += [row.inner_text() for row in page.locator("tbody tr").all()]
    assert len(rows) == counted > 50
    assert all("statistics" in row for row in rows)
    told = site.app.test_cli_runner().invoke(
        cli, ["stats", "--json", "--category", "statistics", "--answer", "no", "--revision", "3+"]
    )
    assert json.loads(told.stdout)["events"] == counted


def test_everything_of_march_is_handed_over_and_verified_elsewhere(
    site: Desk, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{site.url}{AUDIT}/")
    asked(page, since="2026-03-01", until="2026-03-31")
    counted = count_on(page)
    export = page.locator("code", has_text="flask consent export").inner_text()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download these as a verifiable bundle").press("Enter")
    assert taken.value.suggested_filename == "consent-from-2026-03-01-to-2026-03-31.zip"
    taken.value.save_as(tmp_path / "log.zip")
    page.get_by_role("link", name="how it is checked").press("Enter")
    check = page.locator("pre code").inner_text()

    site.run(export, tmp_path)
    with zipfile.ZipFile(tmp_path / "log.zip") as copy:
        copy.extract("verify.py", tmp_path)
        leaves = list(leaves_of(copy))
        opened = [json.loads(line)["index"] for line in copy.read("openings.jsonl").splitlines()]
        erased = {json.loads(line)["index"] for line in copy.read("erased.jsonl").splitlines()}
    program, _, key = check.partition(" --checkpoint")[0].partition(" --key ")
    command = [sys.executable, *shlex.split(program)[1:], "--key", *shlex.split(key)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    said = done.stdout.replace(",", "")
    assert f"{len(leaves)} entries" in said
    march = {index for index, leaf in enumerate(leaves) if leaf["hour"].startswith("2026-03")}
    own = {index for index, leaf in enumerate(leaves) if leaf["kind"] in ("operated", "pruned")}
    assert {*opened} == march - erased | own
    left_out = len(leaves) - len(erased | march | own)
    assert f"The openings of {left_out} entries outside 2026-03-01 to 2026-03-31 were left out" in said
    with (tmp_path / "events.csv").open(encoding="utf-8", newline="") as file:
        handed = {row["id"] for row in csv.DictReader(file)}
    assert handed == {leaf["id"] for leaf in leaves if leaf["hour"].startswith("2026-03")}
    assert len(handed) == counted > 40


def leaves_of(bundle: zipfile.ZipFile) -> Iterator[dict[str, str]]:
    """What the leaves in *bundle* say, which are records with their length before them (C2SP tlog-tiles)."""
    for name in sorted(bundle.namelist()):
        if name.startswith("tile/entries/"):
            data = bundle.read(name)
            while data:
                length = int.from_bytes(data[:2])
                yield json.loads(data[2 : 2 + length])
                data = data[2 + length :]


def test_each_chart_says_in_its_sentence_what_its_table_adds_up_to(site: Desk, page: Page) -> None:
    page.goto(f"{site.url}{AUDIT}/overview")
    charts = page.locator("figure").all()
    assert len(charts) >= 4
    for chart in charts:
        said = chart.locator("figcaption p").inner_text().replace(",", "")
        heads = chart.locator("thead th").all_text_contents()
        columns = {
            head: [
                cell.replace(",", "")
                for cell in chart.locator(f"tbody td:nth-child({at})").all_text_contents()
            ]
            for at, head in enumerate(heads[1:], start=2)
        }
        if said.startswith("All together"):
            for head, cells in columns.items():
                shares = [re.findall(r"(\d+) of (\d+)", cell)[0] for cell in cells if " of " in cell]
                part, whole = (sum(map(int, numbers)) for numbers in zip(*shares, strict=True))
                assert re.search(rf"{head} [\d.]+ % \({part} of {whole};", said), (head, said)
        else:
            total = sum(map(int, columns.popitem()[1]))
            assert said.startswith(f"{total} answers"), said
            for head, cells in columns.items():
                assert f"{sum(map(int, cells))} {head}" in said, said


@pytest.mark.parametrize("colours", ["none", "active"])
def test_the_page_that_is_open_stands_out_among_the_links_to_all_of_them(
    site: Desk, browser: Browser, colours: Any
) -> None:
    context = browser.new_context(java_script_enabled=False, forced_colors=colours)
    page = context.new_page()
    page.goto(f"{site.url}{AUDIT}/policies")
    links = page.get_by_role("navigation").get_by_role("link")
    looks = {
        link.inner_text(): link.evaluate(
            "(a) => [getComputedStyle(a).textDecorationLine, getComputedStyle(a).fontWeight]"
        )
        for link in links.all()
    }
    assert looks.pop("Policies") == ["underline", "700"]
    assert {*map(tuple, looks.values())} == {("none", "400")}
    context.close()


def test_the_way_to_an_event_is_in_view_on_a_telephone(site: Desk, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 640})
    page = context.new_page()
    for path in ("/", "/opt-outs"):
        page.goto(f"{site.url}{AUDIT}{path}")
        table = page.locator(".pc-scroll").first
        assert table.evaluate("(box) => box.scrollWidth > box.clientWidth")
        place = page.get_by_role("button", name="Show event").first.bounding_box()
        assert place
        assert 0 <= place["x"] <= place["x"] + place["width"] <= 320
    context.close()


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1280), pytest.param("dark", 320, marks=pytest.mark.full)]
)
@pytest.mark.requirement("A11Y-01")
def test_no_page_of_the_desk_breaks_a_rule(
    site: Desk, browser: Browser, axe: str, scheme: str, width: int
) -> None:
    options: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    context = browser.new_context(bypass_csp=True, **options)
    page = context.new_page()
    for name, opened in pages(site, page):
        opened.locator("details").evaluate_all("(all) => all.forEach((each) => { each.open = true })")
        opened.evaluate(axe)
        assert opened.evaluate(RULES) == [], name
    context.close()


def pages(site: Desk, page: Page) -> Iterator[tuple[str, Page]]:
    """Each page of the desk, one after the other."""
    for path in (
        "/overview?since=2026-10-01",
        "/policies",
        "/opt-outs",
        "/?since=no",
        "/?revision=1&kind=withdrawn",
    ):
        page.goto(f"{site.url}{AUDIT}{path}")
        yield path, page
    with page.expect_navigation():
        page.get_by_role("button", name="Show event").first.click()
    yield "one event", page
    page.goto(f"{site.url}{AUDIT}/verification")
    page.get_by_label("A checkpoint or a receipt").fill("none")
    with page.expect_navigation():
        page.get_by_role("button", name="Verify the log").click()
    yield "a verification that finds something", page
