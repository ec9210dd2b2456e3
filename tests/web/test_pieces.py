"""The pure parts of the web room: origins, return paths, limits, deletions, languages, bodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.policy import Cookie
from consent.web.expiry import MOST_BYTES, MOST_HEADERS, deletions, parents
from consent.web.limits import ADDRESS_BURST, MOST_ADDRESSES, Limits, TooMany, network
from consent.web.origin import Origin, origin_of
from consent.web.returning import referring_path, safe_path, with_status
from consent.web.sent import only_cookie


@given(st.text(st.characters()))
def test_a_safe_path_is_a_path_of_this_site_for_every_browser(text: str) -> None:
    path = safe_path(text)
    if path is not None:
        assert path[0] == "/"
        assert path[1:2] not in ("/", "\\")
        assert path.isascii()
        assert path.isprintable()
        assert " " not in path


@pytest.mark.parametrize(
    ("referer", "path"),
    [
        ("https://a.example/x?y=1#z", "/x?y=1"),
        ("https://a.example", None),
        ("https://a.example.evil/x", None),
        ("http://a.example/x", None),
        ("https://a.example//evil.example", None),
        (None, None),
    ],
)
def test_only_a_page_of_our_own_is_returned_to(referer: str | None, path: str | None) -> None:
    assert referring_path(referer, own="https://a.example") == path


def test_the_status_replaces_an_earlier_fragment() -> None:
    assert with_status("/a?b#c") == "/a?b#pc-status"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Sec-Fetch-Site": "none"}, Origin.SAME),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, Origin.SAME),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://a.example"}, Origin.CROSS),
        ({"Origin": "https://a.example:443"}, Origin.SAME),
        ({"Origin": "https://a.example:444"}, Origin.CROSS),
        ({"Origin": "http://a.example"}, Origin.CROSS),
        ({"Origin": "https://a.example:x"}, Origin.CROSS),
        ({"Sec-Fetch-Dest": "object", "Sec-Fetch-Site": "same-origin"}, Origin.FRAMED),
        ({}, Origin.UNKNOWN),
    ],
)
def test_where_a_post_comes_from(headers: dict[str, str], expected: Origin) -> None:
    assert origin_of(headers, own="https://a.example") is expected


def test_one_address_gets_a_burst_and_then_waits_its_turn() -> None:
    limits = Limits(b"k" * 32)
    for _ in range(int(ADDRESS_BURST)):
        limits.take("192.0.2.1", 0.0)
    with pytest.raises(TooMany) as stopped:
        limits.take("192.0.2.1", 0.0)
    assert stopped.value.retry_after == 1
    limits.take("192.0.2.2", 0.0)
    limits.take("192.0.2.1", 1.0)


def test_addresses_are_kept_neither_readable_nor_without_bound() -> None:
    limits = Limits(b"k" * 32)
    for number in range(MOST_ADDRESSES + 10):
        limits.take(f"2001:db8:{number:x}::1", float(number))
    assert len(limits.buckets) == MOST_ADDRESSES
    assert not any(b"2001" in name for name in limits.buckets)


def test_one_ipv6_network_counts_as_one_address() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff") != network("2001:db8:0:1::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1")
    assert network(None) == network("not an address")


@pytest.mark.requirement("CK-06")
def test_a_refused_cookie_is_deleted_on_the_host_and_each_parent_domain() -> None:
    values = deletions([("a_1", Cookie(name="a_*", lifetime=None))], host="x.clinic.co.uk", secure=False)
    domains = [value.partition("Domain=")[2].partition(";")[0] for value in values]
    assert domains == ["", "x.clinic.co.uk", "clinic.co.uk", "co.uk"]
    assert all(value.startswith("a_1=;") and "Max-Age=0" in value for value in values)


@pytest.mark.parametrize(
    ("name", "declared", "domains"),
    [
        ("a", "clinic.example", ["", "clinic.example"]),
        ("__Host-a", None, [""]),
        ("__Secure-a", None, ["", "www.clinic.example", "clinic.example"]),
    ],
)
def test_no_deletion_names_a_domain_under_which_the_cookie_cannot_have_been_set(
    name: str, declared: str | None, domains: list[str]
) -> None:
    cookie = Cookie(name=name, lifetime=None, domain=declared)
    values = deletions([(name, cookie)], host="www.clinic.example", secure=True)
    whole = [value for value in values if "Partitioned" not in value]
    assert [value.partition("Domain=")[2].partition(";")[0] for value in whole] == domains


def test_deletions_are_bounded_whatever_a_browser_sends() -> None:
    values = deletions(
        [(f"a{n}", Cookie(name="a*", lifetime=None)) for n in range(500)], host="a.b.c.d", secure=True
    )
    assert len(values) <= MOST_HEADERS
    assert sum(map(len, values)) <= MOST_BYTES


@pytest.mark.parametrize("name", ["a_\x01", "a_\x7f", "\x0ba_"])
def test_what_only_a_hand_made_request_names_is_not_deleted_in_a_header_that_servers_refuse(
    name: str,
) -> None:
    cookies = [(each, Cookie(name="*a*", lifetime=None)) for each in (name, "a_1")]
    assert all(value.startswith("a_1=") for value in deletions(cookies, host="localhost", secure=True))


def test_addresses_have_no_parent_domains() -> None:
    assert parents("127.0.0.1") == parents("localhost") == parents("[::1]") == []


HEADER = st.lists(
    st.sampled_from(["consent=", "consent", "=", ";", " ", "\t", "a", "xconsent=1", ",", '"', "é"]),
    max_size=14,
)


@given(HEADER)
def test_a_cookie_counts_when_it_is_the_only_one_of_its_name(parts: list[str]) -> None:
    header = "".join(parts)
    pairs = [each.strip(" \t") for each in header.split(";")]
    values = [pair.removeprefix("consent=") for pair in pairs if pair.startswith("consent=")]
    assert only_cookie(header, "consent=") == (values[0].rstrip(" \t") if len(values) == 1 else None)
