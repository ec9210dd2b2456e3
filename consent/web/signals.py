"""Signals that a site's code can connect to. Each is sent by the app, after the answer has been recorded.

Receivers get ``decision`` (the visitor's answer now), ``granted`` and ``withdrawn`` (frozensets of the
service keys that this answer turned on and off).
"""

from blinker import Namespace

_signals = Namespace()

#: An answer turned at least one service on.
consent_given = _signals.signal("consent-given")
#: An answer differs from the one before, or is the first.
consent_changed = _signals.signal("consent-changed")
#: An answer turned at least one service off that had been granted.
consent_withdrawn = _signals.signal("consent-withdrawn")
