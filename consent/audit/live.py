"""The log as it stands in the database, checked by the program that checks bundles.

Nothing is written for that: what ``consent.verify`` would read from a bundle's files it gets from the ``tables``. What
only a database has is looked at there (columns beside the leaves), here (the head) and in ``signed`` (checkpoints, the
guard).
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from consent.audit.signed import compare_guard, compare_notes
from consent.audit.tables import Progress, Rows, Tables
from consent.errors import LedgerError
from consent.ledger import Head, Ledger
from consent.ledger.merkle import Frontier
from consent.verify import (
    MOST_FINDINGS,
    Checkpoint,
    Enough,
    Key,
    Report,
    Trust,
    check_documents,
    check_endings,
    check_log,
    check_named,
    check_prunings,
    confirm,
    notice_in,
    policy_in,
    read_given,
)


def own_keys(ledger: Ledger, tell: Callable[[str], None]) -> list[Key]:
    """The keys that count of *ledger*; none if its entry 0 was altered, which is found as such, and *tell* is told."""
    try:
        return [Key.parse(key) for key in ledger.verifier_keys()]
    except LedgerError as error:
        tell(f"The log's keys can't be read: {error}")
        return []


def verify_live(
    ledger: Ledger,
    keys: Sequence[Key],
    outside: Sequence[tuple[str, str]],
    *,
    progress: Progress,
    now: datetime,
    max_age: timedelta | None = None,
) -> Report:
    """Check the database of *ledger*, and compare it with the texts *outside*, each with the name it goes by.

    *keys* are those that count. What is found is looked for again, since others write meanwhile; only what is there
    both times is reported. LedgerUnavailable when the database can't be read now; LedgerError when it has no head.
    """
    report = _look(ledger, keys, outside, progress=progress, now=now, max_age=max_age)
    if not report.right:
        again = _look(ledger, keys, outside, progress=progress, now=now, max_age=max_age)
        report.findings = [finding for finding in report.findings if finding in again.findings]
    return report


def _look(
    ledger: Ledger,
    keys: Sequence[Key],
    outside: Sequence[tuple[str, str]],
    *,
    progress: Progress,
    now: datetime,
    max_age: timedelta | None,
) -> Report:
    report, trust = Report(), Trust([*keys], frozenset({ledger.origin}), _revoked(ledger))
    size, head = ledger.size(), ledger.head()
    source = Tables(ledger, head.size)
    signed = Checkpoint(ledger.origin, head.size, head.root, ())
    known = read_given(outside, trust, report)
    rows = Rows(source, head.size, report, progress)
    try:
        # The database reads itself through beside that, in a thread of its own, where Python has nothing to do.
        with source.stack, ThreadPoolExecutor(1, "consent-contradictions") as pool:
            contradictions = pool.submit(ledger.storage.contradictions)
            check_documents(source, report)
            tree, _ = check_log(
                source, report, signed, place="head", now=now, max_age=max_age, looking=lambda *_: rows
            )
            check_named(source, report, rows)
            _check_kinds(ledger, source, rows)
            _check_head(ledger, head, size, report)
            compare_notes(ledger, trust, signed, tree, rows)
            check_prunings(trust, tree, rows)
            check_endings(trust, tree, rows)
            compare_guard(ledger, trust, signed, tree)
            _check_filed(ledger, rows)
            rows.opt_outs.compare(ledger, head.size, rows.pruned - len(rows.kept), report)
            confirm(known, signed, tree, rows)
            _say_contradictions(contradictions.result(), report)
            report.facts |= {
                "documents": len(source.names("documents")),
                "tombstones": rows.erased,
                "pruned": rows.pruned - len(rows.kept),
            }
        named = {finding.place for finding in report.findings if finding.verdict == "tampered"}
        for place, said in source.beside.items():
            if place not in named:
                report.add("tampered", place, said)
    except Enough:
        report.remarks.append(f"Stopped after {MOST_FINDINGS} findings. Later entries were not looked at.")
    return report


def _check_head(ledger: Ledger, head: Head, size: int, report: Report) -> None:
    """Whether the head is that of a tree, and no entry stands outside it; *size* was read before it."""
    try:
        root = Frontier.from_bytes(head.size, head.frontier).root()
    except LedgerError:
        root = b""
    if root != head.root:
        report.add("tampered", "head", "its frontier doesn't lead to its root")
    for stray in ledger.storage.strays():
        report.add("tampered", f"entry {stray}", "stands outside the tree, where no event is ever recorded")
        return
    if size > head.size:
        report.remarks.append(f"{size - head.size:,} entries are not under the tree yet, and not checked.")


def _check_kinds(ledger: Ledger, source: Tables, rows: Rows) -> None:
    """Whether each policy and notice is stored as what the first entry with its opening names it as that names it.

    Nothing vouches for that: neither its hash nor the tree says of which kind a document is.
    """
    for digest, index in rows.named.items():
        if (kind := source.kinds.get(digest.decode())) is None:
            continue  # it is missing, and named as such
        if (record := next(iter(ledger.newest(index + 1, 1)), None)) is None:
            continue
        named = {"policy": policy_in(record.leaf), "notice": notice_in(record.body or b"")}
        names = [name for name, said in named.items() if said == digest]
        if names and kind not in names:
            said = f"is stored as a {kind}, and entry {index} names it as its {names[0]}"
            rows.report.add("tampered", f"documents/{digest.decode()}", said)


def _say_contradictions(found: Sequence[str], report: Report) -> None:
    """Say what was *found* where tables and their indexes contradict each other."""
    if found:
        more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        said = "its tables and indexes contradict each other, so who looks or erases by an index can miss something"
        report.add("tampered", "database", f"{said}: {found[0]}{more}")


def _check_filed(ledger: Ledger, rows: Rows) -> None:
    """Whether all that is filed under an event's id has its entry, and each leaf that was pruned its tombstone."""
    report, gone, tombstones = rows.report, rows.pruned - len(rows.kept), 0
    for table, id in _filed(ledger, report):
        if table == "erased":
            tombstones += 1
        elif table == "opening":
            report.add("tampered", f"opening of {id}", "is of no entry: its leaf is gone, or never was here")
        elif not ledger.storage.is_erased(id):
            report.add(
                "tampered", f"opt-out by {id}", "holds by an event whose entry is gone and wasn't erased"
            )
    if tombstones < gone:
        report.add(
            "tampered",
            f"entries 0 to {rows.pruned - 1}",
            f"{gone:,} of their leaves are gone, and there are tombstones of {tombstones:,}: no leaf goes before what "
            "it committed to was erased",
        )


def _filed(ledger: Ledger, report: Report) -> Iterator[tuple[str, uuid.UUID]]:
    """What is filed under the id of no event; each table is named in which something is filed under what is no id."""
    named = set[str]()
    for table, id in ledger.storage.orphans():
        if id is not None:
            yield table, id
        elif table not in named:
            named.add(table)
            report.add("tampered", table, "one of its rows is filed under what is no event's id")


def _revoked(ledger: Ledger) -> list[Key]:
    """The keys of *ledger* that count no longer; none if its entry 0 was altered, which is found as such."""
    try:
        known = ledger.keys()
    except LedgerError:
        return []
    return [Key.parse(each.verifier) for each in known if not each.counts]
