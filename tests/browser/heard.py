"""What the keyboard reaches and what assistive technology is told of it, read from the browser's accessibility tree."""

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import CDPSession, Error, Page

#: Chromium's own names for what readers call otherwise.
ROLES = {"RootWebArea": "page", "DisclosureTriangle": "details"}
#: Between two pages.
NOWHERE = ("", "")
#: What is named when the focus goes into it.
AROUND = ("dialog", "region", "group", "form", "alertdialog")
#: Whether what has the focus is in view, and nothing lies over it (WCAG 2.2, 2.4.11).
SEEN = """() => {
  const focused = document.activeElement;
  if (focused === document.body) return true;
  const shown = focused.closest("label") ?? focused;
  const { left, top, right, bottom } = shown.getBoundingClientRect();
  const across = (Math.max(left, 0) + Math.min(right, innerWidth)) / 2;
  const down = (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2;
  const there = document.elementFromPoint(across, down);
  return shown.contains(there) || there?.contains(shown) === true;
}"""


@dataclass(slots=True)
class Reader:
    """Follows the focus on *page*."""

    page: Page
    session: CDPSession = field(init=False)
    around: list[str] = field(default_factory=list)
    """What the focus was in before."""
    entered: list[str] = field(default_factory=list)
    """What it is in."""

    def __post_init__(self) -> None:
        self.session = self.page.context.new_cdp_session(self.page)
        self.session.send("Accessibility.enable")

    def focus(self) -> tuple[str, str]:
        """Role, name and state of what has the focus, and what is said besides: what the focus has gone into since
        :meth:`go_on`, or, of a status, its text. NOWHERE while a page goes and the next one comes."""
        found = self.session.send("Runtime.evaluate", {"expression": "document.activeElement"})["result"]
        if "objectId" not in found:
            return NOWHERE
        asked = {"objectId": found["objectId"]}
        try:
            own, *ancestors = self.session.send("Accessibility.getAXNodeAndAncestors", asked)["nodes"]
        except Error:
            return NOWHERE
        if found["className"] == "HTMLBodyElement":
            own, ancestors = [own, *ancestors][-1], []
        self.entered = [named(node) for node in ancestors if worth(node)]
        besides = [each for each in reversed(self.entered) if each not in self.around]
        if own["role"]["value"] == "status":
            besides.append(self.page.locator(":focus").inner_text().split("\n")[0])
        return named(own) + state(own), "; ".join(besides)

    def go_on(self) -> None:
        """What the focus is in by now has been said."""
        self.around = self.entered


def worth(node: dict[str, Any]) -> bool:
    """Whether *node* is named when it is entered."""
    return not node["ignored"] and node["role"]["value"] in AROUND and bool(node["name"]["value"])


def named(node: dict[str, Any]) -> str:
    """Role and name of *node*."""
    role = node["role"]["value"]
    name = node.get("name", {}).get("value", "")
    return f"{ROLES.get(role, role)} “{name}”" if name else ROLES.get(role, role)


def state(node: dict[str, Any]) -> str:
    """What *node* says of its state, after a comma."""
    said = {each["name"]: each["value"].get("value") for each in node.get("properties", [])}
    checked = {"true": ", checked", "false": ", not checked"}.get(str(said.get("checked")), "")
    expanded = {"True": ", open", "False": ", closed"}.get(str(said.get("expanded")), "")
    return checked + expanded + (", required" if said.get("required") else "")
