"""A visitor's opt-out of sale and sharing, by their browser's signal or here: what it stops, in words and pieces."""

from dataclasses import dataclass

from markupsafe import Markup

from consent.decision import PROFILES, Profile, Reason
from consent.policy import Service
from consent.web.declaration import ServiceView, service_view, title_of
from consent.web.language import Catalogue
from consent.web.notice import link_words
from consent.web.request import ConsentRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """What holds for the services that sell or share."""

    signal: bool
    """Whether the browser asks for it in this request (GPC-01)."""
    stored: bool
    """Whether the visitor's answer or account says so, by an earlier signal or the visitor's own word (GPC-05)."""
    on: tuple[Service, ...]
    """Those that run, if not on this page then on theirs."""
    off: tuple[Service, ...]
    """Those that don't."""
    conflicts: tuple[Service, ...]
    """Those of them that the visitor has said Yes to all the same (GPC-06)."""

    @classmethod
    def of(cls, visitor: ConsentRequest) -> "OptOut":
        """The one of this request."""
        decision, verdict = visitor.decision, visitor.verdict
        services = [each for each in visitor.site.policy.optional_services if each.sells_or_shares]
        return cls(
            signal=visitor.signal,
            stored=visitor.opted_out or (decision is not None and decision.opted_out),
            on=tuple(each for each in services if each.key in verdict.elsewhere),
            off=tuple(each for each in services if each.key not in verdict.elsewhere),
            conflicts=tuple(each for each in services if verdict.reasons[each.key] is Reason.OPTED_OUT),
        )

    @property
    def honored(self) -> bool:
        """Whether an opt-out is in force: there is something that it stops (GPC-07, GPC-08)."""
        return (self.signal or self.stored) and bool(self.off)


def profile_of(visitor: ConsentRequest) -> Profile:
    """The profile that holds for this request."""
    return PROFILES[visitor.profile]


def link_name(visitor: ConsentRequest) -> str:
    """The message id of the words of the link at the foot of every page (CA-01)."""
    return link_words(visitor.site.policy, visitor.profile)


def titles(visitor: ConsentRequest, services: tuple[Service, ...], words: Catalogue) -> Markup:
    """The titles of *services* in one line."""
    named = [title_of(visitor.site.policy, each, words) for each in services]
    return words.gettext("list.comma").join(named)


def views(visitor: ConsentRequest, keys: frozenset[str], words: Catalogue) -> list[ServiceView]:
    """The services called *keys* as a page shows them, in the policy's order."""
    policy = visitor.site.policy
    return [service_view(policy, each, words) for each in policy.optional_services if each.key in keys]


def conflicts(visitor: ConsentRequest) -> tuple[Service, ...]:
    """The services that the visitor has said Yes to and an opt-out stops; looked for only where there is one."""
    decision = visitor.decision
    if decision is None or not (decision.opted_out or visitor.signal or visitor.opted_out):
        return ()
    return OptOut.of(visitor).conflicts


def conflict_in_words(visitor: ConsentRequest, words: Catalogue) -> Markup:
    """Why something stays off though the visitor said Yes to it; empty when nothing does."""
    stopped = conflicts(visitor)
    if not stopped:
        return Markup()
    said = "optout.by_signal" if visitor.signal else "optout.by_word"
    return words.ngettext(said, len(stopped), services=titles(visitor, stopped, words))
