"""What is wrong with how a page was measured to look: equality, contrast, size, cover, focus, and no answer given."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Measured = Mapping[str, Any]

#: What the buttons answer, in their order.
ANSWERS: Final = ("none", "all", "some")
#: Properties by which the eye sees that an element has the focus; for a ring it has to be seen besides.
SEEN: Final = ("background-color", "border-", "box-shadow", "text-decoration-")
#: What people call a difference between two elements; browsers know hundreds of properties, many by several names.
PLAIN: Final = (
    *(
        "element",
        "width",
        "height",
        "color",
        "background-color",
        "background-image",
        "font-size",
        "font-weight",
    ),
    *(
        "font-family",
        "border-top-width",
        "border-top-color",
        "border-top-style",
        "box-shadow",
        "opacity",
        "transform",
    ),
)
#: Differences that are named of one button; there may be hundreds.
MOST: Final = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What is expected: the size of what is pressed, in CSS pixels, and contrast ratios."""

    target: float
    text: float
    large: float
    """The contrast of large text: 24 pixels, or 18.66 in bold."""


#: WCAG 2.2 AA (1.4.3, 2.5.8), which every site's theme has to keep.
AA: Final = Limits(target=24, text=4.5, large=3)
#: WCAG 2.2 AAA (1.4.6, 2.5.5), which our own theme keeps.
AAA: Final = Limits(target=44, text=7, large=4.5)
#: The contrast of what isn't text, such as the ring of the focus (WCAG 2.2, 1.4.11).
RING: Final = 3.0
#: The part of the window that a banner may lie over, so that the page beside it can be read.
COVER: Final = 0.76


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that breaks *rule*. *problem* says what was found and expected, without a full stop."""

    rule: str
    selector: str
    problem: str
    fix: str


def row(found: Measured, limits: Limits) -> Iterator[Finding]:
    """What is wrong with a layer's buttons, as ``row`` measures them (UI-01, UI-03)."""
    if tuple(found["values"]) != ANSWERS:
        yield Finding(
            "equal",
            ".pc-row",
            f"its buttons answer {', '.join(found['values']) or 'nothing'}; expected {', '.join(ANSWERS)}, "
            "all visible, in this order",
            "Take out the rule or the script that hides or moves one of them.",
        )
        return
    kinds = found["kinds"]
    differing = [
        [*unlike, *([["element", kinds[0], kind]] if kind != kinds[0] else [])]
        for unlike, kind in zip(found["unlike"], kinds, strict=True)
    ]
    yield from odd(
        dict(zip(ANSWERS, differing, strict=True)),
        "",
        "the same style, by custom properties on .pc or a rule for .pc-button",
    )
    for value, cut in zip(ANSWERS, found["cut"], strict=True):
        if cut:
            yield Finding(
                "whole",
                button(value),
                "its words don't fit into it; expected all of them to be seen",
                "Take out what fixes its size or its line breaks, or make its padding smaller.",
            )
    if not in_line(found):
        yield Finding(
            "equal",
            ".pc-row",
            "its buttons are out of line or out of order; expected one row, or one below the other",
            "Take out the rule that moves one of them, such as order, float or position.",
        )
    for value, box in zip(ANSWERS, found["boxes"], strict=True):
        yield from size(button(value), box, limits)
    for value, ratio in zip(ANSWERS, found["contrasts"], strict=True):
        yield from faint(button(value), ratio, limits.text)


def reachable(found: Measured) -> Iterator[Finding]:
    """Which of the buttons that ``row`` measured are covered, or outside the window (UI-01)."""
    for value, by in zip(found["values"], found["covered"], strict=True):
        if by:
            yield Finding(
                "covered",
                button(value),
                f"{by} lies over it; expected that it can be seen and pressed",
                "Put that elsewhere, or below the banner: --pc-z is the card's z-index.",
            )


def in_line(found: Measured) -> bool:
    """Whether the buttons stand in one row or one below the other, in their order."""
    ahead, x = (-1, "right") if found["rtl"] else (1, "left")
    across = [round(box[x] * ahead, 1) for box in found["boxes"]]
    down = [round(box["top"], 1) for box in found["boxes"]]
    row, stack = len(set(down)) == 1, len(set(across)) == 1
    return (row and across == sorted(across)) or (stack and down == sorted(down))


def answers(unlike: Sequence[Sequence[str]]) -> Iterator[Finding]:
    """What is wrong with No and Yes of the categories, as ``answers`` measures them (UI-03)."""
    if unlike:
        yield Finding(
            "equal",
            ".pc-answer label",
            f"No and Yes differ: {in_words(unlike)}; expected the same",
            "Give both labels the same style, chosen or not.",
        )


def alike(looks: Mapping[str, Sequence[Measured]], when: str) -> Iterator[Finding]:
    """How buttons differ *when* something is done to them, by what they answer: each one's looks, in one order."""
    first = looks[ANSWERS[0]]
    differing = {
        value: [
            [name, str(one.get(name)), str(other.get(name))]
            for one, other in zip(first, own, strict=True)
            for name in sorted(one.keys() | other.keys())
            if not same(one.get(name), other.get(name))
        ]
        for value, own in looks.items()
    }
    yield from odd(differing, f"{when} ", "the same :hover, :active and :focus-visible")


def same(one: object, other: object) -> bool:
    """Whether two values of a property are one; sizes may be a 64th of a pixel apart, by which browsers lay out."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) < 1 / 60
    return one == other


def odd(differing: Mapping[str, Sequence[Sequence[str]]], when: str, how: str) -> Iterator[Finding]:
    """Which button is unlike the others, by how each differs from the first: *differing* names both values."""
    first, *others = differing
    turned = [[name, there, here] for name, here, there in differing[others[0]]]
    alone = differing[others[0]] and all(differing[each] == differing[others[0]] for each in others)
    for value, found in {first: turned}.items() if alone else differing.items():
        if found:
            yield Finding(
                "equal",
                button(value),
                f"{when}it is not like {'the others' if alone else 'the one that refuses'}: {in_words(found)}; "
                "expected the same",
                f"Give all three {how}.",
            )


def focus(value: str, still: Measured, focused: Measured, ring: Measured) -> Iterator[Finding]:
    """Whether a button shows that it has the focus: how it was, how it is, and its ring (WCAG 2.2, 2.4.7)."""
    if any(name.startswith(SEEN) and still.get(name) != each for name, each in focused.items()):
        return
    drawn = ring["style"] != "none" and ring["width"] >= 1
    if drawn and ring["contrast"] >= RING:
        return
    problem = f"the ring has a contrast of {ring['contrast']:.1f}:1 only" if drawn else "nothing shows it"
    yield Finding(
        "focus",
        button(value),
        f"with the keyboard's focus {problem}; expected a ring of {RING:g}:1 or more",
        "Take out what removes its outline, or give it another one.",
    )


def texts(found: Iterable[Measured], limits: Limits) -> Iterator[Finding]:
    """Which texts are too faint, as ``texts`` measures them (WCAG 2.2, 1.4.3): the faintest of each selector."""
    faintest: dict[str, Measured] = {}
    for text in found:
        known = faintest.get(text["selector"])
        if known is None or text["contrast"] < known["contrast"]:
            faintest[text["selector"]] = text
    for selector, text in faintest.items():
        large = text["size"] >= 24 or (text["bold"] and text["size"] >= 18.66)
        yield from faint(selector, text["contrast"], limits.large if large else limits.text)


def targets(found: Iterable[Measured], limits: Limits) -> Iterator[Finding]:
    """What is too small to be pressed, as ``targets`` measures it (WCAG 2.2, 2.5.8)."""
    for target in found:
        yield from size(target["selector"], target, limits)


def card(share: float) -> Iterator[Finding]:
    """Whether the banner leaves room enough for the page: *share* is the part of the window that it lies over."""
    if share > COVER:
        yield Finding(
            "cover",
            ".pc-place",
            f"it lies over {share:.0%} of the window; expected {COVER:.0%} at most",
            'Take out what makes it larger, or set CONSENT_PLACEMENT = "top", which covers nothing.',
        )


def behind(found: Iterable[Measured]) -> Iterator[Finding]:
    """Which of the page's controls the banner hides while they have the focus (WCAG 2.2, 2.4.11)."""
    for each in found:
        if each["hidden"]:
            yield Finding(
                "cover",
                each["selector"],
                "the banner hides it when it has the focus; expected that it is scrolled to where it is seen",
                "Take out the site's own scroll-padding or padding of body, or what keeps it from scrolling.",
            )


def unanswered(found: Measured) -> Iterator[Finding]:
    """What a layer answers before its visitor does, as ``unanswered`` measures it (CON-01, UI-05)."""
    if found["ticked"]:
        yield Finding(
            "unanswered",
            f"[name='{found['ticked'][0]}']",
            "it is ticked before anybody has answered; expected that nothing is",
            "Take out the script that ticks it.",
        )
    if found["focused"]:
        yield Finding(
            "unanswered",
            found["focused"],
            "it has the focus when the page opens; expected that the visitor's focus stays where it is",
            "Take out autofocus, or the script that calls focus().",
        )
    if found["accepting"] != found["refusing"]:
        yield Finding(
            "equal",
            "[name=choice]",
            f"{found['accepting']} controls accept all and {found['refusing']} refuse all; expected as many",
            "Take out the one that is too many.",
        )


def size(selector: str, box: Measured, limits: Limits) -> Iterator[Finding]:
    """Whether what can be pressed is large enough; browsers round to 64ths of a pixel."""
    if min(box["width"], box["height"]) < limits.target - 0.02:
        yield Finding(
            "size",
            selector,
            f"it is {box['width']:.0f} × {box['height']:.0f} px; expected {limits.target:g} px or more each way",
            "Make it larger: --pc-tap is the least height.",
        )


def faint(selector: str, ratio: float, least: float) -> Iterator[Finding]:
    """Whether text can be read on what it stands on."""
    if ratio < least - 0.005:
        yield Finding(
            "contrast",
            selector,
            f"its text has a contrast of {ratio:.1f}:1; expected {least:g}:1 or more",
            "Choose other colours, for light and dark: --pc-fg, --pc-mute, --pc-accent and --pc-bg on .pc.",
        )


def button(value: str) -> str:
    """The selector of the button that answers *value*."""
    return f".pc-row [value={value}]" if value != "some" else ".pc-row > :nth-child(n+3)"


def in_words(differing: Sequence[Sequence[str]]) -> str:
    """The properties that differ, and both values: the first few of them, those that say most before others."""
    plain = sorted(differing, key=lambda each: PLAIN.index(each[0]) if each[0] in PLAIN else len(PLAIN))
    said = [f"{name} is {there}, not {here}" for name, here, there in plain[:MOST]]
    more = len(differing) - len(said)
    return ", ".join(said) + (f" and {more} more" if more else "")
