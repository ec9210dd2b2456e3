"""The examples of README and docs run as they stand."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask, render_template_string

import consent
from consent import Consent, ConsentError
from consent.policy import lint, parse
from consent.testing import ConsentClient

ROOT = Path(__file__).parent.parent.parent


def examples(file: str, language: str) -> list[str]:
    """The fenced blocks in *language* of the file *file*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / file).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def app_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The site that README.md tells its reader to write, file by file."""
    (policy,) = examples("README.md", "toml")
    (template,) = examples("README.md", "jinja")
    (tmp_path / "consent.toml").write_text(policy)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "home.html").write_text(template)
    (tmp_path / "clinic.py").write_text(examples("README.md", "python")[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    import clinic  # type: ignore[import-not-found]

    app: Flask = clinic.create_app()
    yield app
    del sys.modules["clinic"]


def test_the_readmes_site_runs(app_of_the_readme: Flask) -> None:
    html = app_of_the_readme.test_client().get("/").text
    assert "Cookies at Clinic" in html
    assert "Privacy choices" in html
    assert "This visit is counted." not in html


def test_the_readmes_test_passes(app_of_the_readme: Flask) -> None:
    module = ModuleType("example")
    exec(examples("README.md", "python")[1], module.__dict__)
    module.test_visits_are_counted_only_when_allowed(app_of_the_readme)


def test_the_guides_views_run(tmp_path: Path) -> None:
    (policy,) = examples("README.md", "toml")
    (tmp_path / "consent.toml").write_text(policy)
    (code,) = examples("docs/embedding.md", "python")
    code = code.replace(
        "Flask(__name__)",
        f"Flask('guide', root_path={str(tmp_path)!r}, instance_path={str(tmp_path / 'instance')!r})",
    )
    module = ModuleType("guide")
    exec(code, module.__dict__)
    client = module.app.test_client()
    assert client.get("/").text == "Welcome"
    assert client.get("/beta").status_code == 403
    assert client.get("/portal").status_code == client.get("/topics/x").status_code == 200


def test_the_guides_tests_pass(app_of_the_readme: Flask) -> None:
    app_of_the_readme.add_url_rule("/contact", "contact", lambda: "Call us.")
    (code,) = (each for each in examples("docs/embedding.md", "py") if "def test_" in each)
    module = ModuleType("example")
    exec(code, module.__dict__)

    def consent_client(**answer: Any) -> ConsentClient:
        return ConsentClient(app_of_the_readme, app_of_the_readme.response_class, **answer)

    module.test_everything_is_declared(app_of_the_readme)
    module.test_visits_are_counted_once_that_is_allowed(consent_client)
    module.test_a_no_in_the_preference_centre_is_taken(app_of_the_readme.test_client())


def test_the_guide_names_every_error_that_the_package_exports() -> None:
    chapter = (ROOT / "docs/embedding.md").read_text().partition("\n## Errors\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", chapter, re.MULTILINE)
    exported = [name for name, each in vars(consent).items() if isinstance(each, type)]
    assert sorted(named) == sorted(
        name for name in exported if issubclass(getattr(consent, name), ConsentError)
    )


def test_the_guides_tag_manager_runs_as_it_stands(tmp_path: Path) -> None:
    guide = (ROOT / "docs/embedding.md").read_text()
    chapter = guide.partition("## Tag managers and Google Consent Mode\n")[2].partition("\n## ")[0]
    (policy, page) = (
        re.findall(rf"^```{language}\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)[0]
        for language in ("toml", "jinja")
    )
    assert not lint(parse(policy))
    (tmp_path / "consent.toml").write_text(policy)
    app = Flask("guide", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.config.from_mapping(SECRET_KEY="a key for tests")
    Consent(app)
    app.add_url_rule("/", view_func=lambda: render_template_string(page))
    app.test_client_class = ConsentClient
    for answer, there in (({}, False), ({"refuse": True}, False), ({"grant": {"counting"}}, True)):
        client = app.test_client(**answer)
        html = client.get("/").text
        assert "defaults.js" in html
        assert ("GTM-XXXXXXX" in html) is there
        assert ("/static/tags.js" in html) is there


def test_the_policies_in_the_documents_are_valid() -> None:
    others = (
        file for file in (ROOT / "docs").glob("*.md") if file.name != "policy.md"
    )  # it is one whole file
    for file in [ROOT / "README.md", *others]:
        for text in examples(str(file.relative_to(ROOT)), "toml"):
            assert parse(text).revision >= 1


def test_every_link_between_documents_leads_somewhere() -> None:
    for file in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text()):
            assert (file.parent / target).exists(), f"{file.name}: {target}"
