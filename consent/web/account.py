"""The signed-in visitor's account and its opt-out, which holds wherever they sign in, and only narrows (GPC-09)."""

import logging
from dataclasses import dataclass
from typing import NamedTuple

from consent.errors import LedgerError
from consent.web.recorder import Recorder

log = logging.getLogger("consent")

#: Seconds for which an answer of the database holds: another process may have learned better.
FRESH = 5.0
#: Seconds until the database is asked again after it couldn't answer.
ASK_AGAIN = 2.0
#: Accounts remembered; a full memory starts anew.
MOST = 4096


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

    def of(self, said: object) -> Account | None:
        """The account that the host names (*said*); None when it names none, for which nothing is looked up.

        UNKNOWN when the host couldn't say, or the ledger can't.
        """
        if said is None or said == "":
            return None
        now = self.recorder.steady()
        if said is UNKNOWN or now < self.ask_at:
            return UNKNOWN
        try:
            link = self.recorder.link(str(said))
        except LedgerError:
            self.ask_at = now + ASK_AGAIN
            return UNKNOWN
        # What the site's function gave may be anything, and a refusal has to hold all the same (rules 9 and 11).
        except Exception:
            log.exception("the account that CONSENT_ACCOUNT gave is no text")
            return UNKNOWN
        try:
            return Account(link, self.opted_out(link, now))
        except (LedgerError, OSError):
            self.ask_at = now + ASK_AGAIN
            return UNKNOWN

    def opted_out(self, link: str, now: float) -> bool:
        """Whether the account is, by the memory or by one look-up."""
        memory = self.recorder.opt_outs
        until, found = memory.get(link, (now, False))
        if now < until:
            return found
        found = self.recorder.ledger.opted_out(link)
        if len(memory) >= MOST:
            memory.clear()
        memory[link] = now + FRESH, found
        return found
