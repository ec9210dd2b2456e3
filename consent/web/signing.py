"""Values that go out in a page and come back in a form, signed so that only this site's pages can have made them."""

import hashlib

from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from consent.web.site import Site


def serializer(site: Site, purpose: str, *, unit: int = 1) -> URLSafeTimedSerializer:
    """What signs and reads values for *purpose*, with Flask's keys; what was signed for another is refused.

    They are dated by the site's clock, in whole *unit*s of seconds: so a page stays the same for that long.
    """

    class Signer(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(site.clock() // unit * unit)

    return URLSafeTimedSerializer(
        [key.encode() if isinstance(key, str) else key for key in site.settings.keys],
        salt=f"consent.{purpose}|{site.located.controller.site}",
        signer=Signer,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
