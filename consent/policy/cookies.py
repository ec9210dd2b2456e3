"""The declared cookies by name: which services say that they set a cookie of some name."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from .model import Policy
from .parts import Cookie

#: Names remembered; what a site sets is few, what browsers send may be anything.
REMEMBERED = 4096
#: Characters of a name that is remembered, and of one that browsers can have (RFC 6265bis §5.6).
LONGEST_REMEMBERED, LONGEST_NAME = 256, 4096

#: Service key → the declaration that covers the name.
Declarations = Mapping[str, Cookie]
NONE: Declarations = MappingProxyType({})


class DeclaredCookies:
    """*policy*'s cookies, found in a time that doesn't grow with their number but for names with ``*``."""

    def __init__(self, policy: Policy) -> None:
        self._exact: dict[str, dict[str, Cookie]] = {}
        #: By the text before the first ``*``, since that is where a name must begin.
        self._starting: dict[str, list[tuple[str, Cookie]]] = {}
        for service in policy.services:
            for cookie in service.cookies:
                if "*" in cookie.name:
                    start = cookie.name.partition("*")[0]
                    self._starting.setdefault(start, []).append((service.key, cookie))
                else:
                    self._exact.setdefault(cookie.name, {}).setdefault(service.key, cookie)
        self._lengths = sorted({len(start) for start in self._starting})
        self._known = lru_cache(REMEMBERED)(self._of)

    def of(self, name: str) -> Declarations:
        """The services that declare a cookie called *name*, each with its declaration; empty if none does."""
        return self._known(name) if len(name) <= LONGEST_REMEMBERED else self._of(name)

    def _of(self, name: str) -> Declarations:
        if len(name) > LONGEST_NAME:
            return NONE
        found = dict(self._exact.get(name, {}))
        for length in self._lengths:
            for service, cookie in self._starting.get(name[:length], ()):
                if len(name) >= length and cookie.matches(name):
                    found.setdefault(service, cookie)
        return MappingProxyType(found)
