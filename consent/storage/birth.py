"""The beginning of a log: its key, entry 0, and the guard file, in this order.

A process killed between any two of these leaves what the next one completes: a key without an entry is used
for entry 0; an entry 0 alone gets its guard, and nothing else is recorded before it has one.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert

from consent.errors import LedgerError, LedgerUnavailable
from consent.ledger import Leaf, commitment, leaf_hash, opened
from consent.ledger.leaf import SALT_BYTES
from consent.ledger.merkle import root_of
from consent.ledger.note import verifier_key
from consent.ledger.tile import TileReader
from consent.storage import records
from consent.storage.accountkey import PURPOSE, AccountKey
from consent.storage.keyfile import KeyFile
from consent.storage.schema import entry, opening
from consent.storage.trials import afresh


@dataclass(frozen=True, slots=True)
class Birth:
    """How the log named *origin* begins.

    *keys* is None for a log in memory, whose key nobody sees. On a *served* database it is None wherever the key
    isn't kept: there no log can begin.
    """

    origin: str
    keys: KeyFile | None
    clock: Callable[[], datetime]
    unkept: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    """The secret of a log in memory."""
    served: bool = False
    accounts: AccountKey | None = None
    """Where accounts are linked without the log's key being there."""
    file: Path | None = None
    """The database's file; None in memory and on a server."""
    elsewhere: frozenset[str] = frozenset()
    """The verifier keys that sign here and are in no file."""
    unnamed: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate, repr=False)
    """The key of a log in memory."""

    def lacking(self, connection: Connection) -> bool:
        """Whether anything is still to be done."""
        size = records.size(connection)
        return size == 0 or (size == 1 and self.keys is not None and not self.keys.guard.exists())

    def enter(self, connection: Connection) -> None:
        """Make the key, or on a served database take the one there is, and write entry 0, unless the log has one.

        The caller commits. LedgerUnavailable without a key.
        """
        if records.size(connection):
            return
        key = self._key()
        name = verifier_key(self.origin, key.public_key())
        event = opened(name, origin=self.origin, time=self.clock())
        salt, body = os.urandom(SALT_BYTES), event.body()
        leaf = event.leaf_over(commitment(salt, body), self.origin)
        connection.execute(
            insert(entry), {"leaf_index": 0, "uid": event.id, "leaf": leaf, "leaf_hash": leaf_hash(leaf)}
        )
        connection.execute(insert(opening), {"uid": event.id, "subject": None, "salt": salt, "body": body})

    def _key(self) -> Ed25519PrivateKey:
        if self.keys is None and self.served:
            raise LedgerUnavailable(
                "The log's first entry names its signing key, and CONSENT_SIGNING_KEY isn't set here. Name the "
                'key\'s file there; "openssl genpkey -algorithm ed25519 -out consent.key" makes one.',
                retry_after=300,
            )
        if self.keys is None:
            return self.unnamed
        return self.keys.use() if self.served else self.keys.make()

    def settle(self, connection: Connection) -> None:
        """Write the guard, if entry 0 is all there is and the key is the one it names."""
        if self.keys is not None and self.lacking(connection):
            try:
                self.keys.seal(first_leaf(connection))
            except (FileNotFoundError, ValueError, TypeError, LedgerError):
                return  # the ledger's problems say so; recording goes on

    def foreign(self, connection: Connection) -> LedgerUnavailable | None:
        """Why nothing may be recorded here: the log in the database is another's. None when it is this one."""
        try:
            name = Leaf.from_bytes(first_leaf(connection)).origin
        except LedgerError:
            return None
        if name == self.origin:
            return None
        return LedgerUnavailable(
            f"The database holds the log {name}, but this site's is {self.origin}. Name another file in "
            f"CONSENT_DATABASE, or set CONSENT_SITE if the site is still {name.partition('/')[0]}. "
            f"{afresh(self.file, self.keys.path if self.keys else None)}",
            retry_after=300,
        )

    def account_key(self, connection: Connection) -> bytes:
        """The 32 bytes under which accounts are linked: those in a file of their own, else what follows from the key.

        LedgerError when neither is here.
        """
        announced = Leaf.from_bytes(first_leaf(connection)).key
        if self.accounts is not None:
            return self.accounts.read(announced)
        if self.keys is not None:
            return self.keys.secret(PURPOSE, announced)
        if not self.served:
            return self.unkept
        raise LedgerUnavailable(
            "Accounts and auditors are linked under a key of their own, and CONSENT_ACCOUNT_KEY isn't set here. Name "
            "its file there; where the log's signing key is, this makes it: flask consent keys account FILE",
            retry_after=300,
        )

    def problems(self, connection: Connection) -> Sequence[str]:
        """What is wrong with entry 0, the key and the guard."""
        # Before the database is looked at: of the two, that may be ahead.
        guarded = self.keys.guarded() if self.keys else None
        if other := self.foreign(connection):
            return [str(other)]
        try:
            leaf = first_leaf(connection)
            known = records.keys(connection, Leaf.from_bytes(leaf).key or "", self.origin)
        except LedgerError as error:
            return [f"Entry 0 of the log can't be read: {error}"]
        if self.keys is None:
            return []

        def root(size: int) -> bytes:
            try:
                return root_of(size, TileReader(records.Tiles(connection)))
            except LedgerError:
                return b""  # damaged, and so no root of what was signed

        size, sealed = records.size(connection), records.head(connection).size
        newest = records.note(connection, sealed)
        return list(self.keys.problems(guarded, known, size, sealed, root, newest, self.elsewhere))

    def bereaved(self) -> Sequence[str]:
        """What is wrong when there is no database."""
        if self.keys is None or not self.keys.guard.exists():
            return []
        return [
            f"The database is missing, but the guard file {self.keys.guard} is of a log that was begun. "
            "Restore the database from a backup. Until then nothing is recorded. Where it is gone for good, move the "
            "guard file away, and keep it: then another log is begun."
        ]


def first_leaf(connection: Connection) -> bytes:
    """The leaf of entry 0; LedgerError if that is gone."""
    leaf = records.first_leaf(connection)
    if leaf is None:
        raise LedgerError("The database has no entry 0. Restore it from a backup.")
    return leaf
