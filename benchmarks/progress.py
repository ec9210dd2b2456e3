"""What is being done now, on standard error."""

import sys
from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """How far the section *name* is."""

    name: str
    said: int = -1

    def say(self, what: str) -> None:
        """Name what begins now."""
        print(f"{self.name}: {what}", file=sys.stderr, flush=True)

    def step(self, done: int, whole: int) -> None:
        """*done* of *whole* are done; said every tenth."""
        tenths = 10 * done // whole
        if tenths != self.said:
            self.said = tenths
            self.say(f"{10 * tenths} %")
