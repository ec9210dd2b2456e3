"""What banner and preference centre say and show, in every language shipped: complete, equal, and without tricks."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask

from consent.web.language import catalogue, shipped
from consent.web.notice import Notice, narrowed
from consent.web.site import Site

from .clinic import POLICY, MakeSite, Visitor, events


#: Words that plead, flatter or blur, in any of the languages (UI-08 of the banned list grows with the languages).
@pytest.fixture(params=sorted(shipped()))
def notice(request: pytest.FixtureRequest, everywhere: Site) -> Notice:
    """The notice in each language."""
    return everywhere.notices.get(request.param, "default")


class Controls(HTMLParser):
    """The controls of a notice, in the order of the document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("button", "input", "a", "select"):
            self.found.append({"tag": tag, **dict(attrs)})

    def having(self, **values: str) -> list[dict[str, str | None]]:
        """Those with all of these attributes."""
        return [each for each in self.found if values.items() <= each.items()]


@pytest.mark.requirement("CON-13")
@pytest.mark.requirement("WD-05")
def test_the_banner_says_who_asks_what_for_and_that_it_can_be_changed(
    notice: Notice, everywhere: Site
) -> None:
    words = catalogue(notice.language)
    banner = unescape(notice.banner)
    assert "Clinic" in banner
    for category in everywhere.policy.optional_categories:
        own = everywhere.policy.text(f"categories.{category.key}.text", words.tag)
        assert unescape(own or words.gettext(f"category.{category.key}.text")) in banner
    change = words.gettext("banner.change", control=words.gettext("link.your_choices"))
    assert unescape(change) in banner
    assert 'href="/privacy-choices/declaration"' in banner


def test_the_english_notice_makes_no_page_that_is_ascii_wider(app: Flask) -> None:
    """Its quotation marks are character references, so that Python keeps the page in one byte a character."""
    site: Site = app.extensions["consent"]
    notice = site.notices.get("en", "us_ca")
    assert notice.banner.isascii()
    assert notice.form.isascii()
    page = app.test_client().get("/").text
    assert "pc-banner-form" in page
    assert page.isascii()


@pytest.mark.parametrize(
    ("html", "narrow"),
    [
        ("<p>“a” – é</p>", "<p>&#8220;a&#8221; &#8211; é</p>"),
        ("<p>&#8220;a&#8221;</p>", "<p>&#8220;a&#8221;</p>"),
        ("<p>\u200fא</p>", "<p>\u200fא</p>"),
        ("<style>q::before { content: '“' }</style>", "<style>q::before { content: '“' }</style>"),
    ],
)
def test_only_marks_are_written_as_references_and_only_where_browsers_read_them(
    html: str, narrow: str
) -> None:
    assert narrowed(html) == narrow
    assert narrowed(narrow) == narrow


@pytest.mark.requirement("INF-05")
def test_purposes_stand_before_the_buttons(notice: Notice) -> None:
    banner = str(notice.banner)
    assert banner.index("<dd>") < banner.index('name="choice"')


@pytest.mark.requirement("UI-01")
@pytest.mark.requirement("UI-02")
@pytest.mark.requirement("UI-05")
def test_each_layer_has_one_refusal_and_one_acceptance_side_by_side(notice: Notice) -> None:
    for html in (notice.banner, notice.form):
        controls = Controls(str(html))
        (refuse,) = controls.having(name="choice", value="none")
        (accept,) = controls.having(name="choice", value="all")
        assert {**refuse, "value": ""} == {**accept, "value": ""}
        assert refuse["tag"] == "button"
        assert controls.found.index(accept) - controls.found.index(refuse) == 1


@pytest.mark.requirement("CON-03")
@pytest.mark.requirement("UI-06")
def test_nothing_is_chosen_beforehand_and_each_answer_says_what_it_means(notice: Notice) -> None:
    controls = Controls(str(notice.form))
    assert not [each for each in controls.found if {"checked", "selected", "autofocus"} & each.keys()]
    radios = controls.having(type="radio")
    assert [each["value"] for each in radios] == ["no", "yes", "some"] * 3
    assert {each["type"] for each in controls.found if each["tag"] == "input"} == {
        *("hidden", "submit", "radio", "checkbox")
    }


@pytest.mark.requirement("UI-08")
def test_closing_sends_nothing(app: Flask) -> None:
    html = app.test_client().get("/").text
    dialog = html[html.index("<dialog") : html.index("</dialog>")]
    (close,) = Controls(dialog).having(command="close")
    assert close["type"] == "button"
    assert "name" not in close


@pytest.mark.requirement("INF-08")
def test_the_buttons_say_in_english_what_the_law_asks_for() -> None:
    english = catalogue("en")
    assert [str(english.gettext(f"action.{name}")) for name in ("accept_all", "reject_all", "save")] == [
        *("Accept all", "Reject all", "Save choices")
    ]


@pytest.mark.requirement("CON-12")
def test_an_embed_names_its_provider_and_contacts_nobody_before_consent(visitor: Visitor) -> None:
    html = visitor.client.get("/").text
    assert "This comes from Video Co." in html
    assert 'src="https://video.example' not in html
    assert not re.search(r'<link[^>]*rel="(preconnect|preload|dns-prefetch|prefetch)"', html)


@pytest.mark.requirement("INF-04")
@pytest.mark.requirement("INF-01")
def test_the_declaration_lists_everything_with_its_terms_and_why_some_need_no_answer(
    visitor: Visitor,
) -> None:
    html = visitor.client.get("/privacy-choices/declaration").text
    for text in ("session", "__Host-consent", "visit_*", "13 months", "Video Co", "30 days", "remember_name"):
        assert text in html
    words = catalogue("en")
    assert str(words.gettext("exempt.essential")) in html
    assert str(words.gettext("exempt.notice_acceptance")) in html


@pytest.mark.requirement("CON-10")
@pytest.mark.parametrize(
    "item",
    [
        'cookies = { a = "1 day" }',
        'storage = { "a.*" = "local" }',
        'storage = { a = "session" }',
        'storage = { a = "indexeddb" }',
        'storage = { a = "cache" }',
        'uses = ["beacon"]',
        'uses = ["fingerprint"]',
        'uses = ["precise_location"]',
        'uses = ["email_beacon"]',
        'script = ["https://a.example"]',
        'img = ["https://a.example"]',
        'frame = ["https://a.example"]',
        'connect = ["https://a.example"]',
    ],
)
def test_every_kind_of_item_waits_for_its_yes(make_app: MakeSite, item: str) -> None:
    service = f'\n[services.x]\ncategory = "performance"\npurposes = ["measurement"]\ntext = "X"\n{item}\n'
    visitor = Visitor(make_app(POLICY + service).test_client())
    assert not visitor.allowed("x")
    assert "x" in visitor.client.get("/privacy-choices/declaration").text
    visitor.answer("all")
    assert visitor.allowed("x")


@pytest.mark.requirement("CON-07")
def test_a_form_of_the_sites_own_cannot_answer_for_the_visitor(app: Flask) -> None:
    @app.post("/register")
    def register() -> str:
        return "registered"

    client = app.test_client()
    client.post("/register", data={"choice": "all", "terms": "yes", "category.performance": "yes"})
    assert client.get("/allowed/statistics").text == "no: undecided"


@pytest.mark.requirement("UI-04")
def test_refusing_takes_no_more_steps_than_accepting_wherever_one_starts(visitor: Visitor) -> None:
    for path in ("/", "/privacy-choices"):
        controls = Controls(visitor.client.get(path).text)
        refusals = controls.having(tag="button", name="choice", value="none")
        acceptances = controls.having(tag="button", name="choice", value="all")
        assert len(refusals) == len(acceptances) >= 1


@pytest.mark.requirement("REC-12")
@pytest.mark.requirement("LOG-02")
@pytest.mark.requirement("LOG-03")
def test_the_record_holds_no_address_no_browser_and_no_page(
    visitor: Visitor, site: Site, tmp_path: Path
) -> None:
    headers = {
        "Sec-Fetch-Site": "same-origin",
        "Referer": "http://localhost/topics/secret-illness?q=rash",
        "User-Agent": "Peculiar/9.9",
    }
    visitor.client.environ_base["REMOTE_ADDR"] = "203.0.113.77"
    visitor.answer("all", headers=headers)
    visitor.answer("none", headers=headers)
    assert len(events(site)) == 2
    stored = b"".join(file.read_bytes() for file in (tmp_path / "instance").iterdir())
    for trace in (b"203.0.113", b"Peculiar", b"secret-illness", b"rash"):
        assert trace not in stored
