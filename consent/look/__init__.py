"""LOOK: how banner, dialog and centre look in a real browser, and whether refusing is as easy there as accepting.

One code measures our own theme in the project's tests and each site's own in ``flask consent check --browser``.
"""

from consent.look.finding import AA, AAA, Finding, Limits
from consent.look.inspection import Inspection, Seen
from consent.look.looks import ALL, FEW, SITES, Look
from consent.look.measuring import measure, show, states
from consent.look.served import served

__all__ = [
    "AA",
    "AAA",
    "ALL",
    "FEW",
    "SITES",
    "Finding",
    "Inspection",
    "Limits",
    "Look",
    "Seen",
    "measure",
    "served",
    "show",
    "states",
]
