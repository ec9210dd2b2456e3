"""The closed lists of codes a policy is written in. Labels are wording, under ids such as ``data.card``."""

#: What a service is for.
PURPOSES = frozenset(
    {
        "accessibility",
        "advertising",
        "appearance",
        "chat",
        "choices",
        "embedded-media",
        "forms",
        "fraud",
        "language",
        "load-balancing",
        "maps",
        "measurement",
        "payment",
        "personalisation",
        "preferences",
        "security",
        "session",
        "sign-in",
        "social-media",
        "support",
        "testing",
    }
)

#: Purposes no site needs in order to work, so that they always wait for a Yes (CON-01, CON-10).
NEVER_ALWAYS_ON = frozenset({"advertising", "measurement", "personalisation", "social-media", "testing"})

#: What a service learns about a visitor.
DATA = frozenset(
    {
        "account",
        "address",
        "browser",
        "card",
        "contents",
        "device",
        "email",
        "health",
        "identifiers",
        "interactions",
        "language",
        "links",
        "location",
        "name",
        "pages",
        "payments",
        "phone",
        "postal_address",
        "precise_location",
        "preferences",
        "searches",
        "time",
    }
)

#: Items that are neither stored nor loaded from an origin of their own.
USES = frozenset({"beacon", "email_beacon", "fingerprint", "precise_location"})

#: The consent types of Google Consent Mode v2.
GOOGLE_CONSENT = frozenset(
    {
        "ad_personalization",
        "ad_storage",
        "ad_user_data",
        "analytics_storage",
        "functionality_storage",
        "personalization_storage",
        "security_storage",
    }
)

#: Those of them that are about advertising, which an opt-out stops (GCM-04).
FOR_ADVERTISING = frozenset({"ad_personalization", "ad_storage", "ad_user_data"})

#: How an origin is used, in the words of Content Security Policy less their ``-src`` and ``-action``.
DIRECTIVES = ("connect", "font", "form", "frame", "img", "media", "script", "style", "worker")

#: Where a browser keeps what is not a cookie.
STORAGE = frozenset({"cache", "indexeddb", "local", "session"})
