"""The component's own words: whole, equal and plain in every language, and which one a visitor is shown."""

import re
from gettext import c2py
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

from consent.policy import Duration
from consent.web.assets import ROOT
from consent.web.language import TRANSLATIONS, accepted, catalogue, negotiate, shipped
from consent.web.site import Site

PLACE = re.compile(r"%\((\w+)\)s")
#: Ids of texts that templates put into buttons.
BUTTON = re.compile(r"<button[^>]*>(.*?)</button>", re.DOTALL)
BUTTONS = sorted(
    {
        name
        for template in (ROOT / "templates").rglob("*.html")
        for inside in BUTTON.findall(template.read_text())
        for name in re.findall(r"_\('([\w.]+)'", inside)
    }
)
#: What each language pleads or praises with, as parts of words.
PLEADING = {
    file.stem: file.read_text().split("\n") for file in (Path(__file__).parent / "pleading").glob("*.txt")
}
PAGE = (Path(__file__).parents[2] / "docs" / "languages.md").read_text()
ROW = re.compile(r"^\| `([\w-]+)` \| (.+?) \| (.+?) \| (left|right) \| (.+?) \|$", re.MULTILINE)


def read(tag: str) -> Catalog:
    """The catalogue of *tag* as its file has it."""
    locale = tag.replace("-", "_")
    with (TRANSLATIONS / locale / "LC_MESSAGES" / "consent.po").open("rb") as file:
        return read_po(file, locale=locale)


def name_of(message: Message) -> str:
    """The id of a text."""
    return message.id if isinstance(message.id, str) else message.id[0]


def forms_of(message: Message) -> list[str]:
    """A text in all its forms: one, or one for each plural."""
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def texts(tag: str) -> dict[str, list[str]]:
    """All texts of the language *tag* by their ids."""
    return {name_of(message): forms_of(message) for message in read(tag) if message.id}


@pytest.fixture(params=sorted(shipped()))
def tag(request: pytest.FixtureRequest) -> str:
    """Each language."""
    found: str = request.param
    return found


def test_every_language_has_the_ids_of_english_in_its_order(tag: str) -> None:
    english = [(name_of(m), m.python_format) for m in read("en") if m.id]
    assert [(name_of(m), m.python_format) for m in read(tag) if m.id] == english


def test_every_text_names_the_values_that_english_names(tag: str) -> None:
    english = texts("en")
    for name, forms in texts(tag).items():
        assert all(form.strip() == form or name == "list.comma" for form in forms), name
        assert all(forms), name
        named = set(PLACE.findall(" ".join(english[name])))
        for form in forms:
            # One and two can be words.
            assert set(PLACE.findall(form)) | {"n"} == named | {"n"}, (name, form)


def test_every_plural_has_the_forms_that_the_language_has(tag: str) -> None:
    found, usual = read(tag), get_plural(tag.replace("-", "_"))
    assert found.num_plurals == usual.num_plurals
    for message in found:
        if message.pluralizable:
            assert len(forms_of(message)) == usual.num_plurals, name_of(message)
    # Whatever their order, the same numbers go together.
    own, theirs = c2py(found.plural_expr), c2py(usual.plural_expr)
    assert len({(own(n), theirs(n)) for n in range(1000)}) == usual.num_plurals


def test_no_text_holds_markup_or_typewriter_quotes(tag: str) -> None:
    for name, forms in texts(tag).items():
        for form in forms:
            assert not re.search(r"[<>\"]|&\w+;|``|''", form), (name, form)


def test_an_option_of_a_command_stands_the_way_it_is_typed(tag: str) -> None:
    mark = "\u200e" if catalogue(tag).direction == "rtl" else ""
    assert f"{mark}--key{mark}" in texts(tag)["receipt.key"][0]


def test_labels_of_buttons_are_little_longer_than_in_english(tag: str) -> None:
    english, own = texts("en"), texts(tag)
    assert "action.reject_all" in BUTTONS
    for name in BUTTONS:
        if name in english:
            assert len(own[name][0]) <= 1.6 * len(english[name][0]), (name, own[name][0])


@pytest.mark.requirement("INF-08")
def test_acceptance_and_refusal_are_said_alike_and_nothing_pleads(tag: str) -> None:
    own = texts(tag)
    accept, reject = own["action.accept_all"][0], own["action.reject_all"][0]
    assert len(accept.split()) == len(reject.split())
    assert 1 / 1.6 <= len(accept) / len(reject) <= 1.6
    pleading = [part for part in PLEADING[tag] if part]
    assert len(pleading) >= 6
    for name in [*BUTTONS, "banner.title", "banner.always", "banner.others", "banner.change"]:
        for form in own.get(name, []):
            assert not [part for part in pleading if part in form.lower()], (name, form)


def test_spans_of_time_are_words(tag: str) -> None:
    for unit in ("minute", "hour", "day", "week", "month", "year"):
        for count in (1, 2, 3, 5, 11, 13, 100, 365):
            words = str(catalogue(tag).duration(Duration(count, unit)))
            assert words
            assert "span" not in words
            assert count < 3 or str(count) in words


def test_spans_of_time_are_written_as_people_write_them() -> None:
    assert catalogue("en").duration(Duration(13, "month")) == "13 months"
    assert catalogue("ar").duration(Duration(2, "month")) == "شهران"


def test_no_page_mixes_two_languages(tag: str, everywhere: Site) -> None:
    own = texts(tag)
    english = [
        form
        for name, forms in texts("en").items()
        for form in forms
        if len(form.split()) > 2 and "%" not in form and form not in own[name]
    ]
    client = everywhere.app.test_client()
    for path in ("", "/mine", "/declaration"):
        html = client.get(f"/privacy-choices{path}", headers={"Accept-Language": tag}).text
        assert f'lang="{tag}"' in html
        assert f'dir="{catalogue(tag).direction}"' in html or catalogue(tag).direction == "ltr"
        assert not [form for form in english if form in html] or tag == "en"


def test_after_an_ideographic_full_stop_stands_no_space(tag: str, everywhere: Site) -> None:
    client = everywhere.app.test_client()
    for path in ("", "/mine", "/declaration"):
        html = client.get(f"/privacy-choices{path}", headers={"Accept-Language": tag}).text
        assert "。 " not in html
        assert ("。" in html) == (tag in ("ja", "zh-Hans"))


def test_sentences_stand_one_after_the_other() -> None:
    ja, en = catalogue("ja"), catalogue("en")
    assert ja.sentences("一。", "二") == "一。二"
    assert en.sentences("One.", "<b>", "Two.") == "One. &lt;b&gt; Two."
    assert en.sentences("", "Two.", None) == "Two."


def test_the_page_of_languages_names_each_with_its_own_name_direction_and_state() -> None:
    rows = {found[0]: found[1:] for found in ROW.findall(PAGE)}
    assert rows.keys() == shipped()
    for tag, (english, own, side, _) in rows.items():
        locale = Locale.parse(tag, sep="-")
        assert english == locale.get_display_name("en")
        assert own == locale.get_display_name()
        assert side == ("right" if locale.text_direction == "rtl" else "left")


def test_languages_fall_back_to_their_parents_and_then_to_the_first() -> None:
    assert negotiate("de-AT", ["en", "de"]) == "de"
    assert negotiate("DE", ["en", "de"]) == "de"
    assert negotiate("fr", ["en", "de"]) is None
    assert accepted("fr, ar-EG;q=0.5, de;q=0", ("en", "de", "ar")) == "ar"
    assert accepted("", ("de", "en")) == "de"


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("no", "nb"),
        ("nn-NO", "nb"),
        ("nb-NO", "nb"),
        ("iw", "he"),
        ("zh", "zh-Hans"),
        ("zh-CN", "zh-Hans"),
        ("zh-Hans-SG", "zh-Hans"),
        ("zh-TW", None),
        ("zh-Hant-HK", None),
    ],
)
def test_a_language_is_found_under_the_other_names_that_browsers_have_for_it(
    wanted: str, shown: str | None
) -> None:
    assert negotiate(wanted, ["en", "nb", "he", "zh-Hans"]) == shown
