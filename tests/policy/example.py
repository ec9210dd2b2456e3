"""A policy that uses every field, small ones to spoil, and the faults they give."""

from collections.abc import Mapping

from consent.errors import PolicyError
from consent.policy import parse

#: One optional service of the site's own: the least a policy can be useful with.
SMALL = """\
revision   = 1
effective  = 2026-11-01
language   = "en"
controller = { name = "Clinic", site = "https://clinic.example", contact = "privacy@clinic.example" }

[services.remember]
category = "functionality"
purposes = ["sign-in"]
text     = "Remembers your sign-in name on this device."
cookies  = { remember_token = "30 days" }
"""

#: Everything a policy can say.
FULL = """\
revision  = 3
effective = 2026-11-01
language  = "en"
change    = "We added an appointment video."

[controller]
name    = "Clinic"
site    = "https://clinic.example"
contact = "https://clinic.example/contact"
address = "1 High Street"
country = "US"

[providers]
google = { name = "Google LLC", policy = "https://policies.google.com/privacy", country = "US" }
stripe = { name = "Stripe" }

[categories.performance]
title = "How we do"

[categories.advertising]
title = "Advertising"
text  = "Chooses adverts from what you read."

[services.remember]
category = "functionality"
purposes = ["sign-in"]
text     = "Remembers your sign-in name on this device."
cookies  = { remember_token = { lifetime = "30 days", path = "/portal", domain = "clinic.example" } }

[carriers.gtm]
provider = "google"
script   = ["https://www.googletagmanager.com"]

[services.statistics]
category  = "performance"
purposes  = ["measurement", "testing"]
provider  = "google"
via       = "gtm"
title     = "Statistics"
text      = "Counts visits and the pages read."
data      = ["pages", "device"]
retention = "14 months"
recipients = ["An auditor", "A host"]
third_party_access = true
country   = "IE"
sells_or_shares = false
agreement = "Processing agreement of 2026"
google_consent = ["analytics_storage"]
cookies   = { _ga = "13 months", "_ga_*" = "session" }
storage   = { "visit.*" = "local", seen = "indexeddb" }
uses      = ["beacon"]
connect   = ["https://*.google-analytics.com", "wss://live.google-analytics.com"]
img       = ["http://localhost:8001"]

[services.payment]
category  = "essential"
provider  = "stripe"
purposes  = ["payment", "fraud"]
text      = "Takes payments."
data      = ["card"]
retention = "7 years"
sells_or_shares = false
pages     = ["billing.*"]
outlives_session = "Recognises fraud across visits."
cookies   = { __stripe_mid = "12 months" }
frame     = ["https://js.stripe.com"]

[services.adverts]
category  = "advertising"
purposes  = ["advertising"]
provider  = "google"
text      = "Shows adverts that fit what you read here."
data      = ["pages", "precise_location"]
retention = "90 days"
sells_or_shares  = true
special_category = true
"""

GERMAN = """\
change = "Wir haben ein Video ergänzt."
categories.performance.title = "Wie es läuft"
categories.advertising = { title = "Werbung", text = "Wählt Werbung danach aus, was Sie lesen." }
services.remember.text = "Merkt sich Ihren Anmeldenamen auf diesem Gerät."
services.statistics = { title = "Statistik", text = "Zählt Besuche und gelesene Seiten." }
services.payment = { text = "Nimmt Zahlungen an.", outlives_session = "Erkennt Betrug über Besuche hinweg." }
services.adverts.text = "Zeigt passende Werbung."
"""


def spoilt(old: str, new: str, text: str = SMALL) -> str:
    """*text* with *new* instead of *old*, which it has to hold."""
    assert old in text
    return text.replace(old, new)


def faults(text: str, wordings: Mapping[str, str] | None = None) -> list[str]:
    """The faults of a policy as people read them, without the file's name; empty if there are none."""
    try:
        parse(text, wordings)
    except PolicyError as error:
        return [str(fault).removeprefix("consent.toml: ") for fault in error.faults]
    return []


def only_fault(text: str, wordings: Mapping[str, str] | None = None) -> str:
    """The fault of a policy that has exactly one."""
    (fault,) = faults(text, wordings)
    return fault
