"""The verdicts of one app, remembered: the same answers in the same circumstances have the same verdict."""

import threading
from dataclasses import dataclass, field
from typing import TypeVar

from consent.decision import Asking, Circumstances, Decision, Lifetimes, Verdict, asking, judge, widest
from consent.policy import Policy

#: Remembered of each; there are few different ones among many visitors. A full memory starts anew.
MOST = 4096

Key = tuple[object, ...]
Found = TypeVar("Found", Verdict, Asking)


@dataclass(slots=True, eq=False)
class Verdicts:
    """What *policy* says of the answers that visitors bring."""

    policy: Policy
    known: dict[Key, Verdict] = field(default_factory=dict)
    asked: dict[Key, Asking] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def verdict(
        self, decision: Decision | None, here: Circumstances, *, lifetimes: Lifetimes, now: int
    ) -> Verdict:
        """What may run for *decision* *here* at *now* (epoch seconds)."""
        key = (decision.said, decision.lapsed(lifetimes, now=now), here) if decision else here
        if (found := self.known.get(key)) is None:
            found = judge(self.policy, decision, here, now=now, lifetimes=lifetimes)
            self.keep(self.known, key, found)
        return found

    def widest(self, here: Circumstances) -> Verdict:
        """What may run *here* for whoever has said Yes to everything."""
        key = ("widest", here)
        if (found := self.known.get(key)) is None:
            found = widest(self.policy, here)
            self.keep(self.known, key, found)
        return found

    def asking(self, decision: Decision | None, *, lifetimes: Lifetimes, now: int) -> Asking:
        """Whether to ask whoever holds *decision* at *now* (epoch seconds), and why."""
        key: Key = ()
        if decision:
            key = (decision.said, decision.lapsed(lifetimes, now=now), now < decision.left_alone_until)
        if (found := self.asked.get(key)) is None:
            found = asking(self.policy, decision, now=now, lifetimes=lifetimes)
            self.keep(self.asked, key, found)
        return found

    def keep(self, memory: dict[Key, Found], key: Key, value: Found) -> None:
        """Remember *value*."""
        with self.lock:
            if len(memory) >= MOST:
                memory.clear()
            memory[key] = value
