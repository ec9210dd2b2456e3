"""What a site's templates may not take from their visitors: a row of buttons to see, and nothing chosen for them.

Reads rendered templates as browsers do: in the parts of the notice the controls must be those expected, and around
the notice nothing may answer in its place. Beyond it are the site's own style sheets and scripts, its layout
(``page.html`` and every other page that shows the banner), the words, and what a template shows at some moments only.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from typing import NamedTuple, NoReturn

from consent.errors import ConfigurationError
from consent.web.elements import objections
from consent.web.labels import Labels

#: What takes an element, or all in it, from who sees, hears or uses it.
HIDING = frozenset({"hidden", "inert", "popover", "disabled"})
#: What our own style sheet shows at times only.
HIDING_CLASSES = frozenset({"pc-status", "pc-services", "pc-skip", "pc-shape", "pc-decided"})
#: Elements that show their content whatever happens.
SHOWING = frozenset(
    re.findall(
        r"\w+",
        "main header footer aside nav article section search div form fieldset label p span center "
        "ul ol li dl dt dd table tbody tr td",
    )
)
VOID = frozenset(re.findall(r"\w+", "area base br col embed hr img input link meta param source track wbr"))
#: Elements that end with what they stand in (HTML §13.1.2.4), and those that end them so in every browser.
ENDED_BY_OTHERS = frozenset({"p", "li", "dt", "dd"})
ENDING_OTHERS = SHOWING - {"p", "span", "label"}
#: The parts of a drawing that are written without an end tag.
SHAPES = frozenset(re.findall(r"\w+", "path circle ellipse line polyline polygon rect use stop image g"))
#: What makes browsers send no form, not even a refusal, before a field is filled in as they want (HTML §4.10.21).
CONSTRAINING = ("required", "pattern", "min", "max", "minlength", "maxlength", "step")
CONTROLS = frozenset({"input", "button", "select", "textarea"})
#: Elements whose content is text, whatever it looks like.
TEXTS = frozenset({"textarea", "iframe"})
#: A comment that ends at the same place for every reader.
COMMENT = re.compile(r"<!--(?!-?>)(?:(?!--).)*-->", re.DOTALL)
END_TAG = re.compile(r"</[a-zA-Z][^\s/>]*\s*>")


class Control(NamedTuple):
    """A control of the form that says something of the visitor's choice."""

    tag: str
    type: str
    name: str
    value: str

    def __str__(self) -> str:
        kind = f' type="{self.type}"' if self.type else ""
        return f'<{self.tag}{kind} name="{self.name}" value="{self.value}">'


#: On "my consent": the withdrawal of who has allowed anything.
WITHDRAW = Control("button", "submit", "choice", "none")
#: In the centre: Enter in a field saves what is filled in, instead of pressing the first button.
ENTER = Control("input", "submit", "choice", "some")


def of_centre(optional: Mapping[str, Iterable[str]]) -> tuple[Control, ...]:
    """The controls of a preference centre, apart from our row, for each category's services by their keys."""
    found = [ENTER]
    for category, services in optional.items():
        found += [Control("input", "radio", f"category.{category}", value) for value in ("no", "yes", "some")]
        found += [Control("input", "checkbox", f"service.{service}", "yes") for service in services]
    return tuple(found)


def check(
    place: str,
    html: str,
    pieces: Mapping[str, str],
    controls: Sequence[Control] = (),
    *,
    action: str | None = None,
    dialog: str | None = None,
) -> dict[Control, str]:
    """The start tags of *controls*, as *html* writes them.

    ConfigurationError unless it shows each of *pieces* (what templates call it → its markup) once, unaltered, and
    beside them exactly *controls*, none of them hidden, chosen or demanded.
    *place* names the template; *action* is where the form around pieces and controls sends them, None where there
    must be no form around them; *dialog* is the piece that may wait in the dialog which the row's button opens.
    """
    for name, markup in pieces.items():
        if (count := html.count(markup)) != 1:
            raise ConfigurationError(
                f"{place} shows {{{{ {name} }}}} {count} times; expected once, unaltered. Refusing must stay as easy "
                "as accepting, and what is recorded as shown must be what is shown: put it back as it is."
            )
    # A tag that the template cannot hold stands for each piece, so that only where it stands is read.
    stem = f"pc-{hashlib.sha256(html.encode()).hexdigest()}"
    tags = {f"{stem}-{number}": name for number, name in enumerate(pieces)}
    for tag, markup in zip(tags, pieces.values(), strict=True):
        html = html.replace(markup, f"<{tag}></{tag}>")
    reading = Reading(place, tags, action, dialog)
    reading.feed(html)
    reading.compare(controls)
    return {control: tag for control, [tag] in reading.controls.items()}


Element = tuple[str, dict[str, str]]
"""A tag and its attributes."""


class Reading(HTMLParser):
    """What a browser makes of one template. *tags* stand for our pieces: tag → piece; the rest as in `check`."""

    def __init__(self, place: str, tags: Mapping[str, str], action: str | None, dialog: str | None) -> None:
        super().__init__()
        self.place = place
        self.tags = tags
        self.action = action
        self.dialog = dialog
        self.open: list[Element] = []
        self.shown: set[str] = set()
        self.labels = Labels()
        self.controls: dict[Control, list[str]] = defaultdict(list)
        """Those that answer, each with the start tags that it is written with."""
        self.forms: list[tuple[str, dict[str, str] | None]] = []
        """What answers, with the attributes of the form around it."""
        self.constraints: list[tuple[str, str, dict[str, str] | None]] = []
        """Elements that want to be filled in: attribute, start tag and the same."""

    def refuse(self, found: str, expected: str, fix: str) -> NoReturn:
        """Say what is wrong with the template."""
        raise ConfigurationError(f"{self.place} {found}; expected {expected}. {fix}.")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read one element. Of an attribute given twice browsers take the first."""
        given = {name: value or "" for name, value in reversed(attrs)}
        text = self.get_starttag_text() or tag
        self.plain(tag, given, text)
        self.constraints += [(name, text, self.form) for name in CONSTRAINING if name in given]
        self.labels.begin(tag, given)
        if tag in self.tags:
            name = f"{{{{ {self.tags[tag]} }}}}"
            waits = self.tags[tag] == self.dialog
            self.visible(name, [element for element in self.open if not (waits and opened(element))])
            if self.labels.open:
                self.refuse(
                    f"puts {name} into a label", "it outside of any", "Its controls have words of their own"
                )
            self.shown.add(tag)
            self.answers(name)
        else:
            self.control(tag, given)
        if tag not in VOID:
            self.open.append((tag, given))
        if tag in TEXTS:
            self.set_cdata_mode(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """``<div/>`` opens a div, as in browsers; only the shapes of drawings know such an end."""
        self.handle_starttag(tag, attrs)
        if tag in SHAPES and any(name == "svg" for name, _ in self.open):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close an element. Browsers mend wrong nesting each in a way of its own, so it is refused."""
        if tag in VOID:
            return
        if all(name != tag for name, _ in self.open):
            self.refuse(
                f"closes <{tag}>, which isn't open in it",
                "elements opened and closed in the same template",
                f"Take </{tag}> out",
            )
        if tag == "label":
            self.labels.end()
        while (last := self.open.pop()[0]) != tag:
            if last not in ENDED_BY_OTHERS or tag not in ENDING_OTHERS:
                self.refuse(
                    f"closes <{tag}> while <{last}> is open",
                    "elements closed in turn",
                    f"Close <{last}> first",
                )

    def parse_comment(self, i: int, report: bool = True) -> int:
        """Skip a comment; one that could end elsewhere for a browser is refused."""
        if found := COMMENT.match(self.rawdata, i):
            return found.end()
        return self.unclear(i) if "-->" in self.rawdata[i:] else -1

    def parse_endtag(self, i: int) -> int:
        """Read an end tag as browsers do."""
        if self.cdata_elem is None and ">" in self.rawdata[i:] and not END_TAG.match(self.rawdata, i):
            return self.unclear(i)
        return super().parse_endtag(i)

    def unclear(self, i: int) -> int:
        """Refuse what starts at *i* because not every browser reads it like this reader."""
        self.refuse(
            f"holds {self.rawdata[i : i + 40]!r}",
            "elements, texts and plain comments (<!-- without two hyphens in it -->)",
            "Take it out, or write it as a comment of Jinja's: {# … #}",
        )

    #: ``<!doctype>``, ``<![CDATA[`` and ``<?…>``.
    parse_html_declaration = parse_pi = unclear

    def plain(self, tag: str, given: dict[str, str], text: str) -> None:
        """Refuse what no template may hold, and what acts upon another form."""
        for objection in objections(tag, given, text, answering=self.action is not None):
            self.refuse(*objection)
        if tag == "form" and any(name == "form" for name, _ in self.open):
            self.refuse("opens <form> in a form", "forms beside each other", "Close the first one before")
        beside = tag == "input" and given.get("type", "").lower() == "hidden"
        if "form" in given and not (beside and given.get("name") in ("from", "next")):
            self.refuse(f"ties {text!r} to another form", "it in a form of its own", "Take form= out")

    def control(self, tag: str, given: dict[str, str]) -> None:
        """Keep a control that says something of the choice."""
        sent = (given.get(attribute, "") for attribute in ("name", "dirname"))
        name = next(filter(answering, sent), None)
        if tag not in CONTROLS or name is None:
            return
        control = Control(tag, given.get("type", "").lower(), name, given.get("value", ""))
        if self.action is None:
            self.refuse(
                f"holds {control}",
                "none that answers",
                "A choice is made with the component's controls only: take it out",
            )
        self.controls[control].append(self.get_starttag_text() or "")
        self.answers(str(control))
        if control == ENTER and "hidden" in given:
            return
        if control.type in ("radio", "checkbox"):
            self.labels.answering.append((str(control), given))
        folded = control.type == "checkbox"
        inside = [element for element in self.open if not (folded and folding(element))]
        self.visible(str(control), [*inside, ("label", given)])

    def answers(self, what: str) -> None:
        """Remember the form that *what* stands in."""
        self.forms.append((what, self.form))

    @property
    def form(self) -> dict[str, str] | None:
        """The attributes of the form that is open."""
        return next((given for tag, given in self.open if tag == "form"), None)

    def visible(self, what: str, inside: Iterable[Element]) -> None:
        """Refuse *what* where an element that it stands in doesn't show it."""
        for tag, given in inside:
            hiding = [f"{name}=" for name in sorted(HIDING & given.keys())]
            if given.get("aria-hidden", "").strip().lower() == "true":
                hiding.append("aria-hidden=")
            hiding += [f'class="{name}"' for name in given.get("class", "").split() if name in HIDING_CLASSES]
            if hiding or tag not in SHOWING:
                where = f"{hiding[0]} hides it" if hiding else f"<{tag}> may hide it"
                self.refuse(
                    f"puts {what} where {where}",
                    "it where every visitor sees it",
                    "Put it into plain elements, without style=, hidden or the like",
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
                    "Put it into plain elements",
                )
        found = Counter({control: len(tags) for control, tags in self.controls.items()})
        expected = Counter(controls)
        for control in found - expected:
            self.refuse(
                f"holds {control} {found[control]} times",
                f"it {expected[control]} times beside our own row",
                "A choice is made with the component's controls only: take it out",
            )
        for control in expected - found:
            self.refuse(f"lacks {control}", "it once", "Put it back as it is in our own template")
        for problem in self.labels.problems():
            self.refuse(*problem)
        for tag, _ in self.open:
            self.refuse(f"ends while <{tag}> is open", "all elements closed", f"Close <{tag}>")
        self.compare_forms()

    def compare_forms(self) -> None:
        """Refuse what answers in any form but the one, in which it is sent to our own address."""
        for what, form in self.forms:
            if self.action is None:
                if form is not None:
                    self.refuse(f"puts {what} into a form", "it outside of any", "It has a form of its own")
                continue
            if form is not self.forms[0][1] or form is None:
                self.refuse(f"puts {what} outside of the form", "all that answers in one form", "Put it back")
            sent = form.get("method", "").lower(), form.get("action", "").strip()
            encoded = form.get("enctype", "application/x-www-form-urlencoded").lower()
            if sent != ("post", self.action) or encoded != "application/x-www-form-urlencoded":
                written = (
                    f' {name}="{form[name]}"' for name in ("method", "action", "enctype") if name in form
                )
                self.refuse(
                    f"sends {what} with <form{''.join(written)}>",
                    f'method="post" and action="{self.action}"',
                    'Write <form method="post" action="{{ urls.centre }}">',
                )
        for name, text, form in self.constraints:
            if form is not None and any(form is answering for _, answering in self.forms):
                self.refuse(
                    f"holds {text!r}",
                    "no field that has to be filled in, without which browsers send no refusal either",
                    f"Take {name}= out",
                )


def answering(name: str) -> bool:
    """Whether a field called *name* says something of the choice."""
    return name in ("notice", "choice") or name.startswith(("category.", "service."))


def folding(element: Element) -> bool:
    """Whether *element* may fold the list of a category's services away."""
    tag, given = element
    return (tag == "details" or "pc-services" in given.get("class", "").split()) and not HIDING & given.keys()


def opened(element: Element) -> bool:
    """Whether *element* is the dialog that the row's button opens, and nothing else keeps it shut."""
    tag, given = element
    return tag == "dialog" and given.get("id") == "pc-dialog" and not (HIDING - {"popover"}) & given.keys()
