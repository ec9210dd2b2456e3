"""What was signed of the log, compared with the tree that the database holds: stored checkpoints, and the guard."""

from itertools import islice
from typing import Final

from consent.errors import LedgerError
from consent.ledger import Ledger
from consent.ledger.rotation import unnamed
from consent.verify import Checkpoint, Entries, Fault, Key, Tree, Trust, compared

#: Of the signed checkpoints that are stored, so many are compared, from the newest on.
MOST_NOTES: Final = 1000


def compare_notes(ledger: Ledger, trust: Trust, signed: Checkpoint, tree: Tree, rows: Entries) -> None:
    """Whether the signed checkpoints that are stored are of this tree, and over what says what was pruned."""
    report, covered, uncounted, longest, seen = tree.report, 0, 0, 0, 0
    revoked = Trust(trust.revoked, trust.origins)
    notes = ledger.storage.notes()
    for size, note in islice(notes, MOST_NOTES):
        place = f"checkpoint of {size} entries"
        try:
            found = trust.checkpoint(note)
            if found.size != size:
                raise Fault(f"is one of {found.size} entries")
        except Fault as fault:
            if _holds(revoked, note):
                uncounted, longest = uncounted + 1, max(longest, size)
            else:
                report.add("tampered", place, str(fault))
            continue
        # A later one was signed since the head was read, or is of a tree that was lost.
        if size <= signed.size:
            seen += 1
            covered = max(covered, compared(place, found, signed, tree))
    if uncounted:
        report.remarks.append(
            f"{uncounted:,} checkpoints in the database, which only revoked keys signed, don't count."
        )
    if next(notes, None) is not None:
        report.remarks.append(f"The newest {MOST_NOTES:,} signed checkpoints in the database were compared.")
    report.facts |= {"signed": covered, "checkpoints": seen}
    if (pruning := rows.pruning) is not None and pruning.entry >= max(covered, longest):
        report.add(
            "tampered",
            f"entry {pruning.entry}",
            "had leaves pruned, and is under no signed checkpoint: none goes before",
        )
    if covered < signed.size:
        report.remarks.append(f"The first {covered:,} of {signed.size:,} entries are signed so far.")


def compare_guard(ledger: Ledger, trust: Trust, signed: Checkpoint, tree: Tree) -> None:
    """Whether the tree continues the one that was signed last: what the guard beside the key says."""
    report, desk = tree.report, ledger.storage.desk
    guard = None if desk is None else desk.guard()
    if guard is None:
        report.remarks.append(
            "There is no guard here, which is beside the key: nothing was compared with it."
        )
        return
    try:
        found = trust.checkpoint(guard)
    except Fault as fault:
        # An older copy of the database doesn't name the keys that were announced since; they are here.
        if (later := _signed_by_later(ledger, trust, guard)) is None or compared(
            "guard", later, signed, tree
        ):
            report.add("tampered", "guard", str(fault))
        return
    # Others may have signed a longer tree since the head was read.
    if found.size <= ledger.head().size and found.size > signed.size:
        return
    # A log begins with a guard of entry 0 alone, which is nowhere stored.
    if compared("guard", found, signed, tree) > 1 and not _is_stored(ledger, guard, found.size):
        report.remarks.append(
            f"The guard is the signed checkpoint of {found.size:,} entries, which the database lacks: it was deleted "
            "there, or whoever signed it was ended before it was stored. Whoever signs next puts it back."
        )


def _signed_by_later(ledger: Ledger, trust: Trust, guard: str) -> Checkpoint | None:
    """What *guard* says, if a key signed it that is here and that the log doesn't name; else None."""
    try:
        return Trust([Key.parse(key) for key in unnamed(ledger)], trust.origins).checkpoint(guard)
    except (Fault, LedgerError, ValueError):
        return None


def _is_stored(ledger: Ledger, note: str, size: int) -> bool:
    """Whether the database holds the checkpoint *note* of *size* entries, whichever keys signed it there."""
    stored = ledger.storage.note(size)
    return stored is not None and stored.partition("\n\n")[0] == note.partition("\n\n")[0]


def _holds(trust: Trust, note: str) -> bool:
    try:
        trust.checkpoint(note)
    except Fault:
        return False
    return True
