"""``check``: what is wrong ends with 1 and names its place and fix; what is only advice doesn't."""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_login import LoginManager

from consent import Consent
from tests.audit.clinic import POLICY, MakeApp, close, lose_database, site_of, visit

from .conftest import Run, run_for


def found(run: Run) -> dict[str, Any]:
    """What ``check --json`` says; its exit code agrees with it."""
    result = run("check", "--json")
    answer: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if answer["ok"] else 1)
    return answer


def faults(app: Flask) -> list[str]:
    """What is wrong, a sentence each."""
    return [f"{one['place']}: {one['problem']}. {one['fix']}" for one in found(run_for(app))["faults"]]


def test_a_site_in_order_ends_with_0_and_no_database_is_made_to_find_out(run: Run, tmp_path: Path) -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.stdout == "In order: revision 1, 6 services, languages en.\n"
    assert not (tmp_path / "instance").exists()


def test_a_site_in_use_is_in_order(app: Flask, run: Run) -> None:
    visit(app, "all")
    assert found(run) == {
        "ok": True,
        "revision": 1,
        "digest": site_of(app).policy.digest,
        "languages": ["en"],
        "faults": [],
        "advice": [],
    }


@pytest.mark.requirement("CON-09")
def test_every_fault_of_the_policy_is_listed_with_place_and_fix(make_app: MakeApp) -> None:
    def make() -> Flask:
        return make_app(
            POLICY.replace(
                'text = "Counts visits and the pages read."', 'legal_basis = "legitimate_interest"'
            ).replace('category = "functionality"', 'category = "functionalty"')
        )

    result = run_for(make)("check")
    assert result.exit_code == 1
    assert "consent.toml: services.statistics.legal_basis" in result.stdout
    assert "consent.toml: services.statistics.text" in result.stdout
    assert 'Did you mean "functionality"?' in result.stdout
    assert "Traceback" not in result.output


def test_each_wrong_setting_is_a_fault_with_its_fix(make_app: MakeApp) -> None:
    wrong = {"CONSENT_POLCY": "x", "CONSENT_SITE": "https://clinic.example/x"}
    result = run_for(lambda: make_app(**wrong))("check")
    assert result.stdout == (
        "Wrong:\n"
        "  configuration: CONSENT_POLCY is not a setting of this version. Did you mean CONSENT_POLICY?\n"
        "  configuration: CONSENT_SITE is 'https://clinic.example/x'; expected an origin like "
        "https://staging.clinic.example, without a path. Did you mean 'https://clinic.example'?\n"
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"CONSENT_POLCY": "x"}, "CONSENT_POLICY"),
        ({"CONSENT_GRANT_LIFETIME": 1}, "CONSENT_GRANT_LIFETIME"),
    ],
)
def test_a_setting_that_cannot_be_used_is_a_fault(
    make_app: MakeApp, config: dict[str, object], said: str
) -> None:
    result = run_for(lambda: make_app(**config))("check")
    assert result.exit_code == 1
    assert said in result.stdout


def test_an_app_without_the_component_is_a_fault() -> None:
    result = run_for(Flask("bare"))("check")
    assert result.exit_code == 1
    assert "consent.init_app(app)" in result.stdout


@pytest.mark.requirement("POL-03")
def test_the_same_revision_with_other_terms_than_on_record_is_a_fault(make_app: MakeApp) -> None:
    visit(make_app(), "all")
    changed = make_app(POLICY.replace('retention = "30 days"', 'retention = "90 days"'))
    (fault,) = faults(changed)
    assert fault.startswith("ledger: ")
    assert "revision 1" in fault


def test_where_trials_stand_in_the_way_the_files_to_delete_are_named(
    make_app: MakeApp, tmp_path: Path
) -> None:
    app = make_app()
    visit(app, "all")
    changed = make_app(POLICY.replace('retention = "30 days"', 'retention = "90 days"'))
    (fault,) = faults(changed)
    for each in (app, changed):
        close(each)
    folder = tmp_path / "instance"
    assert f"delete {folder}/consent.sqlite3* and {folder}/consent.guard instead" in fault
    for file in (*folder.glob("consent.sqlite3*"), folder / "consent.guard"):
        file.unlink()
    visit(changed, "all")
    assert faults(changed) == []


def test_a_database_that_is_missing_beside_its_guard_is_a_fault(app: Flask, tmp_path: Path) -> None:
    lose_database(app)
    (fault,) = faults(app)
    assert fault.startswith("ledger: The database is missing")
    assert str(tmp_path / "instance" / "consent.guard") in fault
    assert not (tmp_path / "instance" / "consent.sqlite3").exists()


def test_a_database_whose_folder_is_not_there_is_a_fault(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, found in (("no/such", f"there is no folder {tmp_path}/no"), ("file", "is not a folder")):
        (fault,) = faults(make_app(CONSENT_DATABASE=f"sqlite:///{tmp_path}/{folder}/x.sqlite3"))
        assert fault.startswith("CONSENT_DATABASE: ")
        assert found in fault
        assert f"Make the folder {tmp_path}/{folder}" in fault
    assert not (tmp_path / "no").exists()
    assert faults(make_app(CONSENT_DATABASE=f"sqlite:///{tmp_path}/new/x.sqlite3")) == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["instance", "consent.sqlite3"])
def test_a_database_that_cannot_be_written_is_a_fault(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    visit(app, "all")
    # For root, who runs tests in containers, everything can be written; so the system's answer is replaced.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != name)
    (fault,) = faults(app)
    assert fault.startswith("CONSENT_DATABASE: ")
    assert f"{name} can't be written to" in fault


@pytest.mark.parametrize("tag", ["is", "deu"])
def test_wording_in_a_language_that_we_have_no_words_in_is_advised_on(
    make_app: MakeApp, tmp_path: Path, tag: str
) -> None:
    (tmp_path / f"consent.{tag}.toml").write_text("")
    answer = found(run_for(make_app()))
    assert answer["ok"]
    (advice,) = [one for one in answer["advice"] if one["place"] == f"consent.{tag}.toml"]
    assert "has no words of its own in it; it has ar, bg, cs, da, de, el, en" in advice["problem"]


def test_a_missing_signing_key_is_a_fault(app: Flask, tmp_path: Path) -> None:
    visit(app, "all")
    os.unlink(tmp_path / "instance" / "consent.key")
    assert any("consent.key is missing" in fault for fault in faults(app))


def test_a_guard_on_a_key_that_the_policy_lacks_is_a_fault(app: Flask) -> None:
    consent = Consent()
    app.add_url_rule("/beta", "beta", consent.required("functionalty")(lambda: "beta"))
    app.add_url_rule("/fine", "fine", consent.required("statistics")(lambda: "fine"))
    (fault,) = faults(app)
    assert fault.startswith("view beta: ")
    assert 'Did you mean "functionality"?' in fault


@pytest.mark.parametrize(
    ("rule", "method", "page"),
    [
        ("/privacy-choices", "GET", "consent.choices"),
        ("/privacy-choices", "POST", "consent.decide"),
        ("/privacy-choices/mine", "GET", "consent.mine"),
        ("/privacy-choices/receipts/<id>", "GET", "consent.receipt"),
    ],
)
def test_a_view_at_the_address_of_a_page_of_ours_is_a_fault(
    app: Flask, rule: str, method: str, page: str
) -> None:
    app.add_url_rule(rule, "own", lambda: "own", methods=[method])
    (fault,) = faults(app)
    assert fault == (
        f"view own: it never answers {method} {rule}, where the component's page {page} is. "
        "Give it another address, or the component's pages: CONSENT_URL_PREFIX."
    )


def test_views_beside_our_pages_are_no_fault(app: Flask) -> None:
    for number, rule in enumerate(("/<path:page>", "/<page>/mine", "/privacy-choices/more", "/x/<int:y>")):
        app.add_url_rule(rule, f"own{number}", lambda **_: "own", methods=["GET", "POST"])
    app.add_url_rule("/privacy-choices", "others", lambda: "own", methods=["PUT"])
    assert faults(app) == []


def test_a_key_in_a_template_that_the_policy_lacks_is_a_fault_with_its_line(
    app: Flask, tmp_path: Path
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "home.html").write_text(
        '{% call consent_block("statistics") %}x{% endcall %}\n'
        '{{ consent_script("statistcs", src="/s.js") }}\n'
        "{{ consent_pixel(chosen, src='/p.gif') }}{{ other('nothing') }}"
    )
    (tmp_path / "templates" / "broken.html").write_text("{% if consent_ %}")
    (tmp_path / "templates" / "picture.png").write_bytes(b"\x89PNG consent_block(\xff")
    (fault,) = faults(app)
    assert fault.startswith("template home.html, line 2: ")
    assert 'Did you mean "statistics"?' in fault


def test_a_key_within_an_if_may_wait_for_the_next_revision_so_it_is_advice(
    app: Flask, tmp_path: Path
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "home.html").write_text(
        '{% if soon %}{% for one in all %}{{ consent_embed("talks", src=one, title="Talks") }}{% endfor %}{% endif %}'
    )
    answer = found(run_for(app))
    assert answer["ok"]
    (advice,) = answer["advice"]
    assert advice["place"] == "template home.html, line 1"


def test_pages_that_no_view_answers_are_a_fault(make_app: MakeApp) -> None:
    app = make_app(POLICY.replace('text = "Counts', 'pages = ["shop.*", "home"]\ntext = "Counts'))
    app.add_url_rule("/", "home", lambda: "home")
    (fault,) = faults(app)
    assert fault.startswith("services.statistics.pages: ")
    assert '"shop.*"' in fault


@pytest.mark.requirement("INF-03")
def test_a_remember_cookie_that_nothing_declares_is_a_fault(app: Flask) -> None:
    LoginManager(app)
    (fault,) = faults(app)
    assert fault.startswith("cookie remember_token: ")
    assert 'cookies = { "remember_token" = "365 days" }' in fault


@pytest.mark.parametrize("duration", [0, timedelta(0)])
def test_where_no_sign_in_is_remembered_there_is_no_cookie_to_declare(
    app: Flask, duration: int | timedelta
) -> None:
    LoginManager(app)
    app.config["REMEMBER_COOKIE_DURATION"] = duration
    assert faults(app) == []


@pytest.mark.requirement("INF-02")
def test_a_remember_cookie_that_outlives_its_declaration_is_a_fault(make_app: MakeApp) -> None:
    app = make_app(POLICY.replace("remember_name", "remember_token"))
    LoginManager(app)
    (fault,) = faults(app)
    assert '365 days, the policy declares "30 days"' in fault
    app.config["REMEMBER_COOKIE_DURATION"] = 30 * 86_400
    assert faults(app) == []


def test_lint_and_a_weak_secret_are_advice_and_do_not_count(make_app: MakeApp) -> None:
    app = make_app(POLICY + '\n[categories.idle]\ntitle = "Idle"\ntext = "Nothing."\n', SECRET_KEY="dev")
    result = run_for(app)("check")
    assert result.exit_code == 0
    assert "Worth a look:" in result.stdout
    assert "consent.toml: categories.idle: " in result.stdout
    assert "SECRET_KEY: it has 3 characters" in result.stdout
    assert "dev\n" not in result.stdout


def test_without_playwright_one_line_says_how_to_get_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    result = run("check", "--browser")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        "Error: looking at pages needs Playwright and Chromium. Install them: "
        "pip install 'flask-assent[browser]', then playwright install chromium, "
        "or name a Chromium in CONSENT_CHROMIUM.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--page", "/"], "--page and --url go with --browser"),
        (["--url", "http://localhost:5000"], "--page and --url go with --browser"),
        (["--browser", "--page", "//elsewhere.example"], "is no path of the site"),
        (["--browser", "--url", "localhost:5000"], "is no address such as"),
    ],
)
def test_where_to_look_is_checked_before_anything_is_looked_at(
    run: Run, arguments: list[str], said: str
) -> None:
    result = run("check", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_site_that_does_not_start_is_not_looked_at(make_app: MakeApp) -> None:
    result = run_for(lambda: make_app(CONSENT_POLCY="x"))("check", "--browser")
    assert result.exit_code == 1
    assert "Did you mean CONSENT_POLICY?" in result.stdout
