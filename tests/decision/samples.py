"""Policies and decisions for these tests: as small as each rule allows."""

from datetime import date
from typing import Any
from uuid import UUID

from consent.decision import Decision, Lifetimes
from consent.policy import Carrier, Category, Controller, Policy, Provider, Service
from consent.policy.model import BUILT_IN

DAY = 86_400
#: A moment in the middle of a day.
NOW = 20_000 * DAY + 43_210
MIDNIGHT = NOW - NOW % DAY
LIFETIMES = Lifetimes(grant=182 * DAY, refusal=365 * DAY)
SUBJECT = UUID("6f9619ff-8b86-4011-b42d-00c04fc964ff")
NEW = UUID("0b9619ff-8b86-4011-b42d-00c04fc964aa")


def service(key: str, category: str = "performance", **details: Any) -> Service:
    """A service *key*; *details* as the model names them."""
    return Service(
        **{"key": key, "category": category, "purposes": ("measurement",), "text": "Counts.", **details}
    )


def policy(*services: Service, carriers: tuple[Carrier, ...] = ()) -> Policy:
    """A policy with these *services*, their providers and the categories that they name."""
    built_in = {category.key for category in BUILT_IN}
    own = [
        Category(key=key) for key in dict.fromkeys(each.category for each in services) if key not in built_in
    ]
    parties = {each.provider for each in services} | {each.provider for each in carriers}
    return Policy(
        revision=1,
        effective=date(2026, 11, 1),
        language="en",
        controller=Controller(name="Clinic", site="https://clinic.example", contact="privacy@clinic.example"),
        providers=tuple(Provider(key=key, name=key.title()) for key in sorted(parties - {"self"})),
        categories=(*BUILT_IN, *own),
        services=services,
        carriers=carriers,
    )


def numbered(count: int) -> Policy:
    """A policy with *count* optional services."""
    return policy(*(service(f"service{number}") for number in range(count)))


def decision(granted: set[str] | None = None, refused: set[str] | None = None, **rest: Any) -> Decision:
    """A decision by which these terms are granted and refused now; *rest* as the model names it."""
    grants = frozenset(granted or ())
    usual: dict[str, Any] = {
        "granted": grants,
        "refused": frozenset(refused or ()),
        "at": NOW if grants else MIDNIGHT,
        "profile": "eu",
        "source": "banner",
        "subject": SUBJECT if grants else None,
    }
    return Decision(**(usual | rest))
