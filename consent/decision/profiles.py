"""What differs between jurisdictions, as data. A profile never widens what may run."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from consent.decision.decision import DAY, Lifetimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One jurisdiction. All honour the signal; they differ in what is shown and in how long answers hold."""

    name: str
    grant_days: int
    """A grant holds no longer."""
    refusal_days: int
    """A refusal holds no shorter."""
    choices_link: bool
    """Whether, where anything is sold or shared, the link must be called "Your Privacy Choices" (CA-01)."""
    signal_status: bool
    """Whether our pages say that an opt-out was honoured (GPC-07, GPC-08)."""


# TTL-02, TTL-03: six months are binding in Italy and good practice in France; EU law itself sets no number.
# TTL-06: twelve months without being asked after an opt-out are California's. The default takes the strictest
# of each, so that it satisfies all at once.
_ALL: Final = (
    Profile(name="eu", grant_days=182, refusal_days=182, choices_link=False, signal_status=False),
    Profile(name="uk", grant_days=182, refusal_days=182, choices_link=False, signal_status=False),
    Profile(name="fr", grant_days=182, refusal_days=182, choices_link=False, signal_status=False),
    Profile(name="us_ca", grant_days=365, refusal_days=365, choices_link=True, signal_status=True),
    Profile(name="us_other", grant_days=365, refusal_days=365, choices_link=True, signal_status=True),
    Profile(name="default", grant_days=182, refusal_days=365, choices_link=True, signal_status=True),
)

#: Every profile by its name.
PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({profile.name: profile for profile in _ALL})


def lifetimes(profile: Profile, *, grant: int, refusal: int) -> Lifetimes:
    """How long answers hold where the site set *grant* and *refusal* (seconds).

    Of setting and profile the shorter grant and the longer refusal win. ValueError if *refusal* < *grant*.
    """
    if refusal < grant:
        raise ValueError(f"refusal {refusal} s, grant {grant} s; expected a refusal to hold at least as long")
    return Lifetimes(min(grant, profile.grant_days * DAY), max(refusal, profile.refusal_days * DAY))
