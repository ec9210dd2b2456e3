"""Events in words, for pages and terminals alike: in English, as all that auditors read."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from consent.audit.row import Row
from consent.ledger import Event, Kind
from consent.policy import Policy

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Kind.GIVEN: "Consent given",
        Kind.GIVEN_ONCE: "Allowed once",
        Kind.REFUSED: "Refused",
        Kind.WITHDRAWN: "Consent withdrawn",
        Kind.OPTED_OUT: "Opted out of sale and sharing",
        Kind.SIGNAL_OPT_OUT: "Consent ended by a signal of the browser",
        Kind.EXPIRED: "Answer expired",
        Kind.INVALIDATED: "Consent ended because terms changed",
        Kind.IMPORTED: "Brought over from an earlier system",
        Kind.ERASED: "Personal part erased",
        Kind.ACCESSED: "Looked up",
        Kind.OPERATED: "Set-up of the site recorded",
        Kind.PRUNED: "Oldest leaves pruned",
    }
)

SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "banner": "the banner",
        "centre": "the preference centre, as a page",
        "dialog": "the preference centre, as a dialog",
        "mine": "the page “My consent”",
        "embed": "the place of an embed",
        "signal": "a signal of the browser",
        "navigator": "a signal of the browser, as the page's script saw it",
        "ledger": "the ledger itself",
    }
)

UNREADABLE: Final = "Unreadable record"
OPENED: Final = "Log opened"
NOT_KNOWN: Final = "not known"
#: What is said of an event, and of the entries below an index, that were pruned.
PRUNED: Final = (
    "The event {} was pruned: what it said was erased before, and the log keeps its hash alone. A receipt of it, and "
    "every checkpoint, still verifies."
)
LEAVES_OUT_ERASED: Final = "Erased events don’t say enough to be found by this."
PRUNED_BELOW: Final = "Entries below index {} were pruned, but for those that are still needed."


def kind_text(row: Row) -> str:
    """What happened."""
    if row.index == 0 and row.kind == Kind.OPERATED:
        return OPENED
    return UNREADABLE if row.kind is None else KINDS.get(row.kind, row.kind)


def time_text(row: Row) -> str:
    """When, in UTC to the second; of an erased event the hour."""
    if row.event is not None:
        return f"{row.event.time:%Y-%m-%d %H:%M:%S}"
    return f"{row.hour:%Y-%m-%d %H}h" if row.hour else "-"


def answers_text(row: Row) -> str:
    """The answers in force after the event, in short: + granted, - refused."""
    if row.problem:
        return "altered"
    if row.event is None:
        return "erased"
    return " ".join([f"+{key}" for key in row.event.granted] + [f"-{key}" for key in row.event.refused])


def details_text(row: Row) -> str:
    """What the event says besides, as an erasure does by whom it was made; empty for most."""
    return "; ".join(f"{name}: {text}" for name, text in _details(row.event)) if row.event else ""


def facts_of(row: Row, policy: Policy | None) -> Iterator[tuple[str, str]]:
    """Every field of *row* but its answers, each with what it says; *policy* is the one in force then."""
    yield "id", row.id
    yield "index", "not sealed yet" if row.index is None else f"{row.index} (its place in the log)"
    yield "kind", row.kind or "unreadable"
    if row.event is not None:
        yield "time", f"{row.event.time:%Y-%m-%d %H:%M:%S}.{row.event.time.microsecond // 1000:03d} UTC"
    elif row.hour is not None:
        yield "time", f"{row.hour:%Y-%m-%d}, between {row.hour:%H}:00 and {row.hour:%H}:59 UTC"
    if policy is not None:
        yield "policy", f"revision {policy.revision}, in force from {policy.effective}"
    elif row.policy is not None:
        yield "policy", "not on record"
    if row.policy is not None:
        yield "policy digest", row.policy
    if row.event is not None:
        yield from _opened(row.event)
    yield "record", row.problem or ("its personal part is erased" if row.erased else "as it was written")


def _opened(event: Event) -> Iterator[tuple[str, str]]:
    yield "notice", event.notice or NOT_KNOWN
    yield "language", event.language or NOT_KNOWN
    yield "profile", event.profile or NOT_KNOWN
    yield "source", f"{event.source} ({SOURCES.get(event.source, '?')})" if event.source else NOT_KNOWN
    yield "signal", "a privacy signal was sent" if event.signal else "no privacy signal was sent"
    yield "opted out", "yes, of sale and sharing" if event.opted_out else "no"
    if event.kind is Kind.ACCESSED:
        yield (
            "subject",
            f"{event.subject}: stands for the event that was looked up" if event.subject else "none",
        )
    else:
        yield "subject", str(event.subject) if event.subject else "none: nothing links it to a browser"
    yield "account", event.account or "none: nothing links it to an account"
    yield from _details(event)
    if event.key is not None:
        yield "key", event.key


def _details(event: Event) -> Iterator[tuple[str, str]]:
    for name, value in sorted((event.detail or {}).items()):
        yield from _lines(name.replace("_", " "), value)


def _lines(name: str, value: object) -> Iterator[tuple[str, str]]:
    """*value* under its *name*; a table has a line for each of its members, and what says nothing has none."""
    if value is None or value in ([], ()):
        return
    if isinstance(value, Mapping):
        for key, part in sorted(value.items()):
            yield from _lines(f"{name}: {key}", part)
    elif isinstance(value, list | tuple):
        yield name, ", ".join(map(str, value))
    else:
        yield name, str(value)
