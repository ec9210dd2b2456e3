"""An event seen from today: whether the site would still give its notice, and what became of its policy."""

from pathlib import Path

import pytest
from flask import Flask

from consent.audit.legible import differing, read_lines
from consent.audit.row import Reader
from consent.audit.today import ANOTHER, SAME, Since, Today, notice_today, policy_since
from consent.ledger import Event
from tests.cli.conftest import run_for
from tests.web.clinic import WORDING

from .clinic import NEXT_POLICY, POLICY, MakeApp, auditor_of, newest, record, site_of, visit
from .tampering import alter
from .test_pages import text_of
from .test_policies import REWORDED


def notice_of(app: Flask, event: Event) -> Today:
    """The notice of *event* beside today's of *app*."""
    site = site_of(app)
    reader = Reader(site.recorder.ledger)
    stored = reader.ledger.get(event.id)
    assert stored is not None
    found = notice_today(site, reader, reader.row(stored))
    assert found is not None
    return found


def of_another_language(app: Flask, language: str) -> Event:
    """An event of *app* whose visitor was shown the notice in *language*."""
    shown = app.test_client().get("/privacy-choices", headers={"Accept-Language": language}).text
    return record(
        site_of(app).recorder.ledger,
        notice=shown.split('name="notice" value="')[1][:64],
        language=language,
        policy=site_of(app).policy.digest,
    )


def policy_of(app: Flask, event: Event) -> Since:
    """What became of the policy of *event* until today's of *app*."""
    assert event.policy
    return policy_since(site_of(app), Reader(site_of(app).recorder.ledger), event.policy)


def test_lines_of_a_notice_are_set_in_the_direction_of_its_language(
    make_app: MakeApp, tmp_path: Path
) -> None:
    wording = WORDING.replace("[services.names]", '[services.names]\ntitle = "X"')
    (tmp_path / "consent.ar.toml").write_text(wording)
    event = of_another_language(make_app(), "ar")
    (tmp_path / "consent.ar.toml").write_text(wording.replace('text = "X"', 'text = "Y"', 1))
    page = auditor_of(make_app()).look_up(event.id).text
    assert '<td lang="ar" dir="rtl">X</td><td lang="ar" dir="rtl">Y</td>' in page


@pytest.mark.requirement("REC-02")
def test_a_notice_that_the_site_would_give_today_is_said_to_be_the_same(make_app: MakeApp) -> None:
    visit(app := make_app(), "all")
    event = newest(app)
    assert notice_of(app, event) == Today(SAME, True)
    assert notice_of(make_app(), event).same, "a process of its own gives other bytes"
    words = text_of(auditor_of(app).look_up(event.id).text)
    assert SAME in words
    assert "It is today's: nothing changed since." in words


def test_the_language_the_profile_and_the_mount_of_the_day_are_those_that_are_compared(
    make_app: MakeApp, tmp_path: Path
) -> None:
    (tmp_path / "consent.de.toml").write_text(
        WORDING.replace("[services.names]", '[services.names]\ntitle = "X"')
    )
    app = make_app(CONSENT_PROFILE="uk")
    page = app.test_client().get(
        "/privacy-choices", headers={"Accept-Language": "de"}, base_url="http://localhost/clinic/"
    )
    hash = page.text.split('name="notice" value="')[1][:64]
    assert 'action="/clinic/privacy-choices' in page.text
    event = record(
        site_of(app).recorder.ledger,
        notice=hash,
        language="de",
        profile="uk",
        policy=site_of(app).policy.digest,
    )
    assert notice_of(app, event).said == SAME
    (tmp_path / "consent.de.toml").unlink()
    assert notice_of(make_app(), event).said == "Today the site gives no notice in the language de."


def test_where_the_policy_was_changed_the_lines_that_visitors_read_are_told(make_app: MakeApp) -> None:
    visit(old := make_app(), "all")
    event = newest(old)
    found = notice_of(make_app(REWORDED), event)
    assert found.same is False
    assert found.said.startswith(ANOTHER)
    assert "The policy alone was changed" in found.said
    assert ("Sign-in name", "Name for signing in") in found.lines
    assert all("<" not in line for pair in found.lines for line in pair)


@pytest.mark.parametrize("policy", [POLICY, NEXT_POLICY])
def test_where_a_template_was_changed_it_says_so(make_app: MakeApp, tmp_path: Path, policy: str) -> None:
    visit(old := make_app(), "all")
    event = newest(old)
    template = tmp_path / "templates" / "consent" / "_service.html"
    template.parent.mkdir(parents=True)
    ours = Path(__file__).parents[2] / "templates" / "consent" / "_service.html"
    template.write_text(f"{ours.read_text()}<p>Read this, too.</p>")
    found = notice_of(make_app(policy), event)
    assert found.same is False
    assert "emplates or words were changed" in found.said
    assert ("The policy is the same" in found.said) is (policy == POLICY)
    assert ("", "Read this, too.") in found.lines


def test_a_difference_that_nobody_reads_is_said_to_be_one_and_shown(make_app: MakeApp) -> None:
    visit(old := make_app(), "all")
    found = notice_of(make_app(POLICY.replace("privacy@clinic", "post@clinic")), newest(old))
    assert "in its markup alone; what is read is the same." in found.said
    assert any("data-policy" in then and "data-policy" in now for then, now in found.lines)


def test_an_altered_notice_is_compared_with_nothing(make_app: MakeApp, tmp_path: Path) -> None:
    visit(app := make_app(), "all")
    event = newest(app)
    alter(tmp_path, "UPDATE document SET body = ? WHERE hash = ?", b"<p>Else", event.notice)
    assert notice_of(app, event).same is None
    page = auditor_of(app).look_up(event.id)
    assert page.status_code == 200
    assert "can’t be compared" in page.text.replace("&#39;", "’")


def test_what_cannot_be_compared_is_said_to_be_so(app: Flask) -> None:
    visit(app, "all")
    given = newest(app)
    for fields in ({"notice": "ab" * 32}, {"language": "tlh"}, {"profile": "mars"}, {"language": None}):
        event = record(site_of(app).recorder.ledger, **({"notice": given.notice} | fields))
        found = notice_of(app, event)
        assert found.same is None, fields
        assert found.said.endswith(".")


@pytest.mark.requirement("POL-03")
def test_what_the_policy_changed_since_is_counted_and_told(make_app: MakeApp, clock: object) -> None:
    visit(first := make_app(), "all")
    event = newest(first)
    visit(make_app(NEXT_POLICY), "all")
    clock.now += 86_400  # type: ignore[attr-defined]
    app = make_app(REWORDED)
    since = policy_of(app, event)
    assert since.said == "Since then the policy changed twice, 1 of them materially."
    assert since.difference
    assert [change.place for change in since.difference.changes if change.material] == [
        "services.videos.retention"
    ]
    page = auditor_of(app).look_up(event.id).text
    words = text_of(page)
    assert since.said in words
    assert "services.videos.retention 30 days 90 days" in words
    assert "What differs between that day’s policy and today’s" in words
    said = run_for(app)("show", str(event.id)).stdout
    assert f"The policy: {since.said}" in said
    assert "services.videos.retention: 30 days → 90 days" in said
    assert "Sign-in name → Name for signing in" in said


def test_a_policy_that_came_back_is_said_to_be_the_same_again(make_app: MakeApp, clock: object) -> None:
    visit(make_app(), "all")
    clock.now += 86_400  # type: ignore[attr-defined]
    visit(make_app(NEXT_POLICY), "all")
    event = newest(make_app(NEXT_POLICY))
    app = make_app()
    first = next(each for each in site_of(app).recorder.ledger.records() if each.index == 2).event()
    assert first
    since = policy_of(app, first)
    assert "the same as that of the day again" in since.said
    assert (since.times, since.materially, since.difference) == (1, 1, None)
    assert policy_of(app, event).times == 0


def test_a_policy_that_is_not_on_record_has_no_history(app: Flask) -> None:
    event = record(site_of(app).recorder.ledger, policy="ab" * 32)
    assert policy_of(app, event).times is None


def test_lines_are_what_is_read_and_differ_where_they_do() -> None:
    before = read_lines(
        '<p>One <b>and</b>\n two</p><ul><li>a<li>b</ul><script>x</script><input value="y">&amp;'
    )
    assert before == ["One and two", "a", "b", "&"]
    assert list(differing(before, ["One and two", "c", "b", "&", "d"])) == [("a", "c"), ("", "d")]
