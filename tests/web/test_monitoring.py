"""Monitoring: off unless asked for, for nobody but whom the site lets in, and without anything of anybody."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask, request
from prometheus_client.parser import text_string_to_metric_families

from consent.errors import ConfigurationError, LedgerUnavailable
from consent.ledger import Ledger
from consent.web.site import Site

from .clinic import Clock, MakeSite, Visitor

CHECKOUT = Path(__file__).parents[2]
ALERTS = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def watched() -> bool:
    """Whether the request has the token."""
    return request.headers.get("Authorization") == "Bearer t"


@pytest.fixture
def app(make_app: MakeSite) -> Flask:
    """The site, monitored."""
    return make_app(CONSENT_METRICS=watched)


def read(app: Flask) -> dict[str, float]:
    """What monitoring reads: values by name and labels."""
    response = app.test_client().get("/privacy-choices/metrics", headers={"Authorization": "Bearer t"})
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content_type.startswith("text/plain; version=0.0.4")
    return {
        "".join(
            [sample.name, *(f" {name}={value}" for name, value in sorted(sample.labels.items()))]
        ): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def site_of(app: Flask) -> Site:
    """The app's consent."""
    found: Site = app.extensions["consent"]
    return found


def test_without_the_setting_nothing_is_counted_and_nothing_is_there(make_app: MakeSite) -> None:
    plain = make_app()
    assert site_of(plain).recorder.metrics is None
    for path in ("metrics", "health"):
        assert plain.test_client().get(f"/privacy-choices/{path}").status_code == 404


@pytest.mark.parametrize("path", ["metrics", "health"])
def test_whom_the_site_does_not_let_in_finds_nothing_there(app: Flask, path: str) -> None:
    client = app.test_client()
    nothing = client.get("/privacy-choices/nothing")
    for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE"):
        found = client.open(
            f"/privacy-choices/{path}", method=method, headers={"Authorization": "Bearer wrong"}
        )
        assert (found.status_code, found.data) == (404, b"" if method == "HEAD" else nothing.data), method


@pytest.mark.parametrize("path", ["/metrics", "/health"])
def test_whom_the_site_does_not_let_in_is_not_led_there_from_a_doubled_slash(app: Flask, path: str) -> None:
    client = app.test_client()
    for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE"):
        nothing, found = (
            client.open(f"/privacy-choices/{asked}", method=method) for asked in ("/nothing", path)
        )
        assert (found.status_code, found.data) == (404, nothing.data), method
        assert [*found.headers.keys()] == [*nothing.headers.keys()], method


def test_whom_the_site_lets_in_is_led_from_a_doubled_slash_to_the_address(app: Flask) -> None:
    found = app.test_client().get("/privacy-choices//health", headers={"Authorization": "Bearer t"})
    assert (found.status_code, found.headers["Location"]) == (308, "http://localhost/privacy-choices/health")


def test_a_function_that_fails_lets_nobody_in(make_app: MakeSite) -> None:
    def fails() -> bool:
        raise RuntimeError

    assert make_app(CONSENT_METRICS=fails).test_client().get("/privacy-choices/metrics").status_code == 404


def test_an_async_function_is_refused_for_its_answer_would_let_everybody_in(make_app: MakeSite) -> None:
    async def nobody() -> bool:
        return False

    class Nobody:
        async def __call__(self) -> bool:
            return False

    for function in (nobody, Nobody()):
        with pytest.raises(
            ConfigurationError, match=r"CONSENT_METRICS is .*expected a function without arguments that"
        ):
            make_app(CONSENT_METRICS=function)


def test_without_the_package_the_site_does_not_start(
    make_app: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"flask-assent\[metrics\]"):
        make_app(CONSENT_METRICS=watched)
    make_app()


def test_answers_are_counted_by_kind_and_timed(app: Flask) -> None:
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    visitor.answer("none")
    Visitor(app.test_client()).answer("none")
    found = read(app)
    assert {name: value for name, value in found.items() if name.startswith("consent_decisions_total")} == {
        "consent_decisions_total kind=given": 1,
        "consent_decisions_total kind=withdrawn": 1,
        "consent_decisions_total kind=refused": 1,
    }
    assert found["consent_append_seconds_count"] == 3
    assert 0 < found["consent_append_seconds_sum"] < 60
    assert found["consent_append_failures_total"] == 0


def test_what_repeats_an_answer_is_no_further_decision(app: Flask) -> None:
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    visitor.answer("all")
    assert read(app)["consent_decisions_total kind=given"] == 1


def test_what_cannot_be_recorded_is_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise LedgerUnavailable("the ledger is away", retry_after=2)

    Visitor(app.test_client()).answer("none")
    monkeypatch.setattr(Ledger, "record", away)
    Visitor(app.test_client()).answer("none")
    found = read(app)
    assert (found["consent_append_failures_total"], found["consent_append_seconds_count"]) == (1, 1)


def test_kept_back_cookies_are_counted_by_service_and_reason_and_never_by_name(make_app: MakeSite) -> None:
    app = make_app(CONSENT_METRICS=watched, CONSENT_UNDECLARED="drop")

    @app.get("/sets")
    def sets() -> tuple[str, list[tuple[str, str]]]:
        return "", [("Set-Cookie", "visit_of_jane=1"), ("Set-Cookie", "id-of-jane-doe=1")]

    app.test_client().get("/sets")
    found = {
        name: value for name, value in read(app).items() if name.startswith("consent_items_blocked_total")
    }
    assert found.pop("consent_items_blocked_total reason=undeclared service=") == 1
    assert list(found.values()) == [1]
    assert "service=statistics" in next(iter(found))
    assert not any("jane" in name for name in read(app))


def test_the_log_says_how_large_it_is_and_how_old_what_is_not_signed(app: Flask, clock: Clock) -> None:
    Visitor(app.test_client()).answer("none")
    ledger = site_of(app).recorder.ledger
    ledger.sign()
    signed = read(app)
    assert signed["consent_ledger_up"] == 1
    assert signed["consent_entries"] == ledger.size() == 3
    assert signed["consent_checkpoint_lag_seconds"] == signed["consent_seal_lag_seconds"] == 0
    Visitor(app.test_client()).answer("none")
    clock.now += 90_000
    assert read(app)["consent_checkpoint_lag_seconds"] == pytest.approx(90_000, abs=1)
    ledger.sign()
    assert read(app)["consent_checkpoint_lag_seconds"] == 0


def test_a_log_that_cannot_be_read_is_down_and_what_was_counted_stays(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("a file where the folder should be")
    found = read(app)
    assert found["consent_ledger_up"] == 0
    assert found["consent_append_failures_total"] == 0
    assert "consent_entries" not in found


def test_health_is_200_while_all_is_well_and_says_what_is_wrong(app: Flask, tmp_path: Path) -> None:
    def ask() -> tuple[int, str]:
        response = app.test_client().get("/privacy-choices/health", headers={"Authorization": "Bearer t"})
        return response.status_code, response.text

    Visitor(app.test_client()).answer("none")
    assert ask() == (200, "well\n")
    (tmp_path / "instance" / "consent.guard").unlink()
    code, text = ask()
    assert code == 503
    assert "guard" in text


def test_no_label_and_no_value_comes_from_a_visitor(app: Flask) -> None:
    visitor = Visitor(app.test_client())
    visitor.answer("all")
    event = site_of(app).recorder.ledger.newest(limit=1)[0].event()
    assert event
    text = app.test_client().get("/privacy-choices/metrics", headers={"Authorization": "Bearer t"}).text
    assert str(event.subject) not in text
    assert str(event.id) not in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text)
    assert {name for name in re.findall(r'(\w+)="', text)} == {"kind", "le"}


def rules() -> list[dict[str, Any]]:
    """The alert rules in the documentation."""
    found = ALERTS.search((CHECKOUT / "docs" / "monitoring.md").read_text(encoding="utf-8"))
    assert found
    groups: list[dict[str, Any]] = yaml.safe_load(found[1])["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_alert_rules_and_the_table_name_the_metrics_there_are(app: Flask) -> None:
    Visitor(app.test_client()).answer("none")
    site = site_of(app)
    assert site.recorder.metrics
    site.recorder.metrics.stopped(app, service=None, reason="undeclared")
    there = {name.split()[0] for name in read(app) if "_created" not in name}
    named = {name for rule in rules() for name in re.findall(r"\bconsent_\w+", rule["expr"])}
    assert named <= there
    assert all(rule["alert"] and rule["annotations"]["summary"] and rule["labels"] for rule in rules())
    page = (CHECKOUT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    table = set(re.findall(r"^\| `(consent_\w+)", page, re.MULTILINE))
    ends = re.compile("_(bucket|count|sum)$")
    assert {ends.sub("", name) for name in there} == {ends.sub("", name) for name in table}


#: Two workers that answer, one after the other, and what the second says.
WORKERS = """
    import os, sys, uuid
    from prometheus_client import values
    from consent.ledger import Kind, Recorded
    from consent.errors import LedgerUnavailable
    from consent.web.metrics import Metrics

    def away():
        raise LedgerUnavailable("away", retry_after=1)

    def work():
        metrics = Metrics(lambda: 0.0, lambda: 0.0)
        metrics.appended(Kind.GIVEN, 0.01, Recorded(id=uuid.uuid4(), index=1, merged=False))
        return metrics

    if not (child := os.fork()):
        work()
        os._exit(0)
    os.waitpid(child, 0)
    sys.stdout.buffer.write(work().text(away))
"""


@pytest.mark.full
def test_whichever_of_several_workers_is_asked_answers_for_all(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(WORKERS)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    said = ran.stdout.decode()
    assert 'consent_decisions_total{kind="given"} 2.0' in said
    assert "consent_append_seconds_count 2.0" in said
    assert "consent_ledger_up 0.0" in said
