"""What no element of a site's templates may be or say: what runs, restyles, chooses, or stands in the way."""

import re
from collections.abc import Iterator, Mapping

#: What would choose for the visitor.
PRESELECTING = ("checked", "selected", "autofocus")
#: Elements that run, restyle or redirect something, or reach beyond the template they stand in.
FOREIGN = frozenset(
    re.findall(r"\w+", "script style link base meta html head body frameset frame object embed applet portal")
)
#: Elements whose content some browsers show and others don't, or which keep what follows from being shown.
UNSHOWN = frozenset(re.findall(r"\w+", "template noscript noembed noframes xmp plaintext"))
#: Elements that can be reached by keyboard, unless they say otherwise.
REACHED = frozenset({"a", "area", "button", "input", "select", "textarea", "summary", "iframe"})
#: A number as browsers read one (HTML §2.3.4.1); what they can't read counts as not said.
NUMBER = re.compile(r"[ \t\n\f\r]*\+?(-?[0-9]+)")


def objections(
    tag: str, given: Mapping[str, str], text: str, *, answering: bool
) -> Iterator[tuple[str, str, str]]:
    """Why the element *tag* with the attributes *given*, written as *text*, may not stand in a template.

    Each says what was found, what was expected, and the fix. *answering*: whether it is a part of the notice, in which
    visitors answer.
    """
    holds = f"holds {text!r}"
    if answering:
        for name in given.keys() & {*PRESELECTING}:
            fix = f"Only the visitor may choose: take {name} out"
            yield holds, "nothing ticked or focused beforehand", fix
    if tag in FOREIGN or (tag == "iframe" and (given.get("sandbox") != "" or "srcdoc" in given)):
        fix = f"Scripts, styles and frames belong to your own layout: take <{tag}> out"
        yield holds, "nothing that runs, restyles or redirects", fix
    if tag in UNSHOWN:
        yield holds, f"plain elements; <{tag}> may hide what stands in it or after it", "Take it out"
    for name, value in given.items():
        if name.startswith("on") or "javascript:" in re.sub(r"[\0- ]+", "", value.lower()):
            yield holds, "nothing that runs", f"Take {name}= out"
        if name == "style":
            expected = "looks from a style sheet only; style= hides what it likes, and a strict CSP drops it"
            yield holds, expected, "Use class= instead"
        if name.startswith("form") and name != "form":
            yield holds, "no form sent elsewhere", f"Take {name}= out"
    if tag == "dialog" and "open" in given:
        yield holds, "dialogs that only visitors open", "Take open= out"
    if number := NUMBER.match(given.get("tabindex", "")):
        if int(number[1]) > 0:
            expected = "what is reached by keyboard in the order in which it stands"
            yield holds, expected, "Take tabindex= out, and put the element where it is to be reached"
        if int(number[1]) < 0 and tag in REACHED and "hidden" not in given:
            yield holds, "everything that can be clicked to be reached by keyboard too", "Take tabindex= out"
