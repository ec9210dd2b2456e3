"""An event seen from today: whether its notice would be given now, and what the policy changed since."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from consent.audit.legible import Pair, differing, read_lines, tags
from consent.audit.policies import Version, history
from consent.audit.row import Reader, Row
from consent.audit.search import Search
from consent.audit.tally import Tally, tally
from consent.audit.untold import untold
from consent.decision import PROFILES
from consent.errors import ConfigurationError, LedgerError
from consent.policy import Difference, Policy, compare
from consent.web.site import Site

#: Differing lines that are listed; the sentence counts them all.
MOST_LINES: Final = 100
SAME: Final = "Today's templates, words and policy give this notice byte for byte."
ANOTHER: Final = "Today's templates, words and policy give another: it differs"
NOTHING: Final = Tally((), {})
_ACTION: Final = re.compile(r'<form\s[^>]*?\baction="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Today:
    """A notice of some day beside that of today."""

    said: str
    """Whether they are the same, in a sentence or two."""
    same: bool | None = None
    """None when they can't be compared."""
    lines: Sequence[Pair] = ()
    """Where they differ: what stood in that of the day, and what stands there today."""


@dataclass(frozen=True, slots=True)
class Since:
    """What became of a policy."""

    said: str
    """How often it changed, in a sentence or two."""
    times: int | None = None
    """How often; None when that isn't known."""
    materially: int | None = None
    """How often in something that visitors agree to, as far as the policies can be read."""
    difference: Difference | None = None
    """Between it and today's; None when that isn't known, and when nothing differs."""


def notice_today(site: Site, reader: Reader, row: Row) -> Today | None:
    """The notice of *row* beside the one that *site* gives now, in the same language under the same profile.

    None when the event names no notice. LedgerError when the ledger can't be read.
    """
    event = row.event
    if event is None or event.notice is None:
        return None
    try:
        document = reader.ledger.document(event.notice)
    except LedgerError as error:
        return Today(untold("It can't be compared with today's.", error))
    if document is None or document.kind != "notice":
        return Today("It isn't on record, so it can't be compared with today's.")
    language, profile = event.language, event.profile
    if language is None or profile is None:
        return Today("The record doesn't say its language and profile, so it can't be compared with today's.")
    if language not in site.languages:
        return Today(f"Today the site gives no notice in the language {language}.")
    if profile not in PROFILES:
        return Today(f"Today there is no profile {profile}.")
    stored = document.body.decode("utf-8", "replace")
    mount = mount_of(stored, site.settings.url_prefix)
    try:
        now = site.notices.get(language, profile, mount).body
        if now == document.body:
            return Today(SAME, True)
        then = reader.policy(row.policy)
        own = replace(site.notices, policy=then, known={}, by_hash={}) if then else None
        again = own.get(language, profile, mount).body == document.body if own else None
    except ConfigurationError as error:
        return Today(untold("Today's notice can't be given.", error))
    return compared(stored, now.decode(), again, row.policy == site.policy.digest)


def compared(stored: str, now: str, from_its_own: bool | None, same_policy: bool) -> Today:
    """Where the notice *now* differs from the *stored* one, and why.

    *from_its_own*: whether the policy of that day gives the stored one still; None when that isn't known.
    """
    lines = list(differing(read_lines(stored), read_lines(now)))
    count = f"{len(lines):,} line{'s' if len(lines) != 1 else ''}"
    where = f"in {count} of what is read." if lines else "in its markup alone; what is read is the same."
    if same_policy:
        why = " The policy is the same: templates or words were changed."
    elif from_its_own:
        why = " The policy alone was changed: from that of the day they still give this notice byte for byte."
    elif from_its_own is None:
        why = ""
    else:
        why = (
            " Templates or words were changed, too: from the policy of that day they don't give this notice."
        )
    shown = lines or list(differing(tags(stored), tags(now)))
    return Today(f"{ANOTHER} {where}{why}", False, shown[:MOST_LINES])


def mount_of(notice: str, prefix: str) -> str:
    """The path below which the site was when it gave this *notice*, whose first form goes to that and *prefix*."""
    found = _ACTION.search(notice)
    base = html.unescape(found[1]) if found else ""
    return base.removesuffix(prefix) if base.endswith(prefix) else ""


def policy_since(site: Site, reader: Reader, digest: str) -> Since:
    """What became of the policy *digest* until today. LedgerError when the ledger can't be read."""
    today = site.policy
    revisions = [
        policy.revision if (policy := reader.policy(document.hash)) else 0
        for document in reader.ledger.documents("policy")
    ]
    # Where each has a revision of its own these are their order, and nothing needs to be counted.
    ordered = len(set(revisions) - {0}) == len(revisions)
    versions = history(reader, NOTHING if ordered else tally(reader, Search()))
    if all(version.digest != today.digest for version in versions):
        last = versions[-1].policy if versions else None
        versions.append(Version(digest=today.digest, policy=today, days=None, entries=0, before=last))
    return since(versions, digest, today)


def since(versions: Sequence[Version], digest: str, today: Policy) -> Since:
    """What came after the policy *digest* among *versions*, which are in the order of their first use."""
    at = next((place for place, version in enumerate(versions) if version.digest == digest), None)
    if at is None:
        return Since("The policy of that day isn't on record, so what changed since isn't known.")
    differences = [version.difference for version in versions[at + 1 :]]
    material = sum(1 for each in differences if each and each.material)
    unknown = differences.count(None)
    if not differences:
        return Since("It is today's: nothing changed since.", 0, 0)
    said = f"Since then the policy changed {often(len(differences))}"
    if unknown:
        said += f", {material:,} of them materially; of {unknown:,} it can't be told."
    elif len(differences) == 1:
        said += ", materially." if material else ", not materially."
    else:
        said += f", {material:,} of them materially." if material else ", never materially."
    then = versions[at].policy
    difference = compare(then, today) if then else None
    if difference and not difference.changes:
        return Since(f"{said} Today's says the same as that of the day again.", len(differences), material)
    return Since(said, len(differences), material, difference)


def often(times: int) -> str:
    """How often something happened."""
    return {1: "once", 2: "twice"}.get(times, f"{times:,} times")
