"""Bundles to check: as folders and zips, from a log in memory."""

import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from consent.verify import Key, Report, verify
from tests.ledger.memory import signer_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = signer_of().key


def folder(path: Path, files: Mapping[str, bytes]) -> Path:
    """A folder *path* with these *files*."""
    path.mkdir()
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    """A zip *path* with these *files*."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def checked(
    path: Path,
    *,
    keys: tuple[str, ...] = (KEY,),
    outside: tuple[str, ...] = (),
    receipts: tuple[str, ...] = (),
    **options: Any,
) -> Report:
    """What comes of checking the bundle *path* beside these texts that were kept outside."""
    kept = list[list[Path]]()
    for kind, texts in (("checkpoint", outside), ("receipt", receipts)):
        kept.append([])
        for number, text in enumerate(texts):
            file = path.parent / f"{kind}-{number}"
            file.write_text(text)
            kept[-1].append(file)
    return verify(
        path, [Key.parse(key) for key in keys], now=NOW, checkpoints=kept[0], receipts=kept[1], **options
    )


def places(report: Report, verdict: str = "tampered") -> list[str]:
    """Where *verdict* was found."""
    return [finding.place for finding in report.findings if finding.verdict == verdict]


def days(count: int) -> timedelta:
    """So many days."""
    return timedelta(days=count)
