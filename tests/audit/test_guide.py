"""docs/auditing.md: its examples let the auditor in, and nobody else."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import flask_login
import pytest

from consent.cli import cli

from .clinic import AUDIT, POLICY

GUIDE = (Path(__file__).parents[2] / "docs" / "auditing.md").read_text(encoding="utf-8")
WITH_SESSION, WITH_LOGIN = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def ran(code: str) -> ModuleType:
    """The module that *code* is."""
    module = ModuleType("guide")
    exec(code, module.__dict__)
    return module


def test_the_guides_app_shows_the_pages_to_the_auditor_only(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_text(POLICY)
    own = f"Flask('guide', root_path={str(tmp_path)!r}, instance_path={str(tmp_path / 'instance')!r})"
    app = ran(WITH_SESSION.replace("Flask(__name__)", own)).create_app()

    client = app.test_client()
    assert f"`{AUDIT}/`" in GUIDE
    assert client.get(f"{AUDIT}/").status_code == 404
    with client.session_transaction() as session:
        session["auditor"] = "auditor-1"
    page = client.get(f"{AUDIT}/")
    assert page.status_code == 200
    assert "Consent log" in page.text
    app.extensions["consent"].recorder.opened.storage.close()


@pytest.mark.parametrize(
    ("user", "who"),
    [
        (SimpleNamespace(is_auditor=True, audit_id="auditor-1"), "auditor-1"),
        (SimpleNamespace(is_auditor=False, audit_id="customer-7"), None),
        (flask_login.AnonymousUserMixin(), None),
    ],
)
def test_the_guides_function_for_flask_login_names_auditors_only(
    monkeypatch: pytest.MonkeyPatch, user: object, who: str | None
) -> None:
    monkeypatch.setattr(flask_login, "current_user", user)
    named: Callable[[], str | None] = ran(WITH_LOGIN).auditor
    assert named() == who


def test_the_guides_commands_are_there() -> None:
    named = re.findall(r"\| `flask consent (\w+)", GUIDE)
    assert named
    assert set(named) <= cli.commands.keys()
