"""What is read of a notice, line by line, and where two of them differ."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from html.parser import HTMLParser
from itertools import zip_longest
from typing import Final

#: Elements within a line; every other begins one.
_WITHIN: Final = frozenset(
    re.findall(r"\w+", "a abbr b bdi bdo cite code em i kbd mark q s small span strong sub sup time u")
)
#: Elements whose text nobody reads.
_UNREAD: Final = frozenset({"script", "style", "template"})
_TAG: Final = re.compile("<[^>]*>")

#: What stands in one, and in its place in the other; nothing where there is none.
Pair = tuple[str, str]


class _Reading(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self.unread = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.unread += tag in _UNREAD
        if tag not in _WITHIN:
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        self.unread -= tag in _UNREAD
        if tag not in _WITHIN:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self.unread:
            self.lines[-1] += data


def read_lines(html: str) -> list[str]:
    """The lines that a reader meets in *html*, what is folded up among them; without tags."""
    reading = _Reading()
    reading.feed(html)
    reading.close()
    return list(filter(None, (" ".join(line.split()) for line in reading.lines)))


def tags(html: str) -> list[str]:
    """The tags of *html*, one by one."""
    return _TAG.findall(html)


def differing(before: Sequence[str], after: Sequence[str]) -> Iterator[Pair]:
    """The lines of *before* that aren't in *after*, beside those that stand there instead."""
    for kind, first, last, new, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from zip_longest(before[first:last], after[new:end], fillvalue="")
