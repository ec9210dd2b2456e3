"""A peer's own environment: made once with pip, and kept."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.place import cache

#: Seconds that pip may take.
PATIENCE = 300


class Unavailable(Exception):
    """Why something can't be measured here, in one line."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment for *name*, holding *packages* (``name==version``) and what they need."""

    name: str
    packages: Sequence[str]

    def python(self) -> Path:
        """Its interpreter; the environment is made if it isn't there. Unavailable when it can't be."""
        label = "-".join([self.name, *(package.partition("==")[2] for package in self.packages)])
        folder = cache() / f"{label}-py{sys.version_info.major}.{sys.version_info.minor}"
        python = folder / "bin" / "python"
        whole = folder / "whole"
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            self.run([sys.executable, "-m", "venv", str(folder)])
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            self.run([*pip, *self.packages])
            whole.touch()
        return python

    def run(self, command: Sequence[str]) -> None:
        """Run *command*; Unavailable with the last thing it said when it fails."""
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout or "").strip().splitlines() or [
                f"exit code {error.returncode}"
            ]
            raise Unavailable(f"{self.name} can't be installed here: {said[-1]}") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"{self.name} can't be installed here: pip took over {PATIENCE} s") from error
