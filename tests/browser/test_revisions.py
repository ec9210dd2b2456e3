"""When the policy changes: asked again only for what changed, and never granted what wasn't shown."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import NewVisit
from .demo import OPTIONAL, running

pytestmark = pytest.mark.browser

CHANGED = "reach"


@pytest.mark.requirement("TTL-02")
@pytest.mark.requirement("POL-02")
def test_a_new_revision_asks_only_for_what_it_touches_and_says_what_changed(
    visit: NewVisit, folder: Path
) -> None:
    with running(folder) as old:
        visitor = visit(at=old)
        visitor.go()
        visitor.answer("Accept all")
        assert visitor.allowed() == OPTIONAL
    with running(folder, port=old.port, revision=2):
        page = visitor.go()
        expect(page.locator(".pc-again")).to_be_visible()
        expect(page.locator(".pc-banner")).to_be_visible()
        kept = visitor.allowed()
        assert kept < OPTIONAL
        assert len(OPTIONAL - kept) == 1


@pytest.mark.requirement("INF-06")
@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_page_left_open_over_a_new_revision_cannot_grant_what_it_did_not_show(
    visit: NewVisit, folder: Path, javascript: bool
) -> None:
    with running(folder) as old:
        visitor = visit(at=old, javascript=javascript)
        visitor.go()
    with running(folder, port=old.port, revision=2):
        visitor.answer("Accept all")
        assert len(OPTIONAL - visitor.allowed()) == 1


@pytest.mark.requirement("REC-01")
@pytest.mark.requirement("REC-02")
def test_every_act_is_on_record_with_the_notice_that_was_shown(visit: NewVisit, folder: Path) -> None:
    with running(folder) as demo:
        visitor = visit(at=demo)
        for press in ("Accept all", "Reject all"):
            page = visitor.go("/privacy-choices")
            notice = page.locator("#pc-form [name=notice]").get_attribute("value")
            visitor.answer(press)
        events = demo.events()
    assert [event["kind"] for event in events] == ["given", "withdrawn"]
    assert [event["notice"] for event in events] == [notice, notice]
    stored = demo.flask("show", str(events[0]["id"]), "--notice", "-")
    assert 'name="notice" value=""' in stored
    assert "Larkmere" in stored
    table = demo.flask("log")
    assert "given" in table
    assert "withdrawn" in table
