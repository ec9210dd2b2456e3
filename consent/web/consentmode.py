"""Google's Consent Mode v2: which services each of its types waits for, and which ones tag managers carry (GCM-01).

In basic mode, the only one here, Google is asked for nothing before a Yes (GCM-03). So the types matter to what
something allowed has brought along: above all to what else lies in a tag manager's container.
"""

import json
from dataclasses import dataclass
from typing import Final, Self

from consent.policy import GOOGLE_CONSENT, Policy

#: Always granted: it stands for sign-in and against fraud.
ALWAYS: Final = "security_storage"
#: The key of no service: what waits for it stays denied.
NOBODY: Final = "-"


@dataclass(frozen=True, slots=True)
class ConsentMode:
    """What pages of one policy tell Google's tags and tag managers."""

    services: frozenset[str]
    """The keys of the services that it is about; empty where neither Google nor a tag manager is."""
    told: str
    """As JSON, ``types``: for each of the seven the keys of the services that must all be allowed for it to be
    granted; and ``carried``: those that tag managers hear about."""

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """What *policy* asks for. A type that no service names is never granted."""
        types = {
            type: [service.key for service in policy.services if type in service.google_consent] or [NOBODY]
            for type in sorted(GOOGLE_CONSENT)
        }
        types[ALWAYS] = []
        carried = [service.key for service in policy.services if service.via]
        named = {service.key for service in policy.services if service.google_consent}
        told = json.dumps({"types": types, "carried": carried}, separators=(",", ":"))
        return cls(frozenset(named.union(carried)), told)
