"""The Content Security Policy that a site sends, edited by verdict (ENF-05).

A second policy beside the site's own could only narrow it. So the site's is edited: in comes what the services
that run need, out goes what the others have. Section numbers are those of CSP3, https://www.w3.org/TR/CSP3/.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Self

from consent.policy import Carrier, Policy, Service
from consent.web.source import letting_in, source

#: The headers that hold policies, in lower case; the second one's policies are only reported on.
HEADERS: Final = ("content-security-policy", "content-security-policy-report-only")
#: The header that says where what a policy reports goes to.
REPORTING: Final = "reporting-endpoints"

#: The directives of a policy by name, in lower case: each as its words, the first of them its name as spelled.
Directives = dict[str, list[str]]


class Kind(NamedTuple):
    """The directives that say where one kind of thing may come from (§6.8.3). The first that stands decides."""

    #: What is needed is added to each that stands. If none does, the last is made from the fallback.
    own: tuple[str, ...]
    fallback: tuple[str, ...] = ("default-src",)

    def deciding(self, directives: Directives) -> str | None:
        """The name of the one that decides; None when none does, so that everything is let in."""
        return next((name for name in (*self.own, *self.fallback) if name in directives), None)


#: By the directive that a policy file names (``consent.policy.DIRECTIVES``).
KINDS: Final[Mapping[str, Kind]] = {
    "connect": Kind(("connect-src",)),
    "font": Kind(("font-src",)),
    "form": Kind(("form-action",), ()),
    "frame": Kind(("frame-src",), ("child-src", "default-src")),
    "img": Kind(("img-src",)),
    "media": Kind(("media-src",)),
    "script": Kind(("script-src-elem", "script-src")),
    "style": Kind(("style-src-elem", "style-src")),
    "worker": Kind(("worker-src",), ("child-src", "script-src", "default-src")),
}

#: The directives that list where something may be loaded from or sent to. Not so ``frame-ancestors``, which
#: says who may show the page, or ``base-uri``: neither lets anything in.
LISTS: Final = frozenset(
    {name for kind in KINDS.values() for name in (*kind.own, *kind.fallback)}
    | {"fenced-frame-src", "manifest-src", "object-src", "prefetch-src", "script-src-attr", "style-src-attr"}
)

_NONCE = re.compile(r"'nonce-[A-Za-z0-9+/_=-]+'")
_HIDDEN: Final = "'nonce-'"


def directives(text: str) -> Directives | None:
    """The directives of the one policy *text* (§2.2.1), of doubled ones the first; None if it can't be read.

    That is where it holds control or non-ASCII characters, or something that is no directive's name: a browser
    leaves out what it can't read, and nobody can say what was meant.
    """
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        return None
    found: Directives = {}
    for piece in text.split(";"):
        if words := piece.split():
            name = words[0].lower()
            if not name.replace("-", "").isalnum():
                return None
            found.setdefault(name, words)
    return found


class Need(NamedTuple):
    """What the services that run need of one kind."""

    kind: Kind
    #: Each with the expressions that let it in.
    origins: tuple[tuple[str, frozenset[str]], ...]

    def missing(self, words: list[str]) -> list[str]:
        """The origins that the directive *words* doesn't let in."""
        known = (source(word) for word in words[1:] if word[0] != "'")
        there = {one.text for one in known if not one.partial}
        return [origin for origin, letting in self.origins if there.isdisjoint(letting)]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What becomes of the site's policies while some services run and others don't.

    Made slowly, once for each verdict; then ``edit`` is fast, above all for texts that differ by a nonce only.
    """

    policy: Policy
    #: Keys of the services and carriers that run, perhaps also of categories (``Verdict.running``).
    running: frozenset[str]
    needs: tuple[Need, ...]
    #: The hosts (as in ``Source.within``) of whatever doesn't run, but for the site's own.
    refused: frozenset[str]
    #: The hosts that stay although they are refused, because something that runs needs them: by directive.
    spared: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, policy: Policy, running: frozenset[str]) -> Self:
        """The plan for *running*, keys of *policy*; those of categories don't matter."""
        parts = parts_of(policy)
        needed = {name: origins_of((part for part in parts if part.key in running), name) for name in KINDS}
        own = frozenset(source(policy.controller.site).within[:1])  # an IPv6 address has none
        return cls(
            policy,
            running,
            tuple(
                Need(kind, tuple((origin, letting_in(origin)) for origin in needed[name]))
                for name, kind in KINDS.items()
                if needed[name]
            ),
            frozenset(
                source(origin).within[0]
                for part in parts
                if part.key not in running
                for _, origins in part.origins
                for origin in origins
            )
            - own,
            {
                directive: frozenset(source(origin).within[0] for origin in needed[name])
                for name, kind in KINDS.items()
                for directive in kind.own
                if needed[name]
            },
        )

    @classmethod
    def shared(cls, policy: Policy) -> Self:
        """The plan for pages that a shared cache keeps, the same for everybody: all of *policy* may run."""
        return cls.of(policy, frozenset(part.key for part in parts_of(policy)))

    def edit(self, value: str) -> str:
        """The header *value* with each of its policies (they stand between commas) as the plan wants it.

        What needn't change stays byte for byte, as does a policy that can't be read (``directives``). A directive
        that changes keeps what stays as it was spelled, but for the white space. Editing twice is editing once.
        """
        nonce = _NONCE.search(value)
        if nonce is None or _HIDDEN in value:
            return _remembered(self, value)
        return _remembered(self, value.replace(nonce[0], _HIDDEN)).replace(_HIDDEN, nonce[0])

    def _edited(self, text: str) -> str:
        """The one policy *text*, edited."""
        found = directives(text)
        if not found:
            return text
        changed: Directives = {}
        for name, words in found.items():
            if name in LISTS and (kept := self.kept(name, words)) is not words:
                changed[name] = kept
        for need in self.needs:
            standing = [name for name in need.kind.own if name in found]
            for name in standing:
                words = changed.get(name, found[name])
                if missing := need.missing(words):
                    changed[name] = added(words, missing)
            if standing or (base := need.kind.deciding(found)) is None:
                continue
            if need.missing(changed.get(base, found[base])):
                name = need.kind.own[-1]
                words = self.kept(name, [name, *found[base][1:]])
                changed[name] = added(words, need.missing(words))
        return rewritten(text, changed) if changed else text

    def kept(self, name: str, words: list[str]) -> list[str]:
        """The directive *words* without what is refused in it; *words* itself if nothing is."""
        disjoint = self.refused.isdisjoint
        gone = [word for word in words[1:] if word[0] != "'" and not disjoint(source(word).within)]
        if gone and (spared := self.spared.get(name)):
            gone = [word for word in gone if spared.isdisjoint(source(word).within)]
        if not gone:
            return words
        return [words[0], *([word for word in words[1:] if word not in gone] or ["'none'"])]


@lru_cache(1024)
def _remembered(plan: Plan, value: str) -> str:
    """What ``Plan.edit`` gives for *value*, in which it hides the nonce: without it, requests are alike."""
    return ",".join([plan._edited(text) for text in value.split(",")])


def without_nonce(value: str) -> str:
    """The header *value* with its nonces hidden: all that differs from one request to the next."""
    return _NONCE.sub(_HIDDEN, value)


def added(words: list[str], origins: list[str]) -> list[str]:
    """The directive *words* with *origins* at its end, and without the ``'none'`` that would contradict them."""
    return [word for word in words if word.lower() != "'none'"] + origins


def rewritten(text: str, changed: Directives) -> str:
    """The policy *text* with the directives *changed* in their places, and those that it hasn't at its end."""
    left = dict(changed)
    pieces = text.split(";")
    for place, piece in enumerate(pieces):
        bare = piece.split()
        if bare and (words := left.pop(bare[0].lower(), None)):
            pieces[place] = piece[: len(piece) - len(piece.lstrip())] + " ".join(words)
    end = len(pieces) if pieces[-1].strip() else len(pieces) - 1
    pieces[end:end] = [" " + " ".join(words) for words in left.values()]
    return ";".join(pieces)


def lets_in(value: str, kind: str, origin: str) -> bool:
    """Whether the policies in the header *value* all let in *origin* as *kind* (of ``KINDS``); ``'self'`` is one too.

    A policy that can't be read lets in nothing, as far as anybody can say.
    """
    letting = letting_in(origin) if origin != "'self'" else {origin}
    for text in value.split(","):
        if (found := directives(text)) is None:
            return False
        name = KINDS[kind].deciding(found)
        if name is None:
            continue
        known = map(source, found[name][1:])
        if letting.isdisjoint(one.text for one in known if not one.partial):
            return False
    return True


def dynamic(words: list[str]) -> bool:
    """Whether the directive *words* holds ``'strict-dynamic'`` (§8.2)."""
    return any(word.lower() == "'strict-dynamic'" for word in words)


def parts_of(policy: Policy) -> tuple[Service | Carrier, ...]:
    """All of *policy* that declares origins."""
    return (*policy.carriers, *policy.services)


def origins_of(parts: Iterable[Service | Carrier], name: str) -> list[str]:
    """The origins that *parts* declare under *name*, each once."""
    return list(dict.fromkeys(origin for part in parts for origin in dict(part.origins).get(name, ())))
