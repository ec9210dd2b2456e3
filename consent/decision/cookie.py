"""The cookie's text: a decision, signed.

One line of printable ASCII without ``;``, ``,``, quotes or spaces, its fields parted by dots::

    1 . at . profile . source . opt-out . granted . confirmed . refused . subject [. pending] . signature

===========  =========================================================================================
``1``        this format; another number isn't read. A release that changes the format reads both
``at``       epoch seconds, decimal
``source``   its first letter: banner, centre, dialog, mine, signal, navigator
``opt-out``  of sale and sharing: the last day it was said on, in days since the epoch, decimal; or nothing
``granted``  terms of the services that are granted and not confirmed, 9 characters each, sorted, without
             a separator; so too those that are confirmed, and those that are refused
``subject``  16 bytes, base64url without padding; nothing without a grant
``pending``  11 fields: id . salt . milliseconds . subject . kind . policy . notice . language . signal,
             ``s`` or nothing . a digit for each of the sorted terms: 0 nothing, 1 refused, 2 granted .
             link of an account, 22 characters, or nothing
signature    HMAC-SHA256 of all before its dot, as itsdangerous makes it, base64url without padding
===========  =========================================================================================

What verifies must be the very text that its decision encodes to, so one decision has one text.
"""

import hashlib
import hmac
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from uuid import UUID

from itsdangerous import Signer

from consent.decision.decision import DAY, SOURCES, Decision
from consent.decision.pending import Pending

FORMAT: Final = "1"
#: Longer texts aren't parsed; characters, which are bytes.
LONGEST: Final = 1536
#: With as many optional services, the longest decision and its pending event still fit.
MOST_SERVICES: Final = 110
#: By how many seconds another server's clock may be ahead.
AHEAD: Final = 300
#: Like answers remembered.
REMEMBERED: Final = 2048

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_TERMS = re.compile(r".{9}")
_SOURCE_OF: Final = {source[0]: source for source in SOURCES}


class CookieCodec:
    """Writes decisions as signed text and reads them back.

    *keys*: secret keys, the newest last; that one signs, all verify. *origin*: the site's, e.g.
    ``https://clinic.example``, or the cookie's domain; texts of another origin don't verify.
    Safe to share between threads.
    """

    def __init__(self, keys: Sequence[str | bytes], origin: str) -> None:
        if isinstance(keys, (str, bytes)) or not keys or not all(keys):
            raise ValueError("keys: expected a list of non-empty secret keys, the newest last")
        signer = Signer(
            list(keys),  # type: ignore[arg-type]
            salt=f"consent.choices.1|{origin}",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )
        derived = dict.fromkeys(signer.derive_key(key) for key in reversed(signer.secret_keys))
        # Keyed once, then copied for every text: that halves the time one takes.
        self._newest_first: Final = [hmac.new(key, digestmod=hashlib.sha256) for key in derived]

    def encode(self, decision: Decision) -> str:
        """The signed text; ValueError if longer than ``LONGEST``, never so for ``MOST_SERVICES`` services."""
        body = _body(decision)
        text = f"{body}.{_signature(self._newest_first[0], body)}"
        if len(text) > LONGEST:
            raise ValueError(
                f"{len(text)} characters; expected {LONGEST}. Declare {MOST_SERVICES} services at most"
            )
        return text

    def decode(self, text: str, *, now: int) -> Decision | None:
        """The decision in *text*; None for whatever this codec's keys didn't sign exactly so. Never raises.

        None too before it :func:`counts_from` (*now*: epoch seconds). Whether it has expired, and whether its terms
        are today's, is for the verdict to say.
        """
        try:
            decision = self.read(text)
        except ValueError:
            return None
        return decision if now >= counts_from(decision) else None

    def read(self, text: str) -> Decision:
        """The decision in *text*, whenever it was given; ValueError for what no key of ours signed exactly so."""
        if len(text) > LONGEST or not text.isascii() or not text.startswith(f"{FORMAT}."):
            raise ValueError("too long, or not of this format")
        body, _, signature = text.rpartition(".")
        for keyed in self._newest_first:
            if hmac.compare_digest(_signature(keyed, body), signature):
                break
        else:
            raise ValueError("not signed by a key of ours")
        decision = _parse(body)
        if _body(decision) != body:
            raise ValueError("signed, but not the one text of its decision")
        return decision


def counts_from(decision: Decision) -> int:
    """The first moment at which *decision* counts, ``AHEAD`` seconds before it says it was given (epoch seconds)."""
    return decision.at - AHEAD


def _signature(keyed: hmac.HMAC, body: str) -> str:
    mac = keyed.copy()
    mac.update(body.encode("ascii"))
    return _base64(mac.digest())


def _body(decision: Decision) -> str:
    fields = [
        FORMAT,
        str(decision.at),
        decision.profile,
        decision.source[0],
        "" if decision.opted_out_on is None else str(decision.opted_out_on // DAY),
        _joined(decision.granted - decision.confirmed if decision.confirmed else decision.granted),
        _joined(decision.confirmed),
        _joined(decision.refused),
        _id_text(decision.subject),
    ]
    if decision.pending:
        fields += _pending_fields(decision.pending)
    return ".".join(fields)


def _pending_fields(pending: Pending) -> list[str]:
    return [
        _id_text(pending.id),
        _base64(pending.salt),
        str(pending.time_ms),
        _id_text(pending.subject),
        pending.kind,
        _base64(bytes.fromhex(pending.policy)),
        _base64(bytes.fromhex(pending.notice or "")),
        pending.language,
        "s" if pending.signal else "",
        "".join(map(str, pending.before)),
        pending.account or "",
    ]


def _parse(body: str) -> Decision:
    """The decision that *body* seems to say, else ValueError. Only re-encoding shows that it is exact."""
    _, at, profile, source, opted_out, granted, confirmed, refused, subject, *pending = body.split(".")
    sure, rest = _terms(confirmed), _terms(granted)
    return Decision(
        granted=sure | rest if sure else rest,
        refused=_terms(refused),
        at=int(at),
        profile=profile,
        source=_SOURCE_OF.get(source, source),
        subject=_id(subject),
        confirmed=sure,
        opted_out_on=int(opted_out) * DAY if opted_out else None,
        pending=_parse_pending(pending) if pending else None,
    )


# Visitors are many, their answers few: the same answer is taken apart once, and is the same object ever after.
@lru_cache(REMEMBERED)
def _terms(text: str) -> frozenset[str]:
    return frozenset(_TERMS.findall(text))


@lru_cache(REMEMBERED)
def _joined(terms: frozenset[str]) -> str:
    return "".join(sorted(terms))


def _parse_pending(fields: list[str]) -> Pending:
    event, salt, time_ms, subject, kind, policy, notice, language, signal, before, account = fields
    return Pending(
        id=UUID(bytes=_bytes(event)),
        salt=_bytes(salt),
        time_ms=int(time_ms),
        subject=_id(subject),
        kind=kind,
        policy=_bytes(policy).hex(),
        notice=_bytes(notice).hex() or None,
        language=language,
        signal=bool(signal),
        before=tuple(map(int, before)),
        account=account or None,
    )


def _id_text(value: UUID | None) -> str:
    return _base64(value.bytes) if value else ""


def _id(text: str) -> UUID | None:
    return UUID(bytes=_bytes(text)) if text else None


def _base64(data: bytes) -> str:
    return b2a_base64(data).translate(_TO_URL, b"=\n").decode("ascii")


def _bytes(text: str) -> bytes:
    # It takes more padding than is due; whether *text* was the one way to write it, re-encoding shows.
    return a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"==")
