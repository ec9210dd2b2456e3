"""What an event says to a category or to a service: yes, no, or of a category to some of it."""

from collections.abc import Callable, Collection, Mapping

from consent.ledger import Facets
from consent.ledger.replies import is_answer, to_category, to_services
from consent.policy import Policy

#: Digest of the policy, services granted, services refused.
Pattern = tuple[str | None, tuple[str, ...], tuple[str, ...]]
#: Finds a policy by its digest.
PolicyOf = Callable[[str | None], Policy | None]


def said_to(facets: Facets, policy: Policy | None, key: str) -> str | None:
    """What an answer with these *facets*, given under *policy*, leaves in force for the category or service *key*.

    None when nothing was said to it, and for events that are no answer. Without a policy no category is known.
    """
    if not is_answer(facets):
        return None
    services = to_services(facets.granted or (), facets.refused or ())
    return _to_category(services, policy, key) or services.get(key)


def pattern_of(facets: Facets) -> Pattern:
    """All that decides what an answer with these *facets* says."""
    return facets.policy, facets.granted or (), facets.refused or ()


def pattern_said(pattern: Pattern, policy_of: PolicyOf) -> Collection[tuple[str, str]]:
    """What answers with this *pattern* leave in force for each category and service that they say anything to.

    *policy_of* finds a policy by its digest.
    """
    digest, granted, refused = pattern
    services, policy = to_services(granted, refused), policy_of(digest)
    keys = [category.key for category in policy.optional_categories] if policy else []
    return (services | {key: said for key in keys if (said := _to_category(services, policy, key))}).items()


def _to_category(services: Mapping[str, str], policy: Policy | None, key: str) -> str | None:
    return to_category({services.get(each.key) for each in policy.services_in(key)}) if policy else None
