"""What a browser sent as its ``Cookie`` header: the visitor's answer, and what earlier times have left behind."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from consent.decision import Circumstances, CookieCodec, Decision, Lifetimes, Verdict, counts_from
from consent.policy import DeclaredCookies
from consent.web.expiry import MOST_NAMES

#: Answers remembered by each app.
REMEMBERED: Final = 2048
#: Characters of the longest header that is remembered beside its answer.
LONGEST: Final = 2048
#: No time is later.
EVER: Final = float("inf")


class Judged(NamedTuple):
    """What may run by one answer, in some circumstances, until one of its parts lapses, and since one has."""

    verdict: Verdict
    here: Circumstances
    since: float
    until: float


class Sent:
    """An answer that one of the site's keys signed, and what it was last asked with: what may run, what lies beside it.

    Time, policy and page decide anew in each request whether it counts.
    """

    __slots__ = ("beside", "counts_from", "decision", "judged")

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.counts_from = counts_from(decision)
        self.judged: Judged | None = None
        self.beside: tuple[str, tuple[str, ...]] = ("", ())
        """A header that brought it, and what :meth:`SentCookies.suspects` says of that."""

    def verdict(self, here: Circumstances, now: int) -> Verdict | None:
        """What :meth:`keep` kept, if that holds *here* and *now*."""
        known = self.judged
        if known is None or known.here != here:
            return None
        return known.verdict if known.since <= now < known.until else None

    def keep(self, verdict: Verdict, here: Circumstances, lifetimes: Lifetimes, *, now: int) -> None:
        """Remember what may run *here* by the answer; *lifetimes* are those of all requests that bring it."""
        grants, refusals = self.decision.lapses(lifetimes)
        if now < grants:
            self.judged = Judged(verdict, here, -EVER, grants)
        elif now < refusals:
            self.judged = Judged(verdict, here, grants, refusals)
        else:
            self.judged = Judged(verdict, here, refusals, EVER)


class SentCookies:
    """Reads the headers that browsers send to one app. Safe to share between threads.

    *names*: the choice cookie's, by whether the request came over HTTPS. *own*: the services whose cookies are left
    alone.
    """

    def __init__(
        self, codec: CookieCodec, declared: DeclaredCookies, own: frozenset[str], names: Mapping[bool, str]
    ) -> None:
        self.codec = codec
        self.declared = declared
        self.own = own
        self.starts: Final = {secure: f"{name}=" for secure, name in names.items()}
        # By the answer alone: the cookies beside it change all the time. lru_cache keeps no exception: whoever can't
        # show an answer that we signed fills nobody's memory.
        self._remembered: Final = lru_cache(REMEMBERED)(self._read)

    def read(self, header: str, *, secure: bool) -> Sent | None:
        """The answer in *header*, of a request that came over HTTPS or not; None for none that can be trusted.

        That is for none, for two, and for one that none of the site's keys signed exactly so.
        """
        text = only_cookie(header, self.starts[secure])
        if text is None:
            return None
        try:
            return self._remembered(text)
        except ValueError:
            return None

    def _read(self, text: str) -> Sent:
        return Sent(self.codec.read(text))

    def suspects(self, header: str, sent: Sent | None = None) -> tuple[str, ...]:
        """The names in *header* that some service declares, but for those that are always on here.

        *sent* is the answer in it, if that is known.
        """
        if sent is not None and sent.beside[0] == header:
            return sent.beside[1]
        own, declared = self.own, self.declared.of
        found: list[str] = []
        for pair in dict.fromkeys(header.split(";", MOST_NAMES)[:MOST_NAMES]):
            name = pair.partition("=")[0].strip(" \t")
            if (services := declared(name)) and not own.issuperset(services):
                found.append(name)
        names = tuple(found)
        if sent is not None and len(header) <= LONGEST:
            sent.beside = header, names
        return names


def only_cookie(header: str, start: str) -> str | None:
    """The value of the one cookie in a ``Cookie`` header that begins with *start* (``name=``); None for none or two."""
    if header.startswith(start) and ";" not in header:
        return header[len(start) :].rstrip(" \t")
    found = None
    place, size = header.find(start), len(start)
    while place >= 0:
        before, after = place, place + size
        while before and header[before - 1] in " \t":
            before -= 1
        if not before or header[before - 1] == ";":
            if found is not None:
                return None
            found = header[after:].partition(";")[0]
        place = header.find(start, after)
    return found.rstrip(" \t") if found else found
