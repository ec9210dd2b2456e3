"""What a search is offered to ask for: what is on record, so that nobody has to know it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consent.audit.row import Reader
from consent.audit.said import pattern_of, pattern_said
from consent.audit.search import Search
from consent.errors import did_you_mean
from consent.ledger.replies import is_answer
from consent.policy.values import shown


@dataclass(frozen=True, slots=True)
class Offered:
    """Values that any event on record has, in order; those of erased events are still among them."""

    categories: Sequence[str] = ()
    services: Sequence[str] = ()
    revisions: Sequence[int] = ()
    languages: Sequence[str] = ()
    profiles: Sequence[str] = ()

    @classmethod
    def of(cls, reader: Reader) -> "Offered":
        """The values in *reader*'s log. Events that are counted aren't read for it; LedgerError when it can't be."""
        newest = reader.rows(reader.ledger.records(reader.catch_up() - 1))
        facets = {*reader.ledger.facets().values(), *(row.facets for row in newest)}
        policies = [
            policy for digest in {each.policy for each in facets} if (policy := reader.policy(digest))
        ]
        patterns = {pattern_of(each) for each in facets if is_answer(each)}
        answered = {key for each in patterns for key, _ in pattern_said(each, reader.policy)}
        services = {key for each in facets for key in (*(each.granted or ()), *(each.refused or ()))}
        return cls(
            categories=sorted(answered - services),
            services=sorted(answered & services),
            revisions=sorted({policy.revision for policy in policies}),
            languages=sorted({each.language for each in facets if each.language}),
            profiles=sorted({each.profile for each in facets if each.profile}),
        )

    def with_typed(self, typed: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
        """What the lists of the form hold: these values, and what was *typed*, which may be none of them."""
        return {
            "language": sorted({*self.languages, *typed.get("language", ())}),
            "profile": sorted({*self.profiles, *typed.get("profile", ())}),
            "category": sorted({*typed.get("category", ())} - {*self.categories, *self.services}),
        }

    def missing(self, search: Search) -> list[str]:
        """What *search* names and no event on record has, most likely mistyped: a sentence each, with what there is."""
        category = frozenset[str]() if search.category is None else {search.category}
        asked = (
            ("category or service", category, [*self.categories, *self.services]),
            ("language", search.languages, self.languages),
            ("profile", search.profiles, self.profiles),
        )
        said = [
            absent(what, name, known) for what, names, known in asked for name in sorted(names - set(known))
        ]
        if search.revisions is not None and not any(each in search.revisions for each in self.revisions):
            said.append(absent("revision", str(search.revisions), list(map(str, self.revisions))))
        return said


def absent(what: str, name: str, known: Sequence[str]) -> str:
    """That no event on record has the *what* of this *name*, and which ones events have."""
    parts = [f"No event on record has {what} {shown(name)}.", did_you_mean(name, known)]
    parts.append(f"On record: {', '.join(known)}." if known else "None is on record.")
    return " ".join(filter(None, parts))
