"""The cookie's text is read back as the decision it was, or not at all."""

import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import Signer

from consent.decision import (
    LONGEST,
    MOST_SERVICES,
    PROFILES,
    SOURCES,
    Answer,
    CookieCodec,
    Decision,
    Pending,
    decide,
    earlier,
)
from consent.policy import Policy

from .samples import DAY, LIFETIMES, MIDNIGHT, NEW, NOW, SUBJECT, decision, numbered
from .strategies import decisions

ORIGIN = "https://clinic.example"
KEY = "a secret key of the site's own, long enough"
CODEC = CookieCodec([KEY], ORIGIN)
AT_THE_END = 10**11
A, B, C = "AAAAaaaaa", "BBBBbbbbb", "CCCCccccc"

EVENT = Pending(
    id=UUID("11111111-2222-4333-8444-555555555555"),
    salt=bytes(range(32)),
    time_ms=NOW * 1000 + 987,
    subject=SUBJECT,
    kind="withdrawn",
    policy="ab" * 32,
    notice="cd" * 32,
    language="zh-Hant-TW",
    signal=True,
    before=(2, 0),
)
SAMPLES = {
    "a mixture": decision({A, C}, {B}, confirmed=frozenset({C}), opted_out_on=MIDNIGHT, source="dialog"),
    "a refusal": decision(None, {A, B}),
    "nothing": decision(),
    "an event": decision(None, {A, B}, pending=EVENT),
}


def signed(body: str, key: str = KEY, origin: str = ORIGIN) -> str:
    """*body* as itsdangerous signs it, whether it makes sense or not."""
    signer = Signer(
        key, salt=f"consent.choices.1|{origin}", key_derivation="hmac", digest_method=hashlib.sha256
    )
    return signer.sign(body).decode()


# -- what it says is read back


@pytest.mark.requirement("CON-04")
@given(decisions())
def test_every_decision_survives_encoding(given: Decision) -> None:
    text = CODEC.encode(given)
    assert CODEC.decode(text, now=AT_THE_END) == given
    assert CookieCodec([KEY], ORIGIN).decode(text, now=AT_THE_END) == given


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_survives_encoding(source: str) -> None:
    given = decision(None, {A}, source=source)
    assert CODEC.decode(CODEC.encode(given), now=NOW) == given


def test_the_text_is_fixed_to_the_byte() -> None:
    """Such texts are in visitors' browsers: a release that reads them otherwise needs another number."""
    body = "1.1728043210.eu.d.20000.AAAAaaaaa.CCCCccccc.BBBBbbbbb.b5YZ_4uGQBG0LQDAT8lk_w"
    assert CODEC.encode(SAMPLES["a mixture"]) == signed(body)
    assert CODEC.encode(SAMPLES["a refusal"]) == signed("1.1728000000.eu.b....AAAAaaaaaBBBBbbbbb.")
    assert CODEC.encode(SAMPLES["nothing"]) == signed("1.1728000000.eu.b.....")
    event = (
        "ERERESIiQzOERFVVVVVVVQ.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8.1728043210987."
        "b5YZ_4uGQBG0LQDAT8lk_w.withdrawn.q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s."
        "zc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc0.zh-Hant-TW.s.20."
    )
    assert CODEC.encode(SAMPLES["an event"]) == signed(f"1.1728000000.eu.b....AAAAaaaaaBBBBbbbbb..{event}")
    # HMAC(HMAC(key, "consent.choices.1|" + origin), body), worked out with the standard library alone.
    signature = CODEC.encode(SAMPLES["nothing"]).rpartition(".")[2]
    assert signature == "0fGh_MSefcgPgz3ssf-LQbFsnkGDjeAn000eYyxqB38"


@given(decisions())
def test_the_text_needs_no_quoting_in_a_cookie(given: Decision) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+", CODEC.encode(given))


@pytest.mark.requirement("REC-06")
def test_two_who_refuse_on_the_same_day_carry_the_same_text() -> None:
    first, second = (
        decide(
            numbered(3),
            Answer(refused=frozenset({"service0", "service1", "service2"})),
            before=before,
            now=now,
            profile="eu",
            source="banner",
            new_subject=subject,
        )
        for before, now, subject in ((None, NOW, NEW), (decision({A}), NOW + 3600, SUBJECT))
    )
    assert CODEC.encode(first) == CODEC.encode(second)


@pytest.mark.requirement("CON-15")
@pytest.mark.requirement("TTL-09")
def test_reading_leaves_it_to_the_verdict_whether_an_answer_has_expired() -> None:
    text = CODEC.encode(SAMPLES["a mixture"])
    assert CODEC.decode(text, now=NOW + 10 * LIFETIMES.refusal) == SAMPLES["a mixture"]


def test_a_clock_ahead_by_five_minutes_is_believed_and_no_more() -> None:
    text = CODEC.encode(decision({A}))
    assert CODEC.decode(text, now=NOW)
    assert CODEC.decode(text, now=NOW - 300)
    assert CODEC.decode(text, now=NOW - 301) is None


# -- whatever else is refused


@pytest.mark.requirement("REC-06")
@pytest.mark.parametrize("name", SAMPLES)
def test_every_substitution_insertion_and_deletion_of_a_character_is_refused(name: str) -> None:
    text = CODEC.encode(SAMPLES[name])
    assert CODEC.decode(text, now=NOW) == SAMPLES[name]
    for place in range(len(text) + 1):
        head, here, tail = text[:place], text[place : place + 1], text[place + 1 :]
        near = {chr(ord(here) ^ 1), chr(ord(here) ^ 32), chr(ord(here) + 1)} if here else set()
        for other in near | set("Ab0.-_= \0\n\x7fé\udc80"):
            assert CODEC.decode(f"{head}{other}{here}{tail}", now=NOW) is None, (place, other)
            if here and other != here:
                assert CODEC.decode(f"{head}{other}{tail}", now=NOW) is None, (place, other)
        if here:
            assert CODEC.decode(head + tail, now=NOW) is None, place
            assert CODEC.decode(head, now=NOW) is None, place


@given(decisions(), st.data())
def test_any_other_text_near_a_good_one_is_refused(given: Decision, data: st.DataObject) -> None:
    text = CODEC.encode(given)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    near = text[:start] + data.draw(st.text(st.characters(), max_size=4)) + text[end:]
    assert CODEC.decode(near, now=AT_THE_END) == (given if near == text else None)


@pytest.mark.requirement("CON-15")
@given(st.text(st.characters() | st.characters(categories=["Cs"])) | st.text("1.eu_bo-AaBb09=", max_size=120))
@example("")
@example(".")
@example("1.")
@example("1" * 8192)
@example("." * 8192)
@example("1." + "." * 1500)
@example("\0")
@example("\udc80\ud800")
@example("1.\u0661\u0667\u0662\u0668000000.eu.b.....")
@example("1.1728000000.eu.b.....")
def test_no_text_whatever_raises_or_is_believed_unsigned(text: str) -> None:
    assert CODEC.decode(text, now=AT_THE_END) is None


@given(st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=200))
@example("")
@example("." * 8)
@example("." * 18)
@example("1" * 4400 + "." * 8)
@example("9" * 1000 + ".eu.b.....")
def test_not_even_a_signed_text_raises(body: str) -> None:
    for text in (signed(body), signed(f"1.{body}")):
        read = CODEC.decode(text, now=AT_THE_END)
        assert read is None or CODEC.encode(read) == text


GOOD = "1.1728043210.eu.d.20000.AAAAaaaaa.CCCCccccc.BBBBbbbbb.b5YZ_4uGQBG0LQDAT8lk_w"
DAY_ONLY = "1.1728000000.eu.b....AAAAaaaaaBBBBbbbbb."
EVENT_BODY = CODEC.encode(SAMPLES["an event"]).rpartition(".")[0]
NOT_CANONICAL = {
    "a later format": GOOD.replace("1.", "2.", 1),
    "a format of two digits": GOOD.replace("1.", "10.", 1),
    "a format with a leading zero": GOOD.replace("1.", "01.", 1),
    "no format": GOOD[2:],
    "terms out of order": DAY_ONLY.replace("AAAAaaaaaBBBBbbbbb", "BBBBbbbbbAAAAaaaaa"),
    "the same terms twice": DAY_ONLY.replace("BBBBbbbbb", "AAAAaaaaa"),
    "two terms of one service": DAY_ONLY.replace("BBBBbbbbb", "AAAAbbbbb"),
    "terms both granted and refused": GOOD.replace("BBBB", "AAAA"),
    "terms both granted and confirmed": GOOD.replace("CCCCccccc", "AAAAaaaaa"),
    "terms cut short": DAY_ONLY.replace("BBBBbbbbb", "BBBBbbbb"),
    "one character more": DAY_ONLY.replace("BBBBbbbbb", "BBBBbbbbbb"),
    "terms with a plus": DAY_ONLY.replace("BBBBbbbbb", "BBBBbbbb+"),
    "terms with a line break": DAY_ONLY.replace("BBBBbbbbb", "BBBBbbbb\n"),
    "a time with a leading zero": GOOD.replace("1728043210", "01728043210"),
    "a time with a plus": GOOD.replace("1728043210", "+1728043210"),
    "a time with a space": GOOD.replace("1728043210", " 1728043210"),
    "a time with an underscore": GOOD.replace("1728043210", "1_728_043_210"),
    "a time with a fraction": GOOD.replace("1728043210", "1728043210,0"),
    "a negative time": GOOD.replace("1728043210", "-1"),
    "no time": GOOD.replace("1728043210", ""),
    "a time of too many digits": GOOD.replace("1728043210", "172804321000"),
    "a refusal with its hour": DAY_ONLY.replace("1728000000", "1728000001"),
    "a profile in capitals": GOOD.replace(".eu.", ".EU."),
    "no profile": GOOD.replace(".eu.", ".."),
    "a profile that is too long": GOOD.replace(".eu.", f".{'e' * 17}."),
    "a source in full": GOOD.replace(".d.", ".dialog."),
    "a source in capitals": GOOD.replace(".d.", ".D."),
    "an unknown source": GOOD.replace(".d.", ".x."),
    "no source": GOOD.replace(".d.", ".."),
    "an opt-out on no day": GOOD.replace(".20000.", ".o."),
    "an opt-out with a leading zero": GOOD.replace(".20000.", ".020000."),
    "an opt-out before all days": GOOD.replace(".20000.", ".-1."),
    "an opt-out after all days": GOOD.replace(".20000.", ".1157408."),
    "a grant without a subject": GOOD.rpartition(".")[0] + ".",
    "a subject without a grant": DAY_ONLY + "b5YZ_4uGQBG0LQDAT8lk_w",
    "a subject with padding": GOOD + "==",
    "a subject with its idle bits set": GOOD[:-1] + "x",
    "a subject in the other alphabet": GOOD.replace("b5YZ_4", "b5YZ/4"),
    "a subject of 15 bytes": GOOD[:-2],
    "a subject of 18 bytes": GOOD + "AA",
    "a field less": DAY_ONLY[:-1],
    "a field more": GOOD + ".",
    "a break after the end": GOOD + "\n",
    "an event cut short": EVENT_BODY.rpartition(".")[0],
    "an event with a field more": EVENT_BODY + ".",
    "an event of the wrong number of answers": EVENT_BODY + "0",
    "an event with an answer there is none of": EVENT_BODY[:-1] + "3",
    "an event with a letter for an answer": EVENT_BODY[:-1] + "x",
    "an event with another sign of a signal": EVENT_BODY.replace(".s.20", ".1.20"),
    "an event with its time in hexadecimal": EVENT_BODY.replace("1728043210987", "0x1925b7"),
    "an event with a leading zero": EVENT_BODY.replace("1728043210987", "01728043210987"),
    "an event without an id": EVENT_BODY.replace("ERERESIiQzOERFVVVVVVVQ", ""),
    "an event without a policy": EVENT_BODY.replace("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s", ""),
    "an event with half a policy": EVENT_BODY.replace("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s", "q6ur"),
    "an event with half a salt": EVENT_BODY.replace("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "AAEC"),
    "an event of no kind": EVENT_BODY.replace("withdrawn", ""),
    "an event in no language": EVENT_BODY.replace("zh-Hant-TW", ""),
}


@pytest.mark.requirement("CON-15")
@pytest.mark.parametrize("body", NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_a_signed_text_that_is_not_the_one_of_its_decision_is_refused(body: str) -> None:
    assert body not in (GOOD, DAY_ONLY, EVENT_BODY)
    assert CODEC.decode(signed(body), now=AT_THE_END) is None


@pytest.mark.parametrize("body", [GOOD, DAY_ONLY, EVENT_BODY])
def test_the_texts_those_were_made_from_are_read(body: str) -> None:
    assert CODEC.decode(signed(body), now=NOW)


def test_a_profile_that_only_a_later_release_knows_is_read() -> None:
    later = CODEC.decode(signed(GOOD.replace(".eu.", ".us_ny.")), now=NOW)
    assert later is not None
    assert later.profile == "us_ny"
    assert later.profile not in PROFILES


def test_a_signature_with_its_idle_bits_set_is_refused() -> None:
    """Its 43 characters hold two bits more than the 256 of the HMAC; itsdangerous itself ignores them."""
    text = CODEC.encode(SAMPLES["nothing"])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [text[:-1] + alphabet[alphabet.index(text[-1]) ^ bit] for bit in (1, 2, 3)]
    assert [CODEC.decode(other, now=NOW) for other in [*others, text + "="]] == [None] * 4


# -- keys and origins


def test_itsdangerous_itself_reads_the_signature() -> None:
    text = CODEC.encode(SAMPLES["a mixture"])
    signer = Signer(
        KEY, salt=f"consent.choices.1|{ORIGIN}", key_derivation="hmac", digest_method=hashlib.sha256
    )
    assert signer.unsign(text).decode() == GOOD


@pytest.mark.requirement("REC-06")
def test_keys_are_rotated_by_adding_the_new_one_last() -> None:
    old, both, new = (CookieCodec(keys, ORIGIN) for keys in (["old"], ["older", "old", "new"], ["new"]))
    given = SAMPLES["a mixture"]
    assert both.decode(old.encode(given), now=NOW) == given
    assert new.decode(both.encode(given), now=NOW) == given
    assert both.decode(new.encode(given), now=NOW) == given
    assert old.decode(both.encode(given), now=NOW) is None
    assert new.decode(old.encode(given), now=NOW) is None
    assert both.encode(given) == new.encode(given)


def test_a_key_may_be_text_or_bytes() -> None:
    assert CookieCodec([KEY.encode()], ORIGIN).encode(SAMPLES["nothing"]) == CODEC.encode(SAMPLES["nothing"])


@pytest.mark.parametrize(
    "other",
    [
        CookieCodec([KEY], "http://clinic.example"),
        CookieCodec([KEY], "https://staging.clinic.example"),
        CookieCodec([KEY], ""),
        CookieCodec([KEY + "."], ORIGIN),
    ],
)
def test_sites_of_other_origins_or_keys_do_not_read_each_other(other: CookieCodec) -> None:
    for sample in SAMPLES.values():
        assert CODEC.decode(other.encode(sample), now=NOW) is None
        assert other.decode(CODEC.encode(sample), now=NOW) is None


def test_what_the_key_signs_for_other_purposes_is_no_decision() -> None:
    foreign = [
        Signer(KEY, key_derivation="hmac", digest_method=hashlib.sha256).sign(GOOD),
        Signer(KEY, salt="cookie-session", key_derivation="hmac").sign(GOOD),
        Signer(KEY, salt=f"consent.choices.1|{ORIGIN}").sign(GOOD),
    ]
    assert [CODEC.decode(text.decode(), now=NOW) for text in foreign] == [None] * 3


@pytest.mark.parametrize("keys", [[], [""], ["new", b""], "one text", b"bytes"])
def test_keys_that_cannot_sign_are_a_value_error(keys: list[str | bytes]) -> None:
    with pytest.raises(ValueError, match="expected a list of non-empty secret keys"):
        CookieCodec(keys, ORIGIN)


# -- limits


def longest(services: int, profile: str) -> Decision:
    """A decision that grants half of so many *services*, and carries an event as long as any."""
    there: Policy = numbered(services)
    half = services // 2
    given = decision(
        {there.terms[f"service{number}"] for number in range(half)},
        {there.terms[f"service{number}"] for number in range(half, services)},
        profile=profile,
        opted_out_on=AT_THE_END - AT_THE_END % DAY - DAY,
        at=AT_THE_END - 1,
    )
    event = replace(
        EVENT,
        time_ms=AT_THE_END * 1000 - 1,
        kind="signal_opt_out__",
        language="l" * 35,
        before=earlier(None, given),
    )
    return replace(given, pending=event)


@pytest.mark.requirement("CK-02")
@pytest.mark.parametrize("keys", [[KEY], ["first", "second", "third", KEY]])
@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_hundred_services_take_less_than_a_kibibyte(profile: str, keys: list[str]) -> None:
    codec = CookieCodec(keys, ORIGIN)
    carrying = longest(100, profile)
    plain = replace(carrying, pending=None)
    assert len("__Host-consent=" + codec.encode(plain)) <= 1024
    assert codec.decode(codec.encode(plain), now=AT_THE_END) == plain
    assert len("__Host-consent=" + codec.encode(carrying)) <= 1536
    assert codec.decode(codec.encode(carrying), now=AT_THE_END) == carrying


@pytest.mark.requirement("CK-02")
def test_as_many_services_as_promised_always_fit() -> None:
    most = longest(MOST_SERVICES, "p" * 16)
    assert CODEC.decode(CODEC.encode(most), now=AT_THE_END) == most


def test_a_decision_that_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(ValueError, match="Declare 110 services at most"):
        CODEC.encode(longest(170, "eu"))


def test_a_signed_text_over_the_limit_is_not_read() -> None:
    terms = "".join(f"{number:04}aaaaa" for number in range(180))
    body = f"1.1728000000.eu.b....{terms}."
    assert len(signed(body)) > LONGEST
    assert CODEC.decode(signed(body), now=NOW) is None
    assert CODEC.decode(signed(body.replace(terms, terms[: 9 * 100])), now=NOW)


# -- work


def signatures_made(act: Callable[[], object]) -> int:
    """How many HMACs *act* computes."""
    made = 0

    def count(frame: object, event: str, _: object) -> None:
        nonlocal made
        name = getattr(getattr(frame, "f_code", None), "co_qualname", "")
        made += event == "call" and name == "HMAC.digest"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return made


@pytest.mark.parametrize("keys", [["one"], ["one", "two", "three"], ["one", "one"]])
def test_hostile_text_costs_a_signature_per_key(keys: list[str]) -> None:
    codec = CookieCodec(keys, ORIGIN)
    good = codec.encode(SAMPLES["a mixture"])
    forged = good[:-1] + ("A" if good[-1] != "A" else "B")
    assert signatures_made(lambda: codec.decode(forged, now=NOW)) == len(set(keys))
    assert signatures_made(lambda: codec.decode(good, now=NOW)) == 1


@pytest.mark.parametrize("text", ["1." + "a" * LONGEST, "1.é", "1.\udc80", "", "2.1728000000.eu.b......x"])
def test_text_that_is_too_long_or_no_ascii_or_of_another_format_costs_no_signature(text: str) -> None:
    assert signatures_made(lambda: CODEC.decode(text, now=NOW)) == 0
