"""Where what a template names may come from: the origins that its service declares, and the site itself."""

from urllib.parse import urlsplit

from consent.policy import Carrier, Policy, Service
from consent.web.source import letting_in, source


def declared(policy: Policy, key: str, kind: str) -> tuple[str, ...]:
    """The origins that *key* declares under *kind* (of ``consent.policy.DIRECTIVES``); LookupError if it is unknown.

    Those of a category are its services'; those of a carrier its own and those of all that it carries.
    """
    carried = [service for service in policy.services if service.via == key]
    carrier = (each for each in policy.carriers if each.key == key)
    parts: list[Service | Carrier] = [*policy.services_in(key), *carrier, *carried]
    if not parts and all(category.key != key for category in policy.categories):
        parts = [policy.service(key)]
    return tuple(dict.fromkeys(origin for part in parts for origin in dict(part.origins).get(kind, ())))


def foreign(policy: Policy, key: str, kind: str, address: str) -> tuple[str, ...]:
    """The origins that *key* declares under *kind* when *address* is on none of them; empty when it may stand.

    A path of the site itself may, as does an address on the site's own origin, and any where none is declared.
    """
    parts = urlsplit(address)
    origins = declared(policy, key, kind)
    if not origins or not parts.netloc:
        return ()
    letting = letting_in(f"{parts.scheme}://{parts.netloc}")
    known = {source(origin).text for origin in (*origins, policy.controller.site)}
    return origins if letting.isdisjoint(known) else ()


def check(policy: Policy, place: str, key: str, kind: str, address: str) -> None:
    """ValueError, naming *place* (the helper and its key), for an *address* that the declaration doesn't cover."""
    if origins := foreign(policy, key, kind, address):
        raise ValueError(
            f"{place}: src is {address[:100]!r}; expected an address of this site or on {', '.join(origins)}, as "
            f'"{key}" declares under {kind}. Add its origin there, or use the service that it belongs to.'
        )
