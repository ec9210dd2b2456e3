"""The signed-in visitor's account and its opt-out, which holds wherever they sign in, and only narrows (GPC-09)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from consent.errors import LedgerError
from consent.web.recorder import Recorder

log = logging.getLogger("consent")

#: Seconds for which an answer of the database holds: another process may have learned better.
FRESH = 5.0
#: Seconds until the database is asked again after it couldn't answer.
ASK_AGAIN = 2.0


class Account(NamedTuple):
    """An account, as far as it matters here."""

    link: str | None
    """What stands for it in the log; None when nobody can say."""
    opted_out: bool
    """Whether its opt-out holds."""


#: What holds while nobody can say who is signed in, or whether they have opted out: the careful answer.
UNKNOWN = Account(None, opted_out=True)


@dataclass(slots=True, eq=False)
class Accounts:
    """The accounts of one app."""

    recorder: Recorder
    ask_at: float = float("-inf")

    def of(self, named: Callable[[], object]) -> Account | None:
        """The account that the host's function *named* names; None when it names none, so nothing is looked up.

        UNKNOWN when the function fails or names what has no text, or when the ledger can't say.
        """
        try:
            name = text_of(named())
        except (
            Exception
        ):  # the site's own code may raise anything, and a refusal holds all the same (rules 9, 11)
            log.exception("%r named no account; taking it as opted out", named)
            return UNKNOWN
        if name is None:
            return None
        now = self.recorder.steady()
        if now < self.ask_at:
            return UNKNOWN
        try:
            link = self.recorder.link(name)
            return Account(link, self.opted_out(link, now))
        except (LedgerError, OSError) as error:
            log.error("whether an account is opted out can't be looked up, so it counts as such: %s", error)
            self.ask_at = now + ASK_AGAIN
            return UNKNOWN

    def opted_out(self, link: str, now: float) -> bool:
        """Whether the account is, by the memory or by one look-up."""
        memory = self.recorder.opt_outs
        known = memory.get(link, now)
        if known is not None:
            return known
        changes = memory.changes
        found = self.recorder.ledger.opted_out(link)
        memory.keep(link, found, until=now + FRESH, changes=changes)
        return found


def text_of(named: object) -> str | None:
    """The account's name as text; None when it names nobody. UnicodeEncodeError for halves of characters."""
    name = "" if named is None else str(named)
    name.encode()
    return name or None
