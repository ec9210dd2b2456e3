"""The folder in which the demo keeps what must outlive a restart: its keys and its databases."""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Only a folder with this file in it is ever deleted.
MARK = ".larkmere-demo"
#: The settings of the last start.
SETTINGS = "settings.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """Paths and secrets of one installation of the demo."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> "Instance":
        """The instance in *folder*, which is made, readable by its owner only, when it is missing."""
        folder = folder.resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / MARK).touch()
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
        return cls(folder)

    @property
    def secret_key(self) -> str:
        """The key of sessions and answers, made at the first start."""
        return kept(self.folder / "secret-key", secrets.token_hex)

    @property
    def database(self) -> Path:
        """The demo's own SQLite file: invoices, messages, counts."""
        return self.folder / "demo.sqlite3"

    @property
    def settings(self) -> dict[str, object]:
        """The settings that the site last ran with here; none before its first start."""
        file = self.folder / SETTINGS
        found: dict[str, object] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return found

    def keep_settings(self, settings: Mapping[str, object]) -> None:
        """Notes *settings*, so that ``flask`` can open the site as it runs."""
        (self.folder / SETTINGS).write_text(json.dumps(settings, indent=1), encoding="utf-8")

    @property
    def third_party_log(self) -> Path:
        """The SQLite file in which the third party notes its requests."""
        return self.folder / "third-party.sqlite3"


def kept(path: Path, make: Callable[[], str]) -> str:
    """The text in *path*, made once; processes that start together all get the same one. Mode 0600."""
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was faster; its text holds
        finally:
            os.unlink(draft)
    return path.read_text(encoding="ascii")


def clear(folder: Path) -> None:
    """Deletes the instance in *folder*; ValueError when the folder holds something else."""
    if not folder.exists():
        return
    if not (folder / MARK).exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} was not made by this demo, so it is not deleted. Name another folder.")
    shutil.rmtree(folder)
