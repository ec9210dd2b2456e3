"""The site's Content Security Policy lets in what runs and nothing of what doesn't, and else stays as it is."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from consent.policy import DIRECTIVES, Carrier, Controller, Policy, Service
from consent.web.csp import KINDS, Plan, without_nonce
from consent.web.weakness import weaknesses

SITE = "https://clinic.example"


def service(key: str, /, **origins: tuple[str, ...]) -> Service:
    return Service(
        key=key,
        category="performance",
        purposes=("measurement",),
        text="Counts.",
        origins=tuple(sorted(origins.items())),
    )


def policy(*services: Service, carriers: tuple[Carrier, ...] = ()) -> Policy:
    return Policy(
        revision=1,
        effective=date(2026, 11, 1),
        language="en",
        controller=Controller(name="Clinic", site=SITE, contact="privacy@clinic.example"),
        services=services,
        carriers=carriers,
    )


def plan(running: str, *services: Service) -> Plan:
    """The plan while of *services* these run: their keys, with spaces between."""
    return Plan.of(policy(*services), frozenset(running.split()))


VIDEO = service("video", frame=("https://video.example",), script=("https://video.example",))
COUNT = service("count", script=("https://count.example",), img=("https://*.count.example",))

# -- what is added


@pytest.mark.requirement("ENF-05")
def test_a_page_lets_in_what_runs_and_nothing_of_what_does_not() -> None:
    site = "default-src 'self'; script-src 'self' https://count.example; img-src 'self' data:"
    assert plan("video", VIDEO, COUNT).edit(site) == (
        "default-src 'self'; script-src 'self' https://video.example; img-src 'self' data:; "
        "frame-src 'self' https://video.example"
    )
    assert plan("", VIDEO, COUNT).edit(site) == "default-src 'self'; script-src 'self'; img-src 'self' data:"


def test_every_kind_that_a_policy_declares_has_its_directives() -> None:
    assert tuple(sorted(KINDS)) == DIRECTIVES


@pytest.mark.requirement("ENF-05")
@pytest.mark.parametrize(
    ("kind", "site", "edited"),
    [
        ("connect", "connect-src 'self'", "connect-src 'self' NEW"),
        ("connect", "default-src 'self'", "default-src 'self'; connect-src 'self' NEW"),
        ("connect", "script-src 'self'", "script-src 'self'"),
        ("font", "default-src 'self'", "default-src 'self'; font-src 'self' NEW"),
        ("form", "form-action 'self'", "form-action 'self' NEW"),
        ("form", "default-src 'self'", "default-src 'self'"),
        ("frame", "frame-src a.example; child-src b.example", "frame-src a.example NEW; child-src b.example"),
        (
            "frame",
            "default-src 'self'; child-src b.example",
            "default-src 'self'; child-src b.example; frame-src b.example NEW",
        ),
        ("frame", "default-src 'self'; script-src a.example", None),
        ("img", "default-src 'self'", "default-src 'self'; img-src 'self' NEW"),
        ("media", "default-src 'self'", "default-src 'self'; media-src 'self' NEW"),
        ("script", "default-src 'self'", "default-src 'self'; script-src 'self' NEW"),
        (
            "script",
            "script-src a.example; script-src-elem b.example",
            "script-src a.example NEW; script-src-elem b.example NEW",
        ),
        (
            "script",
            "default-src 'self'; script-src-elem 'self'",
            "default-src 'self'; script-src-elem 'self' NEW",
        ),
        (
            "style",
            "style-src a.example; style-src-elem b.example",
            "style-src a.example NEW; style-src-elem b.example NEW",
        ),
        ("style", "default-src 'self'", "default-src 'self'; style-src 'self' NEW"),
        ("worker", "worker-src 'self'", "worker-src 'self' NEW"),
        ("worker", "child-src a.example; script-src b.example", None),
        (
            "worker",
            "default-src 'self'; script-src b.example",
            "default-src 'self'; script-src b.example; worker-src b.example NEW",
        ),
        ("worker", "default-src 'self'", "default-src 'self'; worker-src 'self' NEW"),
        ("img", "object-src 'none'", "object-src 'none'"),
        ("img", "", ""),
    ],
)
def test_a_missing_directive_starts_from_its_fallback(kind: str, site: str, edited: str | None) -> None:
    if edited is None:
        made = {"frame": "frame-src 'self' NEW", "worker": "worker-src a.example NEW"}[kind]
        edited = f"{site}; {made}"
    one = plan("it", service("it", **{kind: ("https://new.example",)}))
    assert one.edit(site) == edited.replace("NEW", "https://new.example")


@pytest.mark.parametrize(
    ("site", "edited"),
    [
        ("script-src 'none'", "script-src https://video.example"),
        ("script-src 'NONE'", "script-src https://video.example"),
        ("script-src", "script-src https://video.example"),
        ("default-src 'none'", "default-src 'none'; script-src https://video.example"),
        ("default-src 'none';", "default-src 'none'; script-src https://video.example;"),
        ("default-src 'none' ; ", "default-src 'none' ; script-src https://video.example; "),
        ("script-src 'nonce-x' 'sha256-y='", "script-src 'nonce-x' 'sha256-y=' https://video.example"),
        (
            "script-src 'self'; script-src 'none'",
            "script-src 'self' https://video.example; script-src 'none'",
        ),
        ("SCRIPT-Src\t'SELF'", "SCRIPT-Src 'SELF' https://video.example"),
        (
            "script-src 'self', script-src a.example",
            "script-src 'self' https://video.example, script-src a.example https://video.example",
        ),
    ],
)
def test_what_is_needed_comes_last_and_replaces_none(site: str, edited: str) -> None:
    assert plan("it", service("it", script=("https://video.example",))).edit(site) == edited


@pytest.mark.parametrize(
    "site",
    [
        "script-src https://a.video.example",
        "script-src HTTPS://A.Video.Example:443/",
        "script-src a.video.example",
        "script-src http://a.video.example",
        "script-src *.video.example",
        "script-src https://*.example:*",
        "script-src https:",
        "script-src *",
        "default-src 'self' https://a.video.example",
        "default-src *",
    ],
)
def test_what_is_let_in_already_is_not_added(site: str) -> None:
    assert plan("it", service("it", script=("https://a.video.example",))).edit(site) == site


@pytest.mark.parametrize(
    "near",
    [
        "https://a.video.example/only.js",
        "https://a.video.example:8443",
        "https://*.a.video.example",
        "https://video.example",
        "wss://a.video.example",
        "'self'",
        "data:",
    ],
)
def test_what_only_resembles_it_does_not_count(near: str) -> None:
    edited = plan("it", service("it", script=("https://a.video.example",))).edit(f"script-src {near}")
    assert edited == f"script-src {near} https://a.video.example"


@pytest.mark.requirement("ENF-05")
def test_a_tag_manager_is_let_in_while_it_carries_something() -> None:
    tags = Carrier(key="tags", origins=(("script", ("https://tags.example",)),))
    count = replace(service("count", connect=("https://count.example",)), via="tags")
    one = policy(count, carriers=(tags,))
    site = "script-src 'self' https://tags.example; connect-src 'self'"
    assert Plan.of(one, frozenset({"count", "tags", "performance"})).edit(site) == (
        "script-src 'self' https://tags.example; connect-src 'self' https://count.example"
    )
    assert Plan.of(one, frozenset()).edit(site) == "script-src 'self'; connect-src 'self'"


@pytest.mark.requirement("ENF-05")
def test_a_page_that_caches_keep_lets_in_whatever_is_declared() -> None:
    shared = Plan.shared(policy(VIDEO, COUNT))
    site = "default-src 'self'"
    assert shared.edit(site) == (
        "default-src 'self'; frame-src 'self' https://video.example; img-src 'self' https://*.count.example; "
        "script-src 'self' https://video.example https://count.example"
    )
    assert weaknesses(shared, site) == ()


# -- what is taken out


@pytest.mark.requirement("ENF-05")
@pytest.mark.parametrize(
    "expression",
    [
        "https://a.count.example",
        "HTTPS://A.COUNT.EXAMPLE",
        "https://a.count.example:443",
        "https://a.count.example/",
        "https://a.count.example/deep/path.js",
        "a.count.example",
        "a.count.example:443",
        "http://a.count.example",
        "http://a.count.example:80",
        "wss://a.count.example",
        "https://b.a.count.example",
        "https://*.a.count.example",
        "https://*.count.example",
    ],
)
@pytest.mark.parametrize(
    "directive", ["script-src", "default-src", "form-action", "child-src", "prefetch-src"]
)
def test_a_refused_origin_goes_however_it_is_spelled_and_wherever_it_stands(
    directive: str, expression: str
) -> None:
    one = plan("", service("it", script=("https://*.count.example",)))
    assert one.edit(f"{directive} 'self' {expression} b.example") == f"{directive} 'self' b.example"
    assert one.edit(f"{directive} {expression}") == f"{directive} 'none'"


@pytest.mark.parametrize(
    "site",
    [
        "script-src https://count.example.org https://xcount.example https://count.example.",
        "script-src https://count.example:8443",
        "script-src 'nonce-count.example' 'sha256-count.example'",
        "frame-ancestors https://count.example",
        "base-uri https://count.example",
        "report-uri https://count.example/report",
        "script-src 'self'; script-src https://count.example",
        "img-src https://a.b.c.example/https://count.example",
        f"img-src https://{'x.' * 130}count.example",
    ],
)
def test_what_only_resembles_a_refused_origin_stays(site: str) -> None:
    assert plan("", COUNT).edit(site) == site


@pytest.mark.requirement("ENF-05")
def test_a_refused_origin_stays_only_where_something_that_runs_needs_it() -> None:
    maps = service("maps", img=("https://vendor.example",))
    ads = service("ads", script=("https://vendor.example",), img=("https://vendor.example",))
    site = "script-src 'self' https://vendor.example; img-src 'self' https://vendor.example"
    assert plan("maps", maps, ads).edit(site) == "script-src 'self'; img-src 'self' https://vendor.example"
    site = "script-src 'self'; img-src Vendor.example https://vendor.example/x.png 'self'"
    assert plan("maps", maps, ads).edit(site) == site
    assert plan("maps", maps, ads).edit("default-src https://vendor.example") == (
        "default-src 'none'; img-src https://vendor.example"
    )


@pytest.mark.requirement("ENF-05")
def test_a_directive_made_from_its_fallback_does_not_bring_back_what_is_refused() -> None:
    assert plan("video", VIDEO, COUNT).edit("default-src 'self' https://count.example") == (
        "default-src 'self'; frame-src 'self' https://video.example; script-src 'self' https://video.example"
    )


def test_a_socket_is_let_in_by_its_own_scheme_only() -> None:
    one = plan("it", service("it", connect=("wss://live.example",)))
    assert (
        one.edit("connect-src https://live.example") == "connect-src https://live.example wss://live.example"
    )
    assert one.edit("connect-src ws://live.example") == "connect-src ws://live.example"


def test_the_sites_own_origin_never_goes() -> None:
    site = f"script-src {SITE} https://count.example"
    assert plan("", service("it", script=(SITE, "https://count.example"))).edit(site) == f"script-src {SITE}"


# -- what can't be read, and what defeats it


@pytest.mark.parametrize(
    "text", ["script-src ü.example", "script-src a\x00b", "script-src a\nb", "'self'; script-src a", "=x"]
)
def test_a_policy_that_can_not_be_read_is_left_alone_and_reported(text: str) -> None:
    one = plan("video", VIDEO)
    good = "frame-src 'self'"
    assert one.edit(f"{text}, {good}") == f"{text}, {good} https://video.example"
    assert any("left as it is" in str(fault) for fault in weaknesses(one, text))
    assert weaknesses(one, f"{text},{text}") == weaknesses(one, text)


@pytest.mark.parametrize(
    "expression", ["*", "https:", "HTTP:", "*.example", "https://*.example:*", "https://*"]
)
def test_what_lets_in_a_refused_origin_is_reported(expression: str) -> None:
    site = f"script-src 'self' {expression}; style-src 'self'; img-src 'self'"
    (fault,) = weaknesses(plan("", COUNT), site)
    assert fault.place == "script-src"
    assert f'"{expression}" lets in https://count.example' in fault.problem
    assert weaknesses(plan("count", COUNT), site) == ()


@pytest.mark.parametrize(
    ("site", "places"),
    [
        ("script-src 'self'; style-src 'self'", {"img-src"}),
        ("style-src 'self'", {"script-src", "img-src"}),
        ("default-src 'self'", set()),
        ("default-src 'self' https:", {"default-src"}),
        ("frame-ancestors 'none', default-src 'self'", set()),
        ("default-src * 'self', default-src 'self'", set()),
        ("default-src * 'self', default-src https: 'self'", {"default-src"}),
        ("default-src 'self' *.count.example/counted.gif", set()),
        ("default-src 'self' https://*.example/counted.gif", {"default-src"}),
    ],
)
def test_what_is_not_restricted_at_all_is_reported_but_not_what_another_policy_keeps_out(
    site: str, places: set[str]
) -> None:
    assert {fault.place for fault in weaknesses(plan("", COUNT), site)} == places


def test_a_form_that_may_go_anywhere_is_reported() -> None:
    one = plan("", service("it", form=("https://pay.example",)))
    (fault,) = weaknesses(one, "default-src 'self'")
    assert (fault.place, fault.fix) == ("form-action", "Add it.")


@pytest.mark.parametrize(
    "site",
    [
        "script-src 'strict-dynamic' 'nonce-x'",
        "script-src 'nonce-x' 'strict-dynamic' https: 'unsafe-inline' data:",
        "default-src 'Strict-Dynamic'",
    ],
)
def test_strict_dynamic_is_reported_because_origins_mean_nothing_beside_it(site: str) -> None:
    faults = weaknesses(plan("", VIDEO), site + "; style-src 'self'; frame-src 'self'; connect-src 'self'")
    assert ["strict-dynamic" in fault.problem for fault in faults] == [True]


def test_scripts_out_of_the_address_itself_are_reported() -> None:
    (fault,) = weaknesses(plan(""), "script-src 'self' data:; img-src data:")
    assert (fault.place, '"data:"' in fault.problem) == ("script-src", True)


@pytest.mark.parametrize(
    ("site", "places"),
    [
        ("script-src 'self'; style-src 'Self'", []),
        (f"default-src {SITE}", []),
        ("default-src https:", []),
        ("script-src 'nonce-x'; style-src 'nonce-x'", ["script-src", "style-src"]),
        ("default-src 'none'", ["default-src"] * 3),
        ("default-src 'self'; connect-src https://api.example", ["connect-src"]),
        ("default-src 'self'; form-action 'none'", ["form-action"]),
        ("default-src 'self', style-src 'none'", ["style-src"]),
        ("img-src 'none'", []),
        ("sandbox", ["sandbox"] * 3),
        ("Sandbox Allow-Forms allow-same-origin allow-scripts", []),
        ("sandbox allow-scripts allow-forms", ["sandbox"]),
    ],
)
def test_a_policy_that_blocks_our_own_files_is_reported(site: str, places: list[str]) -> None:
    assert [fault.place for fault in weaknesses(plan(""), site)] == places


@pytest.mark.parametrize(
    ("site", "defeats"),
    [
        ("script-src 'nonce-page'; style-src 'nonce-page'", []),
        ("script-src 'nonce-other'; style-src 'nonce-page'", [True]),
        ("script-src 'strict-dynamic' 'nonce-page'; style-src 'self'", [False]),
        ("script-src 'strict-dynamic' 'nonce-other'; style-src 'self'", [True]),
    ],
)
def test_what_the_page_gives_its_nonce_to_is_not_blocked(site: str, defeats: list[bool]) -> None:
    assert [each.defeats for each in weaknesses(plan(""), site, "page")] == defeats
    assert all(each.defeats for each in weaknesses(plan(""), site))


def test_reports_to_what_may_not_run_are_reported() -> None:
    site = "default-src 'self'; report-uri /here https://count.example/api"
    assert [fault.place for fault in weaknesses(plan("", COUNT), site)] == ["report-uri"]
    assert weaknesses(plan("count", COUNT), site) == ()
    endpoints = 'own="/here", theirs="https://count.example:443/api";p=1'
    site = "default-src 'self'; report-to theirs"
    [fault] = weaknesses(plan("", COUNT), site, endpoints=endpoints)
    assert (fault.place, fault.defeats) == ("Reporting-Endpoints", True)
    assert '"https://count.example:443/api"' in fault.problem
    assert weaknesses(plan("count", COUNT), site, endpoints=endpoints) == ()


def test_a_fault_is_told_once_and_in_whole_sentences() -> None:
    many = [service(f"s{number}", img=(f"https://s{number}.example",)) for number in range(50)]
    faults = weaknesses(plan("", *many), "default-src 'self' https:, img-src https:")
    assert len(faults) == 2
    assert str(faults[0]) == (
        'default-src: "https:" lets in https://s0.example, which belongs to what may not run. '
        "Name only the origins that the site itself needs."
    )


# -- every policy, against a model of what browsers do (CSP3 §6.7.2 and §6.8.3), written apart

CHAINS = {
    "connect": ["connect-src", "default-src"],
    "font": ["font-src", "default-src"],
    "form": ["form-action"],
    "frame": ["frame-src", "child-src", "default-src"],
    "img": ["img-src", "default-src"],
    "media": ["media-src", "default-src"],
    "script": ["script-src-elem", "script-src", "default-src"],
    "style": ["style-src-elem", "style-src", "default-src"],
    "worker": ["worker-src", "child-src", "script-src", "default-src"],
}
SCHEMES = {"http": "https", "ws": "wss"}
PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
Url = tuple[str, str, int, str]


def url(text: str) -> Url:
    scheme, host, port, path = re.fullmatch(r"(\w+)://([^:/]+)(?::(\d+))?(/.*)?", text).groups()  # type: ignore[union-attr]
    return scheme, host, int(port or PORTS[scheme]), path or "/"


def host_matches(pattern: str, host: str) -> bool:
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def expression_matches(expression: str, where: Url) -> bool:
    """Whether the page https://clinic.example may load *where* by *expression*."""
    scheme, host, port, path = where
    if expression.lower() == "'self'":
        return expression_matches(SITE, where)
    if expression == "*":
        return True
    if found := re.fullmatch(r"([a-z]+):", expression, re.I):
        return scheme in (found[1].lower(), SCHEMES.get(found[1].lower()))
    found = re.fullmatch(r"(?:([a-z]+)://)?([^:/']+)(?::(\d+|\*))?(/.*)?", expression, re.I)
    if not found:
        return False
    asked = (found[1] or "https").lower()
    if scheme not in (asked, SCHEMES.get(asked)):
        return False
    if found[3] is None:
        ports = {PORTS[scheme]}
    elif found[3] == "*":
        ports = {port}
    else:
        ports = {int(found[3])} | ({443} if asked in SCHEMES and found[3] == "80" else set())
    paths = found[4] in (None, "/", path) or (found[4].endswith("/") and path.startswith(found[4]))
    return host_matches(found[2].lower(), host) and port in ports and paths


def read(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for directive in text.split(";"):
        if words := directive.split():
            found.setdefault(words[0].lower(), words[1:])
    return found


def loads(header: str, kind: str, where: Url) -> bool:
    """Whether a browser that got *header* would load *where* as a thing of *kind*."""
    for text in header.split(","):
        found = read(text)
        deciding = next((found[name] for name in CHAINS[kind] if name in found), ["*"])
        if kind == "script" and "'strict-dynamic'" in deciding:
            return False
        if not any(expression_matches(each, where) for each in deciding):
            return False
    return True


ORIGINS = [
    "https://a.example",
    "https://b.a.example",
    "https://*.a.example",
    "https://c.example:8443",
    "https://c.example",
    "wss://c.example",
    "http://localhost:5000",
]
WORDS = [
    *ORIGINS,
    *("a.example", "HTTPS://A.example:443/", "https://a.example/x.js", "http://A.example:80", "*.a.example"),
    *(
        "https://x.b.a.example/x/",
        "*.example",
        "https://*.example:*",
        "https://*.example/x.js",
        "*",
        "*:8443",
    ),
    *("https:", "HTTP:", "wss:", "data:", "c.example:*", "c.example:8443", "localhost:5000", "localhost:*"),
    *("'self'", "'none'", "'NONE'", "'unsafe-inline'", "'nonce-YWJj'", "'sha256-YWJj='", "'strict-dynamic'"),
    *("https://other.example", SITE, "'report-sample'", "'", "''"),
]
NAMES = [
    *sorted({name for chain in CHAINS.values() for name in chain}),
    *("object-src", "manifest-src", "base-uri", "frame-ancestors", "report-uri", "sandbox", "unknown"),
]
SPACE = st.sampled_from([" ", "  ", "\t"])


@st.composite
def directives(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(NAMES))
    words = [draw(st.sampled_from([name, name.upper()]))]
    words += draw(st.lists(st.sampled_from(WORDS), max_size=4))
    before = draw(st.sampled_from(["", " ", "  "]))
    after = draw(st.sampled_from(["", " "]))
    return before + "".join(word + draw(SPACE) for word in words[:-1]) + words[-1] + after


POLICIES = st.lists(directives() | st.sampled_from(["", " "]), max_size=6).map(";".join)
HEADERS = st.lists(POLICIES, min_size=1, max_size=2).map(",".join)
SERVICES = st.dictionaries(
    st.sampled_from(["one", "two", "three"]),
    st.dictionaries(
        st.sampled_from(DIRECTIVES),
        st.lists(st.sampled_from(ORIGINS), min_size=1, max_size=2, unique=True).map(tuple),
        max_size=4,
    ),
    min_size=1,
).map(lambda parts: policy(*(service(key, **origins) for key, origins in parts.items())))


@st.composite
def cases(draw: st.DrawFn) -> Plan:
    one = draw(SERVICES)
    return Plan.of(one, draw(st.frozensets(st.sampled_from([each.key for each in one.services]))))


def declared(one: Plan, *, running: bool) -> set[tuple[str, str]]:
    """Kind and origin of what runs, or doesn't, as declared."""
    return {
        (kind, origin)
        for each in one.policy.services
        if (each.key in one.running) is running
        for kind, origins in each.origins
        for origin in origins
    }


def inside(origin: str) -> Iterator[Url]:
    """Some addresses of *origin*."""
    for path in ("/", "/x.js", "/x/y.js"):
        for label in ("b", "x.b") if "*" in origin else ("",):
            yield url(origin.replace("*", label) + path)


def adding_to(kind: str) -> set[str]:
    """The kinds whose origins may reach *kind*: where nothing else is said, ``script-src`` is for workers too.

    That lets in nothing: browsers load a worker from the page's own origin only.
    """
    return {kind, "script"} if kind == "worker" else {kind}


def belongs(where: Url, origin: str) -> bool:
    """Whether *where* is *origin*'s, whatever the scheme."""
    scheme, host, port, _ = url(origin)
    ports = {port, 80, 443} if port in (80, 443) else {port}
    return host_matches(host, where[1]) and where[2] in ports and bool(scheme)


PROBES = sorted(
    {where for origin in ORIGINS for where in inside(origin)}
    | {url("http://a.example/x.js"), url("https://other.example/"), url("https://d.example/"), url(SITE)}
    | {url("wss://b.a.example"), url("https://localhost:5000"), url("https://c.example:9000/x.js")}
)


@given(cases(), st.text(st.characters()) | st.text("abc-src;, \t'*:/.\x00é") | HEADERS)
@example(plan("it", service("it", img=("https://a.example",))), "default-src 'nonce-x; img-src 'nonce-'")
def test_no_text_makes_it_fail_and_editing_twice_is_editing_once(one: Plan, text: str) -> None:
    edited = one.edit(text)
    assert one.edit(edited) == edited
    weaknesses(one, text)
    weaknesses(one, edited)


@given(cases(), HEADERS)
def test_whatever_runs_is_let_in(one: Plan, site: str) -> None:
    edited = one.edit(site)
    for kind, origin in declared(one, running=True):
        if kind != "script" or "'strict-dynamic'" not in edited:
            assert all(loads(edited, kind, where) for where in inside(origin)), (kind, origin, edited)


@given(cases(), HEADERS)
@example(
    plan(
        "one",
        service("one", script=("https://b.a.example",)),
        service("two", font=("https://a.example",), worker=("https://b.a.example",)),
    ),
    "font-src",
)
def test_whatever_does_not_run_is_kept_out_or_reported(one: Plan, site: str) -> None:
    assume(any(read(text) for text in site.split(",")))
    edited, places = one.edit(site), {fault.place for fault in weaknesses(one, site)}
    needed = declared(one, running=True)
    let_in = set[str]()
    for kind, origin in declared(one, running=False):
        shared = [whose for what, whose in needed if what in adding_to(kind)]
        for where in inside(origin):
            if loads(edited, kind, where):
                let_in |= {*CHAINS[kind]}  # to be reported, or let in as something else that runs
                if not any(belongs(where, whose) for whose in shared):
                    assert places & {*CHAINS[kind]}, (kind, origin, edited)
    assert not [
        fault
        for fault in weaknesses(one, site)
        if "may not run" in fault.problem and "let" in fault.problem and fault.place not in let_in
    ]


@given(cases(), HEADERS)
def test_nothing_else_is_let_in_than_before_but_what_runs(one: Plan, site: str) -> None:
    edited, needed = one.edit(site), declared(one, running=True)
    for kind in DIRECTIVES:
        for where in PROBES:
            if loads(edited, kind, where) and not loads(site, kind, where):
                added = [whose for what, whose in needed if what in adding_to(kind)]
                assert any(belongs(where, whose) for whose in added), (kind, where)


@given(cases(), HEADERS)
@example(plan("", service("it", connect=("https://c.example",))), "child-src c.example:*")
def test_nothing_else_is_kept_out_than_what_does_not_run(one: Plan, site: str) -> None:
    """An expression for any port of a refused host goes whole, its other ports with it."""
    edited, refused = one.edit(site), declared(one, running=False)
    for kind in DIRECTIVES:
        for where in PROBES:
            if loads(site, kind, where) and not loads(edited, kind, where):
                theirs = [
                    origin
                    for _, origin in refused
                    if belongs(where, origin) or (":*" in site and host_matches(url(origin)[1], where[1]))
                ]
                assert theirs, (kind, where, edited)


@given(cases(), HEADERS)
def test_what_needs_no_change_stays_byte_for_byte(one: Plan, site: str) -> None:
    edited = one.edit(site)
    assert edited.count(",") == site.count(",")
    origins = {origin for _, origin in declared(one, running=True)}
    for text, new in zip(site.split(","), edited.split(","), strict=True):
        assert [each for each in text.split(";") if not each.strip()] == [
            each for each in new.split(";") if not each.strip()
        ]
        pairs = [[each for each in whole.split(";") if each.strip()] for whole in (text, new)]
        for old, piece in zip(*pairs, strict=False):
            words = old.split()
            kept = [word for word in piece.split() if word in words]
            added = piece.split()[len(kept) :]
            left = iter(words)
            assert all(word in left for word in kept), "in the same order"
            assert set(added) <= origins | {"'none'"}
            assert piece == old or piece.split() != words
            assert old[: len(old) - len(old.lstrip())] == piece[: len(piece) - len(piece.lstrip())]
        for piece in pairs[1][len(pairs[0]) :]:
            name = piece.split()[0]
            assert name in {kind.own[-1] for kind in KINDS.values()}
            assert name not in read(text)


def test_every_nonce_and_hash_is_kept() -> None:
    site = "script-src 'nonce-abc' 'nonce-' 'nonce-abc' 'nonce-def=' 'sha256-x='; style-src 'nonce-abc'"
    assert plan("count", service("count", script=("https://count.example",))).edit(site) == (
        "script-src 'nonce-abc' 'nonce-' 'nonce-abc' 'nonce-def=' 'sha256-x=' https://count.example; "
        "style-src 'nonce-abc'"
    )


def test_two_requests_differ_by_their_nonces_only() -> None:
    sent = [
        f"script-src 'nonce-{one}' 'sha256-x='; style-src 'nonce-{two}'" for one, two in ("ab", "cd", "cc")
    ]
    assert {without_nonce(each) for each in sent} == {"script-src 'nonce-' 'sha256-x='; style-src 'nonce-'"}


@given(
    cases(),
    HEADERS,
    st.from_regex(r"[A-Za-z0-9+/_-]{1,20}={0,2}", fullmatch=True, alphabet=st.characters(max_codepoint=127)),
)
def test_another_nonce_changes_nothing_else(one: Plan, site: str, nonce: str) -> None:
    assume("YWJj" not in nonce)
    other = site.replace("'nonce-YWJj'", f"'nonce-{nonce}'")
    assert one.edit(other) == one.edit(site).replace("'nonce-YWJj'", f"'nonce-{nonce}'")
    assert one.edit(site.replace("YWJj'", "'")) == one.edit(site).replace("'nonce-YWJj'", "'nonce-'")
