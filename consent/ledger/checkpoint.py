"""Checkpoints: what a log signs of itself, as C2SP publishes it (tlog-checkpoint).

The text of the note is three lines::

    clinic.example/privacy-choices
    1
    mF0lNx8WvvMBOdGkKQoGuz5DOZ/9PyiyUmY8RXPNuEg=

Further lines, of which none is empty, may follow in a checkpoint of others; a reader passes over them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from consent.errors import ProofError
from consent.ledger.merkle import HASH_BYTES
from consent.ledger.note import decoded, encoded, open_note

#: What databases count in. No log gets there.
LARGEST_SIZE = 2**63 - 1
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
#: A line of the text: neither empty nor with a control character.
_TEXT = re.compile(r"[^\x00-\x1f]+")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log *origin* of *size* entries has this *root*. ValueError for what no log can have."""

    origin: str
    size: int
    root: bytes
    """32 bytes: of the empty log, ``EMPTY_ROOT``."""
    extensions: tuple[str, ...] = ()
    """What else is signed: lines of text. Our own checkpoints have none."""

    def __post_init__(self) -> None:
        if not all(map(_TEXT.fullmatch, (self.origin, *self.extensions))):
            raise ValueError(
                f"{self.origin!r} or an extension is no line of a checkpoint; expected plain text"
            )
        if not 0 <= self.size <= LARGEST_SIZE or len(self.root) != HASH_BYTES:
            raise ValueError(f"no log has {self.size} entries and a root of {len(self.root)} bytes")

    def to_text(self) -> str:
        """The lines that are signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, encoded(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint that ``to_text`` writes as *text*; ProofError for anything else."""
        try:
            origin, size, root, *extensions = text.removesuffix("\n").split("\n")
            if not _SIZE.fullmatch(size):
                raise ValueError("the size is no plain number")
            found = cls(origin, int(size), decoded(root), tuple(extensions))
            if found.to_text() != text:
                raise ValueError("not as it would be written")
        except ValueError as error:
            raise ProofError("This is not a checkpoint.") from error
        return found


def open_checkpoint(written: str, keys: Iterable[str], origin: str) -> Checkpoint:
    """The checkpoint in the note *written*, if one of the verifier keys *keys* signed it for the log *origin*.

    ProofError for anything else.
    """
    found = Checkpoint.parse(open_note(written, keys).text)
    if found.origin != origin:
        raise ProofError("The checkpoint is another log's.")
    return found
