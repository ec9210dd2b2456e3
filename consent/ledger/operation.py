"""What a log's operation leaves on record: its beginning, what the site runs under, what was erased or looked up."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from consent.canonical import canonical, digest
from consent.ledger.event import Event, Kind
from consent.ledger.leaf import derived_id


def opened(key: str, *, origin: str, time: datetime) -> Event:
    """Entry 0 of the log named *origin*: its name, and the verifier key its checkpoints are signed with."""
    return Event(id=derived_id("opened", origin, key), kind=Kind.OPERATED, time=time, policy=None, key=key)


def operated(
    fingerprint: Mapping[str, str], *, origin: str, time: datetime, policy: str | None = None
) -> Event:
    """The event that says what the site runs under from now on; its id is the same for the same fingerprint.

    *fingerprint* maps names (``policy``, ``templates`` …) to digests and versions; nothing personal.
    """
    detail = dict(fingerprint)
    return Event(
        id=derived_id("operated", origin, digest(canonical(detail))),
        kind=Kind.OPERATED,
        time=time,
        policy=policy,
        detail={"fingerprint": detail},
    )


def erasure(
    by: str, *, id: uuid.UUID, time: datetime, policy: str | None = None, who: str | None = None
) -> Event:
    """The event that says that something was erased *by* the ``visitor``, the ``operator`` or ``retention``.

    Or by the ``list`` beside the key, which names what is to be erased again, or to the end. Not whose it was, nor how
    much. *who* stands for the operator (``leaf.auditor_link``).
    """
    return Event(
        id=id,
        kind=Kind.ERASED,
        time=time,
        policy=policy,
        detail={"by": by} if who is None else {"by": by, "who": who},
    )


def forgotten(account: str, *, id: uuid.UUID, time: datetime) -> Event:
    """The event by which the opt-out of the account with this link ends with it, as the site says."""
    return Event(id=id, kind=Kind.ERASED, time=time, policy=None, account=account, detail={"by": "site"})


def looked_up(
    what: uuid.UUID, *, who: str, how: str, found: str, id: uuid.UUID, time: datetime, policy: str | None
) -> Event:
    """The event that says that an auditor looked one up, for which *what* stands (``leaf.seen``).

    *who* stands for the auditor (``leaf.auditor_link``). *how*: on a ``page``, or by which command. *found*: an
    ``event``, an ``erased`` or ``pruned`` one, or ``nothing``.
    """
    return Event(
        id=id,
        kind=Kind.ACCESSED,
        time=time,
        policy=policy,
        subject=what,
        detail={"look_up": {"found": found, "how": how, "who": who}},
    )
