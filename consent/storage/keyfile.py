"""The key that signs the log's checkpoints, and the guard file beside it.

Both are files outside the database, so that restoring an old database doesn't restore them. The guard holds the
last checkpoint that was signed: a tree which is shorter than it, or another, is not signed again.
"""

import stat
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from consent.errors import LedgerUnavailable, ProofError
from consent.ledger.checkpoint import Checkpoint, open_checkpoint
from consent.ledger.keys import KeyState, LogKey
from consent.ledger.leaf import Leaf, leaf_hash
from consent.ledger.note import Signer, open_note, sign, verifier_key
from consent.storage.files import publish, sweep

_REPLACED = (
    "Was the database replaced, or restored from a backup? Put the newest one back. Until then nothing is signed. "
    "Where it is lost, run: flask consent keys recover"
)
_LASTING = "Events are still recorded, but no checkpoint can be signed."


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The key file of the log named *origin*: Ed25519, PKCS #8 in PEM, mode 0600."""

    path: Path
    origin: str

    @property
    def guard(self) -> Path:
        """The guard file: same folder, same stem, ``.guard``."""
        return self.path.with_suffix(".guard")

    @property
    def published(self) -> Path:
        """The checkpoint that was last handed to others, if any was: same folder, same stem, ``.published``."""
        return self.path.with_suffix(".published")

    @property
    def erased(self) -> Path:
        """The list of what was erased: same folder, same stem, ``.erased``."""
        return self.path.with_suffix(".erased")

    def ring(self) -> list["KeyFile"]:
        """This key's file, which is there or not, and those of later keys beside it: ``.1.key``, ``.2.key`` …"""
        found = [self]
        while (following := self._numbered(len(found))).path.exists():
            found.append(following)
        return found

    def following(self) -> "KeyFile":
        """The file of the next key, which isn't there yet."""
        return self._numbered(len(self.ring()))

    def _numbered(self, number: int) -> "KeyFile":
        return KeyFile(self.path.with_suffix(f".{number}{self.path.suffix}"), self.origin)

    def private(self) -> Ed25519PrivateKey:
        """The key; FileNotFoundError without the file, ValueError if it holds something else, OSError."""
        key = load_pem_private_key(self.path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("it holds a key of another type than Ed25519")
        return key

    def make(self) -> Ed25519PrivateKey:
        """The key, made now if there is none. Only for an empty log: any other is signed with a key it names."""
        if not self.path.exists():
            sweep(self.path)
            key = Ed25519PrivateKey.generate()
            publish(self.path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return self.use()  # read back: another process may have been first

    def use(self) -> Ed25519PrivateKey:
        """The key; LedgerUnavailable, with what to do, if there is none that can be used."""
        try:
            return self.private()
        except (ValueError, TypeError, OSError) as error:
            raise LedgerUnavailable(
                f"The signing key {self.path} can't be used ({error}). Put an unencrypted Ed25519 key in PKCS #8 PEM "
                'there: "openssl genpkey -algorithm ed25519" makes one.',
                retry_after=300,
            ) from error

    def secret(self, purpose: bytes, announced: str | None) -> bytes:
        """32 bytes for *purpose* alone that follow from the key *announced* in entry 0 (HKDF, RFC 5869).

        LedgerUnavailable when that key isn't there.
        """
        try:
            key = self.private()
        except (ValueError, TypeError, OSError) as error:
            raise LedgerUnavailable(
                f"The signing key {self.path} can't be read ({error}). Restore it from your backup of the key.",
                retry_after=300,
            ) from error
        if verifier_key(self.origin, key.public_key()) != announced:
            raise LedgerUnavailable(
                f"The signing key {self.path} is not the one this log names, {announced}. Put that one back.",
                retry_after=300,
            )
        return HKDF(SHA256(), 32, salt=None, info=purpose).derive(key.private_bytes_raw())

    def seal(self, leaf: bytes) -> None:
        """Write the guard of a log which holds entry 0, *leaf*, and nothing else; not if there is a guard."""
        signer = Signer.of(self.origin, self.private())
        if Leaf.from_bytes(leaf).key == signer.key:
            publish(self.guard, sign(self._first(leaf).to_text(), signer).encode())

    def _first(self, leaf: bytes) -> Checkpoint:
        """What is signed of the log when it holds entry 0 alone: of one entry, the root is the leaf hash."""
        return Checkpoint(self.origin, 1, leaf_hash(leaf))

    def guarded(self) -> str | None:
        """What the guard file says; None if it is missing, and nothing where it can't be read."""
        try:
            return self.guard.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (ValueError, OSError):
            return ""

    def problems(
        self,
        guarded: str | None,
        known: Sequence[LogKey],
        size: int,
        sealed: int,
        root: Callable[[int], bytes],
        newest: str | None,
        elsewhere: Collection[str] = (),
    ) -> Iterator[str]:
        """What is wrong with keys and guard of a log of *size* entries with the keys *known*, *sealed* by its head.

        *guarded* is what the guard file said before: others sign meanwhile. *root* gives the root of its tree of so
        many entries, *newest* is the newest note in the database. *elsewhere*: verifier keys that sign here and are in
        no file.
        """
        first, *later = self.ring()
        current = [key.verifier for key in known if key.state is KeyState.CURRENT]
        found = list[str]()
        if first.path.exists() or known[0].verifier in current:
            found += first._problems(known[0].verifier)
        for key in later:
            found += key._problems(None)
        yield from found
        if not found and not {*current} & {
            *elsewhere,
            *(key._own() for key in self.ring() if key.path.exists()),
        }:
            yield (
                f"None of the log's keys is here that may sign: {', '.join(current)}. {_LASTING} Restore its file from "
                "your backup of the key, or name it in CONSENT_SIGNERS."
            )
        yield from self._guard_problems(guarded, [key.verifier for key in known], size, sealed, root, newest)

    def _problems(self, announced: str | None) -> Iterator[str]:
        try:
            own = self._own()
        except FileNotFoundError:
            yield f"The signing key {self.path} is missing. {_LASTING} Restore it from your backup of the key."
        except (ValueError, TypeError, OSError) as error:
            yield f"The signing key {self.path} can't be read ({error}). {_LASTING} Restore it from your backup."
        else:
            if announced is not None and own != announced:
                yield f"The signing key {self.path} is not the one this log names, {announced}. {_LASTING}"
            if sys.platform != "win32" and stat.S_IMODE(self.path.stat().st_mode) & 0o077:
                yield f"Others may read the signing key {self.path}. Run: chmod 600 {self.path}"

    def _own(self) -> str:
        """The verifier key of the key in the file; errors as of ``private``."""
        return verifier_key(self.origin, self.private().public_key())

    def _guard_problems(
        self,
        guarded: str | None,
        keys: Sequence[str],
        size: int,
        sealed: int,
        root: Callable[[int], bytes],
        newest: str | None,
    ) -> Iterator[str]:
        if guarded is None:
            yield (
                f"The guard file {self.guard} is missing: a database restored from a backup would not be noticed, and "
                "nothing is signed. Put it back, or run: flask consent keys recover"
            )
            return
        try:
            known = Checkpoint.parse(open_note(guarded, keys).text)
        except (ProofError, ValueError):
            yield (
                f"The guard file {self.guard} doesn't belong to this log: no key that it names has signed it. "
                f"{_REPLACED}"
            )
        else:
            if known.origin != self.origin or size < known.size:
                yield (
                    f"The guard file {self.guard} knows another log, or one of {known.size} entries where the "
                    f"database has {size}. {_REPLACED}"
                )
            elif sealed < known.size:
                yield (
                    f"The head of the database's tree is at {sealed} entries, and the guard file {self.guard} knows "
                    f"{known.size}: it was set back, so that what is behind it is neither signed nor checked. "
                    f"{_REPLACED}"
                )
            elif root(known.size) != known.root:
                yield (
                    f"The database has other entries than the {known.size} that the guard file {self.guard} knows: "
                    f"they were changed. {_REPLACED}"
                )
            elif (
                (ahead := self._recorded(newest, keys)) is not None
                and known.size < ahead.size <= sealed
                and root(ahead.size) != ahead.root
            ):
                # It also keeps from being signed what the guard would let pass.
                yield (
                    f"The database has other entries than the {ahead.size} of a signed checkpoint that is in it, "
                    f"which is newer than the guard file {self.guard}. {_REPLACED}"
                )

    def _recorded(self, note: str | None, keys: Sequence[str]) -> Checkpoint | None:
        """What *note*, from the database, says; None unless one of *keys* signed it for this log."""
        try:
            return None if note is None else open_checkpoint(note, keys, self.origin)
        except (ProofError, ValueError):
            return None
