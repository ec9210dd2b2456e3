"""What a browser's page is asked: the measures of ``measures.js``, and the looks and states to take them in."""

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from consent.look.looks import MEDIA, Look

MEASURES: Final = (Path(__file__).parent / "measures.js").read_text(encoding="utf-8")
#: The parts of the component that ask, by what people call them.
LAYERS: Final = {"banner": ".pc-banner", "dialog": "#pc-dialog", "centre": ".pc-centre"}


def measure(page: Page, name: str, given: object = None) -> Any:
    """What the measure *name* says of *page*. It runs beside the page's scripts, whatever its security policy."""
    return page.evaluate(MEASURES, [name, given])


def show(page: Page, look: Look) -> None:
    """Show *page* as *look* says."""
    page.set_viewport_size({"width": look.width, "height": look.height})
    page.emulate_media(**MEDIA[look.theme])
    if look.placement is not None:
        measure(page, "dress", [look.placement, look.text])


def states(page: Page, selector: str) -> list[dict[str, Any]]:
    """All properties of the element *selector*: as it is, under the pointer, pressed, and with the keyboard's focus.

    It is not activated: the pointer is let go elsewhere. The focus stays on it.
    """
    element = page.locator(f"{selector}:visible").first
    found = [measure(page, "look", selector)]
    element.hover()
    found.append(measure(page, "look", selector))
    page.mouse.down()
    found.append(measure(page, "look", selector))
    page.mouse.move(0, 0)
    page.mouse.up()
    page.keyboard.press("Shift")  # from here on the focus is the keyboard's, and shown
    element.focus()
    found.append(measure(page, "look", selector))
    return found
