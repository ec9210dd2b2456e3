"""The policy in a visitor's words: what templates show of categories, services and what they store."""

from dataclasses import dataclass

from markupsafe import Markup

from consent.policy import Category, Cookie, Policy, Service
from consent.web.language import Catalogue

Words = str | Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One service as a page shows it; every text in the page's language."""

    key: str
    title: Words
    text: Words
    provider_name: str
    provider_url: str | None
    third_party: bool
    third_party_access: bool
    recipients: tuple[str, ...]
    country: str | None
    purposes: tuple[Words, ...]
    data: tuple[Words, ...]
    retention: Words | None
    sells_or_shares: bool
    special_category: bool
    agreement: str | None
    outlives_session: str | None
    via: str | None
    """Name of the provider of the tag manager that loads it."""
    cookies: tuple[tuple[str, Words], ...]
    """Name and lifetime of each."""
    storage: tuple[tuple[str, Words], ...]
    """Name and kind of each entry in the browser's other stores."""
    uses: tuple[Words, ...]
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryView:
    """One category as a page shows it."""

    key: str
    title: Words
    text: Words
    always_on: bool
    services: tuple[ServiceView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A whole policy as a page shows it."""

    controller: str
    contact: str
    address: str | None
    revision: int
    effective: str
    always_on: tuple[CategoryView, ...]
    optional: tuple[CategoryView, ...]
    sells: bool
    """Whether anything is sold or shared, so that the browser's signal matters (GPC-13)."""

    @classmethod
    def of(cls, policy: Policy, words: Catalogue) -> "Declaration":
        """*policy* in the language of *words*."""
        categories = declared(policy, words)
        return cls(
            controller=policy.controller.name,
            contact=policy.controller.contact,
            address=policy.controller.address,
            revision=policy.revision,
            effective=words.date(policy.effective),
            always_on=tuple(category for category in categories if category.always_on),
            optional=tuple(category for category in categories if not category.always_on),
            sells=any(service.sells_or_shares for service in policy.services),
        )


def declared(policy: Policy, words: Catalogue) -> tuple[CategoryView, ...]:
    """The categories that have services, in the policy's order, in the language of *words*."""
    return tuple(
        category_view(policy, category, words)
        for category in policy.categories
        if policy.services_in(category.key)
    )


def category_view(policy: Policy, category: Category, words: Catalogue) -> CategoryView:
    """*category* with its services; a built-in one without words of the site's has the catalogue's."""
    path = f"categories.{category.key}"
    return CategoryView(
        key=category.key,
        title=policy.text(f"{path}.title", words.tag) or words.gettext(f"category.{category.key}.title"),
        text=policy.text(f"{path}.text", words.tag) or words.gettext(f"category.{category.key}.text"),
        always_on=category.always_on,
        services=tuple(service_view(policy, service, words) for service in policy.services_in(category.key)),
    )


def service_view(policy: Policy, service: Service, words: Catalogue) -> ServiceView:
    """*service* in the language of *words*."""
    provider = policy.provider(service.provider)
    carrier = policy.carrier(service.via) if service.via else None
    return ServiceView(
        key=service.key,
        title=title_of(policy, service, words),
        text=policy.text(f"services.{service.key}.text", words.tag)
        or words.gettext(f"service.{service.key}.text"),
        provider_name=provider.name,
        provider_url=provider.policy,
        third_party=service.provider != "self",
        third_party_access=service.third_party_access or service.provider != "self",
        recipients=service.recipients,
        country=country(service.country or provider.country, words),
        purposes=tuple(words.gettext(f"purpose.{code}") for code in service.purposes),
        data=tuple(words.gettext(f"data.{code}") for code in service.data),
        retention=words.duration(service.retention) if service.retention else None,
        sells_or_shares=service.sells_or_shares,
        special_category=service.special_category,
        agreement=service.agreement,
        outlives_session=policy.text(f"services.{service.key}.outlives_session", words.tag),
        via=policy.provider(carrier.provider).name if carrier else None,
        cookies=tuple((cookie.name, lifetime(cookie, words)) for cookie in service.cookies),
        storage=tuple((stored.name, words.gettext(f"storage.{stored.kind}")) for stored in service.storage),
        uses=tuple(words.gettext(f"uses.{code}") for code in service.uses),
        origins=tuple(sorted({origin for _, origins in service.origins for origin in origins})),
    )


def title_of(policy: Policy, service: Service, words: Catalogue) -> Words:
    """The service's title; the two that declare themselves have the catalogue's, others fall back on their text."""
    if title := policy.text(f"services.{service.key}.title", words.tag):
        return title
    if words.known(f"service.{service.key}.title"):
        return words.gettext(f"service.{service.key}.title")
    return policy.provider(service.provider).name if service.provider != "self" else service.key


def country(code: str | None, words: Catalogue) -> str | None:
    """The name of the country *code* (ISO 3166-1 alpha-2), or the code itself where it has none."""
    return words.locale.territories.get(code, code) if code else None


def lifetime(cookie: Cookie, words: Catalogue) -> Words:
    """How long *cookie* stays, in words."""
    return words.duration(cookie.lifetime) if cookie.lifetime else words.gettext("table.session")
