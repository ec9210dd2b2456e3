"""Declared cookies are found by name, and a policy of any size takes no longer."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consent.policy import Cookie, DeclaredCookies, Policy

from .strategies import policies

NAMES = st.text(alphabet="ab_*", min_size=1, max_size=5)


def with_cookies(policy: Policy, names: list[str]) -> Policy:
    """*policy* whose services, in turn, declare cookies of these names."""
    first, *rest = policy.services
    declared = tuple(Cookie(name=name, lifetime=None) for name in names)
    return replace(
        policy, services=(replace(first, cookies=declared), *(replace(s, cookies=()) for s in rest))
    )


@given(policies(), st.lists(NAMES, max_size=6), st.text(alphabet="ab_*", max_size=6))
def test_a_name_has_the_services_whose_cookies_match_it(policy: Policy, names: list[str], name: str) -> None:
    if not policy.services:
        return
    policy = with_cookies(policy, names)
    expected = {s.key for s in policy.services if any(cookie.matches(name) for cookie in s.cookies)}
    assert set(DeclaredCookies(policy).of(name)) == expected
