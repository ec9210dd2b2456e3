"""Why a site's content security policies don't do what the verdict wants (ENF-05), and which of it defeats them.

Slower than editing them: for first sight, ``check`` and ``doctor``. Section numbers are those of CSP3,
https://www.w3.org/TR/CSP3/.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from consent.errors import Fault
from consent.web.csp import KINDS, Directives, Kind, Plan, directives, dynamic, origins_of, parts_of
from consent.web.source import letting_in, source


@dataclass(frozen=True, slots=True)
class Weakness(Fault):
    """What a policy doesn't do; its place is the directive."""

    defeats: bool = False
    """Whether what stands there lets in, or tells, what may not run, or keeps out the component: that is wrong. What
    isn't there at all is as good as no policy, and worth a look."""


def weaknesses(
    plan: Plan, value: str, nonce: str | None = None, *, endpoints: str = ""
) -> tuple[Weakness, ...]:
    """Why *value* can't do what *plan* wants, each once; *nonce* is the one that the page gives to ``consent_head``.

    *endpoints* is the page's ``Reporting-Endpoints`` (https://www.w3.org/TR/reporting-1/#header), to which reports go.

    *value* is what the site sends, before or after ``edit``; of several headers, all, joined by commas: what one of
    them keeps out is kept out. Of a value without any policy there is nothing to say.
    """
    found: list[Weakness] = []
    policies: list[Directives] = []
    for text in value.split(","):
        if (read := directives(text)) is None:
            found.append(_UNREADABLE)
        elif read:
            policies.append(read)
    if policies:
        for name, kind in KINDS.items():
            found += _let_in(plan, name, kind, policies)
    for each in policies:
        found += [*_dynamic(each, nonce), *_own_blocked(plan, each, nonce), *_sandboxed(each)]
        found += _reported_to(plan, "report-uri", each.get("report-uri", [])[1:])
    found += _reported_to(plan, "Reporting-Endpoints", _QUOTED.findall(endpoints))
    return tuple(dict.fromkeys(found))


def _let_in(plan: Plan, name: str, kind: Kind, policies: list[Directives]) -> Iterator[Weakness]:
    """Why refused origins of the kind *name* get past all of *policies*; one for each expression."""
    known = set[tuple[str, str]]()
    for origin in _unwanted(plan, name):
        ways = [_ways(plan, kind, found, origin) for found in policies]
        if not all(ways):
            continue
        for directive, expression in (way for each in ways for way in each):
            if (directive, expression) not in known:
                known.add((directive, expression))
                yield _by(directive, expression, origin)
    if name in ("script", "worker"):
        lists = [(deciding, found[deciding]) for found in policies if (deciding := kind.deciding(found))]
        if lists and all("data:" in map(str.lower, words) and not dynamic(words) for _, words in lists):
            yield from (_data(directive) for directive, _ in lists)


def _unwanted(plan: Plan, name: str) -> list[str]:
    """The refused origins of the kind *name* that no service that runs needs for the same."""
    spared = plan.spared.get(KINDS[name].own[-1], frozenset())
    idle = (part for part in parts_of(plan.policy) if part.key not in plan.running)
    return [
        origin
        for origin in origins_of(idle, name)
        if (within := source(origin).within)[0] in plan.refused and spared.isdisjoint(within)
    ]


def _ways(plan: Plan, kind: Kind, found: Directives, origin: str) -> list[tuple[str, str]]:
    """What of the one policy *found* lets *origin* in: directive and expression, ``""`` where it has none."""
    name = kind.deciding(found)
    if name is None:
        return [(kind.own[-1], "")]
    words = plan.kept(name, found[name])
    if kind is KINDS["script"] and dynamic(words):
        return []
    letting = letting_in(origin)
    return [(name, word) for word in words[1:] if source(word).text in letting]


def _by(directive: str, expression: str, origin: str) -> Weakness:
    if expression:
        problem = f'"{expression[:100]}" lets in {origin}, which belongs to what may not run'
        return Weakness(directive, problem, "Name only the origins that the site itself needs.", defeats=True)
    fix = (
        "Add it."
        if directive == "form-action"
        else f"Add it, or default-src; {directive} 'self' to begin with."
    )
    return Weakness(
        directive, f"neither it nor a fallback is there, so {origin} is let in, which may not run", fix
    )


def _data(directive: str) -> Weakness:
    problem = '"data:" lets in scripts that come from no origin, and so from anybody'
    return Weakness(directive, problem, "Take it out, and load scripts from files.")


def _dynamic(found: Directives, nonce: str | None) -> Iterator[Weakness]:
    """What ``'strict-dynamic'`` makes of a policy (§8.2): by the page's *nonce* our module runs all the same."""
    name = KINDS["script"].deciding(found)
    if name is None or not dynamic(found[name]):
        return
    if _has(nonce, found[name]):
        problem = (
            "because of 'strict-dynamic' browsers ignore every origin in it, so scripts go by their nonce alone, and "
            "what a script brings in that may run is not kept out"
        )
        yield Weakness(name, problem, "Give the nonce to consent_script(…, nonce=…) too, or remove it.")
        return
    problem = (
        "because of 'strict-dynamic' browsers ignore every origin in it, so the policy neither lets in scripts "
        "that may run, the module of consent_head() among them, nor keeps out others"
    )
    fix = "Remove it, or give the page's nonce to consent_head(nonce=…) and to each script while it may run."
    yield Weakness(name, problem, fix, defeats=True)


def _own_blocked(plan: Plan, found: Directives, nonce: str | None) -> Iterator[Weakness]:
    site = letting_in(plan.policy.controller.site)
    for kind, what in _OWN.items():
        name = KINDS[kind].deciding(found)
        if name is None or (kind == "script" and dynamic(found[name])):
            continue
        words = found[name][1:]
        own = any(word.lower() == "'self'" or source(word).text in site for word in words)
        if not own and not (kind in ("script", "style") and _has(nonce, words)):
            problem = f"the site itself is not in it, so browsers block {what}"
            yield Weakness(name, problem, "Add 'self'.", defeats=True)


def _sandboxed(found: Directives) -> Iterator[Weakness]:
    """What a ``sandbox`` (§6.3.2) without these flags keeps visitors from."""
    if (words := found.get("sandbox")) is None:
        return
    flags = set(map(str.lower, words[1:]))
    for flag, loss in _FLAGS.items():
        if flag not in flags:
            yield Weakness(
                "sandbox", f"without {flag} {loss}", f"Add {flag}, or remove sandbox.", defeats=True
            )


def _has(nonce: str | None, words: list[str]) -> bool:
    return bool(nonce) and f"'nonce-{nonce}'" in words


def _reported_to(plan: Plan, place: str, addresses: Iterable[str]) -> Iterator[Weakness]:
    for address in addresses:
        if not plan.refused.isdisjoint(source(address).within):
            problem = f'"{address[:100]}" is told the address of pages, and what it belongs to may not run'
            yield Weakness(place, problem, "Let reports go to the site itself.", defeats=True)


#: The addresses in ``Reporting-Endpoints``, which are strings as of RFC 9651, §3.3.3.
_QUOTED: Final = re.compile(r'"([^"\\]*)"')
#: What of ours goes by a directive, by its kind.
_OWN: Final = {
    "script": "the module of consent_head()",
    "style": "the style sheet of consent_head()",
    "connect": "what that module asks and sends",
    "form": "answers that are sent without it",
}
#: What a page in a sandbox lacks without a flag.
_FLAGS: Final = {
    "allow-forms": "visitors without JavaScript can't answer: browsers send no form",
    "allow-same-origin": "the page counts as another site's, so no Yes given on it is taken",
    "allow-scripts": "browsers block the module of consent_head()",
}
_UNREADABLE = Weakness(
    "Content-Security-Policy",
    "a policy holds non-ASCII or control characters, or words that are no directive, so it is left as it is",
    "Separate directives by semicolons and begin each with its name.",
    defeats=True,
)
