"""The ``CONSENT_…`` settings of an app, read and checked once, when the app starts."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from consent.decision import PROFILES
from consent.errors import ConfigurationError
from consent.ledger.note import Signer, require_verifier_key
from consent.web.expiry import parents
from consent.web.origin import as_browsers_write
from consent.web.returning import safe_path
from consent.web.values import (
    DAY,
    LONGEST,
    function,
    one_of,
    optional_text,
    path,
    seconds,
    secret_keys,
    strings,
    switch,
    text,
    wrong,
)

#: How long what was recorded is kept once its cookie can no longer live: 36 months, and ten years at most (LOG-04).
RETENTION, LONGEST_KEPT = 1096 * DAY, 3653 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the app's configuration says; times in seconds, paths absolute."""

    policy: Path
    database: str
    signing_key: Path | None
    signers: tuple[Signer, ...]
    """Keys that sign checkpoints and are kept elsewhere."""
    profile: str | Callable[[], str | None]
    minor: Callable[[], bool] | None
    languages: Sequence[str] | Callable[[], str | None] | None
    auditor: Callable[[], str | None] | None
    metrics: Callable[[], object] | None
    """Whether whoever asks may read what is counted; None: nothing is."""
    account: Callable[[], object] | None
    account_key: Path | None
    """The key that accounts are linked under, where the signing key isn't."""
    grant_lifetime: int
    refusal_lifetime: int
    retention: int
    trusted_origins: frozenset[str]
    url_prefix: str
    cookie_name: str
    cookie_domain: str | None
    site: str | None
    undeclared: Literal["report", "drop"]
    csp: Literal["enforce", "report", "off"]
    privacy_policy: str | None
    """Address of the site's privacy policy, a path or a URL."""
    placement: Literal["bottom", "bottom-start", "top"]
    """Where the banner stands: over the page's end, in the corner there, or in the page's flow, before all else."""
    cache_safe: bool
    """Whether pages are the same for everybody, so that a shared cache may keep them."""
    instance: Path | None
    """The folder to make before the ledger is opened; None where the site chose a place itself."""
    keys: tuple[str | bytes, ...]
    """Flask's secret keys, the one that signs last."""

    def cookie(self, *, secure: bool) -> str:
        """The full name of the choice cookie. HTTPS never uses the unprotected one (RFC 6265bis §4.1.3)."""
        return protected(self.cookie_name, self.cookie_domain) if secure else self.cookie_name

    def readable_cookie(self, *, secure: bool) -> str:
        """The full name of the cookie that scripts read for the first paint of pages from a cache."""
        return protected(self.readable_name, self.cookie_domain) if secure else self.readable_name

    @property
    def readable_name(self) -> str:
        """The same without its protecting prefix."""
        return readable(self.cookie_name)

    @property
    def own_cookies(self) -> frozenset[str]:
        """The names of the cookies that hold the visitor's answer, over HTTPS and not."""
        return own_cookies(self.cookie_name, self.cookie_domain, readable_too=self.cache_safe)


def readable(name: str) -> str:
    """The name of the cookie that scripts read beside the choice cookie *name*."""
    return f"{name}-shown"


def protected(name: str, domain: str | None) -> str:
    """What the cookie *name* is called on HTTPS, by whether a *domain* shares it (RFC 6265bis §4.1.3)."""
    return f"__Secure-{name}" if domain else f"__Host-{name}"


def own_cookies(name: str, domain: str | None, *, readable_too: bool) -> frozenset[str]:
    """What the choice cookie *name* is called over HTTPS and not; so for the one beside it with *readable_too*."""
    names = (name, readable(name)) if readable_too else (name,)
    return frozenset([*names, *(protected(each, domain) for each in names)])


def read(config: Mapping[str, object], *, root: Path, instance: Path) -> Settings:
    """The settings in the app's *config*; ConfigurationError names every wrong key, what it holds and the fix."""
    faults = list(unknown(config))
    found: dict[str, Any] = {}
    for name, reader in readers(config, root, instance).items():
        try:
            found[name] = reader()
        except ConfigurationError as error:
            faults.append(str(error))
    faults += clashes(found, config)
    if faults:
        raise ConfigurationError("\n".join(faults))
    return Settings(**found)


def clashes(found: Mapping[str, Any], config: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with settings that were *found* right each by itself, beside each other and Flask's own."""
    if found.get("refusal_lifetime", LONGEST) < found.get("grant_lifetime", 0):
        yield (
            f"CONSENT_REFUSAL_LIFETIME ({found['refusal_lifetime']} s) is shorter than CONSENT_GRANT_LIFETIME "
            f"({found['grant_lifetime']} s): whoever refuses would be asked more often than whoever accepts. "
            "Make it at least as long."
        )
    if found.get("cache_safe") and callable(found.get("profile")):
        yield (
            "CONSENT_CACHE_SAFE serves everybody the same page, and CONSENT_PROFILE is a function that tells "
            'visitors apart. Name one profile for all, such as "default", or turn CONSENT_CACHE_SAFE off.'
        )
    session, name, domain = (
        config.get("SESSION_COOKIE_NAME"),
        found.get("cookie_name"),
        found.get("cookie_domain"),
    )
    if not isinstance(session, str) or not session:
        yield f'SESSION_COOKIE_NAME is {session!r}; expected the name of Flask\'s session cookie, such as "session".'
    if name and session in own_cookies(name, domain, readable_too=bool(found.get("cache_safe"))):
        yield (
            f"CONSENT_COOKIE_NAME is {name!r}: the cookie that holds the answer would have the name of the session's "
            f"(SESSION_COOKIE_NAME is {session!r}). Rename one of the two."
        )
    if domain and (site := found.get("site")):
        yield from foreign_domain(domain, site, "CONSENT_SITE")
    elif domain and "site" in found and isinstance(server := config.get("SERVER_NAME"), str):
        yield from foreign_domain(domain, f"//{server}", "SERVER_NAME")


def foreign_domain(domain: str, site: str, named_by: str) -> Iterator[str]:
    """What is wrong when browsers at the address *site* would refuse a cookie for *domain* (RFC 6265 §5.3).

    They refuse one for a public suffix such as ``co.uk`` too; which those are can't be known here.
    """
    host = urlsplit(site).hostname or ""
    if domain.lower() in (allowed := parents(host)):
        return
    fix = f"Expected {' or '.join(allowed)}" if allowed else "Take it out: only domains can be shared"
    yield (
        f"CONSENT_COOKIE_DOMAIN is {domain!r}, and the site is at {host} by {named_by}: browsers would drop the "
        f"answer, and visitors be asked on every page. {fix}; or mend {named_by}."
    )


def readers(config: Mapping[str, object], root: Path, instance: Path) -> dict[str, Callable[[], object]]:
    """What reads each of :class:`Settings` from the app's *config*."""
    return {
        "policy": lambda: root / text(config, "POLICY", "consent.toml"),
        "database": lambda: database(config, root, instance),
        "signing_key": lambda: path(config, "SIGNING_KEY", root),
        "signers": lambda: signers(config),
        "profile": lambda: profile(config),
        "minor": lambda: function(config, "MINOR"),
        "languages": lambda: languages(config),
        "auditor": lambda: function(config, "AUDITOR"),
        "metrics": lambda: function(config, "METRICS"),
        "account": lambda: function(config, "ACCOUNT"),
        "account_key": lambda: path(config, "ACCOUNT_KEY", root),
        "grant_lifetime": lambda: seconds(config, "GRANT_LIFETIME", 182 * DAY),
        "refusal_lifetime": lambda: seconds(config, "REFUSAL_LIFETIME", 365 * DAY),
        "retention": lambda: seconds(config, "RETENTION", RETENTION, most=LONGEST_KEPT),
        "trusted_origins": lambda: trusted(config),
        "url_prefix": lambda: prefix(config),
        "cookie_name": lambda: cookie_name(config),
        "cookie_domain": lambda: cookie_domain(config),
        "site": lambda: own_site(config),
        "csp": lambda: one_of(config, "CSP", "enforce", "report", "off"),
        "cache_safe": lambda: switch(config, "CACHE_SAFE"),
        "undeclared": lambda: one_of(config, "UNDECLARED", "report", "drop"),
        "privacy_policy": lambda: privacy_policy(config),
        "placement": lambda: one_of(config, "PLACEMENT", "bottom", "bottom-start", "top"),
        "instance": lambda: None if config.get("CONSENT_DATABASE") else instance,
        "keys": lambda: secret_keys(config),
    }


#: What may stand behind ``CONSENT_``, in the documentation's order. The folder and Flask's keys go by other names.
NAMES = tuple(name.upper() for name in readers({}, Path(), Path()) if name not in ("instance", "keys"))


def unknown(config: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with ``CONSENT_`` keys that mean nothing, so that a typo can't pass for a setting."""
    for key in config:
        if key.startswith("CONSENT_") and (name := key.removeprefix("CONSENT_")) not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"Did you mean CONSENT_{near[0]}?" if near else f"There are: {', '.join(NAMES)}."
            yield f"{key} is not a setting of this version. {hint}"


def database(config: Mapping[str, object], root: Path, instance: Path) -> str:
    """The ledger's URL; a relative path in it counts from the app's folder, wherever the process was started."""
    url = text(config, "DATABASE", f"sqlite:///{instance / 'consent.sqlite3'}")
    file = url.removeprefix("sqlite:///")
    if file == url or not file or file == ":memory:" or file.startswith("file:"):
        return url
    return f"sqlite:///{root / file}"


def languages(config: Mapping[str, object]) -> Sequence[str] | Callable[[], str | None] | None:
    """The languages to offer, a function that names the visitor's, or None for all of the policy's."""
    value = config.get("CONSENT_LANGUAGES")
    if value is None or callable(value):
        return value
    return strings(config, "LANGUAGES")


def profile(config: Mapping[str, object]) -> str | Callable[[], str | None]:
    """The name of a profile, or a function that gives the one for the current request."""
    value = config.get("CONSENT_PROFILE", "default")
    if callable(value):
        return value
    if not isinstance(value, str) or value not in PROFILES:
        raise wrong("PROFILE", value, f"a function, or one of: {', '.join(sorted(PROFILES))}")
    return value


def prefix(config: Mapping[str, object]) -> str:
    """Where the visitor's pages are mounted, such as ``/privacy-choices``."""
    value = text(config, "URL_PREFIX", "/privacy-choices")
    if not re.fullmatch(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+", value):
        raise wrong("URL_PREFIX", value, "a path like /privacy-choices: a slash in front, none at the end")
    return value


def trusted(config: Mapping[str, object]) -> frozenset[str]:
    """Further origins of the same site, each as browsers send it."""
    found = strings(config, "TRUSTED_ORIGINS")
    for each in found:
        require_origin("TRUSTED_ORIGINS", each, "origins like https://www.clinic.example, without a path")
    return frozenset(found)


def own_site(config: Mapping[str, object]) -> str | None:
    """The origin of this system, or None for the policy's."""
    value = optional_text(config, "SITE")
    if value is not None:
        require_origin("SITE", value, "an origin like https://staging.clinic.example, without a path")
    return value


def require_origin(name: str, value: str, expected: str) -> None:
    """ConfigurationError unless *value*, in the setting *name*, is an origin as browsers write it."""
    near = as_browsers_write(value)
    if near != value:
        raise wrong(name, value, f"{expected}{f'. Did you mean {near!r}?' if near else ''}")


def cookie_domain(config: Mapping[str, object]) -> str | None:
    """The domain that shares the answer, or None for this host alone."""
    value = optional_text(config, "COOKIE_DOMAIN")
    if value is not None and not re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value):
        raise wrong("COOKIE_DOMAIN", value, "a domain like clinic.example")
    return value


def privacy_policy(config: Mapping[str, object]) -> str | None:
    """Where the site's privacy policy is: a path of the site or an address that begins with https://."""
    value = optional_text(config, "PRIVACY_POLICY")
    if value is not None and not (safe_path(value) or value.startswith("https://")):
        raise wrong("PRIVACY_POLICY", value, "a path like /privacy, or an address that begins with https://")
    return value


def signers(config: Mapping[str, object]) -> tuple[Signer, ...]:
    """The keys kept elsewhere, such as in a hardware module: pairs of a verifier key and what signs with it."""
    value = config.get("CONSENT_SIGNERS") or ()
    expected = "a list of pairs: a verifier key, and a function that gives its signature of bytes"
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise wrong("SIGNERS", value, expected)
    found = list[Signer]()
    for pair in value:
        if not isinstance(pair, Sequence) or len(pair) != 2 or not callable(pair[1]):
            raise wrong("SIGNERS", pair, expected)
        try:
            found.append(Signer(require_verifier_key(str(pair[0])), pair[1]))
        except ValueError as error:
            raise wrong("SIGNERS", pair[0], f"an Ed25519 verifier key ({error})") from None
    return tuple(found)


def cookie_name(config: Mapping[str, object]) -> str:
    """The choice cookie's name without its protecting prefix."""
    value = text(config, "COOKIE_NAME", "consent")
    if not value.replace("-", "").replace("_", "").isalnum() or not value.isascii() or value.startswith("__"):
        raise wrong("COOKIE_NAME", value, "letters, digits, - and _; the prefix __Host- is added on HTTPS")
    return value
