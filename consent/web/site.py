"""What one app's consent consists of: its settings, policy, keys, notices and ledger."""

import json
import logging
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from flask import Flask, current_app
from markupsafe import Markup

from consent.decision import (
    PROFILES,
    Circumstances,
    CookieCodec,
    Decision,
    Lifetimes,
    Mark,
    Verdict,
    lifetimes,
    selling,
)
from consent.errors import ConsentError
from consent.ledger import Document
from consent.policy import DeclaredCookies, Policy
from consent.web import guard
from consent.web.account import Accounts
from consent.web.consentmode import ConsentMode
from consent.web.csp import Plan, without_nonce
from consent.web.findings import Findings
from consent.web.notice import LANGUAGE_OF, POLICY_OF, Notice, Notices, narrowed
from consent.web.recorder import Recorder, policy_document
from consent.web.retention import Retention
from consent.web.sent import SentCookies
from consent.web.settings import Settings
from consent.web.verdicts import Verdicts

log = logging.getLogger("consent")

DIGEST = re.compile(r"[0-9a-f]{64}")
#: After a notice couldn't be stored, the next try comes so many seconds later.
STORE_AGAIN = 30.0
#: Rendered pieces remembered per app, and plans for content security policies.
MOST_PIECES, MOST_PLANS = 1024, 256
#: In debug mode, what was stopped and has not been shown yet: more than the cookies that browsers keep for one site.
MOST_NOTES = 200


class Shown(NamedTuple):
    """What a notice showed: the policy, and in which language where that can be told."""

    policy: Policy
    language: str | None


class Place(NamedTuple):
    """What one page itself decides, whoever asks for it."""

    circumstances: Circumstances
    """For the verdict: ours count as if marked ``first_party``."""
    mark: Mark | None
    """The mark that the site has put on its view."""
    ours: bool
    """Whether it is one of the visitor's pages that the component brings."""
    apart: bool
    """Whether it matters where any document of it stands: it is ours, or some view of the site is marked."""


class Places(dict[str | None, Place]):
    """What the pages of *app* decide, by the endpoints of their views; None stands for no view.

    *limits*: whether any service is limited to some of them.
    """

    def __init__(self, app: Flask, *, limits: bool) -> None:
        super().__init__()
        self.app = app
        self.limits = limits

    def __missing__(self, endpoint: str | None) -> Place:
        mark, ours = guard.mark_of(self.app, endpoint), guard.is_ours(endpoint)
        stricter = mark or (Mark.FIRST_PARTY if ours else None)
        here = Circumstances(mark=stricter, endpoint=endpoint if self.limits else None)
        found = self[endpoint] = Place(here, mark, ours, ours or self.marked)
        return found

    @cached_property
    def marked(self) -> bool:
        """Whether any view is marked; without, all documents are alike."""
        return any(guard.mark_of(self.app, endpoint) for endpoint in self.app.view_functions)


@dataclass(slots=True, kw_only=True, eq=False)
class Site:
    """One app's consent. Made by ``init_app``; found at ``app.extensions["consent"]``."""

    app: Flask
    settings: Settings
    policy: Policy
    codec: CookieCodec
    notices: Notices
    recorder: Recorder
    languages: tuple[str, ...]
    """The languages offered: the policy's complete ones for which there is a catalogue, its own first."""
    clock: Callable[[], float]
    """Seconds since the epoch."""
    verdicts: Verdicts
    accounts: Accounts | None = None
    """Who is signed in; None where the site has no accounts, or nothing sells or shares."""
    one_profile: bool = field(init=False)
    """Whether the same profile holds for every request."""
    places: Places = field(init=False)
    """What each page itself decides, by its endpoint."""
    pieces: dict[object, Markup] = field(default_factory=dict)
    """Rendered markup that is the same for many requests."""
    stored: set[str] = field(default_factory=set)
    store_at: float = float("-inf")
    """When a notice may be stored again, after that failed (seconds of the recorder's steady clock)."""
    late_at: float = float("-inf")
    """When a late event may be tried again (the same)."""
    late: set[UUID] = field(default_factory=set)
    """Late events that are on record though a cookie still carries them."""
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_NOTES))
    """In debug mode, what the gate stopped since the last page."""
    plans: dict[frozenset[str], Plan] = field(default_factory=dict)
    policies_seen: set[tuple[frozenset[str], str, bool]] = field(default_factory=set)
    findings: Findings = field(default_factory=Findings)
    declared: DeclaredCookies = field(init=False)
    located: Policy = field(init=False)
    """The policy as it holds at this site's own address, should that be another (a staging system's)."""
    origins: bool = field(init=False)
    """Whether any service or carrier has origins."""
    restricts: bool = field(init=False)
    """Whether content security policies are edited: something comes from elsewhere, and the site lets us."""
    always_on: frozenset[str] = field(init=False)
    """The keys of the services that are always on."""
    first_party: frozenset[str] = field(init=False)
    """The keys of the services of the site's own that are always on: the gate leaves their cookies alone."""
    lifetimes: Mapping[str, Lifetimes] = field(init=False)
    """How long answers hold under each profile."""
    storage: str = field(init=False)
    """As JSON, what services keep in the browser's storage: by key, pairs of kind and name; empty if nothing."""
    sells: bool = field(init=False)
    """Whether any service sells or shares."""
    retention: Retention = field(init=False)
    consent_mode: ConsentMode = field(init=False)
    own_cookies: Mapping[bool, frozenset[str]] = field(init=False)
    """The names of the cookies that hold the visitor's answer, by whether the request came over HTTPS."""
    sent: SentCookies = field(init=False)

    def __post_init__(self) -> None:
        chosen, policy = self.settings, self.policy
        self.declared = DeclaredCookies(policy)
        self.sells = bool(selling(policy))
        self.places = Places(self.app, limits=any(service.pages for service in policy.services))
        self.one_profile = isinstance(chosen.profile, str)
        self.located = replace(
            policy, controller=replace(policy.controller, site=chosen.site or policy.controller.site)
        )
        self.origins = any(service.origins for service in policy.services)
        self.origins |= any(carrier.origins for carrier in policy.carriers)
        self.restricts = self.origins and chosen.csp != "off"
        self.always_on = frozenset(each.key for each in policy.services if policy.always_on(each.key))
        self.first_party = frozenset(
            service.key
            for service in policy.services
            if service.provider == "self" and service.key in self.always_on
        )
        self.lifetimes = {
            name: lifetimes(profile, grant=chosen.grant_lifetime, refusal=chosen.refusal_lifetime)
            for name, profile in PROFILES.items()
        }
        self.retention = Retention(
            recorder=self.recorder,
            lifetimes=self.lifetimes,
            kept=timedelta(seconds=chosen.retention),
        )
        kept = {
            service.key: [(each.kind, each.name) for each in service.storage] for service in policy.services
        }
        stored = {key: items for key, items in kept.items() if items}
        self.storage = json.dumps(stored, separators=(",", ":")) if stored else ""
        self.consent_mode = ConsentMode.of(policy)
        own = (chosen.cookie, chosen.readable_cookie) if chosen.cache_safe else (chosen.cookie,)
        self.own_cookies = {
            secure: frozenset(name(secure=secure) for name in own) for secure in (True, False)
        }
        named = {secure: chosen.cookie(secure=secure) for secure in (True, False)}
        self.sent = SentCookies(self.codec, self.declared, self.first_party, named)

    @property
    def digest(self) -> str:
        """The policy's digest, short: by it a page knows for the first paint whether an answer is to this policy."""
        return self.policy.digest[:12]

    def plan(self, running: frozenset[str]) -> Plan:
        """What becomes of the site's content security policies while *running* may run."""
        found = self.plans.get(running)
        if found is None:
            if len(self.plans) >= MOST_PLANS:
                self.plans.clear()
            found = self.plans[running] = Plan.of(self.located, running)
        return found

    def first_sight(self, plan: Plan, policy: str, *, nonced: bool) -> bool:
        """Whether the text *policy* of a security policy, but for its nonce, is new under *plan* and on such pages.

        *nonced*: whether the page gives a nonce to what is ours.
        """
        seen = (plan.running, without_nonce(policy), nonced)
        if seen in self.policies_seen:
            return False
        if len(self.policies_seen) >= MOST_PLANS:
            self.policies_seen.clear()
        self.policies_seen.add(seen)
        return True

    def remember(self, key: object, html: Markup) -> Markup:
        """*html*, from now on found in ``pieces`` under *key*; a full memory starts anew."""
        if len(self.pieces) >= MOST_PIECES:
            self.pieces.clear()
        found = self.pieces[key] = Markup(narrowed(html))
        return found

    def profile(self) -> str:
        """Name of the profile for the current request, asked now; what nobody knows is ``default``."""
        chosen = self.settings.profile
        if isinstance(chosen, str):
            return chosen
        name = asked(chosen, "default")
        return name if isinstance(name, str) and name in PROFILES else "default"

    def lifetimes_for(self, decision: Decision | None, profile: str) -> Lifetimes:
        """How long *decision* holds: of the profile it was given under and *profile*, that of now, the stricter."""
        now = self.lifetimes[profile]
        if decision is None or decision.profile == profile:
            return now
        then = self.lifetimes_of(decision.profile)
        return Lifetimes(min(now.grant, then.grant), max(now.refusal, then.refusal))

    def lifetimes_of(self, profile: str) -> Lifetimes:
        """How long answers hold under *profile*; one that this release doesn't know counts as ``default``."""
        return self.lifetimes.get(profile) or self.lifetimes["default"]

    def minor(self) -> bool:
        """Whether the host says, asked now, that the visitor is a child (CH-01)."""
        return self.settings.minor is not None and bool(asked(self.settings.minor, True))

    def mark(self, endpoint: str | None) -> Mark | None:
        """The mark that the site has put on the view behind *endpoint*."""
        return self.places[endpoint].mark

    def page(self, endpoint: str | None) -> Circumstances:
        """What the page behind *endpoint* decides for the verdict."""
        return self.places[endpoint].circumstances

    def widest(self, endpoint: str | None) -> Verdict:
        """What may run there for whoever has said Yes to everything: what pages from a cache are made for."""
        return self.verdicts.widest(self.page(endpoint))

    def narrowest(self, endpoint: str | None) -> Verdict:
        """What runs there for everybody."""
        return self.verdicts.verdict(
            None, self.page(endpoint), lifetimes=self.lifetimes["default"], now=int(self.clock())
        )

    def marks_any(self) -> bool:
        """Whether any view is marked."""
        return self.places.marked

    def with_groups(self, services: frozenset[str]) -> list[str]:
        """*services*, the categories all of whose services are among them, and the carriers of any, sorted."""
        whole = [key for key in self.category_keys if self.keys_in(key) <= services]
        carriers = [
            service.via for service in self.policy.services if service.via and service.key in services
        ]
        return sorted({*services, *whole, *carriers})

    def keys_in(self, category: str) -> frozenset[str]:
        """The keys of the services in *category*."""
        return frozenset(service.key for service in self.policy.services_in(category))

    @property
    def category_keys(self) -> list[str]:
        """The keys of the categories that have services."""
        return [category.key for category in self.policy.categories if self.policy.services_in(category.key)]

    def store(self, notice: Notice) -> None:
        """Put *notice* on record, before it is first used. A ledger that can't take it now costs nobody the page."""
        if notice.hash in self.stored or self.recorder.steady() < self.store_at:
            return
        if len(self.stored) >= MOST_PIECES:
            self.stored.clear()
        try:
            self.recorder.keep(self.documents(notice))
            self.stored.add(notice.hash)
        except ConsentError as error:
            self.store_at = self.recorder.steady() + STORE_AGAIN
            log.warning("the notice %s is not on record yet: %s", notice.hash[:12], error)

    def documents(self, notice: Notice | None) -> list[Document]:
        """The policy, and *notice*, as the ledger stores them."""
        found = [policy_document(self.policy)]
        if notice:
            found.append(Document(hash=notice.hash, kind="notice", body=notice.body))
        return found

    def shown(self, notice: str | None) -> Shown | None:
        """What the notice with this hash showed; None when no such notice is known.

        LedgerUnavailable when the ledger has to be asked and can't answer.
        """
        if notice is None or not DIGEST.fullmatch(notice):
            return None
        if known := self.notices.by_hash.get(notice):
            return Shown(self.policy, known.language)
        document = self.recorder.document(notice)
        if document is None or document.kind != "notice" or not (named := POLICY_OF.search(document.body)):
            return None
        policy, language = self.recorder.policy_of(named[1].decode()), LANGUAGE_OF.search(document.body)
        return Shown(policy, language[1].decode() if language else None) if policy else None


def current_site() -> Site:
    """The current app's consent; KeyError where it has none."""
    found: Site = current_app.extensions["consent"]
    return found


def asked(function: Callable[[], object], otherwise: object) -> object:
    """What the host's *function* says; *otherwise*, the careful answer, when it fails."""
    try:
        return function()
    except (
        Exception
    ):  # the site's own code may raise anything, and a refusal holds all the same (rules 9, 11)
        log.exception("%r failed; taking %r", function, otherwise)
        return otherwise
