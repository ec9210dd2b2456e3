"""What one app's consent consists of: its settings, policy, keys, notices and ledger."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from flask import Flask, current_app, request
from markupsafe import Markup

from consent.decision import PROFILES, CookieCodec, Decision, Lifetimes, Mark, lifetimes
from consent.errors import ConsentError
from consent.ledger import Document
from consent.policy import Policy
from consent.web import guard
from consent.web.language import Catalogue, accepted, catalogue, negotiate
from consent.web.notice import LANGUAGE_OF, POLICY_OF, Notice, Notices
from consent.web.recorder import Recorder, policy_document
from consent.web.returning import safe_path
from consent.web.settings import Settings
from consent.web.verdicts import Verdicts

log = logging.getLogger("consent")

DIGEST = re.compile(r"[0-9a-f]{64}")
#: After a notice couldn't be stored, the next try comes so many seconds later.
STORE_AGAIN = 30.0
#: Characters of an ``Accept-Language`` header that is read; a longer one is nobody's wish.
LONGEST_LIKING = 200
#: Rendered pieces remembered per app.
MOST_PIECES = 1024
#: Such headers remembered.
MOST_HEADERS = 1024


@dataclass(slots=True, kw_only=True, eq=False)
class Site:
    """One app's consent. Made by ``init_app``; found at ``app.extensions["consent"]``."""

    app: Flask
    settings: Settings
    policy: Policy
    codec: CookieCodec
    notices: Notices
    recorder: Recorder
    languages: Sequence[str]
    """The languages offered: the policy's complete ones for which there is a catalogue, its own first."""
    clock: Callable[[], float]
    """Seconds since the epoch."""
    verdicts: Verdicts
    limits_pages: bool = False
    """Whether any service is limited to some pages."""
    marks: dict[str | None, Mark | None] = field(default_factory=dict)
    pieces: dict[object, Markup] = field(default_factory=dict)
    """Rendered markup that is the same for many requests."""
    stored: set[str] = field(default_factory=set)
    store_at: float = 0.0
    late_at: float = 0.0
    """When the next late event may be tried again (epoch seconds)."""
    late: set[UUID] = field(default_factory=set)
    """Late events that are on record though a cookie still carries them."""
    likings: dict[str, str] = field(default_factory=dict)

    def decision_in(self, environ: Mapping[str, Any], *, now: int) -> Decision | None:
        """The answer in the request's cookie; None when there is none, two, or one that can't be trusted."""
        header = environ.get("HTTP_COOKIE")
        if not header:
            return None
        name = self.settings.cookie(secure=environ.get("wsgi.url_scheme") == "https")
        values = cookie_values(header, name)
        return self.codec.decode(values[0], now=now) if len(values) == 1 else None

    def remember(self, key: object, html: Markup) -> Markup:
        """*html*, from now on found in ``pieces`` under *key*; a full memory starts anew."""
        if len(self.pieces) >= MOST_PIECES:
            self.pieces.clear()
        self.pieces[key] = html
        return html

    def profile(self) -> str:
        """Name of the profile for the current request; what nobody knows is ``default``."""
        chosen = self.settings.profile
        name = asked(chosen, "default") if callable(chosen) else chosen
        return name if isinstance(name, str) and name in PROFILES else "default"

    def lifetimes(self, profile: str) -> Lifetimes:
        """How long answers hold under *profile*; one that this release doesn't know counts as ``default``."""
        profile = profile if profile in PROFILES else "default"
        return lifetimes_of(profile, self.settings.grant_lifetime, self.settings.refusal_lifetime)

    def minor(self) -> bool:
        """Whether the host says that the visitor is a child (CH-01)."""
        return bool(asked(self.settings.minor, True)) if self.settings.minor else False

    def mark(self, endpoint: str | None) -> Mark | None:
        """The mark of the view behind *endpoint*."""
        if endpoint not in self.marks:
            self.marks[endpoint] = guard.mark_of(self.app, endpoint)
        return self.marks[endpoint]

    def language(self) -> str:
        """The visitor's language: the host's Flask-Babel, else the host's function, else ``Accept-Language``."""
        if len(self.languages) == 1:
            return self.languages[0]
        if "babel" in current_app.extensions:
            from flask_babel import get_locale

            locale = get_locale()
            return negotiate(locale and locale.language, self.languages) or self.languages[0]
        chosen = self.settings.languages
        if callable(chosen) and (found := negotiate(chosen(), self.languages)):
            return found
        header = request.environ.get("HTTP_ACCEPT_LANGUAGE", "")
        if len(header) > LONGEST_LIKING:
            return self.languages[0]
        if header not in self.likings:
            if len(self.likings) >= MOST_HEADERS:
                self.likings.clear()
            self.likings[header] = accepted(request.accept_languages, self.languages)
        return self.likings[header]

    def words(self) -> Catalogue:
        """The catalogue of the visitor's language."""
        return catalogue(self.language())

    def notice(self) -> Notice:
        """The notice for the current request, stored before it is first used where that is possible."""
        mount = request.root_path.rstrip("/")
        notice = self.notices.get(self.language(), self.profile(), safe_path(mount) or "")
        if notice.hash not in self.stored and self.clock() >= self.store_at:
            self.store(notice)
        return notice

    def with_categories(self, services: frozenset[str]) -> list[str]:
        """*services* and the categories all of whose services are among them, sorted."""
        whole = [key for key in self.category_keys if self.keys_in(key) <= services]
        return sorted({*services, *whole})

    def keys_in(self, category: str) -> frozenset[str]:
        """The keys of the services in *category*."""
        return frozenset(service.key for service in self.policy.services_in(category))

    @property
    def category_keys(self) -> list[str]:
        """The keys of the categories that have services."""
        return [category.key for category in self.policy.categories if self.policy.services_in(category.key)]

    def store(self, notice: Notice) -> None:
        """Put *notice* on record. A ledger that can't take it now costs nobody the page (rule 11 of docs/rules.md)."""
        try:
            self.recorder.keep(self.documents(notice))
            self.stored.add(notice.hash)
        except ConsentError as error:
            self.store_at = self.clock() + STORE_AGAIN
            log.warning("the notice %s is not on record yet: %s", notice.hash[:12], error)

    def documents(self, notice: Notice | None) -> list[Document]:
        """The policy, and *notice*, as the ledger stores them."""
        found = [policy_document(self.policy)]
        if notice:
            found.append(Document(hash=notice.hash, kind="notice", body=notice.body))
        return found

    def language_shown(self, notice: str | None) -> str:
        """The language of the notice on record under this hash; the visitor's when it isn't known."""
        document = self.recorder.document(notice) if notice else None
        named = LANGUAGE_OF.search(document.body) if document else None
        return named[1].decode() if named else self.language()

    def policy_shown(self, notice: str | None) -> Policy | None:
        """The policy that the notice with this hash showed; None when no such notice is known.

        LedgerUnavailable when the ledger has to be asked and can't answer.
        """
        if notice is None or not DIGEST.fullmatch(notice):
            return None
        if notice in self.notices.by_hash:
            return self.policy
        document = self.recorder.document(notice)
        named = POLICY_OF.search(document.body) if document and document.kind == "notice" else None
        return self.recorder.policy_of(named[1].decode()) if named else None


@cache
def lifetimes_of(profile: str, grant: int, refusal: int) -> Lifetimes:
    """The lifetimes under *profile* for these two settings (seconds)."""
    return lifetimes(PROFILES[profile], grant=grant, refusal=refusal)


def asked(function: Callable[[], object], otherwise: object) -> object:
    """What the host's *function* says; *otherwise*, the careful answer, when it fails."""
    try:
        return function()
    # The site's own code may raise anything, and a refusal has to hold all the same (rules 9 and 11).
    except Exception:
        log.exception("%r failed; taking %r", function, otherwise)
        return otherwise


def cookie_values(header: str, name: str) -> list[str]:
    """The values of all cookies called *name* in a ``Cookie`` header."""
    prefix = f"{name}="
    if prefix not in header:
        return []
    return [
        part[len(prefix) :]
        for part in (each.strip(" \t") for each in header.split(";"))
        if part.startswith(prefix)
    ]
