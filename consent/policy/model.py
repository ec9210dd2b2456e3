"""The policy: everything a site wants to store on, or read from, a visitor's device, and for what."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Self, TypeVar

from ..canonical import canonical, digest
from ..errors import Fault, PolicyError, did_you_mean
from . import document, terms
from .parts import Carrier, Category, Controller, Cookie, Duration, Provider, Service, Stored

__all__ = [
    "BUILT_IN",
    "Carrier",
    "Category",
    "Controller",
    "Cookie",
    "Duration",
    "Policy",
    "Provider",
    "Service",
    "Stored",
    "complete",
]

#: The categories every policy has, before the site's own and in this order.
BUILT_IN = (
    Category(key="essential", always_on=True),
    Category(key="notice_acceptance", always_on=True),
    Category(key="functionality"),
    Category(key="performance"),
)

_Part = TypeVar("_Part", Provider, Category, Service, Carrier)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One revision of a site's declaration. No slots: what is costly is worked out once."""

    #: At least 1; raised whenever material terms change.
    revision: int
    #: The day this revision starts to apply.
    effective: date
    #: The language ``text`` and the like are written in, as a BCP 47 tag.
    language: str
    controller: Controller
    #: What visitors are told when they are asked again.
    change: str | None = None
    #: Third parties only; ``provider("self")`` is made from the controller.
    providers: tuple[Provider, ...] = ()
    #: The built-in ones first, always all four.
    categories: tuple[Category, ...] = field(default_factory=lambda: BUILT_IN)
    services: tuple[Service, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    #: Other languages: language → path → text; paths as in ``text``.
    wordings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frozen = {language: MappingProxyType(dict(texts)) for language, texts in self.wordings.items()}
        object.__setattr__(self, "wordings", MappingProxyType(frozen))

    def __hash__(self) -> int:
        return hash(self.digest)

    # -- what is declared

    def category(self, key: str) -> Category:
        """The category *key*; LookupError, naming the nearest one, if there is none."""
        return _find("category", self._categories, key)

    def service(self, key: str) -> Service:
        """The service *key*; LookupError, naming the nearest one, if there is none."""
        return _find("service", self._services, key)

    def carrier(self, key: str) -> Carrier:
        """The carrier *key*; LookupError, naming the nearest one, if there is none."""
        return _find("carrier", self._carriers, key)

    def provider(self, key: str) -> Provider:
        """The provider *key*, ``self`` being the controller; LookupError if there is none."""
        return _find("provider", self._providers, key)

    def services_in(self, category: str) -> tuple[Service, ...]:
        """The services of *category* in the order of the file; empty if there are none."""
        return self._services_in.get(category, ())

    def always_on(self, service: str) -> bool:
        """Whether the service of this key runs without being granted."""
        return self.category(self.service(service).category).always_on

    @cached_property
    def optional_services(self) -> tuple[Service, ...]:
        """The services that wait for a Yes, in the order of the file."""
        return tuple(service for service in self.services if not self.always_on(service.key))

    @cached_property
    def optional_categories(self) -> tuple[Category, ...]:
        """The categories visitors are asked about: not always on, and with at least one service."""
        optional = (category for category in self.categories if not category.always_on)
        return tuple(category for category in optional if self.services_in(category.key))

    # -- wording

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages in which all of the policy's own texts exist, its own first, then by tag."""
        return (self.language, *sorted(tag for tag in self.wordings if not self.missing(tag)))

    def text(self, path: str, language: str) -> str | None:
        """The text at *path* in exactly *language*; None where the policy has none of its own.

        Paths: ``change``, ``categories.<key>.title|text``, ``services.<key>.title|text|outlives_session``.
        """
        texts = self._texts if language == self.language else self.wordings.get(language, {})
        return texts.get(path)

    def missing(self, language: str) -> tuple[str, ...]:
        """The paths that have a text in the policy's own language but not in *language*."""
        if language == self.language:
            return ()
        return tuple(path for path in self._texts if path not in self.wordings.get(language, {}))

    # -- identity

    def canonical(self) -> bytes:
        """The canonical JSON of all of it, translations included; ``from_canonical`` reads it back."""
        return self._canonical

    @classmethod
    def from_canonical(cls, data: bytes) -> Self:
        """The policy stored as *data*; PolicyError unless its ``canonical()`` is the same bytes again."""
        try:
            policy = cls(**document.policy_fields(data))
            same = policy.canonical() == data
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise _not_canonical() from error
        if not same:
            raise _not_canonical()
        return policy

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the canonical form: 64 hexadecimal digits. Any change changes it."""
        return digest(self._canonical)

    def material(self, service: str) -> dict[str, object]:
        """The material terms of the service of this key as plain data (``terms.material``)."""
        return terms.material(self, self.service(service))

    @cached_property
    def terms(self) -> Mapping[str, str]:
        """By service key, the nine characters that name the service (four) and its material terms (five)."""
        return MappingProxyType({service.key: terms.terms_text(self, service) for service in self.services})

    # -- worked out once

    @cached_property
    def _canonical(self) -> bytes:
        return canonical({"format": document.FORMAT, **document.plain(self)})

    @cached_property
    def _categories(self) -> dict[str, Category]:
        return {category.key: category for category in self.categories}

    @cached_property
    def _services(self) -> dict[str, Service]:
        return {service.key: service for service in self.services}

    @cached_property
    def _carriers(self) -> dict[str, Carrier]:
        return {carrier.key: carrier for carrier in self.carriers}

    @cached_property
    def _providers(self) -> dict[str, Provider]:
        own = Provider(key="self", name=self.controller.name, country=self.controller.country)
        return {"self": own} | {provider.key: provider for provider in self.providers}

    @cached_property
    def _services_in(self) -> dict[str, tuple[Service, ...]]:
        found: dict[str, tuple[Service, ...]] = {}
        for service in self.services:
            found[service.category] = (*found.get(service.category, ()), service)
        return found

    @cached_property
    def _texts(self) -> dict[str, str]:
        texts = {"change": self.change}
        for category in self.categories:
            path = f"categories.{category.key}"
            texts |= {f"{path}.title": category.title, f"{path}.text": category.text}
        for service in self.services:
            path = f"services.{service.key}"
            texts |= {f"{path}.title": service.title, f"{path}.text": service.text}
            texts[f"{path}.outlives_session"] = service.outlives_session
        return {path: text for path, text in texts.items() if text is not None}


def complete(
    policy: Policy,
    *,
    session_cookie: str,
    choice_cookie: str,
    choice_lifetime: Duration,
    readable_cookie: str | None = None,
    reserved: Collection[str] = (),
) -> Policy:
    """*policy* with the two services it need not declare: Flask's session and the visitor's own choices.

    The choices have a second cookie where scripts are to read them, *readable_cookie*. What a service declares
    already is not added. *reserved* are all names that either has under any circumstances, such as without HTTPS.
    PolicyError if the site uses the key for something else, or would let a visitor switch off the memory of their own
    choices.
    """
    session = Service(
        key="session",
        category="essential",
        purposes=("session",),
        text=None,
        cookies=(Cookie(name=session_cookie, lifetime=None),),
    )
    choices = Service(
        key="choices",
        category="notice_acceptance",
        purposes=("choices",),
        text=None,
        cookies=tuple(
            Cookie(name=name, lifetime=choice_lifetime) for name in (choice_cookie, readable_cookie) if name
        ),
    )
    taken = _taken(policy, sorted({*reserved, *(cookie.name for cookie in choices.cookies)}))
    if faults := _occupied(policy, session) + _occupied(policy, choices) + taken:
        raise PolicyError(faults)
    added = (replace(own, cookies=_undeclared(policy, own)) for own in (session, choices))
    return replace(policy, services=(*(own for own in added if own.cookies), *policy.services))


def _undeclared(policy: Policy, own: Service) -> tuple[Cookie, ...]:
    return tuple(cookie for cookie in own.cookies if not _declares(policy, cookie.name))


def _declares(policy: Policy, cookie: str) -> list[Service]:
    return [service for service in policy.services if any(own.matches(cookie) for own in service.cookies)]


def _occupied(policy: Policy, own: Service) -> list[Fault]:
    if own.key not in policy._services:
        return []
    return [
        Fault(
            f"services.{own.key}.cookies",
            f'this is the place of the cookie "{cookie.name}", which it does not declare',
            f'Add "{cookie.name}" here, or rename the service.',
        )
        for cookie in _undeclared(policy, own)
    ]


def _taken(policy: Policy, reserved: Collection[str]) -> list[Fault]:
    fix = (
        "Leave it out: it is declared by itself. If a * covers it, write the names out; if it is another cookie, "
        "rename one of the two."
    )
    found = []
    for service in policy.services:
        names = [name for name in reserved if any(cookie.matches(name) for cookie in service.cookies)]
        if names and service.category != "notice_acceptance":
            listed = ", ".join(f'"{name}"' for name in names)
            problem = (
                f"this declares {listed}, which remembers the visitor's choices, as something of its own"
            )
            found.append(Fault(f"services.{service.key}.cookies", problem, fix))
    return found


def _find(what: str, known: Mapping[str, _Part], key: str) -> _Part:
    if key in known:
        return known[key]
    hint = did_you_mean(key, known) or (f"There are: {', '.join(sorted(known))}." if known else "")
    raise LookupError(f'There is no {what} "{key}" in the policy. {hint}'.rstrip())


def _not_canonical() -> PolicyError:
    problem = "these bytes are not the canonical form of a policy"
    return PolicyError([Fault("policy", problem, "Read the bytes as they were stored, unchanged.")])
