"""What a policy must state, and what in it must agree: the meaning, once the shape has been read."""

import re
from collections.abc import Callable, Iterable, Mapping

from ..errors import did_you_mean
from .codes import FOR_ADVERTISING, NEVER_ALWAYS_ON
from .model import BUILT_IN
from .report import Place, Report
from .shape import CategoryTable, PolicyTable, ServiceTable, Table, WordingTable
from .terms import key_part
from .values import cookie_name_problem, name_problem, shown

#: So that the answer to each fits into one cookie.
MOST_OPTIONAL_SERVICES = 100
LONGEST_KEY = 40

#: Keys of the services that are declared by themselves → the category and the purpose they must keep.
RESERVED = {"session": ("essential", "session"), "choices": ("notice_acceptance", "choices")}

_ALWAYS_ON = frozenset(category.key for category in BUILT_IN if category.always_on)
_BUILT_IN = frozenset(category.key for category in BUILT_IN)
_KEY = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_KEY - 1}}}")
_KEY_FIX = f"Use small letters, digits and _, beginning with a letter, at most {LONGEST_KEY} of them."
_KINDS = {"categories": "category", "services": "service", "carriers": "carrier", "providers": "provider"}
_SHARED_KEYS = "Rename one: categories, services and carriers share keys."
_THIRD_PARTY = "a third party runs this, so nothing is assumed: this has to be stated"
_WORDING_FIX = "Add it to the policy first, or remove it here."
#: Name → how to state it.
_EXAMPLES = {
    "revision": "Add: revision = 1",
    "effective": "Add the day it starts to apply: effective = 2026-11-01",
    "language": 'Add the language of the texts: language = "en"',
    "change": 'Add what visitors are told when asked again: change = "We added a video."',
    "controller": 'Add: controller = { name = "…", site = "https://…", contact = "…" }',
    "name": 'Add: name = "Clinic"',
    "site": 'Add: site = "https://clinic.example"',
    "contact": 'Add: contact = "privacy@clinic.example"',
    "title": 'Add: title = "Advertising"',
    "category": 'Add: category = "functionality", "performance" or another',
    "purposes": 'Add: purposes = ["measurement"], or other codes',
    "text": 'Add one plain sentence saying what it does: text = "…"',
    "data": 'Add what it learns: data = ["pages", "device"]',
    "retention": 'Add how long it keeps that: retention = "14 months"',
    "sells_or_shares": "Add: sells_or_shares = false, or true",
    "provider": 'Add the key of a provider: provider = "…"',
    "lifetime": 'Add: lifetime = "session", or such as "13 months"',
}


def check(policy: PolicyTable, report: Report) -> None:
    """Report all that is missing from, or does not agree in, what could be read of *policy*."""
    if report.spoilt(()):
        return
    _head(policy, report)
    _keys(policy, report)
    for key, provider in policy.providers.items():
        _required(report, ("providers", key), provider, "name")
    for key, category in policy.categories.items():
        _category(report, key, category)
    for key, carrier in policy.carriers.items():
        _required(report, ("carriers", key), carrier, "provider")
        _refers(report, ("carriers", key, "provider"), carrier.provider, "providers", policy.providers)
        _lists(report, ("carriers", key), carrier)
    for key, service in policy.services.items():
        _service(report, key, service, policy)
    _fits_the_cookie(policy, report)


def _head(policy: PolicyTable, report: Report) -> None:
    _required(report, (), policy, "revision", "effective", "language", "controller")
    if (policy.revision or 1) > 1:
        _required(report, (), policy, "change")
    if policy.controller:
        _required(report, ("controller",), policy.controller, "name", "site", "contact")


def _category(report: Report, key: str, category: CategoryTable) -> None:
    if key not in _BUILT_IN:
        _required(report, ("categories", key), category, "title", "text")


# -- names


def _keys(policy: PolicyTable, report: Report) -> None:
    taken: dict[str, str] = dict.fromkeys(_BUILT_IN, "category")
    sections: dict[str, Mapping[str, Table]] = {
        "categories": policy.categories,
        "services": policy.services,
        "carriers": policy.carriers,
    }
    for section, tables in sections.items():
        names = [*tables, *sorted(report.spoilt_names(section))]
        for key in names:
            _well_named(report, section, key)
            if section != "categories" and key in taken:
                problem = f"{shown(key)} is the key of a {taken[key]} already"
                report.add((section, key), problem, _SHARED_KEYS)
            taken.setdefault(key, _KINDS[section])
    for key in policy.providers:
        _well_named(report, "providers", key)
        if key == "self":
            problem = 'the provider "self" is the controller and is not declared'
            report.add(("providers", key), problem, "Remove it, or give the third party a key of its own.")


def _well_named(report: Report, section: str, key: str) -> None:
    if not _KEY.fullmatch(key):
        report.add((section, key), f"{shown(key)} cannot be a key", _KEY_FIX)


def _fits_the_cookie(policy: PolicyTable, report: Report) -> None:
    optional = [key for key, service in policy.services.items() if service.category not in _ALWAYS_ON]
    if len(optional) > MOST_OPTIONAL_SERVICES:
        problem = (
            f"{len(optional)} services wait for a Yes, but a cookie holds {MOST_OPTIONAL_SERVICES} answers"
        )
        report.add(("services",), problem, "Declare what is always used together as one service.")
    named: dict[str, str] = {key_part(key): key for key in RESERVED if key not in policy.services}
    for key in policy.services:
        other = named.setdefault(key_part(key), key)
        if other != key:
            problem = f"in the cookie, {shown(key)} and {shown(other)} would have the same short name"
            report.add(("services", key), problem, "Rename one of them.")


# -- a service


def _service(report: Report, key: str, service: ServiceTable, policy: PolicyTable) -> None:
    place = ("services", key)
    _required(report, place, service, "category", "purposes", "text")
    _refers(report, (*place, "category"), service.category, "categories", (*_BUILT_IN, *policy.categories))
    _refers(report, (*place, "provider"), service.provider, "providers", policy.providers)
    _refers(report, (*place, "via"), service.via, "carriers", policy.carriers)
    _lists(report, place, service)
    _names(report, (*place, "cookies"), service.cookies, cookie_name_problem)
    _names(report, (*place, "storage"), service.storage, name_problem)
    for name, cookie in service.cookies.items():
        _required(report, (*place, "cookies", name), cookie, "lifetime")
    if service.provider not in (None, "self"):
        _required(report, place, service, "data", "retention", "sells_or_shares", why=_THIRD_PARTY)
    _advertising(report, place, service)
    if service.category in _ALWAYS_ON:
        _always_on(report, place, service)
    if service.category == "essential":
        _essential(report, place, service)
    if service.sells_or_shares and "health" in (service.data or ()):
        problem = (
            "selling or sharing health data takes a signed authorization; no Yes given here is one (HLT-04)"
        )
        report.add(
            (*place, "sells_or_shares"),
            problem,
            'Take "health" out of data, or let nothing be sold or shared.',
        )
    _reserved(report, key, service)


def _advertising(report: Report, place: Place, service: ServiceTable) -> None:
    first_party = service.provider in (None, "self")
    if service.sells_or_shares or (service.sells_or_shares is None and not first_party):
        return  # else its absence is a fault of its own
    if report.spoilt((*place, "sells_or_shares")) or report.spoilt((*place, "provider")):
        return
    for type in sorted(FOR_ADVERTISING.intersection(service.google_consent or ())):
        problem = f"{shown(type)} is for advertising, and no opt-out would stop it (GCM-04)"
        fix = f"Write sells_or_shares = true, or take {shown(type)} out of google_consent."
        report.add((*place, "sells_or_shares"), problem, fix)


def _always_on(report: Report, place: Place, service: ServiceTable) -> None:
    wait = 'Put it into an optional category, such as "performance".'
    if service.sells_or_shares:
        problem = "what is always on may neither sell nor share data"
        report.add((*place, "sells_or_shares"), problem, wait)
    if service.special_category:
        problem = "special categories of data need an explicit Yes, and this is always on (CON-14)"
        report.add((*place, "special_category"), problem, wait)
    for purpose in sorted(NEVER_ALWAYS_ON.intersection(service.purposes or ())):
        problem = f"{shown(purpose)} is never something a site cannot work without (CON-01)"
        report.add((*place, "purposes"), problem, wait)


def _essential(report: Report, place: Place, service: ServiceTable) -> None:
    lasting = [name for name, cookie in service.cookies.items() if cookie.lifetime not in (None, "session")]
    lasting += [name for name, kind in service.storage.items() if kind != "session"]
    if lasting and service.outlives_session is None and not report.spoilt((*place, "outlives_session")):
        problem = f"{shown(lasting[0])} outlives the browser session, and nothing says why it must (CK-05)"
        fix = 'Keep it for the "session", or add the reason: outlives_session = "…"'
        report.add((*place, "outlives_session"), problem, fix)


def _reserved(report: Report, key: str, service: ServiceTable) -> None:
    if None in (service.category, service.purposes):
        return
    place = ("services", key)
    if key in RESERVED:
        category, purpose = RESERVED[key]
        if (service.category, service.purposes, service.provider or "self") != (category, [purpose], "self"):
            problem = f"the key {shown(key)} is kept for what its name says"
            fix = f'Write category = "{category}", purposes = ["{purpose}"] and no provider; or rename it.'
            report.add(place, problem, fix)
    elif service.category == "notice_acceptance":
        problem = 'this category only holds "choices", which remembers what the visitor answered'
        report.add((*place, "category"), problem, "Put the service into another category.")


# -- what many tables have in common


def _required(report: Report, place: Place, table: Table, *names: str, why: str = "this is missing") -> None:
    for name in names:
        if getattr(table, name) is None and not report.spoilt((*place, name)):
            report.add((*place, name), why, _EXAMPLES[name])


def _refers(report: Report, place: Place, key: str | None, section: str, known: Iterable[str]) -> None:
    there = {*known, *report.spoilt_names(section), *(("self",) if section == "providers" else ())}
    if key is None or key in there or report.spoilt((section,)):
        return
    fix = did_you_mean(key, there) or f"Declare it under [{section}.…], or name one of: {_listed(there)}."
    report.add(place, f"there is no {_KINDS[section]} {shown(key)}", fix)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "(none yet)"


def _lists(report: Report, place: Place, table: Table) -> None:
    for name in type(table).model_fields:
        items = getattr(table, name)
        if not isinstance(items, list):
            continue
        if not items and not report.spoilt_within((*place, name)):
            report.add((*place, name), "this list is empty", "Name at least one, or remove the line.")
        for twice in sorted({item for item in items if items.count(item) > 1}):
            report.add((*place, name), f"{shown(twice)} stands here twice", "Remove one.")


def _names(
    report: Report, place: Place, names: Mapping[str, object], problem_of: Callable[[str], str | None]
) -> None:
    for name in names:
        if problem := problem_of(name):
            report.add((*place, name), problem, 'Write the name as the browser shows it, such as "visit_*".')


# -- translations


def check_wording(words: WordingTable, report: Report, policy: PolicyTable, base: Report) -> None:
    """Report what *words* has a text for although *policy*, whose faults are in *base*, has none there."""
    if base.spoilt(()):
        return
    if words.change is not None and policy.change is None and not base.spoilt(("change",)):
        report.add(("change",), "the policy itself has no such text", _WORDING_FIX)
    for key in words.categories:
        _refers_back(report, base, "categories", key, (*_BUILT_IN, *policy.categories))
    for key, texts in words.services.items():
        _refers_back(report, base, "services", key, policy.services)
        if key in policy.services:
            _translates(report, base, key, texts, policy.services[key])


def _refers_back(report: Report, base: Report, section: str, key: str, known: Iterable[str]) -> None:
    there = {*known, *base.spoilt_names(section)}
    if key not in there and not base.spoilt((section,)):
        problem = f"the policy has no {_KINDS[section]} {shown(key)}"
        report.add((section, key), problem, did_you_mean(key, there) or _WORDING_FIX)


def _translates(report: Report, base: Report, key: str, texts: Table, service: ServiceTable) -> None:
    for name in type(texts).model_fields:
        place = ("services", key, name)
        unknown = getattr(service, name) is None and not base.spoilt(place)
        if getattr(texts, name) is not None and unknown:
            report.add(place, "the policy itself has no such text", _WORDING_FIX)
