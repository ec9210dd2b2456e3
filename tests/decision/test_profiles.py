"""Profiles say how long answers hold, and never let more run."""

import pytest

from consent.decision import PROFILES, Lifetimes, lifetimes

from .samples import DAY


def test_there_is_a_profile_for_each_jurisdiction() -> None:
    assert set(PROFILES) == {"eu", "uk", "fr", "us_ca", "us_other", "default"}
    assert all(profile.name == name for name, profile in PROFILES.items())


@pytest.mark.requirement("TTL-03")
@pytest.mark.parametrize("name", sorted(PROFILES))
def test_of_setting_and_profile_the_shorter_grant_and_the_longer_refusal_win(name: str) -> None:
    profile = PROFILES[name]
    assert lifetimes(profile, grant=30 * DAY, refusal=60 * DAY) == Lifetimes(
        30 * DAY, profile.refusal_days * DAY
    )
    assert lifetimes(profile, grant=390 * DAY, refusal=400 * DAY) == Lifetimes(
        profile.grant_days * DAY, 400 * DAY
    )


@pytest.mark.requirement("TTL-06")
def test_california_asks_no_sooner_than_twelve_months_after_a_refusal() -> None:
    assert lifetimes(PROFILES["us_ca"], grant=DAY, refusal=DAY).refusal >= 365 * DAY


def test_by_default_answers_hold_as_the_strictest_profile_says() -> None:
    default = PROFILES["default"]
    assert default.grant_days == min(profile.grant_days for profile in PROFILES.values())
    assert default.refusal_days == max(profile.refusal_days for profile in PROFILES.values())
    assert (default.choices_link, default.signal_status) == (True, True)


@pytest.mark.requirement("TTL-01")
def test_a_refusal_set_to_hold_shorter_than_a_grant_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="at least as long"):
        lifetimes(PROFILES["us_ca"], grant=2 * DAY, refusal=DAY)
