"""The shape of a policy file: which keys there are, and what each may hold.

Everything is optional here. What has to be there, and what has to agree, is a matter of meaning (``rules``).
"""

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .values import (
    Contact,
    CookieDomain,
    CookiePath,
    Country,
    Datum,
    GoogleConsent,
    Kind,
    Language,
    Lifetime,
    Line,
    Link,
    Origin,
    Page,
    Period,
    Purpose,
    Site,
    Text,
    Use,
)

#: Above this it is a mistake, such as a date.
HIGHEST_REVISION = 999_999


class Table(BaseModel):
    """A table of the file: no guessing (``"true"`` is not true), no key that is not known."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ControllerTable(Table):
    name: Line | None = None
    site: Site | None = None
    contact: Contact | None = None
    address: Text | None = None
    country: Country | None = None


class ProviderTable(Table):
    name: Line | None = None
    policy: Link | None = None
    country: Country | None = None


class CategoryTable(Table):
    title: Line | None = None
    text: Text | None = None


class OriginsTable(Table):
    """What may be loaded or contacted, by directive (``codes.DIRECTIVES``)."""

    script: list[Origin] | None = None
    img: list[Origin] | None = None
    connect: list[Origin] | None = None
    frame: list[Origin] | None = None
    style: list[Origin] | None = None
    font: list[Origin] | None = None
    media: list[Origin] | None = None
    worker: list[Origin] | None = None
    form: list[Origin] | None = None


class CarrierTable(OriginsTable):
    provider: Line | None = None


class CookieTable(Table):
    """A cookie; a text alone is its lifetime."""

    lifetime: Lifetime | None = None
    path: CookiePath | None = None
    domain: CookieDomain | None = None

    @model_validator(mode="before")
    @classmethod
    def _lifetime_alone(cls, value: Any) -> Any:
        return {"lifetime": value} if isinstance(value, str) else value


class ServiceTable(OriginsTable):
    category: Line | None = None
    purposes: list[Purpose] | None = None
    text: Text | None = None
    title: Line | None = None
    provider: Line | None = None
    via: Line | None = None
    data: list[Datum] | None = None
    retention: Period | None = None
    recipients: list[Line] | None = None
    third_party_access: bool | None = None
    country: Country | None = None
    sells_or_shares: bool | None = None
    special_category: bool | None = None
    agreement: Line | None = None
    pages: list[Page] | None = None
    outlives_session: Text | None = None
    google_consent: list[GoogleConsent] | None = None
    cookies: dict[str, CookieTable] = {}
    storage: dict[str, Kind] = {}
    uses: list[Use] | None = None


class PolicyTable(Table):
    """The whole of ``consent.toml``."""

    revision: Annotated[int, Field(ge=1, le=HIGHEST_REVISION)] | None = None
    effective: date | None = None
    language: Language | None = None
    change: Text | None = None
    controller: ControllerTable | None = None
    providers: dict[str, ProviderTable] = {}
    categories: dict[str, CategoryTable] = {}
    services: dict[str, ServiceTable] = {}
    carriers: dict[str, CarrierTable] = {}


class ServiceWords(Table):
    title: Line | None = None
    text: Text | None = None
    outlives_session: Text | None = None


class WordingTable(Table):
    """The whole of ``consent.<language>.toml``."""

    change: Text | None = None
    categories: dict[str, CategoryTable] = {}
    services: dict[str, ServiceWords] = {}
