"""How the ledger is kept: its files, who may read them, where the key lies, and who holds a checkpoint outside."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from consent.cli.command import database_file, has_database, on_server
from consent.cli.patient import Line, Patient
from consent.errors import ConsentError
from consent.ledger import Checkpoint
from consent.ledger.note import Note
from consent.storage.desk import FileDesk

#: Days for which a published checkpoint is recent, and seconds in one.
RECENT, DAY = 7, 86_400


def files(patient: Patient) -> Iterator[Line]:
    """The ledger's files: who may read them, and where they lie."""
    database = database_file(patient.site)
    if on_server(patient.site):
        yield from served(patient)
        return
    if database is None:
        fix = "Name a file in CONSENT_DATABASE."
        yield Line(
            "wrong", "ledger", "it is kept in memory, so all that is recorded ends with the process", fix
        )
        return
    key = patient.site.settings.signing_key or database.with_suffix(".key")
    folders = dict.fromkeys(file.parent for file in (database, key) if file.parent.exists())
    for folder in folders:
        if stat.S_IMODE(folder.stat().st_mode) & 0o022:
            fix = f"chmod go-w {folder}"
            yield Line(
                "wrong", str(folder), "others may write to it, and so replace the ledger and its key", fix
            )
    there = [file for file in (database, key, key.with_suffix(".guard")) if file.exists()]
    if not there:
        yield Line("ok", "ledger", f"nothing is recorded yet; it will be in {database}")
        return
    yield from map(guarded, there)
    if key.parent == database.parent:
        fix = "Keep the key elsewhere: CONSENT_SIGNING_KEY. The guard moves with it."
        said = (
            "key and guard lie beside the database: one theft or one backup holds them all, and a restored backup "
            "isn't noticed"
        )
        yield Line("look", "ledger", said, fix)


def guarded(file: Path) -> Line:
    """Whether *file* is its owner's alone, who runs this."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        fix = f"chmod 600 {file}"
        return Line("wrong", str(file), f"others than its owner may read or write it (mode {mode:04o})", fix)
    if not os.access(file, os.R_OK | os.W_OK):
        fix = "Run this as who runs the site."
        return Line("wrong", str(file), "who runs this may not write to it", fix)
    return Line("ok", str(file), f"only its owner may read it (mode {mode:04o})")


def served(patient: Patient) -> Iterator[Line]:
    """The ledger on a server: where the key is. What is wrong with the database is among what ``check`` finds."""
    yield Line("ok", "ledger", "it is kept on a server, which says who may do what")
    if patient.site.settings.signing_key is not None:
        fix = "Set CONSENT_SIGNING_KEY only where checkpoints are signed."
        yield Line("look", "ledger", "the signing key is named here; those who only record need none", fix)
    accounts = patient.site.settings.account_key
    if accounts is not None and accounts.exists():
        yield guarded(accounts)


def outside(patient: Patient) -> Iterator[Line]:
    """Whether somebody outside holds a recent checkpoint: without one, whoever has the key can rewrite the log."""
    if not has_database(patient.site):
        return
    fix = "Run: flask consent checkpoint --publish-to DIR, each day, where others keep what is in DIR."
    try:
        ledger = patient.site.recorder.ledger
        if not isinstance(desk := ledger.storage.desk, FileDesk):
            return
        size = ledger.head().size
        published = desk.keys.published
        if not published.exists():
            said = "none was published, so whoever has the key can rewrite the log unseen"
            yield Line("look", "checkpoint", said, fix)
            return
        known = Checkpoint.parse(Note.parse(published.read_text(encoding="utf-8")).text).size
        age = (patient.site.clock() - published.stat().st_mtime) / DAY
    except (ConsentError, OSError, UnicodeDecodeError) as error:
        yield Line("look", "checkpoint", f"it isn't known whether one was published ({error})", fix)
        return
    if known < size and age > RECENT:
        said = f"the last one was published {age:.0f} days ago, and {size - known:,} entries have come since"
        yield Line("look", "checkpoint", said, fix)
    else:
        yield Line("ok", "checkpoint", f"one of {known:,} entries was published")
