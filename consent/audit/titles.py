"""What categories and services are called in a policy's own language: beside their keys, by which they are searched."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from consent.policy import Policy
from consent.web.language import Catalogue, catalogue, shipped

NONE: Final[Mapping[str, str]] = MappingProxyType({})


def catalogue_of(policy: Policy) -> Catalogue:
    """The words for *policy*: those of its own language, for which there may be none in a later release."""
    return catalogue(policy.language if policy.language in shipped() else "en")


def service_title(policy: Policy | None, key: str) -> str:
    """The own title of the service *key* in the language of *policy*; its key where it has none, or isn't known."""
    service = policy.service(key) if policy and key in policy.terms else None
    return (service.title if service else None) or key


def services_named(policy: Policy | None, keys: Iterable[str]) -> list[tuple[str, str]]:
    """Each of *keys* with its title."""
    return [(key, service_title(policy, key)) for key in keys]


@lru_cache(8)
def titles_of(policy: Policy) -> Mapping[str, str]:
    """The titles of all categories and services of *policy*, by key; a built-in category has the catalogue's."""
    words = catalogue_of(policy)
    services = {service.key: service_title(policy, service.key) for service in policy.services}
    categories = {
        category.key: category.title or str(words.gettext(f"category.{category.key}.title"))
        for category in policy.categories
    }
    return MappingProxyType(services | categories)


def named(key: str, titles: Mapping[str, str]) -> str:
    """The title of *key* and, where that says something else, the key itself."""
    title = titles.get(key, key)
    return title if title.casefold() == key.casefold() else f"{title} ({key})"
