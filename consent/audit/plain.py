"""What a check of the log came to, for who has to answer for it and needn't know how a log is built."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from consent.verify import FINE, Report

#: What each verdict means to somebody who answers for the site; ``VERDICTS`` says it to who checks.
PLAIN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tampered": "Something is wrong: the log was changed after it was written. Don’t rely on it before it is "
        "known what happened.",
        "forked": "Something is wrong: this is not the log that others were shown before. It was rewritten.",
        "truncated": "Something is wrong: entries that others were shown before are missing.",
        "bad-signature": "Something is wrong: what ought to be signed is not signed by a key of this log.",
        "missing-opening": "Something is wrong: what some events said is gone, and it is not on record that it was "
        "erased.",
        "stale": "Something is wrong: the newest entry is older than it may be.",
        "unanchored": "No sign of tampering. Nothing that was kept elsewhere has been compared yet.",
        "pruned": "No sign of tampering, and the log agrees with what you pasted. Its oldest entries were removed, and "
        "that is on record.",
        "erased": "No sign of tampering, and the log agrees with what you pasted. What some events said was erased, "
        "and that is on record.",
        "ok": "No sign of tampering, and the log agrees with what you pasted.",
    }
)
#: The same where the log is in order and what was brought is not.
ONLY_BROUGHT: Final = "Something is wrong with what you pasted. The log itself shows no sign of tampering."
#: What the places of findings are that no reader of the page has ever seen.
PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "head": "the log as it stands",
        "database": "the tables and the indexes by which they are read",
        "erased.jsonl": "the list of what was erased",
        "openings.jsonl": "what the events say",
        "kept.jsonl": "what was kept of pruned entries",
        "guard": "what is kept beside the key",
    }
)
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")
_HOUR: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d):00:00Z")


def in_plain_words(report: Report) -> str:
    """What *report* means, in a sentence or two."""
    return ONLY_BROUGHT if report.log in FINE and not report.right else PLAIN[report.verdict]


def place_in_words(place: str) -> str:
    """The *place* of a finding, and what that is where its name alone says it to nobody."""
    name = place.partition(",")[0]
    return f"{PLACES[name]} ({place})" if name in PLACES else place


def with_times(text: str) -> str:
    """*text* with its times as these pages write them."""
    return _TIME.sub(r"\1 \2 UTC", text)


def hour_in_words(hour: object) -> str:
    """The *hour* of an entry, which is all that a leaf says of when it was."""
    return _HOUR.sub(r"\1, between \2:00 and \2:59 UTC", str(hour)) if hour else "an unknown hour"
