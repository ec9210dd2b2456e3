"""What a reviewer once broke, and must not break again."""

import hashlib
import time
from pathlib import Path

import pytest
from flask import Flask, render_template_string

from consent import consent_withdrawn
from consent.ledger import Document, Kind
from consent.web.assets import ROOT
from consent.web.expiry import parents
from consent.web.language import negotiate
from consent.web.origin import Origin, origin_of
from consent.web.site import Site

from .clinic import POLICY, SAME, WORDING, Clock, MakeSite, Visitor, events, locked


def test_a_host_that_nobody_can_read_is_never_ours() -> None:
    assert origin_of({"Origin": "null"}, own="http://") is Origin.CROSS
    assert origin_of({"Origin": "http://"}, own="http://") is Origin.CROSS


def test_the_result_says_what_runs_and_nothing_of_other_visitors(
    visitor: Visitor, app: Flask, clock: Clock
) -> None:
    visitor.answer("all")
    clock.pass_days(183)
    assert "Everything optional is off." in visitor.client.get("/privacy-choices").text
    other = Visitor(app.test_client())
    other.answer("none")
    assert "Everything optional is off." in other.client.get("/").text


def test_a_receiver_that_fails_undoes_no_withdrawal(visitor: Visitor, app: Flask) -> None:
    visitor.answer("all")

    def fail(sender: object, **_: object) -> None:
        raise RuntimeError("the site's own fault")

    told: list[object] = []

    def listen(sender: object, withdrawn: object, **_: object) -> None:
        told.append(withdrawn)

    with consent_withdrawn.connected_to(fail, app), consent_withdrawn.connected_to(listen, app):
        assert visitor.answer("none").status_code == 303
    assert len(told) == 1
    assert not visitor.allowed("statistics")


@pytest.mark.parametrize("setting", ["CONSENT_PROFILE", "CONSENT_MINOR", "CONSENT_LANGUAGES"])
def test_a_function_of_the_hosts_that_fails_stops_no_refusal(make_app: MakeSite, setting: str) -> None:
    def fail() -> None:
        raise RuntimeError("the site's own fault")

    visitor = Visitor(make_app(**{setting: fail}).test_client())
    assert visitor.answer("none").status_code == 303
    assert not visitor.allowed("statistics")


def test_a_late_recording_brings_no_withdrawn_grant_back(
    visitor: Visitor, app: Flask, site: Site, clock: Clock
) -> None:
    visitor.answer("all")
    with locked(app):
        visitor.answer("some", category__media="yes")
    clock.now += 60
    response = visitor.client.get("/")
    assert "Set-Cookie" not in response.headers
    assert len(events(site)) == 2
    visitor.answer("none")
    assert len(events(site)) == 3
    assert not visitor.allowed("videos")


def test_hostile_headers_cost_next_to_nothing() -> None:
    begun = time.process_time()
    negotiate("a-" * 100_000, ["en", "de"])
    parents("a." * 30_000)
    assert time.process_time() - begun < 0.1
    assert len(parents("a." * 100 + "example")) <= 8


def test_a_policy_that_this_release_cannot_read_costs_nobody_a_page(visitor: Visitor, site: Site) -> None:
    site.recorder.ledger.keep([Document.of("policy", b'{"from": "a later release"}')])
    assert visitor.client.get("/").status_code == 200
    assert visitor.client.get("/privacy-choices/declaration").status_code == 200
    assert visitor.answer("all").status_code == 303


@pytest.mark.parametrize(
    "body", ['{"choice":"none","notice":"\\ud800"}', '{"choice":"none","service.\\ud800":"yes"}']
)
def test_half_a_character_is_unreadable(visitor: Visitor, body: str) -> None:
    response = visitor.client.post(
        "/privacy-choices", data=body, content_type="application/json", headers=SAME
    )
    assert response.status_code == 400


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {}])
def test_every_no_is_taken_from_wherever_it_comes(
    visitor: Visitor, site: Site, headers: dict[str, str]
) -> None:
    visitor.answer("all")
    assert visitor.answer("some", headers=headers, category__media="no").status_code == 303
    assert not visitor.allowed("videos")
    visitor.answer("all")
    mixed = visitor.answer("some", headers=headers, category__media="no", category__performance="yes")
    assert mixed.status_code == 403
    assert "Nothing was turned on." in mixed.text
    assert "Nothing was changed." not in mixed.text
    assert not visitor.allowed("videos")


def test_a_grant_of_a_stricter_profile_does_not_revive(make_app: MakeSite, clock: Clock) -> None:
    profile = "eu"
    app = make_app(CONSENT_PROFILE=lambda: profile, CONSENT_GRANT_LIFETIME=365 * 86_400)
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    clock.pass_days(200)
    assert not visitor.allowed("statistics")
    profile = "us_ca"
    assert not visitor.allowed("statistics")


def test_an_embed_may_be_named_by_its_category(app: Flask) -> None:
    from flask import render_template_string

    @app.get("/embed")
    def embed() -> str:
        return render_template_string("{{ consent_embed('media', src='/v/1', title='x') }}")

    html = app.test_client().get("/embed").text
    assert "Video Co" in html
    assert 'name="service.videos"' in html


@pytest.mark.parametrize(
    "settings",
    [
        {"CONSENT_SITE": "http://[::1"},
        {"CONSENT_SITE": "clinic.example"},
        {"CONSENT_SITE": "https://user:word@clinic.example"},
        {"CONSENT_COOKIE_DOMAIN": ";x=y"},
        {"CONSENT_URL_PREFIX": "/a<b>"},
        {"CONSENT_URL_PREFIX": "/p%20q"},
        {"CONSENT_TRUSTED_ORIGINS": ["null"]},
        {"SECRET_KEY_FALLBACKS": [None]},
    ],
)
def test_more_settings_that_stop_the_start(make_app: MakeSite, settings: dict[str, object]) -> None:
    from consent import ConfigurationError

    with pytest.raises(ConfigurationError):
        make_app(POLICY, **settings)


@pytest.mark.parametrize(
    ("template", "html"),
    [
        ("ask.html", "{{ status }}{{ again }}{{ banner|replace('Reject all', 'No') }}{{ centre }}"),
        ("ask.html", "{{ banner }}"),
        ("choices.html", "{{ centre|replace('value=\"none\"', 'value=\"all\"') }}"),
        ("choices.html", "{{ centre }}{{ centre }}"),
    ],
)
def test_a_template_around_the_notice_cannot_rewrite_it(
    make_app: MakeSite, tmp_path: Path, template: str, html: str
) -> None:
    from consent import ConfigurationError

    folder = tmp_path / "templates" / "consent"
    folder.mkdir(parents=True)
    (folder / template).write_text(html)
    with pytest.raises(ConfigurationError, match=template):
        make_app()


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "HEAD"])
@pytest.mark.parametrize(
    "name",
    ["nothing.js", "../../../../../../../../etc/hostname", "%2e%2e/%2e%2e/etc/hostname", "../pyproject.toml"],
)
@pytest.mark.parametrize("version", ["", "?v=0", "?v={}"])
def test_no_request_for_a_static_file_says_anything_of_other_files(
    app: Flask, method: str, name: str, version: str
) -> None:
    path = ROOT / "pyproject.toml"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else "0"
    address = f"/privacy-choices/static/{name}{version.format(digest)}"
    response = app.test_client().open(address, method=method)
    assert response.status_code in (200, 404)
    assert "immutable" not in response.headers.get("Cache-Control", "")
    if response.status_code == 200:
        assert (method, response.data) == ("OPTIONS", b"")


def test_one_address_over_its_limit_keeps_nobody_elses_withdrawal_off_the_record(
    visitor: Visitor, app: Flask, site: Site
) -> None:
    visitor.answer("all")
    other = Visitor(app.test_client())
    other.client.environ_base["REMOTE_ADDR"] = "10.0.0.1"
    other.notice()
    with locked(app):
        visitor.answer("none")
        other.answer("none")
    site.recorder.limits.take("10.0.0.1", site.recorder.steady())
    for bucket in site.recorder.limits.buckets.values():
        bucket.tokens = (
            0.0 if bucket is next(reversed(site.recorder.limits.buckets.values())) else bucket.tokens
        )
    other.client.get("/")
    visitor.client.get("/")
    assert [event.kind for event in events(site)] == [Kind.GIVEN, Kind.WITHDRAWN]


def test_a_page_of_the_sites_that_fails_loses_no_refusal(make_app: MakeSite, tmp_path: Path) -> None:
    templates = tmp_path / "templates" / "consent"
    templates.mkdir(parents=True)
    visitor = Visitor(make_app().test_client())
    notice = visitor.notice()
    (templates / "page.html").write_text("{{ nothing.at.all }}")
    cross = {"Sec-Fetch-Site": "cross-site"}
    broken = Visitor(make_app().test_client())
    fields = {"category.media": "yes", "category.performance": "no"}
    response = broken.client.post(
        "/privacy-choices",
        data={"notice": notice, "choice": "some", "from": "banner", **fields},
        headers=cross,
    )
    assert (response.status_code, response.mimetype) == (403, "text/plain")
    assert broken.client.get("/allowed/statistics").text == "no: refused"


def test_after_a_conflict_the_way_back_is_kept(visitor: Visitor) -> None:
    stale = {"notice": "0" * 64, "choice": "all", "from": "banner"}
    page = visitor.client.post(
        "/privacy-choices", data=stale, headers={**SAME, "Referer": "http://localhost/contact?a=b"}
    )
    assert page.status_code == 409
    assert 'name="next" value="/contact?a=b" form="pc-form"' in page.text


def test_the_link_on_the_centre_does_not_nest_itself(visitor: Visitor, app: Flask) -> None:
    app.jinja_env.globals["footer"] = True
    address = "/privacy-choices?next=/contact"
    with app.test_request_context(address):
        assert (
            'href="/privacy-choices?next=/contact"'
            in app.jinja_env.from_string("{{ consent_link() }}").render()
        )


def test_a_view_that_only_takes_posts_is_nowhere_to_return_to(app: Flask, make_app: MakeSite) -> None:
    from consent.web.guard import ConsentRequired

    other = make_app()

    @other.post("/only")
    def only() -> str:
        raise ConsentRequired("functionality")

    page = other.test_client().post("/only")
    assert page.status_code == 403
    assert "next=" not in page.text


def test_a_text_in_the_browsers_language_says_so_to_caches(make_app: MakeSite, tmp_path: Path) -> None:
    make_app()
    (tmp_path / "consent.de.toml").write_text(WORDING)
    app = make_app()
    app.add_url_rule("/footer", "footer", lambda: render_template_string("{{ consent_link() }}"))
    assert "Accept-Language" in app.test_client().get("/footer").headers["Vary"]
    assert "Vary" not in app.test_client().get("/plain").headers


def test_the_clock_set_right_again_holds_no_late_event_back(
    visitor: Visitor, app: Flask, site: Site, clock: Clock
) -> None:
    visitor.answer("all")
    clock.now += 250
    with locked(app):
        visitor.answer("none")
        visitor.client.get("/")
    clock.now -= 250
    site.recorder.steady = lambda: time.monotonic() + 3
    visitor.client.get("/")
    assert [event.kind for event in events(site)] == [Kind.GIVEN, Kind.WITHDRAWN]
