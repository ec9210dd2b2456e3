"""Signals that a site's code can connect to. Each is sent by the app; a receiver that fails is logged.

About an answer, after it has been recorded: receivers get ``decision`` (the visitor's answer now), ``granted``
and ``withdrawn`` (frozensets of the service keys that this answer turned on and off).
"""

import logging
from typing import Any

from blinker import NamedSignal, Namespace
from flask import Flask

from consent.decision import keys
from consent.web.answering import Outcome
from consent.web.site import Site

log = logging.getLogger("consent")

_signals = Namespace()

#: An answer turned at least one service on.
consent_given = _signals.signal("consent-given")
#: An answer differs from the one before, or is the first.
consent_changed = _signals.signal("consent-changed")
#: An answer turned at least one service off that had been granted.
consent_withdrawn = _signals.signal("consent-withdrawn")
#: The gate kept something from leaving. Receivers get ``kind`` ("cookie"), ``name``, ``service`` (its key, None
#: if nothing declares it), ``reason`` (a verdict's, or "undeclared") and ``endpoint`` (None for no view).
item_blocked = _signals.signal("item-blocked")


def tell(signal: NamedSignal, app: Flask, **told: Any) -> None:
    """Call each receiver of *signal*. What one raises keeps nobody else from being told."""
    for receiver in signal.receivers_for(app):
        try:
            receiver(app, **told)
        except Exception:  # whatever the site's own code raises, the others are told
            # What it is told of is done by now: an error page in place of the cookie would undo a withdrawal (rule 9).
            log.exception("a receiver of %s failed", signal.name)


def announce(site: Site, outcome: Outcome) -> None:
    """Tell the site's own code what changed."""
    told: dict[str, Any] = {
        "decision": outcome.after,
        "granted": frozenset(keys(site.policy, outcome.granted)),
        "withdrawn": frozenset(keys(site.policy, outcome.withdrawn)),
    }
    happened = {
        consent_given: bool(outcome.granted),
        consent_withdrawn: bool(outcome.withdrawn),
        consent_changed: bool(outcome.granted or outcome.withdrawn or outcome.before is None),
    }
    for signal, so in happened.items():
        if so:
            tell(signal, site.app, **told)
