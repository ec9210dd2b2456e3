"""The decision form: what a visitor's POST says, and what of it counts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Self

from consent.errors import ConsentError, Fault
from consent.policy import Policy, Service

#: Where the form can stand. A form that doesn't say is the preference centre's.
FORM_SOURCES: Final = ("banner", "centre", "dialog", "mine", "embed")
CHOICES: Final = ("none", "all", "some", "once", "always", "opt_out", "opt_in")

_SINGLE: Final = ("notice", "choice", "from", "next")
_ANSWERS: Final = ("category.", "service.")
_MOST_SHOWN: Final = 60
_RELOAD: Final = "Load the page anew and answer there."


@dataclass(frozen=True, slots=True)
class Answer:
    """What counts of a form, by service key, each in one of the three at most; else ValueError.

    A service in none of them wasn't mentioned.
    """

    granted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    """Yes that doesn't count: to terms that have changed since, or the first of two steps. Left as it was."""
    confirmed: frozenset[str] = frozenset()
    """Those of the granted that were confirmed in two steps against an opt-out (GPC-06, TTL-08); else ValueError."""
    opts_out: bool = False
    """Whether it says that nothing may be sold or shared."""

    def __post_init__(self) -> None:
        named = self.granted | self.refused | self.withheld
        if len(named) != len(self.granted) + len(self.refused) + len(self.withheld):
            raise ValueError("a service with two answers; expected granted, refused or withheld")
        if not self.confirmed <= self.granted:
            raise ValueError("a confirmation of what isn't granted; expected confirmed to be some of granted")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a decision form as they came, in order, doubles and strangers included."""

    pairs: tuple[tuple[str, str], ...]
    _first: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_first", dict(reversed(self.pairs)))

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """The form with these fields; nothing is judged yet."""
        return cls(tuple(pairs))

    def value(self, name: str) -> str | None:
        """The first value of the field *name*; None without one. What a page shows again after a 400."""
        return self._first.get(name)

    @property
    def notice(self) -> str | None:
        """Hash of the notice that was answered, as sent; None without one."""
        return self.value("notice") or None

    @property
    def source(self) -> str:
        """Where the form stood: "banner", "centre", "dialog", "mine" or "embed"."""
        said = self.value("from")
        return said if said in FORM_SOURCES else "centre"

    @property
    def next(self) -> str | None:
        """The path to return to, as sent: not checked yet."""
        return self.value("next")

    @property
    def refuses_all(self) -> bool:
        """Whether it says ``choice=none``: a refusal that holds whatever the rest says."""
        return ("choice", "none") in self.pairs

    @property
    def only_refuses(self) -> bool:
        """Whether no Yes stands in it, whatever it was shown: ``choice=none``, or its own choices all No (UI-10)."""
        chosen = self.value("choice") == "some"
        return self.refuses_all or (
            chosen and not any(value == "yes" for name, value in self.pairs if name.startswith(_ANSWERS))
        )

    @property
    def opts_out(self) -> bool:
        """Whether it says ``choice=opt_out``: it holds whatever the rest says, as a refusal does."""
        return ("choice", "opt_out") in self.pairs

    @property
    def signal(self) -> bool:
        """Whether the page's script has seen the browser's signal (GPC-02): ``signal=1`` beside any answer."""
        return ("signal", "1") in self.pairs or self.by_signal

    @property
    def by_signal(self) -> bool:
        """Whether it is no answer, but what the page's script says of the signal: an opt-out ``from=signal``."""
        return self.opts_out and not self.refuses_all and self.value("from") == "signal"

    @property
    def opts_in(self) -> bool:
        """Whether it says ``choice=opt_in``: one of the two steps that follow an opt-out."""
        return self.value("choice") == "opt_in" and not (self.refuses_all or self.opts_out)

    @property
    def once(self) -> bool:
        """Whether it says ``choice=once``: to load one embed now, and to remember nothing."""
        return self._names_one and self.value("choice") == "once"

    @property
    def _names_one(self) -> bool:
        """Whether it is about one service only, whose Yes leaves all other answers as they are."""
        said = self.value("choice") in ("once", "always")
        return said and not (self.refuses_all or self.opts_out)

    @property
    def confirms(self) -> bool | None:
        """What the second of the two steps says; None in the first."""
        said = self.value("confirm")
        return None if said is None else said == "yes"


class FormConflict(ConsentError):
    """The form can't grant what is in force now (409): its notice is unknown, or the terms have changed.

    Nothing is granted, but every No counts all the same (they are taken before): apply ``refused``.
    """

    def __init__(
        self,
        why: Literal["notice", "terms"],
        *,
        refused: frozenset[str] = frozenset(),
        withheld: frozenset[str] = frozenset(),
    ) -> None:
        self.why = why
        #: Keys of the services whose No is taken; empty when the notice is unknown.
        self.refused = refused
        #: Keys of the services whose Yes was given on terms that have changed since.
        self.withheld = withheld
        found = {
            "notice": "the form names no notice that was ever shown here",
            "terms": "everything the form says Yes to has changed since it was shown",
        }[why]
        super().__init__(f"{found}; expected the current notice. {_RELOAD}")


class FormInvalid(ConsentError):
    """The form isn't one of ours (400); nothing counts. ``faults`` says why, ``form`` keeps the answers."""

    def __init__(self, form: Form, faults: tuple[Fault, ...]) -> None:
        self.form = form
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


def judge_form(form: Form, *, current: Policy, shown: Policy | None) -> Answer:
    """What counts of *form* under the *current* policy; *shown* is the policy of its notice, None if unknown.

    In this order:

    1. ``choice=none`` refuses every optional service of today, whatever else the form says, even another
       choice; ``choice=opt_out`` every one that sells or shares, and says so for all that may come.
    2. Without a known notice: FormConflict.
    3. Field names and values are judged by *shown*: FormInvalid for a category or service that has no control
       there (unknown, or always on), for a value that the field can't have, and for a field that came twice,
       even with equal values. This holds under ``choice=all`` too, where the answers themselves are ignored.
       Fields that the form never has are left alone: browsers and their extensions add some.
    4. Every No is taken. What *shown* asked about and the form doesn't say Yes to is a No: a category without
       an answer, one under Choose with nothing ticked, a service not ticked.
    5. A Yes counts when the service's material terms are today's; if none of those given does, FormConflict.

    A category's Yes grants its services except those of special categories of data. These get only a Yes of
    their own, ``service.<key>=yes``: under ``category.<its category>=some``, or as the one service that
    ``choice=always`` or ``choice=opt_in`` names. Neither Accept all nor the category's Yes ever grants one, and
    nothing grants one that *shown* doesn't hold (rule 4, CON-14).

    ``choice=opt_in`` is about services that sell or share, one ``service.<key>=yes`` each, and about nothing
    else: other answers stay. Only with ``confirm=yes`` are they granted and confirmed; without it, or with
    ``confirm=no``, they are withheld (TTL-08). Whether a first step came before it, in ``step``, the caller checks.

    ``choice=always`` and ``choice=once``, in an embed's place, are about the one service of their only
    ``service.<key>=yes``: other answers stay. What ``once`` grants holds for one response; whoever calls sees to that.
    """
    if form.refuses_all or form.opts_out:
        stopped = (
            service for service in current.optional_services if form.refuses_all or service.sells_or_shares
        )
        return Answer(refused=frozenset(service.key for service in stopped), opts_out=form.opts_out)
    if shown is None:
        raise FormConflict("notice")
    faults = tuple(_faults(form, shown))
    if faults:
        raise FormInvalid(form, faults)
    yes = frozenset(service.key for service in shown.optional_services if _says_yes(form, service))
    if not (form.opts_in or form._names_one):
        return _counted(yes, current=current, shown=shown, asked=shown.optional_services)
    asked = tuple(service for service in shown.optional_services if service.key in yes)
    answer = _counted(yes, current=current, shown=shown, asked=asked)
    if form._names_one:
        return answer
    return replace(answer, confirmed=answer.granted) if form.confirms else Answer(withheld=answer.granted)


def _counted(yes: frozenset[str], *, current: Policy, shown: Policy, asked: Iterable[Service]) -> Answer:
    today = {service.key for service in current.optional_services}
    optional = frozenset(service.key for service in asked if service.key in today)
    granted = frozenset(key for key in optional & yes if current.terms[key] == shown.terms[key])
    refused = optional - yes
    withheld = (optional & yes) - granted
    if yes and not granted:
        raise FormConflict("terms", refused=refused, withheld=withheld)
    return Answer(granted, refused, withheld)


def _says_yes(form: Form, service: Service) -> bool:
    if form.value("choice") == "all":
        return not service.special_category
    if form.opts_in or form._names_one:
        return form.value(f"service.{service.key}") == "yes"
    answer = form.value(f"category.{service.category}")
    if answer == "some":
        return form.value(f"service.{service.key}") == "yes"
    return answer == "yes" and not service.special_category


def _faults(form: Form, shown: Policy) -> Iterator[Fault]:
    if form.value("choice") is None:
        yield Fault("choice", "missing", f"Send {_listed(CHOICES)}.")
    allowed = _allowed_values(shown)
    single: tuple[str, ...] = _SINGLE
    if form.opts_in:
        allowed = {name: values for name, values in allowed.items() if name not in _bound_to_stay(shown)}
        single = (*_SINGLE, "confirm", "step")
        if not any(name.startswith("service.") for name, _ in form.pairs):
            yield Fault("service", "missing", "Send service.<key>=yes for one that sells or shares.")
    if form._names_one:
        single = (*_SINGLE, "embed")
        if len({name for name, _ in form.pairs if name.startswith("service.")}) != 1:
            yield Fault(
                "service", "expected exactly one", "Send service.<key>=yes for the one that is meant."
            )
    seen = set[str]()
    for name, value in form.pairs:
        if name not in single and not name.startswith(_ANSWERS):
            continue
        place = name[:_MOST_SHOWN]
        if name in seen:
            yield Fault(place, "came twice", "Send it once.")
        elif name in allowed and value not in allowed[name]:
            yield Fault(place, f"{value[:_MOST_SHOWN]!r} isn't an answer", f"Send {_listed(allowed[name])}.")
        elif name not in allowed and name not in single:
            yield Fault(place, "the notice asks nothing of that name", _RELOAD)
        seen.add(name)


def _allowed_values(shown: Policy) -> dict[str, tuple[str, ...]]:
    """What each field may say that has a closed list of values, by its name."""
    categories = {f"category.{category.key}": ("yes", "no", "some") for category in shown.optional_categories}
    services = {f"service.{service.key}": ("yes",) for service in shown.optional_services}
    return {"choice": CHOICES, "from": FORM_SOURCES, "confirm": ("yes", "no")} | categories | services


def _bound_to_stay(shown: Policy) -> set[str]:
    """The fields of services that neither sell nor share: an opt-in isn't about them."""
    return {f"service.{service.key}" for service in shown.optional_services if not service.sells_or_shares}


def _listed(values: tuple[str, ...]) -> str:
    return " or ".join(values)
