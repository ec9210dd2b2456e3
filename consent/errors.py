"""What can go wrong, and how it is said: what was found, what was expected, the likely fix."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class ConsentError(Exception):
    """The root of every error this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. Neither *place* nor *problem* ends in a full stop; *fix* is a sentence."""

    place: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}. {self.fix}"


class PolicyError(ConsentError):
    """The declaration cannot be used; ``faults`` holds everything that is wrong with it, in file order."""

    faults: tuple[Fault, ...]

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class ConfigurationError(ConsentError):
    """Settings cannot be used; the message names each on a line of its own, with what was found and the fix."""


class LedgerError(ConsentError):
    """The record of consent could not do what was asked of it."""


class LedgerUnavailable(LedgerError):
    """Nothing was recorded, now: the ledger is locked, read-only or full. Try again later."""

    #: Seconds, a whole number of at least 1: what a ``Retry-After`` header says.
    retry_after: int

    def __init__(self, message: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class LedgerConflict(LedgerError):
    """An event of the same id, but with other contents, is recorded already, or an opening that is of no event."""


class SigningRefused(LedgerError):
    """The tree is not one that may be signed: it doesn't continue the one that was signed last."""


class ProofError(ConsentError):
    """A receipt, proof or checkpoint does not hold. The message gives no detail a forger could use."""


def did_you_mean(found: str, known: Iterable[str], *, near: float = 0.6) -> str:
    """A sentence naming the known word nearest to *found*, or ``""`` when none is as near as *near* (1 is equal)."""
    nearest = difflib.get_close_matches(found[:100], list(known), n=1, cutoff=near)
    return f'Did you mean "{nearest[0]}"?' if nearest else ""
