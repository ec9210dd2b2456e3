"""Events of every shape, for tests that hold for all of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from consent.ledger import Event, Kind

#: A busy machine is no reason to fail.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

START = datetime(1970, 1, 1, tzinfo=UTC)
#: What canonical JSON takes: texts in NFC; characters that normalising would change are left out.
texts = st.text(st.characters(max_codepoint=0x2FF), max_size=12)
keys = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=12)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
times = st.integers(0, 10**14).map(lambda ms: START + timedelta(milliseconds=ms))
details = st.dictionaries(keys, st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts)


@st.composite
def answers(draw: st.DrawFn) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Granted and refused services, none of them both."""
    given = draw(st.dictionaries(keys, st.booleans(), max_size=6))
    return tuple(key for key in given if given[key]), tuple(key for key in given if not given[key])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event there can be."""
    (granted, refused), (before_granted, before_refused) = draw(answers()), draw(answers())
    fields: dict[str, Any] = {
        "id": draw(st.uuids()),
        "kind": draw(st.sampled_from(Kind)),
        "time": draw(times),
        "policy": draw(st.none() | digests),
        "subject": draw(st.none() | st.uuids()),
        "notice": draw(st.none() | digests),
        "language": draw(st.none() | texts),
        "profile": draw(st.none() | texts),
        "signal": draw(st.booleans()),
        "source": draw(st.none() | texts),
        "opted_out": draw(st.booleans()),
        "account": draw(st.none() | texts),
        "detail": draw(st.none() | details),
    }
    return Event(
        granted=granted,
        refused=refused,
        before_granted=before_granted,
        before_refused=before_refused,
        key=draw(st.none() | keys) if fields["kind"] is Kind.OPERATED else None,
        min_index=draw(st.integers(0, 2**53 - 1)) if fields["kind"] is Kind.PRUNED else None,
        **fields,
    )
