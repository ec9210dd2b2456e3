"""A wrong setting or template stops the start, and says what, where and how to mend it."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from consent import ConfigurationError, Consent, PolicyError

from .clinic import POLICY, MakeSite, Visitor


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"CONSENT_POLCY": "x"}, "did you mean CONSENT_POLICY"),
        ({"CONSENT_HIDE_REJECT": True}, "CONSENT_HIDE_REJECT is not a setting"),
        ({"CONSENT_GRANT_LIFETIME": timedelta(days=401)}, "CONSENT_GRANT_LIFETIME"),
        ({"CONSENT_REFUSAL_LIFETIME": timedelta(days=30)}, "shorter than CONSENT_GRANT_LIFETIME"),
        ({"CONSENT_PROFILE": "mars"}, "us_ca"),
        ({"CONSENT_URL_PREFIX": "choices/"}, "/privacy-choices"),
        ({"CONSENT_COOKIE_NAME": "a;b"}, "letters, digits"),
        ({"CONSENT_LANGUAGES": ["de"]}, "consent.de.toml"),
        ({"CONSENT_AUDITOR": "anna"}, "a function"),
        ({"CONSENT_TRUSTED_ORIGINS": "https://x"}, "a list of texts"),
        ({"CONSENT_POLICY": "missing.toml"}, "missing.toml"),
    ],
)
def test_a_wrong_setting_stops_the_start(make_app: MakeSite, settings: dict[str, object], says: str) -> None:
    with pytest.raises((ConfigurationError, PolicyError), match=says):
        make_app(**settings)


def test_starting_opens_nothing(make_app: MakeSite, tmp_path: Path) -> None:
    make_app()
    assert not (tmp_path / "instance").exists()


def test_a_second_init_app_is_refused(app: Flask) -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        Consent(app)


@pytest.mark.requirement("UI-11")
@pytest.mark.requirement("CON-03")
@pytest.mark.parametrize(
    ("template", "html", "says"),
    [
        ("banner.html", "<form>{{ notice_field }}</form>", "buttons.* 0 times"),
        ("banner.html", "<form>{{ notice_field }}{{ buttons }}{{ buttons }}</form>", "2 times"),
        ("banner.html", "<form>{{ notice_field }}{{ buttons|replace('Reject', 'No') }}</form>", "0 times"),
        ("banner.html", "<form>{{ buttons }}</form>", "notice_field"),
        ("centre.html", "{{ notice_field }}{{ save_row }}<input type=radio checked>", "checked"),
        ("centre.html", "{{ notice_field }}{{ save_row }}<button autofocus>", "autofocus"),
        ("centre.html", "{{ nonsense( }}", "can't be rendered"),
    ],
)
def test_a_template_that_weakens_the_choice_stops_the_start(
    make_app: MakeSite, tmp_path: Path, template: str, html: str, says: str
) -> None:
    folder = tmp_path / "templates" / "consent"
    folder.mkdir(parents=True)
    (folder / template).write_text(html)
    with pytest.raises(ConfigurationError, match=says):
        make_app()


def test_a_site_cannot_replace_the_row_of_buttons(make_app: MakeSite, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "consent"
    folder.mkdir(parents=True)
    (folder / "_banner_buttons.html").write_text('<button name="choice" value="all">OK</button>')
    html = make_app().test_client().get("/").text
    assert "Reject all" in html


def test_a_sites_own_banner_keeps_its_words_and_our_buttons(make_app: MakeSite, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "consent"
    folder.mkdir(parents=True)
    (folder / "banner.html").write_text(
        '<section class="pc"><h2>Ours</h2><form method="post" action="{{ urls.centre }}">'
        "{{ notice_field }}{{ buttons }}</form></section>"
    )
    visitor = Visitor(make_app().test_client())
    assert "<h2>Ours</h2>" in visitor.client.get("/").text
    assert visitor.answer("all").status_code == 303


def test_a_changed_prefix_and_mount_point_carry_through(make_app: MakeSite) -> None:
    client = make_app(CONSENT_URL_PREFIX="/choices").test_client()
    html = client.get("/", base_url="http://localhost/clinic/").text
    assert 'action="/clinic/choices"' in html
    assert 'href="/clinic/choices/static/choices.css?v=' in html


def test_several_apps_in_one_process_keep_apart(make_app: MakeSite) -> None:
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.test import Client

    first = make_app()
    second = make_app(POLICY.replace("Clinic", "Second"), CONSENT_COOKIE_NAME="second")
    both = Client(DispatcherMiddleware(first.wsgi_app, {"/second": second.wsgi_app}))
    assert "Second" in both.get("/second/privacy-choices").text
    assert "Second" not in both.get("/privacy-choices").text


@pytest.mark.parametrize(
    "url", ["instance/c.sqlite3", "postgresql+psycopg://x/y", "mysql://x/y", "sqlite:///a.sqlite3?mode=ro"]
)
def test_a_database_that_cannot_be_used_stops_the_start(make_app: MakeSite, url: str) -> None:
    with pytest.raises(ConfigurationError, match="CONSENT_DATABASE"):
        make_app(CONSENT_DATABASE=url)


def test_a_relative_database_lies_in_the_apps_folder(
    make_app: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    visitor = Visitor(make_app(CONSENT_DATABASE="sqlite:///own.sqlite3").test_client())
    assert visitor.answer("all").status_code == 303
    assert (tmp_path / "own.sqlite3").exists()


def test_a_policy_that_still_names_the_example_is_warned_of(
    make_app: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    make_app(POLICY.replace("http://localhost", "https://example.org"))
    assert "https://example.org" in caplog.text
