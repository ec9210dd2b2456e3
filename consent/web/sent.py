"""What a browser sent as its ``Cookie`` header: the visitor's answer, and what earlier times have left behind."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from consent.decision import Circumstances, CookieCodec, Decision, Lifetimes, Verdict, counts_from
from consent.policy import DeclaredCookies
from consent.web.expiry import MOST_NAMES

#: Headers remembered by each app, and characters of the longest one.
REMEMBERED: Final = 1024
LONGEST: Final = 2048


class Judged(NamedTuple):
    """What may run by one answer, in some circumstances, as long as neither its grants nor its refusals lapse."""

    verdict: Verdict
    here: Circumstances
    lapses: tuple[int, int]
    lapsed: tuple[bool, bool]


class Sent:
    """A header with an answer that one of the site's keys signed, and what may run by it where it was asked for last.

    Time, policy and page decide anew in each request whether the answer counts.
    """

    __slots__ = ("counts_from", "decision", "header", "judged", "names")

    def __init__(self, header: str, decision: Decision, names: tuple[str, ...]) -> None:
        self.header = header
        self.decision = decision
        self.counts_from = counts_from(decision)
        self.names = names
        """What :meth:`SentCookies.suspects` says of it."""
        self.judged: Judged | None = None

    def verdict(self, here: Circumstances, now: int) -> Verdict | None:
        """What :meth:`keep` kept, if that holds *here* and *now*."""
        known = self.judged
        if known is None or known.here != here:
            return None
        grants, refusals = known.lapses
        return known.verdict if (now >= grants, now >= refusals) == known.lapsed else None

    def keep(self, verdict: Verdict, here: Circumstances, lifetimes: Lifetimes, *, now: int) -> None:
        """Remember what may run *here* by the answer; *lifetimes* are those of all requests that bring it."""
        grants, refusals = lapses = self.decision.lapses(lifetimes)
        self.judged = Judged(verdict, here, lapses, (now >= grants, now >= refusals))


class Untrusted(ValueError):
    """The header holds no answer that can be trusted."""


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
        # lru_cache keeps no exception: whoever can't show an answer that we signed fills nobody's memory.
        self._remembered: Final = lru_cache(REMEMBERED)(self._read)

    def read(self, header: str, *, secure: bool) -> Sent | None:
        """What *header* holds, of a request that came over HTTPS or not; None for no answer that can be trusted.

        That is for none, for two, and for one that none of the site's keys signed exactly so.
        """
        if self.starts[secure] not in header:
            return None
        try:
            return self._remembered(header, secure) if len(header) <= LONGEST else self._read(header, secure)
        except Untrusted:
            return None

    def _read(self, header: str, secure: bool) -> Sent:
        text = only_cookie(header, self.starts[secure])
        decision = None if text is None else self.codec.verified(text)
        if decision is None:
            raise Untrusted
        return Sent(header, decision, self.suspects(header))

    def suspects(self, header: str) -> tuple[str, ...]:
        """The names in *header* that some service declares, but for those that are always on here."""
        own, declared = self.own, self.declared.of
        found: list[str] = []
        for pair in dict.fromkeys(header.split(";", MOST_NAMES)[:MOST_NAMES]):
            name = pair.partition("=")[0].strip(" \t")
            if (services := declared(name)) and not own.issuperset(services):
                found.append(name)
        return tuple(found)


def only_cookie(header: str, start: str) -> str | None:
    """The value of the one cookie in a ``Cookie`` header that begins with *start* (``name=``); None for none or two."""
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
