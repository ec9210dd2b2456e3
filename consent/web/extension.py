"""The Flask extension: reads and checks everything when the app starts, opens nothing."""

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, current_app, url_for

from consent import audit
from consent.decision import LEFT_ALONE, PROFILES, CookieCodec, Mark, lifetimes, selling
from consent.errors import ConfigurationError, LedgerUnavailable
from consent.ledger import Ledger
from consent.ledger.pruning import SIGNED
from consent.policy import PLACEHOLDERS, Duration, Policy, complete, load
from consent.storage import begin_afresh, open_storage
from consent.web import guard, monitoring, settings, wellknown
from consent.web.account import Accounts
from consent.web.choices import blueprint
from consent.web.declaration import CategoryView, ServiceView, declared
from consent.web.gate import Gate
from consent.web.guard import ConsentRequired, Marked, View
from consent.web.language import shipped
from consent.web.limits import ONCE, Limits
from consent.web.markup import Helpers
from consent.web.metrics import Metrics
from consent.web.notice import Notices, environment
from consent.web.page import page
from consent.web.passage import leads_straight
from consent.web.recorder import Recorder, moment
from consent.web.request import ConsentRequest, current_consent, here, see
from consent.web.settings import Settings
from consent.web.site import Site
from consent.web.trespass import trespasses
from consent.web.values import DAY
from consent.web.verdicts import Verdicts

log = logging.getLogger("consent")

#: Seconds that a request may wait for another process to create the ledger.
FIRST_USE = 4.0
#: Seconds for which the record of opt-outs is kept at least (11 CCR §7101).
OPT_OUTS_KEPT = 731 * DAY


class Consent:
    """The extension. One instance serves any number of apps; each has its own state.

    *clock* gives seconds since the epoch; tests of what happens in a year pass their own.
    """

    def __init__(self, app: Flask | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give *app* its consent. Settings and policy are read and checked now; nothing is opened.

        ConfigurationError or PolicyError name the setting or the place, what was found and the fix.
        """
        if "consent" in app.extensions:
            raise ConfigurationError(
                f"the app {app.name!r} has its consent already: init_app was called twice."
            )
        for option, on in {
            "host_matching": app.url_map.host_matching,
            "subdomain_matching": app.subdomain_matching,
        }.items():
            if on:
                raise ConfigurationError(
                    f"the app {app.name!r} has {option}=True, under which the component's pages would be missing on "
                    f"most hosts; expected an app without. Give each host an app of its own, or take {option} out."
                )
        chosen = settings.read(app.config, root=Path(app.root_path), instance=Path(app.instance_path))
        site = self.site(app, chosen)
        app.extensions["consent"] = site
        app.register_blueprint(blueprint, url_prefix=chosen.url_prefix, privacy_policy=chosen.privacy_policy)
        wellknown.register(app)
        Helpers(site).register(app)
        if chosen.auditor:
            audit.register(app, site)
        if chosen.metrics:
            monitoring.register(app, site)
        if hidden := list(trespasses(app)):  # what views are added later, ``check`` looks at
            raise ConfigurationError("\n".join(map(str, hidden)))
        if not leads_straight(app):
            app.url_value_preprocessor(partial(see, site))
        app.wsgi_app = Gate(app.wsgi_app, site)  # type: ignore[method-assign]
        if ConsentRequired not in app.error_handler_spec[None][403]:
            app.register_error_handler(ConsentRequired, ask)

    def site(self, app: Flask, chosen: Settings) -> Site:
        """What *app*'s consent consists of, checked."""
        policy = declared_whole(load(chosen.policy), chosen, session_cookie=app.config["SESSION_COOKIE_NAME"])
        origin = chosen.site or policy.controller.site
        faults = list(clashes(policy, chosen, app.config["SERVER_NAME"]))
        try:
            open_ledger = ledger_of(chosen, origin, self.clock)
        except ConfigurationError as error:
            faults.append(str(error))
        if faults:
            raise ConfigurationError("\n".join(faults))
        afresh = begin_afresh(chosen.database, chosen.signing_key)
        if urlsplit(origin).hostname in PLACEHOLDERS:
            log.warning(
                "%s still says controller.site = %s: what is answered now is recorded for that site. Write your "
                "own before anything counts. %s",
                chosen.policy.name,
                origin,
                afresh,
            )
        languages = offered(policy, chosen)
        notices = Notices(
            policy=policy,
            environment=environment(app.jinja_loader),
            prefix=chosen.url_prefix,
            privacy_policy=chosen.privacy_policy,
            placement=chosen.placement,
        )
        profile = chosen.profile if isinstance(chosen.profile, str) else "default"
        first = [notices.get(language, profile) for language in languages]
        recorder = Recorder(
            open=open_ledger,
            policy=policy,
            fingerprint={
                "policy": policy.digest,
                "templates": hashlib.sha256("".join(notice.hash for notice in first).encode()).hexdigest(),
                "version": own_version(),
                **SIGNED,
            },
            limits=Limits(secrets.token_bytes(32)),
            once=Limits(secrets.token_bytes(32), ONCE),
            clock=self.clock,
            steady=time.monotonic,
            afresh=afresh,
            metrics=Metrics(time.monotonic, self.clock) if chosen.metrics else None,
        )
        return Site(
            app=app,
            settings=chosen,
            policy=policy,
            codec=CookieCodec(chosen.keys, chosen.cookie_domain or origin),
            notices=notices,
            recorder=recorder,
            languages=languages,
            clock=self.clock,
            verdicts=Verdicts(policy),
            accounts=Accounts(recorder) if chosen.account and selling(policy) else None,
        )

    def sensitive(self, target: Marked) -> Marked:
        """Mark a view or blueprint as one of health or payment data: third parties only under an agreement."""
        return guard.mark(target, Mark.SENSITIVE)

    def first_party(self, target: Marked) -> Marked:
        """Mark a view or blueprint whose address alone says something about a person."""
        return guard.mark(target, Mark.FIRST_PARTY)

    def unmarked(self, target: Marked) -> Marked:
        """Say that a view or blueprint with a form is meant to have no mark, so that ``check`` asks no more."""
        return guard.leave_unmarked(target)

    def forget_account(self, account: str) -> bool:
        """End the opt-out of the current app's *account*, which is deleted; whether there was one (GPC-09).

        *account* is what ``CONSENT_ACCOUNT`` gave for it. LedgerError when that can't be done now; try again later.
        """
        site: Site = current_app.extensions["consent"]
        return site.recorder.forget_account(str(account))

    def required(self, key: str) -> Callable[[View], View]:
        """Let a view run only when the category or service *key* is allowed; else ConsentRequired (403)."""
        return guard.requiring(key, lambda key: current_consent.allows(key))


def declared_whole(policy: Policy, chosen: Settings, *, session_cookie: str) -> Policy:
    """*policy* with the cookies that declare themselves: Flask's session and the visitor's answer."""
    return complete(
        policy,
        session_cookie=session_cookie,
        choice_cookie=chosen.cookie(secure=True),
        choice_lifetime=longest(policy, chosen),
        readable_cookie=chosen.readable_cookie(secure=True) if chosen.cache_safe else None,
        reserved=chosen.own_cookies,
    )


def longest(policy: Policy, chosen: Settings) -> Duration:
    """The longest that the cookie with an answer lives, under any of the profiles that *chosen* allows."""
    names = [chosen.profile] if isinstance(chosen.profile, str) else [*PROFILES]
    spans = (
        lifetimes(PROFILES[name], grant=chosen.grant_lifetime, refusal=chosen.refusal_lifetime)
        for name in names
    )
    seconds = max(span.refusal for span in spans)
    if selling(policy):
        seconds = max(seconds, LEFT_ALONE)
    return Duration(-(-seconds // DAY), "day")


def clashes(policy: Policy, chosen: Settings, server_name: str | None) -> Iterator[str]:
    """What settings say that *policy* contradicts, each in one line with the fix."""
    if selling(policy) and chosen.retention < OPT_OUTS_KEPT:  # REC-10
        yield (
            f"CONSENT_RETENTION is {chosen.retention // DAY} days, and {chosen.policy.name} declares services that "
            f"sell or share: opt-outs have to be kept for 24 months. Expected at least {OPT_OUTS_KEPT // DAY} days."
        )
    if policy.language not in shipped():
        yield (
            f"{chosen.policy.name}: language is {policy.language!r}, for which the component has no words; "
            f"expected one of {', '.join(sorted(shipped()))}."
        )
    if missing := [tag for tag in wanted(chosen) or () if tag not in policy.languages]:
        yield (
            f"CONSENT_LANGUAGES names {', '.join(missing)}; the policy has all its texts in "
            f"{', '.join(policy.languages)} only. Add {chosen.policy.stem}.{missing[0]}.toml, or take it out."
        )
    if chosen.cookie_domain and not (chosen.site or server_name):
        named_by = f"{chosen.policy.name} (controller.site), as CONSENT_SITE names no other"
        yield from settings.foreign_domain(chosen.cookie_domain, policy.controller.site, named_by)


def wanted(chosen: Settings) -> Sequence[str] | None:
    """The languages that the site lists; None where it lists none."""
    return None if callable(chosen.languages) else chosen.languages


def offered(policy: Policy, chosen: Settings) -> tuple[str, ...]:
    """The languages for visitors."""
    listed = wanted(chosen)
    return tuple(
        tag
        for tag in policy.languages
        if tag in shipped() and (listed is None or tag in listed or tag == policy.language)
    )


def ledger_of(chosen: Settings, origin: str, clock: Callable[[], float]) -> Callable[[], Ledger]:
    """What opens the app's ledger, named by the site's host and our path; ConfigurationError for a wrong address."""
    name = f"{urlsplit(origin).netloc}/privacy-choices"
    storage = open_storage(
        chosen.database,
        signing_key=chosen.signing_key,
        account_key=chosen.account_key,
        signers=chosen.signers,
        origin=name,
        clock=lambda: moment(clock()),
        first_use=FIRST_USE,
    )

    def opened() -> Ledger:
        if chosen.instance:
            try:
                chosen.instance.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LedgerUnavailable(
                    f"the ledger's folder can't be made: {error}", retry_after=60
                ) from error
        return Ledger(storage, name)

    return opened


def own_version() -> str:
    """The version of this package; "unknown" when it runs without being installed."""
    try:
        return version("flask-assent")
    except PackageNotFoundError:
        return "unknown"


def ask(error: ConsentRequired) -> tuple[str, int]:
    """The page that asks for what a view needs."""
    visitor = here()
    html = page(
        visitor,
        "required.title",
        "required.html",
        needed=needed(visitor, error.key),
        href=url_for("consent.choices", next=visitor.address),
    )
    return html, 403


def needed(visitor: ConsentRequest, key: str) -> list[dict[str, object]]:
    """The category or service *key* as the page that asks shows it."""
    words = visitor.words
    categories = declared(visitor.site.policy, words)
    views: list[CategoryView | ServiceView] = [*categories]
    views += [service for category in categories for service in category.services]
    return [
        {"title": view.title, "text": view.text, "reason": visitor.reason(key)}
        for view in views
        if view.key == key
    ]
