"""A site's own templates may say what they like around the choice, and change nothing of it (UI-11)."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import FileSystemLoader
from jinja2.meta import find_undeclared_variables

from consent import ConfigurationError
from consent.web.assets import ROOT
from consent.web.language import catalogue
from consent.web.notice import BESIDE, ENVIRONMENT, addresses, environment, surroundings
from consent.web.site import Site

from .clinic import MakeSite, Visitor, ticked

OURS = ROOT / "templates" / "consent"
SOURCE = {path.name: path.read_text() for path in OURS.glob("*.html")}
#: The site's layout is its own; our rows of buttons are nobody's but ours.
UNCHECKED = {"page.html", "_banner_buttons.html", "_centre_buttons.html"}
OK = '<button form="pc-banner-form" name="choice" value="all">OK, go on</button>'
OWN_FORM = (
    '<form method="post" action="{{ urls.centre }}"><button name="choice" value="all">OK</button></form>'
)
YES = '<input type="hidden" form="pc-form" name="category.performance" value="yes">'
CLOSE = 'type="button" command="close" commandfor="pc-dialog" popovertarget="pc-dialog" popovertargetaction="hide"'
CENTRE = '{{ centre }}\n  <input type="hidden" name="from" value="dialog"'
RADIO = '<input type="radio" name="category.{{ category.key }}"'
NO, YES_LABEL = (
    f"<label>{RADIO} value=\"{value}\"> {{{{ _('answer.{value}') }}}}</label>" for value in ("no", "yes")
)
KEY = "{{ category.key }}"
BOTH = f"{NO}\n{YES_LABEL}"
ACTION = 'method="post" action="{{ urls.centre }}"'
INCLUDE = '{% if centre %}{% include "consent/dialog.html" %}{% endif %}'


def override(folder: Path, template: str, html: str) -> None:
    """Give the site in *folder* its own template."""
    place = folder / "templates" / "consent"
    place.mkdir(parents=True, exist_ok=True)
    (place / template).write_text(html)


def changed(template: str, old: str, new: str) -> str:
    """Our own *template* with *new* in place of *old*."""
    assert old in SOURCE[template]
    return SOURCE[template].replace(old, new, 1)


@pytest.mark.requirement("UI-11")
@pytest.mark.requirement("CON-03")
@pytest.mark.parametrize(
    ("template", "old", "new", "says"),
    [
        # something else answers
        ("dialog.html", CLOSE, 'type=submit form="pc-form" name="choice" value="all"', "ties '<button"),
        ("dialog.html", CENTRE, f"{YES}{CENTRE}", "category.performance"),
        ("dialog.html", CENTRE, f"{OWN_FORM}{CENTRE}", 'holds <button name="choice" value="all">'),
        ("dialog.html", CENTRE, f'<input name="x" form="pc-form">{CENTRE}', "to another form"),
        ("dialog.html", CENTRE, f'<button name="service.videos" value="yes">{CENTRE}', "service.videos"),
        ("ask.html", "{{ banner }}", f"{{{{ banner }}}}{OK}", "to another form"),
        ("ask.html", "{{ banner }}", f"{{{{ banner }}}}{OWN_FORM}", "holds <button"),
        ("ask.html", "{{ banner }}", "{{ banner }}<input type=hidden name=notice value=x>", "holds <input"),
        ("ask.html", "{{ banner }}", "{{ banner }}<input dirname=choice>", "holds <input"),
        ("ask.html", "{% if next %}", f"{{% if next %}}{OK}", "ask.html ties"),
        ("choices.html", "{{ centre }}", f"{{{{ centre }}}}{OK}", "choices.html ties"),
        ("choices.html", "{% if problem %}", f"{{% if problem %}}{OK}", "choices.html ties"),
        ("again.html", "<p>", f"{OK}<p>", "again.html ties"),
        ("again.html", "{% else %}", f"{{% else %}}{OK}", "again.html ties"),
        ("status.html", "<p", f"{OWN_FORM}<p", "status.html holds"),
        ("mine.html", 'value="none"', 'value="all"', "mine.html holds"),
        ("mine.html", '<h2>{{ _(\'mine.history\') }}</h2>', OWN_FORM, "mine.html holds"),
        ("mine.html", ACTION, 'method="get" action="{{ urls.centre }}"', 'method="get"'),
        ("mine.html", 'name="choice" value="none"', 'name="choice" value="none" hidden', "hidden= hides"),
        # the choice isn't to be seen
        ("ask.html", "{{ banner }}", "<div hidden>{{ banner }}</div>", "banner .* hidden= hides"),
        ("ask.html", "{{ banner }}", '<div class="x pc-status">{{ banner }}</div>', "pc-status.* hides"),
        ("ask.html", "{{ banner }}", '<div class="pc-decided">{{ banner }}</div>', "pc-decided.* hides"),
        ("banner.html", "{{ buttons }}", '<div class="pc-shape">{{ buttons }}</div>', "pc-shape.* hides"),
        ("ask.html", "{{ banner }}", '<dialog id="pc-dialog">{{ banner }}</dialog>', "<dialog> may hide"),
        ("ask.html", "{{ banner }}", "<details>{{ banner }}</details>", "<details> may hide"),
        ("ask.html", "{{ banner }}", "<!-- {{ banner }} -->", "in a comment"),
        ("ask.html", INCLUDE, f"<div hidden>{INCLUDE}</div>", "centre .* hidden= hides"),
        ("ask.html", "{{ again }}", "{{ again }}<span><li hidden></span>", "closes <span> while <li>"),
        ("ask.html", "{{ again }}", "<body hidden>{{ again }}</body>", "'<body hidden>'"),
        ("ask.html", "{{ again }}", "<svg><div hidden/></svg>{{ again }}", "closes <svg> while <div>"),
        ("ask.html", "{{ again }}", "<!--><div hidden>-->{{ again }}", "plain comments"),
        ("ask.html", "{{ again }}", "<![CDATA[><div hidden>]]>{{ again }}", "plain comments"),
        ("ask.html", "{{ again }}", '<div hidden></b title="></div>">{{ again }}', "holds '</b title"),
        ("ask.html", "{{ again }}", "<template shadowrootmode=open></template>{{ again }}", "<template> may"),
        ("again.html", "</section>", "</section><div hidden>", "ends while <div> is open"),
        ("again.html", "</section>", "</section></div><div>", "closes <div>, which isn't open"),
        ("banner.html", "</section>", "</section><div hidden>", "ends while <div> is open"),
        ("dialog.html", 'id="pc-dialog" popover', 'id="other" popover', "<dialog> may hide|popover= hides"),
        ("dialog.html", 'id="pc-dialog" popover', 'id="pc-dialog" inert', "inert= hides"),
        ("dialog.html", 'id="pc-dialog" popover', 'id="pc-dialog" open', "Take open= out"),
        ("dialog.html", "{{ centre }}", "<div hidden>{{ centre }}</div>", "hidden= hides"),
        ("choices.html", "{{ centre }}", "<div hidden>{{ centre }}</div>", "hidden= hides"),
        ("choices.html", "{{ centre }}", '<dialog id="pc-dialog">{{ centre }}</dialog>', "<dialog> may"),
        ("choices.html", "{{ centre }}", "{{ centre|replace('value=\"no\"', 'value=\"yes\"') }}", "0 times"),
        ("banner.html", "{{ buttons }}", '<p class="pc-status">{{ buttons }}</p>', "pc-status.* hides"),
        # the answer goes elsewhere, or nowhere
        ("banner.html", ACTION, 'method="get" action="{{ urls.centre }}"', 'with <form .*method="get"'),
        ("banner.html", ACTION, 'method="post" action="/elsewhere"', "/elsewhere"),
        ("banner.html", ACTION, 'method="post"', "expected .* action=./privacy-choices"),
        ("banner.html", ACTION, f'{ACTION} enctype="text/plain"', "text/plain"),
        ("banner.html", "{{ buttons }}", "</form>{{ buttons }}<form>", "outside of the form"),
        ("banner.html", "{{ notice_field }}", "</form>{{ notice_field }}<form>", "outside of the form|sends"),
        ("banner.html", "{{ buttons }}", '{{ buttons }}<button formaction="/x">x</button>', "formaction"),
        ("banner.html", "{{ notice_field }}", "<form>{{ notice_field }}</form>", "<form> in a form"),
        ("centre.html", ACTION, 'method="dialog" action="{{ urls.centre }}"', "method="),
        ("centre.html", ACTION, 'method="post" action="//evil.example"', "evil.example"),
        ("centre.html", "{{ save_row }}", "</form><form>{{ save_row }}", "outside of the form"),
        ("ask.html", "{{ banner }}", '<form action="/elsewhere">{{ banner }}</form>', "into a form"),
        # a label answers something else than it says, or nothing
        ("centre.html", BOTH, f'<label for="y">{RADIO} value="no"> No</label>{RADIO} value="yes" id="y">', "another"),
        ("centre.html", NO, f'<label for="n">{RADIO} value="no"> No</label>', 'for="n".*no control'),
        ("centre.html", NO, f'<i id="n"></i>{RADIO} value="no" id="n"><label for="n">No</label>', 'for="n".*no'),
        ("centre.html", NO, f'{RADIO} value="no" id="n"><label for="m">No</label>', 'for="m".*no control'),
        ("centre.html", NO, f'{RADIO} value="no" id="n"><label for="">No</label>', 'for="".*no control'),
        ("centre.html", NO, f'{RADIO} value="no"> No', 'shows <input type="radio".*"no"> without a label'),
        ("centre.html", NO, f'<label>No</label>{RADIO} value="no">', 'shows <input .*"no"> without a label'),
        ("centre.html", BOTH, f'<label>{RADIO} value="yes">{RADIO} value="no"> No</label>', "around 2"),
        ("centre.html", NO, f"<label>{NO}</label>{YES_LABEL}", "around 2|twice|2 times"),
        ("banner.html", "{{ buttons }}", "<label>Go on {{ buttons }}</label>", "buttons .* into a label"),
        ("ask.html", "{{ banner }}", "<label>{{ banner }}</label>", "banner .* into a label"),
        ("dialog.html", "{{ centre }}", '<label for="elsewhere">OK</label>{{ centre }}', 'for="elsewhere".*no control'),
        # browsers send no refusal before something is filled in
        ("centre.html", f'{RADIO} value="no">', f'{RADIO} value="no" required>', "Take required= out"),
        ("centre.html", "{{ save_row }}", '<input name="age" REQUIRED>{{ save_row }}', "Take required= out"),
        ("banner.html", "{{ buttons }}", '<input name="age" pattern="[0-9]+" value="x">{{ buttons }}', "Take pattern="),
        ("mine.html", "<button", '<input name="why" minlength="9"><button', "Take minlength= out"),
        # the keyboard finds things in another order, or not at all
        ("centre.html", f'{RADIO} value="yes">', f'{RADIO} value="yes" tabindex="1">', "in the order"),
        ("centre.html", f'{RADIO} value="no">', f'{RADIO} value="no" tabindex=" -1x">', "by keyboard too"),
        ("banner.html", "<a ", '<a tabindex="-1" ', "by keyboard too"),
        ("banner.html", "<h2 ", '<h2 TABINDEX="+2" ', "in the order in which it stands"),
        ("dialog.html", CLOSE, f"{CLOSE} tabindex=5", "in the order in which it stands"),
        # it runs or restyles something
        ("banner.html", "{{ buttons }}", "<style>[value=none] { display: none }</style>{{ buttons }}", "<style>"),
        ("banner.html", "<p>", '<p style="margin-block-end: -5em">', "style= hides"),
        ("banner.html", "<section ", '<section onclick="go()" ', "onclick"),
        ("banner.html", "{{ buttons }}", '<script src="/x.js"></script>{{ buttons }}', "<script"),
        ("banner.html", "<h2 ", '<a href=" java\nscript:go()">x</a><h2 ', "nothing that runs"),
        ("centre.html", "{{ save_row }}", '<link rel="stylesheet" href="/x.css">{{ save_row }}', "<link"),
        ("ask.html", "{{ banner }}", "{{ banner }}<style>.pc-row > :first-child { order: 9 }</style>", "<style>"),
        ("dialog.html", "<dialog ", '<dialog ontoggle="go()" ', "ontoggle"),
        ("dialog.html", "<dialog ", '<base href="//evil.example/"><dialog ', "<base"),
        ("choices.html", "<h1>", '<meta http-equiv="refresh" content="0;url=/"><h1>', "<meta"),
        ("status.html", "<p", '<iframe srcdoc="&lt;script>go()&lt;/script>"></iframe><p', "<iframe"),
        ("shown.html", "<iframe sandbox", "<iframe", "<iframe"),
        ("placeholder.html", "<p>", "<script>go()</script><p>", "<script"),
    ],
)  # fmt: skip
def test_no_template_weakens_the_choice(
    make_app: MakeSite, tmp_path: Path, template: str, old: str, new: str, says: str
) -> None:
    override(tmp_path, template, changed(template, old, new))
    with pytest.raises(ConfigurationError, match=f"(?s)^templates/consent/.*{says}"):
        make_app()


@pytest.mark.requirement("UI-11")
@pytest.mark.parametrize("template", sorted(SOURCE.keys() - UNCHECKED))
def test_no_template_at_all_adds_a_button_that_answers(
    make_app: MakeSite, tmp_path: Path, template: str
) -> None:
    override(tmp_path, template, SOURCE[template] + OK)
    with pytest.raises(ConfigurationError, match=r"ties .* to another form"):
        make_app()


def test_a_part_that_a_template_includes_is_read_too(make_app: MakeSite, tmp_path: Path) -> None:
    override(tmp_path, "again.html", SOURCE["again.html"] + '{% include "more.html" %}')
    (tmp_path / "templates" / "more.html").write_text(OK)
    with pytest.raises(ConfigurationError, match=r"again.html ties"):
        make_app()


@pytest.mark.requirement("UI-11")
def test_our_own_templates_pass_what_is_asked_of_a_sites_in_every_language(everywhere: Site) -> None:
    """They aren't checked at each start, as a site's are."""
    ours = environment(FileSystemLoader(ROOT / "templates"))
    assert ours is not ENVIRONMENT
    checked = replace(everywhere.notices, environment=ours, known={}, by_hash={})
    for tag in everywhere.languages:
        assert checked.get(tag, "default") == everywhere.notices.get(tag, "default")
    assert checked.get("en", "us_ca").banner


@pytest.mark.parametrize(
    ("template", "html"),
    [
        (
            "ask.html",
            '<aside class="card" lang="{{ lang }}"><img src="/logo.svg" alt=""><h2>Your choice</h2>{{ status }}'
            "{% if banner %}<div>{{ again }}</div><!-- ours --><div class=wide>{{ banner }}</div>{% endif %}"
            '<p>Questions? <a href="/contact">Write to us<br></a></p></aside>'
            '{% if centre %}{% include "consent/dialog.html" %}{% endif %}',
        ),
        ("ask.html", "{{ status }}{{ again }}{{ banner }}{{ centre }}"),
        (
            "ask.html",
            '{{ banner }}<dialog id="pc-dialog"><h2>Details</h2>{{ centre }}</dialog>'
            '<form action="/search"><input type="search" name="q"><button>Search</button></form>',
        ),
        (
            "dialog.html",
            '<dialog popover id="pc-dialog" class="own"><header><h2 autofocus tabindex="-1">Settings</h2>'
            '<button type="button" command="close" commandfor="pc-dialog">×</button></header>'
            '<div class="body"><main>{{ centre }}</main></div>'
            '<input type="hidden" name="from" value="dialog" form="pc-form"></dialog>',
        ),
        ("choices.html", '<main><h1>Privacy</h1><ul><li>a<li>b</ul><p>Hello<div class="x">{{ centre }}</div></main>'),
        ("choices.html", changed("choices.html", "<h1>", '<svg><title>x</title><path d="M0 0"/></svg><h1>')),
        ("banner.html", changed("banner.html", "<h2 ", '<img src="/logo.svg" alt="Clinic"><h2 class="big" ')),
        ("banner.html", changed("banner.html", 'method="post"', 'METHOD=POST class="own" target="_top"')),
        ("centre.html", changed("centre.html", "{{ save_row }}", '<div class="end"><hr>{{ save_row }}</div>')),
        ("centre.html", changed("centre.html", "<h2 ", '<p>Our own words. <a href="/help">Help</a></p><h2 ')),
        ("centre.html", changed("centre.html", NO, f'{RADIO} value="no" id="{KEY}"><label for="{KEY}">No</label>')),
        ("centre.html", changed("centre.html", NO, f'<label for="{KEY}">{RADIO} value="no" id="{KEY}"> No</label>')),
        ("centre.html", changed("centre.html", NO, f'{RADIO} value="no" aria-label="No" tabindex="0">')),
        ("centre.html", changed("centre.html", "<h2 ", '<h2 tabindex="-1" ')),
        ("centre.html", changed("centre.html", "{{ save_row }}", '<p tabindex="x">{{ save_row }}</p>')),
        ("mine.html", SOURCE["mine.html"] + '<form><input name="q" required minlength="2"></form>'),
        ("again.html", "<p>{{ change or 'Something changed.' }}</p>"),
        ("status.html", '<div class="pc-status" id="pc-status" role="status" tabindex="-1"><p>{{ message }}</p></div>'),
        ("_problem.html", "<p>{{ _(problem.id ~ '.why') }}</p>"),
        ("placeholder.html", '<figure><a href="{{ choose }}">{{ title }}</a></figure>{{ ways }}'),
        ("mine.html", changed("mine.html", "<h1>", '<p class="own">Hello.</p><h1>')),
        ("required.html", "{% for one in needed %}<h2>{{ one.title }}</h2>{% endfor %}<a href='{{ href }}'>Choose</a>"),
    ],
)  # fmt: skip
def test_templates_with_words_and_looks_of_the_sites_own_start(
    make_app: MakeSite, tmp_path: Path, template: str, html: str
) -> None:
    assert html != SOURCE[template]
    override(tmp_path, template, html)
    client = make_app().test_client()
    assert client.get("/").status_code == 200
    assert client.get("/privacy-choices").status_code == 200


@pytest.mark.requirement("UI-09")
@pytest.mark.parametrize("end", ["", " /"])
def test_stored_answers_show_however_a_template_writes_its_controls(
    make_app: MakeSite, tmp_path: Path, end: str
) -> None:
    radio = rf"<INPUT value=\2 data-a='>' name='category.{KEY}' type='Radio'{end}>"
    html = re.sub(rf'({re.escape(RADIO)}) value="(no|yes|some)">', radio, SOURCE["centre.html"])
    box = 'type="checkbox" name="service.{{ service.key }}" value="yes"'
    html = html.replace(box, "value=yes name='service.{{ service.key }}' type=checkbox")
    assert "<INPUT value=yes data-a" in html
    assert "<input value=yes name='service." in html
    override(tmp_path, "centre.html", html)
    visitor = Visitor(make_app().test_client())
    assert ticked(visitor.client.get("/privacy-choices").text) == set()
    visitor.answer("some", category__performance="some", service__statistics="yes", category__media="yes")
    assert ticked(visitor.client.get("/privacy-choices").text) == {
        "category.functionality=no",
        "category.performance=some",
        "service.statistics=yes",
        "category.media=yes",
    }


@pytest.mark.requirement("REC-02")
@pytest.mark.parametrize("form", ["<FORM LANG={{ lang }} ", "<form data-x=1\n lang='{{ lang }}' "])
def test_the_language_of_an_earlier_notice_is_known_however_a_template_says_it(
    make_app: MakeSite, tmp_path: Path, form: str
) -> None:
    html = SOURCE["centre.html"].replace(' lang="{{ lang }}"', "").replace("<form ", form)
    override(tmp_path, "centre.html", html)
    visitor = Visitor(make_app().test_client())
    visitor.answer("none")
    site: Site = visitor.client.application.extensions["consent"]
    notice = visitor.notice()
    site.notices.by_hash.clear()  # as after a change of the policy, when only the ledger has it
    assert site.shown(notice) == (site.policy, "en")


def test_our_templates_are_checked_with_all_that_they_use() -> None:
    words = surroundings(
        catalogue("en"), controller="", urls=addresses("/", None), placement="top", choices_link=""
    )
    for name, given in BESIDE:
        used = find_undeclared_variables(ENVIRONMENT.parse(SOURCE[name]))
        assert used <= {*words, *given, "status", "declaration"}, name
