"""Which control each label of a template speaks for, as browsers work it out (HTML §4.10.4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

#: Elements that a label can speak for; an ``input`` that is hidden is none of them.
LABELABLE = frozenset({"button", "input", "meter", "output", "progress", "select", "textarea"})

Attributes = Mapping[str, str]


@dataclass(slots=True, eq=False)
class Label:
    """A label: the id that it names, if any, and what stands in it and could be labelled."""

    named: str | None
    controls: list[Attributes] = field(default_factory=list)


@dataclass(slots=True)
class Labels:
    """The labels of one template and what they speak for, gathered element by element."""

    all: list[Label] = field(default_factory=list)
    open: list[Label] = field(default_factory=list)
    ids: dict[str, Attributes | None] = field(default_factory=dict)
    """The first element with each id; None where no label can speak for it."""
    answering: list[tuple[str, Attributes]] = field(default_factory=list)
    """The controls by which visitors answer, each as it is called in messages."""

    def begin(self, tag: str, given: Attributes) -> None:
        """An element begins."""
        labelable = tag in LABELABLE and given.get("type", "").lower() != "hidden"
        if given.get("id"):
            self.ids.setdefault(given["id"], given if labelable else None)
        if labelable:
            for label in self.open:
                label.controls.append(given)
        if tag == "label":
            self.all.append(label := Label(given.get("for")))
            self.open.append(label)

    def end(self) -> None:
        """The innermost label ends."""
        self.open.pop()

    def problems(self) -> Iterator[tuple[str, str, str]]:
        """What is wrong: what was found, what was expected, the fix."""
        for label in self.all:
            if label.named is not None and self.ids.get(label.named) is None:
                yield (
                    f'holds <label for="{label.named}">, and the first element with that id is no control in it',
                    "labels for controls of the same template",
                    "Write the id of the control that the label speaks for, or put the control into the label "
                    "and take for= out",
                )
            elif len(label.controls) > 1:
                yield (
                    f"holds a label around {len(label.controls)} controls",
                    "a label of its own for each: a click on its words answers with the first",
                    "Close the label before the next control",
                )
        for name, control in self.answering:
            around = [label for label in self.all if any(each is control for each in label.controls)]
            speaking = [label for label in self.all if self.spoken_for(label) is control]
            if any(label not in speaking for label in around):
                yield (
                    f"puts {name} into a label that speaks for another control",
                    "a click on a label's words to answer what they say",
                    "Take for= out of the label",
                )
            elif not speaking and control.keys().isdisjoint(("aria-label", "aria-labelledby")):
                yield (
                    f"shows {name} without a label",
                    "words that say what it answers to who can't see where it stands",
                    "Put it into a <label> with its words",
                )

    def spoken_for(self, label: Label) -> Attributes | None:
        """The attributes of the control that *label* speaks for; None for none."""
        if label.named is not None:
            return self.ids.get(label.named)
        return label.controls[0] if label.controls else None
