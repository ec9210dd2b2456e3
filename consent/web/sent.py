"""What a browser sent as its ``Cookie`` header: the visitor's answer, and what earlier times have left behind."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from consent.decision import CookieCodec, Decision
from consent.policy import DeclaredCookies
from consent.web.expiry import MOST_NAMES

#: Headers remembered by each app, and characters of the longest: together half of what a process may spare.
REMEMBERED: Final = 1024
LONGEST: Final = 2048


class Sent:
    """What one header holds. It says nothing of now: whether an answer counts, time and policy decide."""

    __slots__ = ("_names", "cookies", "decision", "header")

    def __init__(self, cookies: "SentCookies", header: str, decision: Decision | None) -> None:
        self.cookies = cookies
        self.header = header
        self.decision = decision
        """The answer; None when there is none, two, or one that none of the site's keys signed exactly so."""
        self._names: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that some service declares, but for those that are always on here; see ``MOST_NAMES``."""
        if self._names is None:
            self._names = self.cookies.suspects(self.header)
        return self._names


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
        self._remembered: Final = lru_cache(REMEMBERED)(self._answered)

    def read(self, header: str, *, secure: bool) -> Sent:
        """What *header* holds, of a request that came over HTTPS or not."""
        if self.starts[secure] not in header:
            return Sent(self, header, None)
        try:
            return (self._remembered if len(header) <= LONGEST else self._answered)(header, secure)
        except Untrusted:
            return Sent(self, header, None)

    def _answered(self, header: str, secure: bool) -> Sent:
        text = only_cookie(header, self.starts[secure])
        decision = None if text is None else self.codec.verified(text)
        if decision is None:
            raise Untrusted
        return Sent(self, header, decision)

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
