"""What an event says to a category or to a service: yes, no, or of a category to some of it."""

from collections.abc import Callable, Collection, Iterable, Set
from typing import Final

from consent.ledger import Facets
from consent.ledger.event import ANSWERS
from consent.policy import Policy

#: What somebody can have said to a category: to all of its services, to some, or to none.
YES, SOME, NO = "yes", "some", "no"
SAID: Final = (YES, SOME, NO)

#: Digest of the policy, services granted, services refused.
Pattern = tuple[str | None, tuple[str, ...], tuple[str, ...]]
#: Finds a policy by its digest.
PolicyOf = Callable[[str | None], Policy | None]


def is_answer(facets: Facets) -> bool:
    """Whether a visitor answered, and what is known."""
    return facets.known and facets.kind in ANSWERS


def said_to(facets: Facets, policy: Policy | None, key: str) -> str | None:
    """What an answer with these *facets*, given under *policy*, leaves in force for the category or service *key*.

    None when nothing was said to it, and for events that are no answer. Without a policy no category is known.
    """
    return all_said(facets, policy).get(key)


def all_said(facets: Facets, policy: Policy | None) -> dict[str, str]:
    """What an answer leaves in force for each category and service that it says anything to; empty for other events."""
    return _said(facets.granted or (), facets.refused or (), policy) if is_answer(facets) else {}


def pattern_of(facets: Facets) -> Pattern:
    """All that decides what an answer with these *facets* says."""
    return facets.policy, facets.granted or (), facets.refused or ()


def pattern_said(pattern: Pattern, policy_of: PolicyOf) -> Collection[tuple[str, str]]:
    """As ``all_said``, of the answers with this *pattern*; *policy_of* finds a policy by its digest."""
    digest, granted, refused = pattern
    return _said(granted, refused, policy_of(digest)).items()


def _said(granted: Iterable[str], refused: Iterable[str], policy: Policy | None) -> dict[str, str]:
    found = dict.fromkeys(granted, YES) | dict.fromkeys(refused, NO)
    for category in policy.optional_categories if policy else ():
        answers = (
            {found.get(service.key) for service in policy.services_in(category.key)} if policy else set()
        )
        if said := to_category(answers):
            found[category.key] = said
    return found


def to_category(answers: Set[str | None]) -> str | None:
    """What *answers* to its services amount to for a category; None when nothing was answered."""
    if answers <= {None}:
        return None
    if YES not in answers:
        return NO
    return YES if answers == {YES} else SOME
