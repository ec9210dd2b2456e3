"""When the policy changes: asked again only for what changed, and never granted what wasn't shown."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from .conftest import NewVisit, visits
from .demo import OPTIONAL, Demo, Visit, running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def earlier(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Visit]]:
    """Visitors who came under revision 1, of a site that has revision 2 by now: one has answered."""
    folder = tmp_path_factory.mktemp("revised") / "instance"
    with ExitStack() as stack:
        with running(folder) as old:
            visit = stack.enter_context(visits(browser, old))
            found = {"answered": visit(), "script": visit(), "no-script": visit(javascript=False)}
            for visitor in found.values():
                visitor.go()
            found["answered"].answer("Accept all")
            assert found["answered"].allowed() == OPTIONAL
        stack.enter_context(running(folder, port=old.port, revision=2))
        yield found


@pytest.mark.requirement("TTL-02")
@pytest.mark.requirement("POL-02")
def test_a_new_revision_asks_only_for_what_it_touches_and_says_what_changed(
    earlier: dict[str, Visit],
) -> None:
    visitor = earlier["answered"]
    page = visitor.go()
    expect(page.locator(".pc-place > .pc-again")).to_be_visible()
    expect(page.locator(".pc-banner")).to_be_visible()
    why = page.locator("#pc-dialog > .pc-again")
    expect(why).to_have_text(page.locator(".pc-place > .pc-again").inner_text())
    kept = visitor.allowed()
    assert kept < OPTIONAL
    assert len(OPTIONAL - kept) == 1


@pytest.mark.requirement("INF-06")
@pytest.mark.parametrize("browser_with", ["script", "no-script"])
def test_a_page_left_open_over_a_new_revision_cannot_grant_what_it_did_not_show(
    earlier: dict[str, Visit], browser_with: str
) -> None:
    visitor = earlier[browser_with]
    visitor.answer("Accept all")
    assert len(OPTIONAL - visitor.allowed()) == 1


@pytest.mark.requirement("REC-01")
@pytest.mark.requirement("REC-02")
def test_every_act_is_on_record_with_the_notice_that_was_shown(visit: NewVisit, demo: Demo) -> None:
    before = len(demo.events())
    visitor = visit()
    for press in ("Accept all", "Reject all"):
        page = visitor.go("/privacy-choices")
        notice = page.locator("#pc-form [name=notice]").get_attribute("value")
        visitor.answer(press)
    events = demo.events()[before:]
    assert [event["kind"] for event in events] == ["given", "withdrawn"]
    assert [event["notice"] for event in events] == [notice, notice]
    stored = demo.flask("show", str(events[0]["id"]), "--notice", "-")
    assert 'name="notice" value=""' in stored
    assert "Larkmere" in stored
    table = demo.flask("log")
    assert "given" in table
    assert "withdrawn" in table
