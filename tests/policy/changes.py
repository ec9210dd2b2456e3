"""Every field of the model, changed once, and whether that changes what visitors agree to (TTL-05).

The statistics service of the full example stands in the middle; a test sees to it that no field is left out.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from consent.policy import (
    Carrier,
    Category,
    Controller,
    Cookie,
    Duration,
    Policy,
    Provider,
    Service,
    Stored,
    parse,
)

from .example import FULL, GERMAN

POLICY = parse(FULL, {"de": GERMAN})
PARTS = (Policy, Controller, Provider, Duration, Cookie, Stored, Category, Carrier, Service)

Change = Callable[[Policy], Policy]


def head(**fields: Any) -> Change:
    """Changes fields of the policy itself."""
    return lambda policy: replace(policy, **fields)


def controller(**fields: Any) -> Change:
    """Changes fields of the controller."""
    return lambda policy: replace(policy, controller=replace(policy.controller, **fields))


def service(**fields: Any) -> Change:
    """Changes fields of the statistics service."""
    return _part("services", "statistics", **fields)


def _part(section: str, key: str, /, **fields: Any) -> Change:
    def change(policy: Policy) -> Policy:
        parts: Any = getattr(policy, section)
        changed: Any = tuple(replace(part, **fields) if part.key == key else part for part in parts)
        return replace(policy, **{section: changed})

    return change


def cookie(**fields: Any) -> Change:
    """Changes fields of the statistics service's first cookie."""
    first, *others = POLICY.service("statistics").cookies
    return service(cookies=(replace(first, **fields), *others))


def stored(**fields: Any) -> Change:
    """Changes fields of what the statistics service stores first."""
    first, *others = POLICY.service("statistics").storage
    return service(storage=(replace(first, **fields), *others))


def both(one: Change, other: Change) -> Change:
    """One change after the other."""
    return lambda policy: other(one(policy))


def _everywhere(section: str, field: str, old: str, new: str) -> Change:
    def change(policy: Policy) -> Policy:
        parts: Any = getattr(policy, section)
        changed: Any = tuple(
            replace(part, **{field: new}) if getattr(part, field) == old else part for part in parts
        )
        return replace(policy, **{section: changed})

    return change


_NEW_SERVICE = Service(key="new", category="performance", purposes=("testing",), text="New.")
_RENAMED_PROVIDER = both(
    _part("providers", "google", key="alphabet"),
    both(
        _everywhere("services", "provider", "google", "alphabet"),
        _everywhere("carriers", "provider", "google", "alphabet"),
    ),
)
_RENAMED_CATEGORY = both(
    _part("categories", "advertising", key="adverts_"),
    _everywhere("services", "category", "advertising", "adverts_"),
)

#: Field → a change of it, and whether the statistics service's material terms change with it.
CHANGES: dict[str, tuple[Change, bool]] = {
    "Policy.revision": (head(revision=4), False),
    "Policy.effective": (head(effective=date(2026, 12, 1)), False),
    "Policy.language": (head(language="en-GB"), False),
    "Policy.controller": (controller(contact="other@clinic.example"), False),
    "Policy.change": (head(change="We mended a typo."), False),
    "Policy.providers": (head(providers=(*POLICY.providers, Provider(key="x", name="X"))), False),
    "Policy.categories": (
        head(categories=(*POLICY.categories, Category(key="x", title="X", text="x"))),
        False,
    ),
    "Policy.services": (head(services=(*POLICY.services, _NEW_SERVICE)), False),
    "Policy.carriers": (head(carriers=(*POLICY.carriers, Carrier(key="x"))), False),
    "Policy.wordings": (head(wordings={"de": {**POLICY.wordings["de"], "change": "Neues."}}), False),
    "Controller.name": (controller(name="Other Clinic"), True),
    "Controller.site": (controller(site="https://other.example"), False),
    "Controller.contact": (controller(contact="new@clinic.example"), False),
    "Controller.address": (controller(address="2 High Street"), False),
    "Controller.country": (controller(country="GB"), False),
    "Provider.key": (_RENAMED_PROVIDER, False),
    "Provider.name": (_part("providers", "google", name="Alphabet"), True),
    "Provider.policy": (_part("providers", "google", policy="https://new.example"), False),
    # The country of a provider counts where the service itself names none.
    "Provider.country": (
        lambda policy: _part("providers", "google", country="DE")(service(country=None)(policy)),
        True,
    ),
    "Duration.count": (service(retention=Duration(13, "month")), True),
    "Duration.unit": (service(retention=Duration(14, "day")), True),
    "Cookie.name": (cookie(name="_gb"), True),
    "Cookie.lifetime": (cookie(lifetime=None), True),
    "Cookie.path": (cookie(path="/shop"), True),
    "Cookie.domain": (cookie(domain="example"), True),
    "Stored.name": (stored(name="visit.x"), True),
    "Stored.kind": (stored(kind="session"), True),
    "Category.key": (_RENAMED_CATEGORY, False),
    "Category.title": (_part("categories", "performance", title="New title"), False),
    "Category.text": (_part("categories", "performance", text="New text"), False),
    "Category.always_on": (_part("categories", "advertising", always_on=True), False),
    "Carrier.key": (both(_part("carriers", "gtm", key="tags"), service(via="tags")), False),
    "Carrier.provider": (_part("carriers", "gtm", provider="stripe"), True),
    "Carrier.origins": (_part("carriers", "gtm", origins=()), True),
    "Service.key": (service(key="figures"), True),
    "Service.category": (service(category="functionality"), False),
    "Service.purposes": (service(purposes=("measurement",)), True),
    "Service.text": (service(text="Counts visits and pages."), False),
    "Service.title": (service(title="Figures"), False),
    "Service.provider": (service(provider="stripe"), True),
    "Service.via": (service(via=None), True),
    "Service.data": (service(data=("pages",)), True),
    "Service.retention": (service(retention=None), True),
    "Service.recipients": (service(recipients=("An auditor",)), True),
    "Service.third_party_access": (service(third_party_access=False), True),
    "Service.country": (service(country="US"), True),
    "Service.sells_or_shares": (service(sells_or_shares=True), True),
    "Service.special_category": (service(special_category=True), True),
    "Service.agreement": (service(agreement=None), True),
    "Service.pages": (service(pages=("shop.*",)), True),
    "Service.outlives_session": (service(outlives_session="It has to."), False),
    "Service.google_consent": (service(google_consent=()), True),
    "Service.cookies": (service(cookies=()), True),
    "Service.storage": (service(storage=()), True),
    "Service.uses": (service(uses=("beacon", "fingerprint")), True),
    "Service.origins": (service(origins=(("img", ("http://localhost:8001",)),)), True),
}


def terms(policy: Policy) -> str | None:
    """What a cookie calls the statistics service of *policy*; None if it has none."""
    return policy.terms.get("statistics")
