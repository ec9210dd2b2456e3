"""A receipt from the answer to the check, in a browser."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from consent.verify import Key, verify
from tests.verify.bundles import NOW

from .conftest import NewVisit

pytestmark = pytest.mark.browser


@pytest.mark.requirement("REC-07")
@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_who_refuses_takes_a_receipt_away_and_has_it_checked(
    visit: NewVisit, tmp_path: Path, javascript: bool
) -> None:
    visitor = visit(javascript=javascript, width=320)
    page = visitor.go("/privacy-choices")
    page.locator(".pc-centre .pc-row button[value=none]").click()
    expect(page.locator("#pc-status")).to_be_visible()
    visitor.press("Open the receipt")
    expect(page.locator("h1")).to_have_text("Receipt")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    with page.expect_download() as coming:
        visitor.press("Save as a file")
    assert coming.value.suggested_filename.endswith(".tlog-proof")
    kept = tmp_path / "mine.tlog-proof"
    coming.value.save_as(kept)

    command = page.locator("pre").first.inner_text()
    key = command.split("'")[1]
    assert verify(kept, [Key.parse(key)], now=NOW).verdict == "ok"

    page = visitor.go("/privacy-choices/mine")
    page.get_by_label("Paste the whole text of a receipt.").fill(kept.read_text())
    visitor.press("Check")
    expect(page.locator("#pc-checked")).to_contain_text("This receipt is valid.")
    expect(page.locator("#pc-checked")).to_contain_text("Said No")
    expect(page.locator("#pc-checked")).to_be_in_viewport()
    assert visitor.elsewhere == []
