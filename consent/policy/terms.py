"""Material terms: what a visitor agrees to. Change them and a grant no longer covers the service.

All else (``text``, titles, translations, contact) is wording: mending a typo asks nobody again.
Order and spelling of a duration are wording too, so lists are sorted and lifetimes are in seconds.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..canonical import canonical
from .parts import Carrier, Cookie, Duration, Origins, Provider, Service, Stored

if TYPE_CHECKING:
    from .model import Policy

#: Characters of a terms text that name the service: 24 bits of its key's hash.
KEY_PART = 4
#: Characters that name its terms: 30 bits of their hash.
TERMS_PART = 5


def material(policy: "Policy", service: Service) -> dict[str, object]:
    """The material terms of *service*, as plain data; what is absent, empty or not so is left out.

    Leaving out keeps every visitor's grant standing when a later release knows one more term.
    """
    provider = None if service.provider == "self" else policy.provider(service.provider)
    terms = {
        "key": service.key,
        "controller": policy.controller.name,
        "purposes": sorted(service.purposes),
        "provider": provider and provider.name,
        "via": service.via and _carried(policy, policy.carrier(service.via)),
        "data": sorted(service.data),
        "retention": _seconds(service.retention),
        "recipients": sorted(service.recipients),
        "third_party_access": service.third_party_access,
        "country": service.country or (provider and provider.country),
        "sells_or_shares": service.sells_or_shares,
        "special_category": service.special_category,
        "agreement": service.agreement,
        "pages": sorted(service.pages),
        "google_consent": sorted(service.google_consent),
        "cookies": [_cookie(cookie) for cookie in sorted(service.cookies, key=_name)],
        "storage": [_stored(stored) for stored in sorted(service.storage, key=_name)],
        "uses": sorted(service.uses),
        "origins": _origins(service.origins),
    }
    return _stated(terms)


def key_part(key: str) -> str:
    """The four characters by which a cookie names the service *key*."""
    return _short(key.encode(), KEY_PART)


def terms_text(policy: "Policy", service: Service) -> str:
    """Nine characters of base64url that name *service* and the terms it has under *policy*."""
    return key_part(service.key) + _short(canonical(material(policy, service)), TERMS_PART)


def _short(data: bytes, length: int) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest())[:length].decode()


def _stated(terms: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in terms.items() if value not in (None, False, [], {})}


def _carried(policy: "Policy", carrier: Carrier) -> dict[str, object]:
    provider: Provider = policy.provider(carrier.provider)
    return _stated({"provider": provider.name, "origins": _origins(carrier.origins)})


def _cookie(cookie: Cookie) -> dict[str, object]:
    path = None if cookie.path == "/" else cookie.path
    return _stated(
        {"name": cookie.name, "lifetime": _seconds(cookie.lifetime), "path": path, "domain": cookie.domain}
    )


def _stored(stored: Stored) -> dict[str, object]:
    return {"name": stored.name, "kind": stored.kind}


def _name(item: Cookie | Stored) -> str:
    return item.name


def _origins(origins: Origins) -> dict[str, object]:
    return {directive: sorted(listed) for directive, listed in origins}


def _seconds(duration: Duration | None) -> int | None:
    return None if duration is None else duration.seconds
