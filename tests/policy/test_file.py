"""Reading policy files: everything at once, in the order of the file, and nothing but PolicyError."""

import time
from datetime import date
from pathlib import Path

import pytest

from consent.errors import ConsentError, Fault, PolicyError
from consent.policy import Carrier, Cookie, Duration, Provider, Stored, load, parse

from .example import FULL, GERMAN, SMALL, faults, spoilt

BROKEN = Path(__file__).parent / "broken.toml"


def test_every_fault_of_every_file_is_reported_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        load(BROKEN)
    assert str(caught.value).splitlines() == (BROKEN.parent / "broken.txt").read_text().splitlines()


def test_a_fault_is_place_problem_and_fix() -> None:
    error = PolicyError([Fault("a", "b", "C."), Fault("d", "e", "F.")])
    assert str(error) == "a: b. C.\nd: e. F."
    assert isinstance(error, ConsentError)


def test_everything_in_the_file_is_in_the_model() -> None:
    policy = parse(FULL, {"de": GERMAN})
    assert (policy.revision, policy.effective, policy.language) == (3, date(2026, 11, 1), "en")
    assert policy.change == "We added an appointment video."
    assert policy.controller.address == "1 High Street"
    assert policy.providers[0] == Provider(
        key="google", name="Google LLC", policy="https://policies.google.com/privacy", country="US"
    )
    assert policy.carriers == (
        Carrier(key="gtm", provider="google", origins=(("script", ("https://www.googletagmanager.com",)),)),
    )
    statistics = policy.service("statistics")
    assert statistics.cookies == (
        Cookie(name="_ga", lifetime=Duration(13, "month")),
        Cookie(name="_ga_*", lifetime=None),
    )
    assert statistics.storage == (Stored(name="visit.*", kind="local"), Stored(name="seen", kind="indexeddb"))
    assert [directive for directive, _ in statistics.origins] == ["connect", "img"]
    assert policy.service("remember").cookies == (
        Cookie(name="remember_token", lifetime=Duration(30, "day"), path="/portal", domain="clinic.example"),
    )
    assert policy.service("payment").retention == Duration(7, "year")
    assert policy.wordings["de"]["services.payment.text"] == "Nimmt Zahlungen an."


@pytest.mark.requirement("CON-15")
def test_what_is_not_said_is_the_safe_answer() -> None:
    service = parse(SMALL).service("remember")
    assert service.provider == "self"
    assert (service.sells_or_shares, service.special_category, service.third_party_access) == (False,) * 3
    assert (service.agreement, service.via, service.pages, service.origins) == (None, None, (), ())


def test_texts_are_trimmed_and_in_one_unicode_form() -> None:
    text = spoilt('"Clinic"', '"  Cafe\\u0301 "')
    text = spoilt('"Remembers your', '"""\\\r\nRemembers\n\tyour', text)
    policy = parse(spoilt('on this device."', 'on this device.\n"""', text))
    assert policy.controller.name == "Café"
    assert policy.service("remember").text == "Remembers\n\tyour sign-in name on this device."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("revision = ", "this is not TOML: Invalid value (at"),
        (SMALL + "[services.remember]\n", "this is not TOML: Cannot declare ('services', 'remember') twice"),
        ("x = " + "[" * 10_000, "lists or tables are nested too deeply."),
        ("x = " + "9" * 5_000, "a number or date in it cannot be read."),
        ("x = '\ud800'", "the text cannot be written as UTF-8."),
        ("x = '\x00'", "this is not TOML: Found invalid character"),
        ("", "revision: this is missing."),
    ],
)
def test_what_is_not_toml_is_one_of_the_faults(text: str, expected: str) -> None:
    found = faults(text, {"de": "revision = 1"})
    assert found[0].startswith(expected)
    assert found[-1].startswith("consent.de.toml: revision: "), "the other files are read all the same"


def test_no_message_moves_the_cursor_or_grows_without_bound() -> None:
    lines = ['"\\u001b[2J{}" = 1', 'legal = "\\u202e{}"', 'via = "\\u009b{}"']
    text = SMALL + "\n".join(line.format("x" * 5_000) for line in lines)
    found = faults(text)
    assert len(found) == 3
    assert all(fault.isprintable() and len(fault) < 900 for fault in found)


def test_a_policy_and_its_translations_are_files_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "consent.toml").write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
    (tmp_path / "consent.de.toml").write_text(GERMAN)
    (tmp_path / "other.fr.toml").write_text("is not ours")
    policy = load(tmp_path / "consent.toml")
    assert policy == parse(FULL, {"de": GERMAN})
    assert load(str(tmp_path / "consent.toml")) == policy


def test_the_file_may_have_another_name(tmp_path: Path) -> None:
    (tmp_path / "privacy.policy.toml").write_text(SMALL)
    (tmp_path / "privacy.policy.de.toml").write_text("x = 1")
    (tmp_path / "plain").write_text(SMALL)
    assert load(tmp_path / "plain") == parse(SMALL)
    with pytest.raises(PolicyError, match=r"^privacy\.policy\.de\.toml: x: "):
        load(tmp_path / "privacy.policy.toml")


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    (tmp_path / "consent.toml").write_text(SMALL.replace("revision", "revison"))
    (tmp_path / "consent.de.toml").mkdir()
    for name, message in [
        ("none.toml", r"there is no such file. Run \"flask consent init\""),
        ("latin.toml", "the file is not UTF-8"),
        (".", "the file cannot be read"),
        ("nul\0.toml", "the file is not UTF-8|cannot be read"),
    ]:
        with pytest.raises(PolicyError, match=message):
            load(tmp_path / name)
    with pytest.raises(PolicyError) as caught:
        load(tmp_path / "consent.toml")
    assert [fault.problem.split(" (")[0] for fault in caught.value.faults] == [
        "the file cannot be read",
        '"revison" is not a key of this table',
        "this is missing",
    ]


def test_a_policy_of_five_hundred_items_is_read_well_within_a_second() -> None:
    table = """
[services.s{0}]
category = "functionality"
purposes = ["forms"]
text = "Number {0}."
cookies = {{ a{0} = "1 day", b{0} = "2 days", "c{0}_*" = "session" }}
storage = {{ d{0} = "local" }}
script = ["https://s{0}.example"]
"""
    text = SMALL + "".join(table.format(number) for number in range(99))
    started = time.process_time()
    policy = parse(text)
    assert len(policy.terms) == 100
    assert policy.digest
    assert time.process_time() - started < 1
