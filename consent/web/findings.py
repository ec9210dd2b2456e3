"""What requests show to be amiss: cookies undeclared, stopped, not as declared or not ours; security policies that
fail; answers from elsewhere, or by another scheme.
"""

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

from consent.errors import Fault

log = logging.getLogger("consent")

#: Findings of one kind that are named; a name made of what a visitor sends must not fill the log.
MOST = 512

About = Literal["undeclared", "stopped", "drift", "answer", "policy", "defeated", "late", "origin", "scheme"]
#: Those about cookies that a site has to mend: declare, set otherwise, or call by another name.
OF_COOKIES: Final[tuple[About, ...]] = ("undeclared", "drift", "answer")


@dataclass(slots=True, eq=False)
class Findings:
    """One app's. Each is logged once, with where it came from; all are counted."""

    known: dict[tuple[About, str, str], Fault] = field(default_factory=dict)
    """By what it is about, the item, and the endpoint it came from."""
    named: Counter[About] = field(default_factory=Counter)
    """How many are known, by what they are about."""
    counts: Counter[tuple[About, str]] = field(default_factory=Counter)
    """How often, by what it is about and the service's key (``undeclared`` has none)."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, about: About, item: str, endpoint: str | None, service: str, fault: Fault) -> None:
        """Count what was found about *item* at *endpoint*; *fault* says it."""
        key = (about, item, endpoint or "")
        with self.lock:
            self.counts[about, service] += 1
            if key in self.known or self.named[about] >= MOST:
                return
            self.known[key] = fault
            self.named[about] += 1
        log.warning("%s", fault)

    def about(self, *wanted: About) -> list[Fault]:
        """The findings of these kinds, in the order they came up."""
        with self.lock:
            return [fault for (about, *_), fault in self.known.items() if about in wanted]
