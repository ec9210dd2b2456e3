"""``flask consent checkpoint``: what the log signs of itself, for others to keep."""

from pathlib import Path

import click

from consent.audit.copying import newest_note
from consent.cli.command import WRONG, command, ledger_of
from consent.cli.terminal import complain, say, with_progress
from consent.errors import ProofError
from consent.ledger import Checkpoint, Ledger
from consent.ledger.merkle import HASH_BYTES, root_of
from consent.ledger.note import Note
from consent.ledger.tile import WIDTH, tiles_of
from consent.storage.desk import FileDesk
from consent.storage.files import replace, sweep

#: What is published is for everybody.
_MODE = 0o644


@command("checkpoint", "flask consent checkpoint", "flask consent checkpoint --publish-to published")
@click.option(
    "--publish-to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write it there as `checkpoint`, with the tiles of its tree: the layout of C2SP tlog-tiles.",
)
@click.pass_context
def checkpoint(ctx: click.Context, folder: Path | None) -> None:
    """Print the newest signed checkpoint; where the log's key is, sign the tree as it is first.

    Give it to people outside, or let it be fetched: whoever keeps one can prove it when the log is rewritten later.
    It holds the log's name, the number of entries and a hash, and nothing personal. --publish-to writes to a folder
    that a web server, another machine or a version control system keeps; only hashes, no entries. If what was
    published there before isn't continued, nothing is replaced, and the command ends with 1.
    """
    ledger = ledger_of(ctx)
    note = newest_note(ledger)
    if folder is not None:
        if problem := contradiction(ledger, folder, note):
            complain(f"{problem} Nothing was published.")
            ctx.exit(WRONG)
        count = publish(ledger, folder, note)
        if isinstance(desk := ledger.storage.desk, FileDesk):
            desk.keep_published(note)
        complain(f"Published in {folder}, with {count:,} tiles that weren't there.")
    say(note.removesuffix("\n"))


def contradiction(ledger: Ledger, folder: Path, note: str) -> str | None:
    """Why the checkpoint that *folder* has isn't one of the tree in *note*; None if it is, or there is none."""
    try:
        before = signed((folder / "checkpoint").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ProofError, UnicodeDecodeError):
        return f"{folder / 'checkpoint'} is no checkpoint."
    now = signed(note)
    if before.origin != now.origin:
        return f"{folder} holds the checkpoint of another log, {before.origin}."
    if before.size > now.size:
        return (
            f"{folder} holds a checkpoint of {before.size} entries, and the log has {now.size}: entries were taken "
            "away, or an older database was restored."
        )
    if before.size and root_of(before.size, ledger.tree) != before.root:
        return f"{folder} holds another tree of {before.size} entries than the log now has: the log was rewritten."
    return None


def publish(ledger: Ledger, folder: Path, note: str) -> int:
    """Write tiles that *folder* lacks, then the checkpoint *note*, each file whole or not at all; how many tiles.

    The checkpoint comes last, so that whoever fetches it finds what it speaks of.
    """
    tiles = tiles_of(signed(note).size)
    written = 0
    for tile in with_progress(tiles, len(tiles), "tiles published"):
        path = folder / tile.path
        if tile.width == WIDTH and path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        replace(path, ledger.storage.tile(tile.level, tile.index)[: tile.width * HASH_BYTES], _MODE)
        written += 1
    sweep(folder / "checkpoint")
    replace(folder / "checkpoint", note.encode(), _MODE)
    return written


def signed(note: str) -> Checkpoint:
    """What *note* says; ProofError if it is no checkpoint."""
    return Checkpoint.parse(Note.parse(note).text)
