"""What differs between two revisions of a policy, what of it is material, and who is asked again."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

from ..errors import Fault
from . import document
from .model import Policy
from .parts import Service
from .report import Place, place_text

#: Stands for the order of the things in one list, which is wording.
_ORDER = "(order)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One place at which two policies differ; ``before`` or ``after`` is None where there is nothing."""

    #: As in the file, such as ``services.statistics.retention``.
    place: str
    before: str | None
    after: str | None
    #: Whether it changes what visitors agree to, and not only how it is worded.
    material: bool

    @property
    def sides(self) -> tuple[str, str]:
        """What stood there before, and what after, in words also where that is nothing."""
        before, after = ("(nothing)" if text is None else text for text in (self.before, self.after))
        return before, after

    def __str__(self) -> str:
        before, after = self.sides
        kind = "material" if self.material else "not material"
        return f"{self.place} ({kind})\n    before: {before}\n    after:  {after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Everything that differs. ``str()`` of it is for people to read."""

    changes: tuple[Change, ...]
    #: Service key, and which visitors are asked about it again and why; in the order of the new policy.
    asked_again: tuple[tuple[str, str], ...]
    #: Material terms changed without a higher revision: such a policy cannot be used beside the old one.
    problem: Fault | None

    @property
    def material(self) -> bool:
        """Whether anything differs that visitors agree to."""
        return any(change.material for change in self.changes)

    @property
    def asked_in_words(self) -> list[str]:
        """Each service that is asked about again, with of whom and why; or that nobody is."""
        return [f"{key}: {why}" for key, why in self.asked_again] or ["nobody"]

    def by_weight(self) -> Iterator[tuple[str, list[Change]]]:
        """What is material, then what isn't, under what it is called; what there is none of is left out."""
        for title, material in (("Material", True), ("Not material", False)):
            if changes := [one for one in self.changes if one.material is material]:
                yield title, changes

    def __str__(self) -> str:
        if not self.changes:
            return "Nothing differs."
        asked = [f"  {each}" for each in self.asked_in_words]
        lines = [*map(str, self.changes), "", "Asked again:", *asked]
        return "\n".join([*lines, "", str(self.problem)] if self.problem else lines)


def compare(old: Policy, new: Policy) -> Difference:
    """What *new* changes against *old*, place by place.

    Services declared by themselves follow from settings and not from a file, so what changes in them is
    never material here.
    """
    changes = tuple(_changes(old, new))
    return Difference(
        changes=changes, asked_again=tuple(_asked_again(old, new)), problem=_problem(old, new, changes)
    )


def _problem(old: Policy, new: Policy, changes: tuple[Change, ...]) -> Fault | None:
    places = [change.place for change in changes if change.material]
    if not places or new.revision > old.revision:
        return None
    was = f"revision {old.revision}, and this is revision {new.revision}"
    fix = f"Write revision = {old.revision + 1}, and in `change` what visitors should know."
    return Fault("revision", f"material terms differ from those of {was}: {', '.join(places)}", fix)


# -- change by change


def _changes(old: Policy, new: Policy) -> Iterator[Change]:
    replaced = [*_removed(old, new), *_removed(new, old)]
    yield from (_whole(key, old, new) for key in replaced)
    before, after = (dict(_flat((), document.plain(policy))) for policy in (old, new))
    altered = _altered(old, new)
    for place in dict.fromkeys([*before, *after]):
        was, now = before.get(place), after.get(place)
        if was == now or (place[1:2] and place[0] == "services" and place[1] in replaced):
            continue
        if place[-1] != _ORDER:
            yield _change(place, was, now, _is_material(place, old, new, altered))
        elif was and now and sorted(was) == sorted(now):
            yield _change(place, was, now, False)


def _change(place: Place, before: object, after: object, material: bool) -> Change:
    return Change(place=place_text(place), before=_words(before), after=_words(after), material=material)


def _words(value: object) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(value)
    return str(value)


def _removed(old: Policy, new: Policy) -> list[str]:
    return [service.key for service in old.services if service.key not in new.terms]


def _whole(key: str, old: Policy, new: Policy) -> Change:
    before, after = (_in_short(policy, key) for policy in (old, new))
    policy = old if key in old.terms else new
    return _change(("services", key), before, after, not policy.service(key).declared_by_itself)


def _in_short(policy: Policy, key: str) -> str | None:
    if key not in policy.terms:
        return None
    service = policy.service(key)
    provider = policy.provider(service.provider).name
    return f"{service.category}, for {', '.join(service.purposes)}, by {provider}: {service.text or key}"


# -- what is material


def _altered(old: Policy, new: Policy) -> frozenset[Place]:
    """The places within material terms at which services of both policies differ."""
    before, after = _terms(old), _terms(new)
    return frozenset(place for place in before | after if before.get(place) != after.get(place))


def _terms(policy: Policy) -> dict[Place, object]:
    terms: dict[Place, object] = {}
    for service in policy.services:
        if not service.declared_by_itself:
            for name, value in policy.material(service.key).items():
                terms |= {("services", service.key, name, *part): item for part, item in _pieces(value)}
    return terms


def _pieces(term: Any) -> Iterator[tuple[tuple[str, ...], object]]:
    """A term piece by piece: cookies and stored things by name, origins by directive, all else whole."""
    match term:
        case dict():
            yield from (((name,), item) for name, item in term.items())
        case [{"name": _}, *_]:
            yield from (((item["name"],), item) for item in term)
        case _:
            yield (), term


def _is_material(place: Place, old: Policy, new: Policy, altered: Set[Place]) -> bool:
    if place[0] == "categories" and place[2:] == ("always_on",):
        return True
    if place[0] == "services" and place[2:] == ("category",):
        return old.always_on(str(place[1])) != new.always_on(str(place[1]))
    felt = {*_felt_at(place, old), *_felt_at(place, new)}
    return any(one[: len(other)] == other[: len(one)] for one in felt for other in altered)


def _felt_at(place: Place, policy: Policy) -> Iterator[Place]:
    """The places within material terms which what stands at *place* has a part in."""
    for service in policy.services:
        terms: Place = ("services", service.key)
        carrier = policy.carrier(service.via) if service.via else None
        if place[:2] == terms:
            yield place
            if place[2:] == ("provider",):
                yield (*terms, "country")
        elif place == ("controller", "name"):
            yield (*terms, "controller")
        elif place == ("providers", service.provider, "name"):
            yield (*terms, "provider")
        elif place == ("providers", service.provider, "country"):
            yield (*terms, "country")
        if carrier and (
            place[:2] == ("carriers", carrier.key) or place == ("providers", carrier.provider, "name")
        ):
            yield (*terms, "via")


def _flat(place: Place, value: object) -> Iterator[tuple[Place, Any]]:
    """The leaves of *value*; a list of things counts as a table under the things' names, plus their order."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        named = dict(_named(item) for item in value)
        yield (*place, _ORDER), list(named)
        value = named
    elif isinstance(value, list) and value and isinstance(value[0], list):
        value = dict(value)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat((*place, key), item)
    else:
        yield place, "session" if value is None else value


def _named(item: dict[str, object]) -> tuple[str, object]:
    """The name of a thing, and the rest of it, if there is any."""
    name = "key" if "key" in item else "name"
    return str(item[name]), {key: value for key, value in item.items() if key != name} or "declared"


# -- who is asked again


def _asked_again(old: Policy, new: Policy) -> Iterator[tuple[str, str]]:
    asked_before = {service.key for service in old.optional_services}
    for service in new.optional_services:
        if service.key not in asked_before:
            beside = (other.key for other in new.services_in(service.category))
            if not asked_before.isdisjoint(beside):
                yield service.key, f'it is new: visitors who had granted everything in "{service.category}"'
        elif old.terms[service.key] != new.terms[service.key]:
            yield service.key, f"visitors who had granted it: changed {_altered_names(service, old, new)}"


def _altered_names(service: Service, old: Policy, new: Policy) -> str:
    was, now = old.material(service.key), new.material(service.key)
    names = [name for name in was | now if was.get(name) != now.get(name)]
    return ", ".join(name.replace("_", " ") for name in names)
