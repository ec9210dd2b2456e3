"""What is allowed in a policy but probably not meant: warnings, each with its place and the likely fix."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from ..errors import Fault
from .model import BUILT_IN, Policy
from .parts import Service

#: Where Google's tags and containers come from.
TAG_MANAGER = "https://www.googletagmanager.com"
#: Hosts that stand in examples (RFC 2606 §3), and those that a site has while it is written.
PLACEHOLDERS = frozenset({"example.org", "example.com", "example.net"})
_LOCAL = frozenset({"localhost", "127.0.0.1"})
#: A declaration should be looked at once a year.
REVIEW = timedelta(days=365)


def lint(policy: Policy, *, today: date | None = None) -> list[Fault]:
    """The warnings about *policy*. Without *today* nothing is said about its date."""
    return [
        *_date(policy, today),
        *_site(policy),
        *_languages(policy),
        *_categories(policy),
        *_services(policy),
        *_shared_names(policy),
        *_google(policy),
        *_unused(policy),
    ]


def _date(policy: Policy, today: date | None) -> Iterator[Fault]:
    if today is None:
        return
    if policy.effective > today:
        problem = f"this revision is in use, but starts to apply on {policy.effective} only"
        yield Fault("effective", problem, "Publish it that day, or write the day it was published.")
    elif today - policy.effective > REVIEW:
        problem = f"nothing has been revised since {policy.effective}, more than a year ago"
        yield Fault("effective", problem, "Check that all of it is still true; then raise revision and date.")


def _site(policy: Policy) -> Iterator[Fault]:
    host = policy.controller.site.partition("://")[2].partition(":")[0]
    if host in PLACEHOLDERS | _LOCAL:
        problem = f'"{policy.controller.site}" is not where the site is'
        fix = "Write the public address; what is recorded is bound to it."
        yield Fault("controller.site", problem, fix)


def _languages(policy: Policy) -> Iterator[Fault]:
    for language in sorted(policy.wordings):
        if missing := policy.missing(language):
            problem = f'the language "{language}" is not offered, for it lacks {", ".join(missing)}'
            yield Fault(f"wording {language}", problem, "Translate what is missing.")


def _categories(policy: Policy) -> Iterator[Fault]:
    for category in policy.categories:
        place = f"categories.{category.key}"
        services = policy.services_in(category.key)
        if not services and category not in BUILT_IN and not category.always_on:
            problem = "the category has no services, so it is not shown and nothing in it is ever allowed"
            yield Fault(place, problem, "Add a service, or remove the category.")
        special = [service.key for service in services if service.special_category]
        if special and len(special) < len(services):
            problem = f'"Accept all" leaves out {", ".join(special)}, of a special category of data'
            yield Fault(place, problem, "Give these services a category of their own.")


def _services(policy: Policy) -> Iterator[Fault]:
    for service in policy.services:
        place = f"services.{service.key}"
        if service.outlives_session and not _lasting(service):
            problem = "the text says why something outlives the session, but nothing declared here does"
            yield Fault(f"{place}.outlives_session", problem, "Remove it, or declare what it is about.")
        if service.via and policy.always_on(service.key):
            problem = f'this is always on, and so loads the tag manager "{service.via}" for everybody'
            yield Fault(f"{place}.via", problem, "Load it without the tag manager.")
        if service.title is None and service.provider == "self" and not service.declared_by_itself:
            yield Fault(f"{place}.title", "visitors see the key instead of a title", 'Add: title = "…"')


def _lasting(service: Service) -> bool:
    stored = any(item.kind != "session" for item in service.storage)
    return stored or any(cookie.lifetime is not None for cookie in service.cookies)


def _shared_names(policy: Policy) -> Iterator[Fault]:
    owners: dict[tuple[str, str], str] = {}
    for service in policy.services:
        names = [("cookie", cookie.name) for cookie in service.cookies]
        for what, name in [*names, *((stored.kind, stored.name) for stored in service.storage)]:
            owner = owners.setdefault((what, name), service.key)
            if owner != service.key:
                problem = f'"{name}" is declared by the service "{owner}" too, so a Yes to one of them may do'
                yield Fault(f"services.{service.key}", problem, "Declare it once, or join the two services.")


def _google(policy: Policy) -> Iterator[Fault]:
    owners: dict[str, str] = {}
    for service in policy.services:
        place = f"services.{service.key}.google_consent"
        for type in service.google_consent:
            owner = owners.setdefault(type, service.key)
            if owner != service.key:
                problem = (
                    f'"{type}" is named by the service "{owner}" too, so it waits for a Yes to both of them'
                )
                yield Fault(place, problem, "Join the two services if they can't be told apart.")
        if service.via is None or service.google_consent:
            continue
        carrier = policy.carrier(service.via)
        if service.provider == carrier.provider and ("script", (TAG_MANAGER,)) in carrier.origins:
            problem = "Google's tags go by its consent types, and without one they are told No for ever"
            yield Fault(place, problem, 'Name what they store: google_consent = ["analytics_storage"]')


def _unused(policy: Policy) -> Iterator[Fault]:
    carriers = {service.via for service in policy.services}
    yield from _idle("carriers", (carrier.key for carrier in policy.carriers), carriers)
    providers = {service.provider for service in policy.services} | {one.provider for one in policy.carriers}
    yield from _idle("providers", (provider.key for provider in policy.providers), providers)


def _idle(section: str, keys: Iterable[str], used: Iterable[str | None]) -> Iterator[Fault]:
    for key in sorted(set(keys).difference(used)):
        yield Fault(f"{section}.{key}", "no service refers to this", "Remove it, or name it in a service.")
