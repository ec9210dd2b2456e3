"""What a visitor may erase, in signed values: a withdrawal's confirmation offers one, the explaining page another.

A value is about the browser's own subject, or about an event, by which its subject is found: who has withdrawn has no
link to their history in the browser any more.
"""

import hashlib
import uuid

from itsdangerous import BadData

from consent.web.request import ConsentRequest
from consent.web.signing import serializer

#: Seconds for which a value holds.
VALID = 30 * 60
#: What the confirmation of a withdrawal gives, and what the explaining page gives.
OFFERED, ASKED = "erase.1", "erase.2"


def own(visitor: ConsentRequest) -> str | None:
    """What stands for the browser's own subject in a value, and doesn't tell it; None without one."""
    subject = visitor.subject
    return None if subject is None else f"own {hashlib.sha256(subject.bytes).hexdigest()}"


def offer(visitor: ConsentRequest, event: uuid.UUID) -> str:
    """The value by which whoever has withdrawn just now, with *event*, can erase what went before."""
    return str(serializer(visitor.site, OFFERED).dumps(str(event)))


def offered(visitor: ConsentRequest, text: str | None) -> str | None:
    """*text*, if it is such a value that still holds; else None."""
    return text if read(visitor, OFFERED, text) is not None else None


def ask(visitor: ConsentRequest, about: str) -> str:
    """The value that the explaining page gives, *about* what it explains."""
    return str(serializer(visitor.site, ASKED).dumps(about))


def read(visitor: ConsentRequest, purpose: str, text: str | None) -> str | None:
    """What the signed *text* is about: ``own(visitor)``, or the id of an event. None unless it holds here and now."""
    try:
        about = str(serializer(visitor.site, purpose).loads(text or "", max_age=VALID))
    except BadData:
        return None
    return about if about == own(visitor) or not about.startswith("own ") else None
