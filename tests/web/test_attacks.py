"""What a reviewer once broke, and must not break again."""

import time
from pathlib import Path

import pytest
from flask import Flask

from consent import consent_withdrawn
from consent.ledger import Document
from consent.web.expiry import parents
from consent.web.language import negotiate
from consent.web.origin import Origin, origin_of
from consent.web.site import Site

from .clinic import POLICY, SAME, Clock, MakeSite, Visitor, events
from .test_outage import locked


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


@pytest.mark.parametrize("setting", ["CONSENT_PROFILE", "CONSENT_MINOR"])
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
        return render_template_string("{{ consent_embed('media', src='javascript:alert(1)', title='x') }}")

    html = app.test_client().get("/embed").text
    assert "Video Co" in html
    assert "javascript:" not in html


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
