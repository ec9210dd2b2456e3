"""What the component adds to a request, beside what its peers add."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.contest import Contestant, Entry, Pair, contestant, interleave
from benchmarks.environment import Environment, Unavailable
from benchmarks.progress import Progress
from benchmarks.report import OURS, Beside, Figure, Section
from benchmarks.spread import Spread

METHOD = (
    "CPU time (time.process_time) that one request costs in the process, `app.wsgi_app(environ)`, with the component "
    "minus without it. Both sides run one right after the other, and everybody takes turns: {calls} calls each in "
    "each of {rounds} rounds, after a few that warm up. “asks” stands for `current_consent.allows('performance')` or "
    "the peer's like, “new cookie” for one that the process never saw, in each request; “queries” are database "
    "statements in one request of a warm process. The raw limit is a component that decides nothing: a wrapper that "
    "edits two headers, `allows` that looks a known cookie up and checks the signature of a new one, and template "
    "calls that return ready text, ours."
)
#: The least that Flask and Jinja let any component cost, as the tables call it.
LIMIT = "raw limit"
#: Microseconds in a second.
MICRO = 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """One case under the name that people read; the goal is ours."""

    what: str
    case: str
    goal: str = ""


ROWS = (
    Row("text, no cookie", "text"),
    Row("text, no cookie, view asks", "text, asked"),
    Row("text, cookie", "text, cookie"),
    Row("text, cookie, view asks", "text, cookie, asked", goal="< 10 µs"),
    Row("text, new cookie, view asks", "text, cookie at first sight, asked", goal="< 25 µs"),
    Row("page with the banner", "page, undecided", goal="< 20 µs"),
    Row("page, all granted", "page, answered"),
    Row("page, all refused", "page, refused"),
    Row("page, all granted, new cookie", "page, first sight"),
)


#: Who runs in this environment, by the names in the tables.
HERE = {OURS: "flask_assent", LIMIT: "limit"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A project that is measured beside us, in an environment of its own."""

    name: str
    module: str
    packages: Sequence[str]

    def python(self) -> Path:
        """Its interpreter; Unavailable when it can't be installed."""
        return Environment(self.name, self.packages).python()


FLASK_CONSENT = Peer(
    "Flask-Consent",
    "flask_consent",
    ("Flask-Consent==0.0.3", f"Flask=={version('Flask')}", f"Werkzeug=={version('Werkzeug')}"),
)
DJANGO = Peer(
    "django-cookie-consent", "django_cookie_consent", ("django-cookie-consent==1.0.0", "Django==5.2.19")
)


def measure(folder: Path, *, quick: bool) -> Section:
    """The section; its databases lie in *folder*."""
    rounds, calls = (15, 30) if quick else (120, 30)
    progress = Progress("requests")
    section = Section(name="requests", title="Requests", method=METHOD.format(rounds=rounds, calls=calls))
    with ExitStack() as stack:
        running = {name: stack.enter_context(contestant(module, folder)) for name, module in HERE.items()}
        for peer in (FLASK_CONSENT, DJANGO):
            try:
                progress.say(f"{peer.name}: its environment, its process")
                running[peer.name] = stack.enter_context(contestant(peer.module, folder, peer.python()))
            except Unavailable as error:
                section.notes.append(f"Not measured: {error}.")
        ours = running[OURS]
        entries = [Entry(who, row.case) for row in ROWS for who in takers(row, running).values()]
        entries += [Entry(ours, case) for case in ours.about["cases"] if case.startswith("hostile")]
        found = interleave(entries, rounds=rounds, calls=calls, progress=progress)
        section.figures += added(found, running)
        section.figures += against_hostile(found, ours)
        section.notes += [f"{name}: {versions(who)}." for name, who in running.items()]
    return section


def takers(row: Row, running: Mapping[str, Contestant]) -> Mapping[str, Contestant]:
    """Those of *running* who take part in *row*, by name."""
    return {name: who for name, who in running.items() if row.case in who.about["cases"]}


def added(found: Mapping[Entry, Sequence[Pair]], running: Mapping[str, Contestant]) -> list[Figure]:
    """What each case costs each of those *running*."""
    return [
        figure(name, who, row, found[Entry(who, row.case)])
        for row in ROWS
        for name, who in takers(row, running).items()
    ]


def figure(name: str, who: Contestant, row: Row, pairs: Sequence[Pair]) -> Figure:
    """What the case of *row* adds, with the goal where it is ours."""
    calls = 10
    queries = who.queries(row.case, calls)
    return Figure(
        what=row.what,
        who=name,
        spread=Spread.of([MICRO * pair.added for pair in pairs]),
        unit="µs added",
        beside=[
            Beside("without", MICRO * Spread.of([pair.bare_cpu for pair in pairs]).median, "µs"),
            Beside("ratio", Spread.of([pair.ratio for pair in pairs]).median),
            *([] if queries is None else [Beside("queries", queries / calls)]),
        ],
        goal=row.goal if name == OURS else "",
    )


def against_hostile(found: Mapping[Entry, Sequence[Pair]], ours: Contestant) -> list[Figure]:
    """A whole request with each hostile cookie as a multiple of the same request without."""
    prefix, plain = "hostile: ", "hostile, without us: "
    kinds = [case.removeprefix(prefix) for case in ours.about["cases"] if case.startswith(prefix)]
    figures = []
    for kind in kinds:
        full, alone = found[Entry(ours, prefix + kind)], found[Entry(ours, plain + kind)]
        added = [MICRO * (pair.full_cpu - flask.full_cpu) for pair, flask in zip(full, alone, strict=True)]
        figures.append(
            Figure(
                what=f"hostile cookie, {kind}",
                who=OURS,
                spread=Spread.of([pair.ratio for pair in full]),
                unit="× without cookie",
                beside=[
                    Beside("Flask alone ×", Spread.of([pair.ratio for pair in alone]).median),
                    Beside("of it ours", Spread.of(added).median, "µs"),
                    Beside("queries", ours.queries(prefix + kind, 10) or 0),
                ],
                goal="≤ 2",
            )
        )
    return figures


def versions(who: Contestant) -> str:
    """What runs in the process of *who*."""
    return ", ".join(f"{name} {number}" for name, number in who.about["versions"].items())
