"""What people write for a key of the policy file before they know it."""

from collections.abc import Iterable

from ..errors import did_you_mean

#: How near a key has to be that is offered for a mistyped one: "name" isn't as near to "frame", nor "type" to "style".
_NEAR = 0.75

#: The key that is meant → words for it. A word stands under each key that it is meant for in one table or another.
WORDS = {
    "title": "caption display_name heading headline label name",
    "name": "company label title",
    "text": "body desc description details explanation help info summary",
    "category": "cat class group kind section type",
    "provider": "by company controller operator owner processor third_party vendor",
    "providers": "companies processors third_parties vendors",
    "retention": "age duration expiration expires expiry kept lifetime max_age storage_period ttl",
    "lifetime": "age duration expiration expires expiry max_age retention ttl",
    "purposes": "goal goals reason use",
    "recipients": "disclosed_to shared_with",
    "sells_or_shares": "sale sells sells_data shared shares",
    "special_category": "sensitive special",
    "agreement": "baa contract dpa",
    "storage": "indexed_db local_storage session_storage web_storage",
    "pages": "endpoints views",
    "via": "carrier container tag_manager",
    "google_consent": "consent_types gcm google",
    "policy": "homepage link privacy privacy_policy url website",
    "site": "base_url domain homepage host link origin url website",
    "contact": "email mail",
    "country": "jurisdiction location region",
    "revision": "number version",
    "effective": "date from in_force published since updated valid_from",
    "language": "default_language lang locale",
    "change": "changelog news whats_new",
    "categories": "groups",
    "services": "cookies purposes tags tools",
    "carriers": "tag_managers",
    "script": "javascript js",
    "style": "css",
    "img": "image images picture pictures pixel",
    "connect": "ajax api beacon fetch xhr",
    "frame": "embed iframe iframes",
    "media": "audio video",
    "form": "action",
}
FORMS = {"lifetime": ' Write it like lifetime = "13 months", or "session".'}


def meant(found: str, known: Iterable[str]) -> str:
    """A sentence naming the key of *known* that *found* stands for, or the nearest; ``""`` when none is near."""
    keys = list(known)
    word = found.lower().replace("-", "_")
    for key in keys:
        if word in WORDS.get(key, "").split():
            return f'Did you mean "{key}"?{FORMS.get(key, "")}'
    return did_you_mean(found, keys, near=_NEAR)
