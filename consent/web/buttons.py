"""What a site's template may not take from its visitors: a row of buttons to see, and nothing chosen beforehand.

Reads a rendered part of the notice as browsers do, and compares the controls in it with those expected.
A style sheet that hides them is beyond it.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from typing import NamedTuple, NoReturn

from consent.errors import ConfigurationError

#: What would choose for the visitor.
PRESELECTING = ("checked", "selected", "autofocus")
#: What takes an element, or all in it, from who sees, hears or uses it.
HIDING = frozenset({"hidden", "inert", "style", "popover", "disabled"})
#: Elements that show their content whatever happens.
SHOWING = frozenset(
    re.findall(
        r"\w+",
        "html body main header footer aside nav article section search div form fieldset label p span center "
        "ul ol li dl dt dd table tbody tr td",
    )
)
VOID = frozenset(re.findall(r"\w+", "area base br col embed hr img input link meta param source track wbr"))
#: Elements that end with what they stand in (HTML §13.1.2.4).
ENDED_BY_OTHERS = frozenset({"p", "li", "dt", "dd"})
CONTROLS = frozenset({"input", "button", "select", "textarea"})


class Control(NamedTuple):
    """A control of the form that says something of the visitor's choice."""

    tag: str
    type: str
    name: str
    value: str

    def __str__(self) -> str:
        kind = f' type="{self.type}"' if self.type else ""
        return f'<{self.tag}{kind} name="{self.name}" value="{self.value}">'


#: In the centre: Enter in a field saves what is filled in, instead of pressing the first button.
ENTER = Control("input", "submit", "choice", "some")


def of_centre(optional: Mapping[str, Iterable[str]]) -> tuple[Control, ...]:
    """The controls of a preference centre, apart from our row, for each category's services by their keys."""
    found = [ENTER]
    for category, services in optional.items():
        found += [Control("input", "radio", f"category.{category}", value) for value in ("no", "yes", "some")]
        found += [Control("input", "checkbox", f"service.{service}", "yes") for service in services]
    return tuple(found)


def check(place: str, html: str, pieces: Mapping[str, str], controls: Sequence[Control]) -> None:
    """ConfigurationError unless *html* shows each of *pieces* (what templates call it → its markup) once,
    unaltered, and beside them exactly *controls*, none of them hidden or chosen.

    *place* names the template.
    """
    for name, markup in pieces.items():
        if (count := html.count(markup)) != 1:
            raise ConfigurationError(
                f"{place} shows {{{{ {name} }}}} {count} times; expected once, unaltered. "
                "Refusing must stay as easy as accepting: put it back as it is."
            )
    # A tag that the template cannot hold stands for each piece, so that only where it stands is read.
    stem = f"pc-{hashlib.sha256(html.encode()).hexdigest()}"
    tags = {f"{stem}-{number}": name for number, name in enumerate(pieces)}
    for tag, markup in zip(tags, pieces.values(), strict=True):
        html = html.replace(markup, f"<{tag}></{tag}>")
    reading = Reading(place, tags)
    reading.feed(html)
    reading.compare(controls)


class Reading(HTMLParser):
    """What a browser makes of one part of the notice. *tags* stand for our pieces: tag → piece."""

    def __init__(self, place: str, tags: Mapping[str, str]) -> None:
        super().__init__()
        self.place = place
        self.tags = tags
        self.open: list[tuple[str, dict[str, str]]] = []
        self.shown: set[str] = set()
        self.controls: list[Control] = []

    def refuse(self, found: str, expected: str, fix: str) -> NoReturn:
        """Say what is wrong with the template."""
        raise ConfigurationError(f"{self.place} {found}; expected {expected}. {fix}.")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read one element. Of an attribute given twice browsers take the first."""
        given = {name: value or "" for name, value in reversed(attrs)}
        text = self.get_starttag_text() or tag
        if any(name in given for name in PRESELECTING):
            self.refuse(
                f"holds {text!r}",
                "nothing ticked or focused beforehand",
                "Only the visitor may choose: take the attribute out",
            )
        if tag in self.tags:
            self.visible(f"{{{{ {self.tags[tag]} }}}}", self.open)
            self.shown.add(tag)
        elif tag in CONTROLS:
            self.control(tag, given)
        if tag not in VOID:
            self.open.append((tag, given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """``<div/>`` opens a div, as in browsers; only drawings and formulas know such an end."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID and any(name in ("svg", "math") for name, _ in self.open):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close an element. Browsers mend wrong nesting each in a way of its own, so it is refused."""
        if all(name != tag for name, _ in self.open):
            return
        while (last := self.open.pop()[0]) != tag:
            if last not in ENDED_BY_OTHERS:
                self.refuse(
                    f"closes <{tag}> while <{last}> is open",
                    "elements closed in turn",
                    f"Close <{last}> first",
                )

    def control(self, tag: str, given: dict[str, str]) -> None:
        """Keep a control that says something of the choice."""
        name = given.get("name", "")
        if name not in ("notice", "choice") and not name.startswith(("category.", "service.")):
            return
        control = Control(tag, given.get("type", "").lower(), name, given.get("value", ""))
        self.controls.append(control)
        if control == ENTER and "hidden" in given:
            return
        inside = [(tag, attrs) for tag, attrs in self.open if tag != "details" or control.type != "checkbox"]
        self.visible(str(control), [*inside, ("label", given)])
        if "form" in given:
            self.refuse(f"ties {control} to another form", "it in the form of the row", "Take form= out")

    def visible(self, what: str, inside: Iterable[tuple[str, dict[str, str]]]) -> None:
        """Refuse *what* where an element that it stands in doesn't show it."""
        for tag, given in inside:
            hiding = sorted(HIDING & given.keys())
            if given.get("aria-hidden", "").strip().lower() == "true":
                hiding.append("aria-hidden")
            if hiding or tag not in SHOWING:
                where = f"{hiding[0]}= hides it" if hiding else f"<{tag}> may hide it"
                self.refuse(
                    f"puts {what} where {where}",
                    "it where every visitor sees it",
                    "Put it straight into the form, without style=, hidden or the like",
                )

    def compare(self, controls: Sequence[Control]) -> None:
        """Refuse what was read when a piece isn't shown, or the controls aren't *controls*, each once."""
        if "<" in self.rawdata:
            self.refuse("ends inside a tag or comment", "all of them closed", "Close the last one")
        for tag, name in self.tags.items():
            if tag not in self.shown:
                self.refuse(
                    f"has {{{{ {name} }}}} in a comment, an attribute or a text",
                    "it where every visitor sees it",
                    "Put it straight into the form",
                )
        found, expected = Counter(self.controls), Counter(controls)
        for control in found - expected:
            self.refuse(
                f"holds {control} {found[control]} times",
                f"it {expected[control]} times beside our own row",
                "A choice is made with the component's controls only: take it out",
            )
        for control in expected - found:
            self.refuse(f"lacks {control}", "it once", "Put it back as it is in our own template")
