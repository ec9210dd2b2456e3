"""Set-Cookie as browsers read it (RFC 6265bis §5.6, §5.7)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import dump_cookie, http_date

from consent.web.setcookie import LONGEST_LIFE, SetCookie, cookie_date

NOW = 1_795_000_000
DAY = 86_400


def read(text: str) -> SetCookie:
    """The cookie that *text* sets."""
    found = SetCookie.read(text, now=NOW)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a=b", "a"),
        (" a = b ; Path=/", "a"),
        ("a=b=c", "a"),
        ('a="b;c"', "a"),
        ("a=", "a"),
        ("nameless", ""),
        ("=nameless", ""),
        ("\ta=b", "a"),
        ("a b=c", "a b"),
        ("ä=ö", "ä"),
    ],
)
def test_the_name_is_what_stands_before_the_first_equals_sign(text: str, name: str) -> None:
    assert read(text).name == name


@pytest.mark.parametrize("text", ["=visit=1", " = visit =1; Path=/", "=visit=", "=visit=1=2"])
def test_what_has_no_name_has_the_one_under_which_browsers_send_it_back(text: str) -> None:
    assert read(text).name == "visit"
    assert read(f"={text}").name == ""


@pytest.mark.parametrize(
    "text", ["", "=", ";", " ; Path=/", "a=b\n", "a\x00=b", "a=b\x7f", "a=" + "b" * 4096]
)
def test_what_browsers_ignore_sets_nothing(text: str) -> None:
    assert SetCookie.read(text, now=NOW) is None


@pytest.mark.requirement("CK-06")
@pytest.mark.parametrize(
    "text",
    [
        "a=; Max-Age=0",
        "a=b; max-age=-1",
        "a=b; Max-Age=-" + "9" * 1000,
        "a=b; Max-Age=0; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
        "a=b; Max-Age=60; Max-Age=0",
        "a=b; Max-Age=0; Max-Age=x",
        "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=soon",
        "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "a=b; expires = Thu, 01-Jan-70 00:00:00 GMT",
        "a=b; Expires=Thu Jan  1 00:00:00 1970",
        "a=b; Expires=Mon, 01 Jan 1601 00:00:00 GMT",
        "a=b; Max-Age=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "a=b; Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        f"a=b; Expires={http_date(NOW)}",
        dump_cookie("a", max_age=0, expires=0),
    ],
)
def test_a_cookie_that_ends_now_or_before_is_a_deletion(text: str) -> None:
    assert read(text).deletes


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("a=b", None),
        ("a=b; Max-Age=60", 60),
        ("a=b; Max-Age=0060", 60),
        ("a=b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("a=b; Max-Age=60; Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("a=b; Max-Age=60; Max-Age=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("a=b; Max-Age=60; Max-Age=0" + "0" * 1024, 60),
        (f"a=b; Expires={http_date(NOW + DAY)}; Expires=soon", DAY),
        ("a=b; Max-Age=1.5", None),
        ("a=b; Max-Age=+60", None),
        ("a=b; Expires=soon", None),
        ("a=b; Expires=Thu, 31 Feb 2027 00:00:00 GMT", None),
        ("a=b; Max-Age=" + "9" * 1000, LONGEST_LIFE),
        ("a=b; Expires=Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_LIFE),
        (f"a=b; Expires={http_date(NOW + DAY)}", DAY),
    ],
)
def test_max_age_wins_over_expires_and_what_cannot_be_read_counts_as_absent(
    text: str, lifetime: float | None
) -> None:
    assert read(text).lifetime == lifetime


def test_paths_and_domains_are_read_as_browsers_do() -> None:
    attributes = read("a=b; path=/x; Domain=.Clinic.example; SECURE; SameSite=None").attributes
    assert (attributes.path, attributes.domain, attributes.secure) == ("/x", "clinic.example", True)
    assert attributes.same_site == "none"
    assert read("a=b; Path=x").attributes.path is None
    assert read("a=b; Path=/x; Path=" + "/" * 1025).attributes.path == "/x"


@given(st.text(st.characters(), max_size=300))
def test_no_text_whatever_raises(text: str) -> None:
    SetCookie.read(text, now=NOW)
    cookie_date(text)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31)))
def test_dates_that_servers_write_are_read_exactly(moment: datetime) -> None:
    exact = moment.replace(microsecond=0, tzinfo=UTC)
    assert cookie_date(http_date(exact)) == exact.timestamp()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("__Host-a=b; Secure; Path=/", None),
        ("__Host-a=b; Path=/", "__host- needs Secure"),
        ("__HOST-a=b; Secure; Path=/x", "needs Path=/ and no Domain"),
        ("__Host-a=b; Secure", "needs Path=/ and no Domain"),
        ("__Host-a=b; Secure; Path=/; Domain=clinic.example", "needs Path=/ and no Domain"),
        ("__Secure-a=b; Secure; Domain=clinic.example", None),
        ("__Secure-a=b", "__secure- needs Secure"),
        ("a=b; Partitioned; SameSite=None", "Partitioned needs Secure"),
        ("a=b; partitioned=1; Secure; SameSite=None", None),
        ("a=b; Domain=clinic.example", None),
        ("a=b; Domain=.WWW.Clinic.example", None),
        ("a=b; Domain=nic.example", "its domain nic.example is not that of www.clinic.example"),
        ("a=b; Domain=a.www.clinic.example", "is not that of"),
    ],
)
def test_what_browsers_ignore_though_it_is_well_formed_is_told(text: str, why: str | None) -> None:
    found = read(text).ignored("www.Clinic.example")
    assert (found is None) if why is None else (found is not None and why in found)
