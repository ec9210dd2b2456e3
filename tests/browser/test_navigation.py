"""HTMX and Turbo, the real ones, never join pages of different marks in one browser document (§6, §8).

Each document that the browser makes has a number of its own and reports, as it happens, the marks of the pages that
stand in it and the tags that run in it. Whatever the way, one document has one mark, and tags run only where it is
"none".
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask, Response, redirect, render_template_string, request
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from consent import Consent
from consent.look import served
from tests.web.clinic import site_in

from .libraries import LIBRARIES, Unfetched, cache_folder, fetch, library

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><html lang=en><head><title>{{ path }}</title>{{ consent_head() }}
<script src="/library.js"></script>{{ consent_script("videos", src="/tag.js") }}</head>
<body>{{ consent_banner() }}<main data-page="{{ path }}" data-mark="{{ mark }}">
<p>{% if mark != "none" %}SECRET{% else %}open{% endif %}</p>
{% for to in ways %}<a href="{{ to }}" hx-boost="true">{{ to }}</a>
<button hx-get="{{ to }}" hx-target="#part">part {{ to }}</button>
{% endfor %}
<form method="post" action="/enter" hx-boost="true"><button>enter</button></form>
<form method="post" action="/leave" hx-boost="true"><button>leave</button></form>
</main>
<turbo-frame id="part"><i data-part="{{ path }}" data-mark="{{ mark }}">{{ path }}</i>
{% for to in ways %}<a href="{{ to }}">frame {{ to }}</a> {% endfor %}</turbo-frame>
</body></html>"""
OURS = "/privacy-choices"
WAYS = (OURS, "/", "/more", "/portal", "/portal/notes", "/topic", "/portal/none", "/missing", "/moved")
TAG = 'window.tagged = true; console.log(JSON.stringify(["tag", window.born]))'
WATCH = """
window.born = Math.random();
const told = new Set();
new MutationObserver(() => {
  for (const { dataset } of document.querySelectorAll("[data-mark]")) {
    if (told.has(dataset.mark)) continue;
    told.add(dataset.mark);
    console.log(JSON.stringify(["mark", window.born, dataset.mark]));
  }
}).observe(document, { childList: true, subtree: true, attributes: true });
"""


def clinic(folder: Path, source: bytes) -> Flask:
    """A site with pages of each mark, all with the library *source*, and with a tag where it may run."""
    (folder / "templates/consent").mkdir(parents=True)
    (folder / "templates/consent/page.html").write_text(f'{{% set path, mark = "{OURS}", "ours" %}}{PAGE}')
    consent = Consent()
    app = site_in(folder, consent=consent)
    app.jinja_env.globals["ways"] = WAYS

    def page(path: str, mark: str = "none") -> str:
        return render_template_string(PAGE, path=path, mark=mark, ways=WAYS)

    app.add_url_rule("/", "home", lambda: page("/"))
    app.add_url_rule("/more", "more", lambda: page("/more"))
    app.add_url_rule("/portal", "portal", consent.sensitive(lambda: page("/portal", "sensitive")))
    app.add_url_rule("/portal/notes", "notes", consent.sensitive(lambda: page("/portal/notes", "sensitive")))
    app.add_url_rule(
        "/portal/none", "none", consent.sensitive(lambda: (page("/portal/none", "sensitive"), 403))
    )
    app.add_url_rule("/topic", "topic", consent.first_party(lambda: page("/topic", "first_party")))
    app.add_url_rule("/moved", "moved", lambda: redirect("/portal"))
    app.add_url_rule("/enter", "enter", lambda: redirect("/portal", 303), methods=["POST"])
    app.add_url_rule("/leave", "leave", lambda: redirect("/more", 303), methods=["POST"])
    app.add_url_rule("/library.js", "library", lambda: Response(source, mimetype="text/javascript"))
    app.add_url_rule("/tag.js", "tag", lambda: Response(TAG, mimetype="text/javascript"))
    app.register_error_handler(404, lambda error: (without(page("/missing")), 404))
    return app


def without(html: str) -> str:
    """*html*, without the library if the address asks for that."""
    return html.replace('src="/library.js"', "") if request.query_string == b"without" else html


@dataclass
class Walk:
    """A visitor on the move, who has allowed everything, and what the documents reported."""

    page: Page
    address: str
    marks: dict[float, set[str]] = field(default_factory=dict)
    tagged: set[float] = field(default_factory=set)

    def begin(self, path: str = "/") -> None:
        """Come to the site, allow everything, and go to *path*."""
        self.allow()
        self.page.goto(self.address.rstrip("/") + path)
        self.at(path)

    def allow(self) -> None:
        """Come to the site's home page, and allow everything."""
        self.page.on("console", self.hear)
        self.page.add_init_script(WATCH)
        self.page.goto(self.address)
        self.page.get_by_role("button", name="Accept all").first.click()
        self.page.wait_for_function("window.tagged")

    def hear(self, message: ConsoleMessage) -> None:
        """Take down what a document reports."""
        if message.text.startswith('["mark"'):
            _, born, mark = json.loads(message.text)
            self.marks.setdefault(born, set()).add(mark)
        elif message.text.startswith('["tag"'):
            self.tagged.add(json.loads(message.text)[1])

    def at(self, path: str, *, url: str | None = None) -> float:
        """Wait until the page *path* is shown, and check all that must hold by then; its document's number."""
        page = self.page
        expect(page.locator("main")).to_have_attribute("data-page", path)
        # Not Playwright's own way to wait, which doesn't know of pages that were kept.
        page.wait_for_function("document.readyState === 'complete'")
        page.wait_for_timeout(150)
        expect(page.locator("main")).to_have_attribute("data-page", path)
        expect(page).to_have_url(self.address.rstrip("/") + (url or path))
        self.check()
        born: float = page.evaluate("window.born")
        return born

    def check(self) -> None:
        """One document, one mark; tags only where it is none; nothing of a marked page in the browser's storage."""
        page = self.page
        born = page.evaluate("window.born")
        assert all(len(marks) == 1 for marks in self.marks.values()), self.marks
        assert all(self.marks[each] == {"none"} for each in self.tagged)
        shown = page.locator("main").get_attribute("data-mark")
        assert self.marks[born] == {shown}
        assert page.evaluate("!!window.tagged") is (shown == "none")
        assert page.locator('script[src="/tag.js"]').count() == (1 if shown == "none" else 0)
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "SECRET" not in kept

    def click(self, words: str) -> None:
        """Follow the link, or press the button, with these words."""
        self.page.get_by_text(words, exact=True).first.click()

    def to(self, path: str) -> float:
        """Follow the link to *path*."""
        self.page.locator(f'main a[href="{path}"]').click()
        return self.at(path)


@pytest.fixture(scope="module", params=["kept", pytest.param("not kept", marks=pytest.mark.full)])
def browsers(request: pytest.FixtureRequest) -> Browser:
    """A browser that keeps the pages it leaves, as they do outside Playwright, and one that doesn't."""
    found: Browser = request.getfixturevalue("keeping" if request.param == "kept" else "browser")
    return found


@pytest.fixture
def walk(request: pytest.FixtureRequest, browsers: Browser, tmp_path: Path) -> Iterator[Walk]:
    """A visitor of the site with the library that the test names."""
    source = library(request.param, cache_folder(request.config))
    with served(clinic(tmp_path, source)) as address:
        context = browsers.new_context()
        context.set_default_timeout(8_000)
        yield Walk(context.new_page(), address)
        context.close()


def with_each(*names: str) -> pytest.MarkDecorator:
    """The test, with each of these libraries."""
    return pytest.mark.parametrize("walk", names, indirect=True)


#: For what shows most, going back and forth by each way: each library, and each browser; all pairs in the full run.
in_both_browsers = pytest.mark.parametrize(
    ("browsers", "walk"),
    [
        pytest.param(
            browser,
            name,
            marks=() if browser == "kept" or name == "htmx2" else pytest.mark.full,
            id=f"{browser}-{name}",
        )
        for browser in ("kept", "not kept")
        for name in LIBRARIES
    ],
    indirect=True,
)
#: For tests in which nobody goes back.
in_one_browser = pytest.mark.parametrize("browsers", ["not kept"], indirect=True)


@in_both_browsers
def test_whichever_way_one_document_holds_pages_of_one_mark(
    walk: Walk, request: pytest.FixtureRequest
) -> None:
    walk.begin()
    home = walk.at("/")
    assert walk.to("/more") == home, "it isn't soft navigation that is tested here"
    portal = walk.to("/portal")
    notes = walk.to("/portal/notes")
    if "turbo" not in request.node.callspec.params.values():
        assert notes == portal
    assert walk.to("/topic") != notes
    walk.to("/")
    walk.to("/more")
    path = ["/", "/more", "/portal", "/portal/notes", "/topic", "/", "/more"]
    for way, stations in (("back", path[-2::-1]), ("forward", path[1:]), ("back", path[-2::-1])):
        for station in stations:
            walk.page.evaluate(f"void setTimeout(() => history.{way}())")
            walk.at(station)


@with_each(*LIBRARIES)
def test_back_over_many_pages_at_once(walk: Walk) -> None:
    walk.begin()
    for path in ("/more", "/portal", "/portal/notes", "/", "/more"):
        walk.to(path)
    for steps, path in (
        (-3, "/portal"),
        (-2, "/"),
        (3, "/portal/notes"),
        (2, "/more"),
        (-5, "/"),
        (2, "/portal"),
    ):
        walk.page.evaluate(f"void setTimeout(() => history.go({steps}))")
        walk.at(path)


@with_each(*LIBRARIES)
def test_a_form_and_a_redirect_lead_over_the_border_too(walk: Walk) -> None:
    walk.begin()
    walk.click("enter")
    walk.at("/portal")
    walk.click("leave")
    walk.at("/more")
    walk.page.locator('main a[href="/moved"]').click()
    walk.at("/portal")
    walk.page.evaluate("void setTimeout(() => history.back())")
    walk.at("/more")


@in_one_browser
@with_each(*LIBRARIES)
def test_error_pages_have_marks_like_others(walk: Walk) -> None:
    walk.begin()
    walk.to("/portal/none")
    walk.to("/missing")
    walk.to("/portal")
    walk.to("/missing")


@in_one_browser
@with_each("htmx2", "htmx4")
def test_a_part_of_a_page_of_another_mark_becomes_that_page(walk: Walk) -> None:
    walk.begin()
    home = walk.at("/")
    walk.click("part /more")
    expect(walk.page.locator("#part main")).to_have_attribute("data-page", "/more")
    assert walk.page.evaluate("window.born") == home
    walk.page.reload()
    walk.click("part /portal")
    portal = walk.at("/portal")
    walk.click("part /portal/notes")
    expect(walk.page.locator("#part main")).to_have_attribute("data-page", "/portal/notes")
    assert walk.page.evaluate("window.born") == portal
    walk.page.reload()
    walk.click("part /more")
    walk.at("/more")


@with_each(*LIBRARIES)
def test_our_own_pages_share_a_document_with_no_other(walk: Walk) -> None:
    walk.begin()
    home = walk.at("/")
    ours = walk.to(OURS)
    assert ours != home
    assert walk.to("/more") != ours
    for path in (OURS, "/"):
        walk.page.evaluate("void setTimeout(() => history.back())")
        walk.at(path)


@in_one_browser
@with_each(*LIBRARIES)
def test_a_part_that_the_layout_of_our_own_pages_asks_for_does_not_become_the_page(
    walk: Walk, request: pytest.FixtureRequest
) -> None:
    walk.begin(OURS)
    ours = walk.at(OURS)
    turbo = "turbo" in request.node.callspec.params.values()
    walk.click("frame /more" if turbo else "part /more")
    expect(walk.page.locator("#part [data-part]").first).to_have_attribute("data-part", "/more")
    assert walk.page.evaluate("window.born") == ours


@with_each("turbo")
def test_a_frame_of_another_mark_becomes_the_page(walk: Walk) -> None:
    walk.begin()
    home = walk.at("/")
    walk.click("frame /more")
    expect(walk.page.locator("#part i")).to_have_attribute("data-part", "/more")
    assert walk.page.evaluate("window.born") == home
    walk.click("frame /portal")
    walk.at("/portal")
    walk.click("frame /more")
    walk.at("/more")
    walk.click("frame /moved")
    walk.at("/portal")
    walk.page.evaluate("void setTimeout(() => history.back())")
    walk.at("/more")


@in_one_browser
@with_each("turbo")
@pytest.mark.parametrize(("path", "error"), [("/", "/portal/none"), ("/portal", "/missing")])
def test_a_frame_never_becomes_an_error_page_of_another_mark(walk: Walk, path: str, error: str) -> None:
    walk.begin(path)
    before = walk.at(path)
    walk.click(f"frame {error}")
    walk.page.wait_for_timeout(500)
    assert walk.at(path) == before


@in_one_browser
@with_each("htmx2")
def test_htmx_notes_no_address_of_a_marked_page(walk: Walk) -> None:
    walk.begin("/portal")
    note = "sessionStorage['htmx-current-path-for-history']"
    assert not walk.page.evaluate(note)
    walk.to("/portal/notes")
    assert not walk.page.evaluate(note)
    walk.page.evaluate("location.assign('/missing?without')")
    expect(walk.page.locator("main")).to_have_attribute("data-page", "/missing")
    assert "portal" not in (walk.page.evaluate(note) or "")


@with_each("htmx2", "htmx4")
def test_a_page_that_comes_back_is_not_taken_for_the_one_that_was_left(walk: Walk) -> None:
    walk.begin()
    walk.to("/more")
    walk.to("/portal")
    for path in ("/more", "/"):
        walk.page.evaluate("void setTimeout(() => history.back())")
        walk.at(path)
    walk.to("/portal")
    walk.to("/portal/notes")
    walk.page.evaluate("void setTimeout(() => history.back())")
    walk.at("/portal")


@with_each(*LIBRARIES)
def test_an_answer_leaves_the_way_back_as_the_library_made_it(walk: Walk) -> None:
    walk.allow()
    expect(walk.page.locator("#pc-status")).to_be_focused()
    walk.to("/more")
    walk.page.evaluate("void setTimeout(() => history.back())")
    walk.at("/")


@pytest.mark.parametrize(
    "name", [name if name == "htmx2" else pytest.param(name, marks=pytest.mark.full) for name in LIBRARIES]
)
def test_without_the_registry_the_tests_fail_and_say_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "empty"))
    package, version, _ = LIBRARIES[name]
    with pytest.raises(Unfetched, match="can't be fetched from the npm registry"):
        fetch(tmp_path / "home", f"{package}@{version}")
    assert not (tmp_path / "home").exists()
