"""What a search is offered to ask for: what is on record, so that nobody has to know it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consent.audit.row import Reader
from consent.audit.said import all_said


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
        answered = {key for each in facets for key in all_said(each, reader.policy(each.policy))}
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
