"""A wrong setting or template stops the start, and says what, where and how to mend it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from consent import ConfigurationError, Consent, PolicyError
from consent.web.assets import ROOT

from .clinic import POLICY, MakeSite, Visitor


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": 7}, "SECRET_KEY is no key"),
        ({"SECRET_KEY": "half\ud800a-character"}, "SECRET_KEY is no key"),
        ({"SECRET_KEY_FALLBACKS": ["old", "half\ud800a-character"]}, "SECRET_KEY_FALLBACKS holds something"),
        ({"SESSION_COOKIE_NAME": 7}, "SESSION_COOKIE_NAME is 7"),
        ({"CONSENT_POLCY": "x"}, "Did you mean CONSENT_POLICY"),
        ({"CONSENT_HIDE_REJECT": True}, "CONSENT_HIDE_REJECT is not a setting"),
        ({"CONSENT_GRANT_LIFETIME": timedelta(days=401)}, "CONSENT_GRANT_LIFETIME"),
        ({"CONSENT_REFUSAL_LIFETIME": timedelta(days=30)}, "shorter than CONSENT_GRANT_LIFETIME"),
        ({"CONSENT_PROFILE": "mars"}, "us_ca"),
        ({"CONSENT_PROFILE": ["eu"]}, "us_ca"),
        ({"CONSENT_URL_PREFIX": "choices/"}, "/privacy-choices"),
        ({"CONSENT_URL_PREFIX": "/.."}, "/privacy-choices"),
        ({"CONSENT_URL_PREFIX": "/a/./b"}, "/privacy-choices"),
        ({"CONSENT_COOKIE_NAME": "session"}, "Rename one of the two"),
        ({"SESSION_COOKIE_NAME": "__Host-consent"}, "Rename one of the two"),
        ({"CONSENT_COOKIE_NAME": "a;b"}, "letters, digits"),
        ({"CONSENT_LANGUAGES": ["de"]}, "consent.de.toml"),
        ({"CONSENT_AUDITOR": "anna"}, "a function"),
        ({"CONSENT_TRUSTED_ORIGINS": "https://x"}, r"a list of texts\. Write \['https://x'\]"),
        ({"CONSENT_POLICY": "missing.toml"}, "missing.toml"),
        ({"CONSENT_CACHE_SAFE": "yes"}, "True or False"),
        ({"CONSENT_PLACEMENT": "middle"}, "bottom or bottom-start or top"),
        ({"CONSENT_PLACEMENT": True}, "True; expected bottom or bottom-start or top"),
        ({"CONSENT_CSP": True}, "True; expected enforce or report or off"),
        ({"CONSENT_UNDECLARED": ""}, "''; expected report or drop"),
        ({"CONSENT_CACHE_SAFE": True, "CONSENT_PROFILE": lambda: "eu"}, "Name one profile for all"),
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


@pytest.mark.parametrize(
    ("rule", "method", "page"),
    [("/privacy-choices", "GET", "choices"), ("/privacy-choices/mine/erase", "POST", "erase")],
)
def test_a_view_that_hides_a_page_of_ours_stops_the_start(
    tmp_path: Path, rule: str, method: str, page: str
) -> None:
    (tmp_path / "consent.toml").write_text(POLICY)
    app = Flask("clinic", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.secret_key = "a key for tests, long enough"
    app.add_url_rule(rule, "own", lambda: "own", methods=[method])
    with pytest.raises(
        ConfigurationError, match=f"view own: .*{method} {rule}.*consent.{page}\\. .*URL_PREFIX"
    ):
        Consent(app)


OWN = {name: (ROOT / "templates" / "consent" / name).read_text() for name in ("banner.html", "centre.html")}
FORM = '<form method="post" action="{{ urls.centre }}">{{ notice_field }}'
OK = '<button name="choice" value="all">OK</button>'
YES = 'name="category.{{ category.key }}" value="yes"'
TICK = 'name="service.{{ service.key }}" value="yes"'
NO = re.search(r'<label><input type="radio"[^>]* value="no">.*</label>', OWN["centre.html"])[0]  # type: ignore[index]
RADIOS = re.search(r'<div class="pc-answer">.*?</div>', OWN["centre.html"], re.S)[0]  # type: ignore[index]
ENTER = '<input type="submit" name="choice" value="some" hidden>'


def write(folder: Path, name: str, html: str) -> None:
    """Give the site in *folder* its own template."""
    place = folder / "templates" / "consent"
    place.mkdir(parents=True)
    (place / name).write_text(html)


@pytest.mark.requirement("UI-11")
@pytest.mark.requirement("CON-03")
@pytest.mark.parametrize(
    ("template", "html", "says"),
    [
        ("banner.html", "<form>{{ notice_field }}</form>", "buttons.* 0 times"),
        ("banner.html", f"{FORM}{{{{ buttons }}}}{{{{ buttons }}}}</form>", "2 times"),
        ("banner.html", FORM + "{{ buttons|replace('Reject', 'No') }}</form>", "0 times"),
        ("banner.html", "<form>{{ buttons }}</form>", "notice_field"),
        ("centre.html", "{{ notice_field }}{{ save_row }}<input type=radio checked>", "checked"),
        ("centre.html", "{{ notice_field }}{{ save_row }}<button autofocus>", "autofocus"),
        ("centre.html", "{{ nonsense( }}", "can't be rendered"),
        ("banner.html", f"{FORM}<!-- {{{{ buttons }}}} -->{OK}</form>", "in a comment"),
        ("banner.html", f"{FORM}</form>{OK}<!-- {{{{ buttons }}}}", "ends inside"),
        ("banner.html", FORM + "<p title='{{ buttons }}'>x</p></form>", "an attribute"),
        ("banner.html", f"{FORM}<div hidden>{{{{ buttons }}}}</div></form>", "hidden= hides"),
        ("banner.html", f"{FORM}<div HIDDEN />{{{{ buttons }}}}</form>", "hidden= hides"),
        ("banner.html", f"{FORM}<div inert>{{{{ buttons }}}}</div></form>", "inert= hides"),
        ("banner.html", f"{FORM}<p aria-hidden=TRUE>{{{{ buttons }}}}</p></form>", "aria-hidden= hides"),
        ("banner.html", f"{FORM}<p style='opacity:0'>{{{{ buttons }}}}</p></form>", "style= hides"),
        ("banner.html", "<p hidden>{{ notice_field }}</p>{{ buttons }}", "notice_field.* hidden= hides"),
        ("banner.html", f"{FORM}<template>{{{{ buttons }}}}</template></form>", "<template> may hide"),
        ("banner.html", f"{FORM}<details>{{{{ buttons }}}}</details></form>", "<details> may hide"),
        ("banner.html", f"{FORM}<noscript>{{{{ buttons }}}}</noscript></form>", "<noscript> may hide"),
        ("banner.html", f"{FORM}<textarea>{{{{ buttons }}}}</textarea></form>", "<textarea> may hide|a text"),
        ("banner.html", f"{FORM}<div hidden></form>{{{{ buttons }}}}", "closes <form> while <div>"),
        ("banner.html", f"{FORM}{{{{ buttons }}}}{OK}</form>", "holds <button .*all"),
        ("banner.html", f"{FORM}{{{{ buttons }}}}<input type=hidden name=choice value=all>", "holds <input"),
        ("banner.html", f"{FORM}{{{{ buttons }}}}<input name=notice value=x>", "holds <input"),
        ("banner.html", f"{FORM}{{{{ buttons }}}}<input name=x name=choice value=x><b CHECKED>", "CHECKED"),
        ("centre.html", OWN["centre.html"].replace(YES, f"{YES} CHECKED"), "CHECKED"),
        ("centre.html", OWN["centre.html"].replace(YES, f"{YES}/checked"), "checked"),
        ("centre.html", OWN["centre.html"].replace(YES, f'{YES} title=">" checked'), "checked"),
        ("centre.html", OWN["centre.html"].replace(YES, f"{YES} disabled"), "disabled= hides"),
        ("centre.html", OWN["centre.html"].replace(YES, f"{YES} form=x"), "another form"),
        ("centre.html", OWN["centre.html"].replace(RADIOS, f"<input type=hidden {YES}>"), 'type="hidden"'),
        ("centre.html", OWN["centre.html"].replace(RADIOS, f"<p hidden>{RADIOS}</p>"), "hidden= hides"),
        ("centre.html", OWN["centre.html"].replace(NO, ""), 'lacks <input type="radio".*no'),
        ("centre.html", OWN["centre.html"].replace(TICK, ""), 'lacks <input type="checkbox"'),
        ("centre.html", OWN["centre.html"].replace(ENTER, ""), 'lacks <input type="submit"'),
        (
            "centre.html",
            OWN["centre.html"].replace(ENTER, ENTER.replace("some", "all")),
            "all.* hidden= hides",
        ),
    ],
)
def test_a_template_that_weakens_the_choice_stops_the_start(
    make_app: MakeSite, tmp_path: Path, template: str, html: str, says: str
) -> None:
    assert html not in OWN.values()
    write(tmp_path, template, html)
    with pytest.raises(ConfigurationError, match=says):
        make_app()


@pytest.mark.parametrize(
    ("template", "html"),
    [
        ("banner.html", FORM + "<!-- ours --><br/><ul><li>a<li>b</ul><svg><path/></svg>{{ buttons }}</form>"),
        (
            "centre.html",
            OWN["centre.html"].replace("<ul ", "<details><ul ").replace("</ul>", "</ul></details>"),
        ),
    ],
)
def test_a_template_with_other_things_around_the_choice_is_fine(
    make_app: MakeSite, tmp_path: Path, template: str, html: str
) -> None:
    write(tmp_path, template, html)
    assert make_app().test_client().get("/privacy-choices").status_code == 200


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


@pytest.mark.parametrize(
    ("placement", "named"), [("bottom", ""), ("bottom-start", " pc-bottom-start"), ("top", " pc-top")]
)
def test_banner_and_result_stand_where_the_setting_says(
    make_app: MakeSite, placement: str, named: str
) -> None:
    client = make_app(CONSENT_PLACEMENT=placement).test_client()
    assert f'<body><div class="pc pc-place{named}"' in client.get("/").text
    Visitor(client).answer("none")
    assert f'<body><div class="pc pc-status{named}"' in client.get("/").text


def test_several_apps_in_one_process_keep_apart(make_app: MakeSite) -> None:
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.test import Client

    first = make_app()
    second = make_app(POLICY.replace("Clinic", "Second"), CONSENT_COOKIE_NAME="second")
    both = Client(DispatcherMiddleware(first.wsgi_app, {"/second": second.wsgi_app}))
    assert "Second" in both.get("/second/privacy-choices").text
    assert "Second" not in both.get("/privacy-choices").text


@pytest.mark.parametrize(
    "url", ["instance/c.sqlite3", "postgresql://x/y", "mysql://x/y", "sqlite:///a.sqlite3?mode=ro"]
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


@pytest.mark.parametrize("site", ["https://example.org", "https://example.com", "https://example.net"])
def test_a_policy_that_still_names_the_example_is_warned_of(
    make_app: MakeSite, caplog: pytest.LogCaptureFixture, site: str
) -> None:
    make_app(POLICY.replace("http://localhost", site))
    assert site in caplog.text


def test_an_app_on_which_our_pages_would_be_on_no_host_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_text(POLICY)
    app = Flask("clinic", root_path=str(tmp_path), host_matching=True, static_host="clinic.example")
    app.config["SECRET_KEY"] = "a key for tests"
    with pytest.raises(ConfigurationError, match="host_matching"):
        Consent(app)


def test_all_wrong_settings_are_named_at_once(make_app: MakeSite) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_app(CONSENT_POLCY="x", CONSENT_PROFILE="mars", CONSENT_COOKIE_NAME="a;b")
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["CONSENT_POLCY", "CONSENT_PROFILE", "CONSENT_COOKIE_NAME"]


SHARED = {"CONSENT_COOKIE_DOMAIN": "clinic.example"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"CONSENT_SITE": "https://www.clinic.exmaple"},
            "CONSENT_SITE.*Expected www.clinic.exmaple or clinic.exm",
        ),
        ({"CONSENT_SITE": "https://notclinic.example"}, "Expected notclinic.example;"),
        ({"CONSENT_SITE": "https://example"}, "only domains can be shared"),
        (
            {"CONSENT_SITE": "http://127.0.0.1:5000", "CONSENT_COOKIE_DOMAIN": "0.0.1"},
            "only domains can be shared",
        ),
        (
            {"CONSENT_SITE": "https://clinic.example", "CONSENT_COOKIE_DOMAIN": "www.clinic.example"},
            "drop the answer",
        ),
        ({"SERVER_NAME": "clinic.test:5000"}, "SERVER_NAME: .*Expected clinic.test;"),
        ({}, r"at localhost by consent.toml \(controller.site\)"),
    ],
)
def test_a_domain_for_which_browsers_drop_the_answer_stops_the_start(
    make_app: MakeSite, settings: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^CONSENT_COOKIE_DOMAIN is .*{says}"):
        make_app(**SHARED | settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"CONSENT_SITE": "https://clinic.example"},
        {"CONSENT_SITE": "https://a.b.clinic.example:8443"},
        {"SERVER_NAME": "www.clinic.example:5000"},
        {"SERVER_NAME": "app.internal", "CONSENT_SITE": "https://www.clinic.example"},
        {"CONSENT_SITE": "https://www.clinic.example", "CONSENT_COOKIE_DOMAIN": "Clinic.Example"},
    ],
)
def test_a_domain_at_or_above_the_site_is_fine(make_app: MakeSite, settings: dict[str, object]) -> None:
    assert make_app(**SHARED | settings).test_client().get("/").status_code == 200


@pytest.mark.parametrize("setting", ["CONSENT_SITE", "CONSENT_TRUSTED_ORIGINS"])
@pytest.mark.parametrize(
    ("value", "near"),
    [
        ("https://...", None),
        ("https://", None),
        ("https://clinic.example:0", None),
        ("https://clinic.example:99999", None),
        ("https://300.1.1.1", None),
        ("ftp://clinic.example", None),
        ("https://clinic.example:443", "https://clinic.example"),
        ("https://clinic.example/", "https://clinic.example"),
        ("https://clinic.example/staging", "https://clinic.example"),
        ("https://clinic.example:8443?x#y", "https://clinic.example:8443"),
        ("https://user:word@Clinic.Example", "https://clinic.example"),
        ("clinic.example", "https://clinic.example"),
        ("https://clinic.example\n", "https://clinic.example"),
    ],
)
def test_what_is_no_origin_as_browsers_write_one_stops_the_start(
    make_app: MakeSite, setting: str, value: str, near: str | None
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_app(**{setting: value if setting == "CONSENT_SITE" else [value]})
    said = str(caught.value)
    assert said.startswith(f"{setting} is {value!r}; expected ")
    assert said.endswith(f"without a path. Did you mean {near!r}?" if near else "without a path.")


@pytest.mark.parametrize(
    "origin", ["https://clinic.example", "http://localhost:5000", "http://[::1]:5000", "https://10.0.0.1"]
)
def test_an_origin_as_browsers_write_it_is_fine(make_app: MakeSite, origin: str) -> None:
    app = make_app(CONSENT_SITE=origin, CONSENT_TRUSTED_ORIGINS=[origin])
    visitor = Visitor(app.test_client())
    assert visitor.client.get("/").status_code == 200
    assert visitor.answer("none").status_code == 303


@pytest.mark.parametrize(
    ("declared", "settings", "names"),
    [
        ("visit", {"CONSENT_COOKIE_NAME": "visit"}, '"visit"'),
        ("consent", {}, '"consent"'),
        ("__Host-consent", {}, '"__Host-consent"'),
        ("consent-shown", {"CONSENT_CACHE_SAFE": True}, '"consent-shown"'),
        ("__Secure-consent", SHARED | {"SERVER_NAME": "clinic.example"}, '"__Secure-consent"'),
        ("cons*", {"CONSENT_CACHE_SAFE": True}, '"consent", "consent-shown"'),
    ],
)
def test_a_declared_cookie_with_a_name_of_ours_stops_the_start(
    make_app: MakeSite, declared: str, settings: dict[str, object], names: str
) -> None:
    policy = POLICY.replace("{ visit =", f'{{ "{declared}" =')
    with pytest.raises(
        PolicyError, match=f"^services.statistics.cookies: this declares {names}, .*rename one"
    ):
        make_app(policy, **settings)


def test_all_that_the_policy_contradicts_is_named_at_once(make_app: MakeSite) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_app(
            **SHARED,
            CONSENT_LANGUAGES=["de"],
            CONSENT_RETENTION=timedelta(days=30),
            CONSENT_DATABASE="mysql://x/y",
        )
    named = [line.split()[0] for line in str(caught.value).splitlines()]
    assert named == ["CONSENT_RETENTION", "CONSENT_LANGUAGES", "CONSENT_COOKIE_DOMAIN", "CONSENT_DATABASE"]


def test_settings_that_clash_are_named_with_those_that_are_wrong(make_app: MakeSite) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_app(
            **SHARED,
            CONSENT_SITE="https://clinic.test",
            CONSENT_COOKIE_NAME="session",
            CONSENT_PROFILE="mars",
            CONSENT_REFUSAL_LIFETIME=timedelta(days=30),
        )
    named = [line.split()[0] for line in str(caught.value).splitlines()]
    assert named == [
        "CONSENT_PROFILE",
        *(f"CONSENT_{each}" for each in ("REFUSAL_LIFETIME", "COOKIE_NAME", "COOKIE_DOMAIN")),
    ]


def test_an_app_whose_hosts_are_subdomains_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_text(POLICY)
    app = Flask("clinic", root_path=str(tmp_path), subdomain_matching=True)
    app.config["SECRET_KEY"] = "a key for tests"
    with pytest.raises(ConfigurationError, match="subdomain_matching"):
        Consent(app)
