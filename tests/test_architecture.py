"""The arrows between the rooms, as a test: who may know whom, and which rooms are pure.

Every spelling of an import counts, inside functions and under TYPE_CHECKING too: to know a name is to depend
on it. The second half of this file shows that each forbidden spelling is found.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).parent.parent

INNER = frozenset({"errors", "canonical", "policy", "decision", "ledger", "storage"})

#: Each room and the other rooms it may know. `__init__` is the package's own list of public names.
ARROWS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "canonical": frozenset({"errors"}),
    "policy": frozenset({"errors", "canonical"}),
    "decision": frozenset({"errors", "canonical", "policy"}),
    "ledger": frozenset({"errors", "canonical"}),
    "storage": frozenset({"errors", "canonical", "ledger"}),
    "verify": frozenset(),
    "web": INNER | {"verify", "audit"},
    "audit": INNER | {"verify", "web"},
    "look": frozenset({"errors"}),
    "cli": INNER | {"verify", "web", "audit", "look", "__init__"},
    "testing": INNER | {"web", "__init__"},
    "__init__": INNER | {"web"},
}

#: What a room may use beyond the standard library. Rooms that aren't named here may use anything.
FOREIGN: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "canonical": frozenset(),
    "policy": frozenset({"pydantic", "pydantic_core"}),
    "decision": frozenset({"itsdangerous"}),
    "ledger": frozenset({"cryptography"}),
    "storage": frozenset({"alembic", "cryptography", "psycopg", "sqlalchemy"}),
    "verify": frozenset({"cryptography"}),
    "look": frozenset({"flask", "playwright", "werkzeug"}),
}

PURE = frozenset({"errors", "canonical", "policy", "decision", "ledger"})

#: The clock, randomness, the environment and the world outside. Pure rooms get these as arguments.
IMPURE = (
    *("time", "random", "secrets", "uuid.uuid1", "uuid.uuid4", "uuid.getnode", "os.urandom", "os.getrandom"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.system", "subprocess", "sqlite3"),
    *("socket", "http.client", "urllib.request"),
)

DYNAMIC = ("importlib.import_module", "importlib.__import__", "builtins.__import__", "__import__")


class Known(NamedTuple):
    """A dotted name that a module imports or reaches through an import, e.g. `datetime.datetime.now`."""

    line: int
    name: str


def known_names(source: str, package: str) -> Iterator[Known]:
    """Every name from elsewhere in the *source* of a module of *package*; unknowable ones end in `?`, `*`."""
    tree = ast.parse(source)
    aliases = {"__import__": "__import__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                aliases[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                yield Known(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = absolute("." * node.level + (node.module or ""), package)
            for alias in node.names:
                aliases[alias.asname or alias.name] = f"{module}.{alias.name}"
                yield Known(node.lineno, f"{module}.{alias.name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node, aliases)):
            yield Known(node.lineno, name)
        if isinstance(node, ast.Call) and dotted(node.func, aliases) in DYNAMIC:
            yield Known(node.lineno, named_at_run_time(node, package))


def absolute(module: str, package: str) -> str:
    """The full name of *module*, which may begin with the dots of a relative import within *package*."""
    name = module.lstrip(".")
    level = len(module) - len(name)
    if not level:
        return name
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], *filter(None, [name])])


def dotted(node: ast.expr, aliases: dict[str, str]) -> str | None:
    """The full name that `a.b.c` stands for when `a` was imported, else None."""
    if isinstance(node, ast.Attribute):
        return f"{start}.{node.attr}" if (start := dotted(node.value, aliases)) else None
    return aliases.get(node.id) if isinstance(node, ast.Name) else None


def named_at_run_time(call: ast.Call, package: str) -> str:
    """The module that `import_module("…")` names, or `?` when only a running program knows it."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return absolute(first.value, package)
    return "?"


def faults(module: Path, top: Path) -> list[str]:
    """What the *module* somewhere under *top*/consent knows and should not."""
    inside = module.relative_to(top)
    room = inside.parts[1].removesuffix(".py")
    package = ".".join(inside.parent.parts)
    return [
        f"{inside}:{known.line}: {known.name}: {objection}"
        for known in known_names(module.read_text(encoding="utf-8"), package)
        if (objection := object_to(known.name, room))
    ]


def object_to(name: str, room: str) -> str | None:
    """Why *room* may not know *name*; None when it may."""
    top = name.split(".")[0]
    if name.endswith(("?", ".*")):
        return "nobody can tell what this imports; name it"
    if top == "consent":
        other = room_of(name)
        allowed = other == room or other in ARROWS[room]
        return None if allowed else f"{room} may not know {other}; it may know {sorted(ARROWS[room])}"
    if top not in sys.stdlib_module_names and top != "__import__":
        return None if top in FOREIGN.get(room, {top}) else f"{room} may not use {top}"
    if room in PURE and any(name == impure or name.startswith(f"{impure}.") for impure in IMPURE):
        return f"{room} is pure: pass it in as an argument"
    return None


def room_of(name: str) -> str:
    """The room that *name*, which begins with `consent`, lies in."""
    rest = name.split(".")[1:]
    return rest[0] if rest and rest[0] in ARROWS else "__init__"


def modules(top: Path, folder: str) -> list[Path]:
    """Every Python file in *top*/*folder*."""
    return sorted((top / folder).rglob("*.py"))


def public_names(top: Path) -> set[str]:
    """The names that `consent/__init__.py` offers."""
    tree = ast.parse((top / "consent" / "__init__.py").read_text(encoding="utf-8"))
    imported = [alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    names = {alias.asname or alias.name for alias in imported}
    return {name for name in names if not name.startswith("_")} - ARROWS.keys()


def liberties(module: Path, top: Path) -> list[str]:
    """What the *module* of the sample site uses of `consent` that isn't public; tests get `testing` too."""
    inside = module.relative_to(top)
    is_test = "tests" in inside.parts or module.name.startswith("test_") or module.name == "conftest.py"
    public = public_names(top) | ({"testing"} if is_test else set())
    return [
        f"{inside}:{known.line}: {known.name} is not public"
        for known in known_names(module.read_text(encoding="utf-8"), ".".join(inside.parent.parts))
        if known.name == "?" or (known.name.startswith("consent.") and known.name.split(".")[1] not in public)
    ]


# --- the rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", sorted(ARROWS))
def test_a_room_knows_only_the_rooms_its_arrows_lead_to(room: str) -> None:
    own = [
        module
        for module in modules(CHECKOUT, "consent")
        if module.relative_to(CHECKOUT).parts[1].removesuffix(".py") == room
    ]
    assert [fault for module in own for fault in faults(module, CHECKOUT)] == []


def test_every_module_stands_in_a_room_whose_arrows_are_written_down() -> None:
    rooms = {
        module.relative_to(CHECKOUT).parts[1].removesuffix(".py") for module in modules(CHECKOUT, "consent")
    }
    assert "errors" in rooms
    assert rooms - ARROWS.keys() == set()


def test_the_sample_site_uses_public_names_only() -> None:
    found = modules(CHECKOUT, "demo_site")
    assert found
    assert [liberty for module in found for liberty in liberties(module, CHECKOUT)] == []


# --- that the rules bite -----------------------------------------------------------------------------

#: Ways to spell that a module of `consent.<room>` knows another room.
SPELLINGS = (
    "import consent.{other}",
    "import consent.{other}.inner as other",
    "import json, consent.{other}",
    "from consent import {other}",
    "from consent import {other} as other",
    "from consent.{other} import Name",
    "from consent.{other}.inner import Name as other",
    "from .. import {other}",
    "from ..{other} import Name",
    "from ..{other}.inner import Name",
    "import consent\n\nconsent.{other}.Name",
    "def later():\n    from ..{other} import Name",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from consent.{other} import Name",
    "try:\n    import consent.{other}\nexcept ImportError:\n    pass",
    "import importlib\nimportlib.import_module('consent.{other}')",
    "from importlib import import_module as load\nload('..{other}', __package__)",
    "__import__('consent.{other}')",
)


def written(top: Path, path: str, source: str) -> Path:
    """A module with *source* at *path* under *top*."""
    module = top / path
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(source + "\n", encoding="utf-8")
    return module


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_room_out_of_bounds_is_noticed_however_it_is_imported(tmp_path: Path, spelling: str) -> None:
    for room in ARROWS.keys() - {"__init__"}:
        for other in ARROWS.keys() - {"__init__", room}:
            module = written(tmp_path, f"consent/{room}/inner.py", spelling.format(other=other))
            assert faults(module, tmp_path) or other in ARROWS[room], f"{room} → {other}"


@pytest.mark.parametrize(
    "source",
    [
        "import flask",
        "import flask.json as j",
        "from flask import request",
        "from werkzeug.exceptions import NotFound",
        "import jinja2",
        "import click",
        "import sqlalchemy as sa",
        "import sqlite3",
        "from consent import current_consent",
        "import consent",
        "from .. import current_consent",
        "import time",
        "from time import time",
        "import random",
        "import secrets",
        "from secrets import token_bytes",
        "import uuid\n\nuuid.uuid4()",
        "from uuid import uuid4 as new",
        "import uuid as u\n\nmake = u.uuid4",
        "import datetime\n\ndatetime.datetime.now()",
        "import datetime as dt\n\ndt.datetime.utcnow()",
        "from datetime import datetime\n\ndatetime.now()",
        "from datetime import datetime as D\n\nclock = D.now",
        "from datetime import date\n\ndate.today()",
        "import os\n\nos.environ['HOME']",
        "import os as o\n\no.getenv('HOME')",
        "from os import environ",
        "from os import urandom",
        "from os import *",
        "import os.path\n\nos.environ",
        "import subprocess",
        "import importlib\n\nimportlib.import_module('flask')",
        "import importlib\n\nimportlib.import_module(name)",
        "__import__('sqlite3')",
    ],
)
@pytest.mark.parametrize("room", sorted(PURE))
def test_impurity_in_a_pure_room_is_noticed(tmp_path: Path, room: str, source: str) -> None:
    assert faults(written(tmp_path, f"consent/{room}/inner.py", source), tmp_path)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("consent/storage/engine.py", "import flask"),
        ("consent/storage/engine.py", "from click import echo"),
        ("consent/verify.py", "import sqlalchemy"),
        ("consent/verify.py", "from consent.ledger import leaf_hash"),
        ("consent/verify.py", "from .ledger import leaf_hash"),
        ("consent/errors.py", "from . import canonical"),
        ("consent/decision/__init__.py", "from ..web import extension"),
        ("consent/policy/deep/down.py", "from ...web import extension"),
    ],
)
def test_each_room_has_its_own_bounds(tmp_path: Path, path: str, source: str) -> None:
    assert faults(written(tmp_path, path, source), tmp_path)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("consent/errors.py", "import difflib"),
        (
            "consent/policy/file.py",
            "import tomllib\nfrom pathlib import Path\nfrom pydantic import BaseModel",
        ),
        ("consent/policy/model.py", "from datetime import UTC, datetime\n\ndatetime.fromtimestamp(0, UTC)"),
        (
            "consent/policy/model.py",
            "from . import terms\nfrom .. import canonical\nfrom ..errors import Fault",
        ),
        ("consent/decision/decision.py", "from uuid import UUID\n\ndef decide(now, time):\n    time.now()"),
        ("consent/storage/queue.py", "import os\nimport time\n\nos.urandom(32)"),
        ("consent/verify.py", "import sys\nfrom cryptography.exceptions import InvalidSignature"),
        (
            "consent/web/extension.py",
            "import secrets\nfrom flask import Flask\nfrom ..storage import open_storage",
        ),
        ("consent/__init__.py", "from consent.web.extension import Consent as Consent"),
    ],
)
def test_what_the_arrows_allow_is_left_alone(tmp_path: Path, path: str, source: str) -> None:
    assert faults(written(tmp_path, path, source), tmp_path) == []


@pytest.mark.parametrize(
    ("path", "source", "allowed"),
    [
        ("demo_site/__init__.py", "from consent import Consent, current_consent", True),
        ("demo_site/__init__.py", "import consent\n\nconsent.Consent()", True),
        (
            "demo_site/pages.py",
            "from demo_site.extensions import consent\n\nconsent.required('videos')",
            True,
        ),
        ("demo_site/tests/test_pages.py", "from consent.testing import ConsentClient", True),
        ("demo_site/__init__.py", "from consent.testing import ConsentClient", False),
        ("demo_site/__init__.py", "from consent.web.extension import Consent", False),
        ("demo_site/__init__.py", "from consent import web", False),
        ("demo_site/__init__.py", "from consent import *", False),
        ("demo_site/__init__.py", "import consent.policy", False),
        ("demo_site/__init__.py", "import consent\n\nconsent.policy.load('x')", False),
        ("demo_site/__init__.py", "from consent import _private", False),
    ],
)
def test_the_sample_site_is_held_to_the_public_names(
    tmp_path: Path, path: str, source: str, allowed: bool
) -> None:
    written(tmp_path, "consent/__init__.py", "from .web import Consent as Consent, current_consent, _private")
    assert (liberties(written(tmp_path, path, source), tmp_path) == []) is allowed
