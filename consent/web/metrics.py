"""What a site's monitoring may count, for Prometheus: how often and how fast, and nothing of anybody.

Labels are kinds of events, keys of services and reasons: closed lists of the site's own. Each process counts by itself;
where ``PROMETHEUS_MULTIPROC_DIR`` is set, whichever process is asked answers for all of them.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from consent.errors import ConfigurationError, LedgerError
from consent.ledger import Kind, Ledger, Record, Recorded

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

#: Upper ends of the histogram's buckets, in seconds.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
#: Where Prometheus' client shares its counts between processes, if the site says so.
SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """Counts of one app. ConfigurationError where the package that keeps them isn't installed."""

    def __init__(self, steady: Callable[[], float], clock: Callable[[], float]) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram
        except ImportError as error:
            raise ConfigurationError(
                "CONSENT_METRICS needs the package prometheus-client. Install it: pip install 'flask-assent[metrics]'."
            ) from error
        self.registry = CollectorRegistry()
        self.appends = Histogram(
            "consent_append_seconds",
            "How long recording an event took, until it was durable.",
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.decisions = Counter(
            "consent_decisions",
            "Answers, opt-outs and what signals ended, as they were recorded, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.failures = Counter(
            "consent_append_failures", "Events that could not be recorded at once.", registry=self.registry
        )
        self.blocked = Counter(
            "consent_items_blocked",
            "Cookies that the gate kept back, by the service that declares them and the reason.",
            ["service", "reason"],
            registry=self.registry,
        )
        self._steady, self._clock = steady, clock
        self._oldest: tuple[UUID, float] | None = None
        self._newest: tuple[UUID, float] | None = None

    def appended(self, kind: Kind, seconds: float, recorded: Recorded) -> None:
        """An event of *kind* was recorded, in *seconds*; one that repeats another is none."""
        self.appends.observe(seconds)
        if recorded.merged:
            return
        self.decisions.labels(kind.value).inc()
        if recorded.index is None:
            self._newest = recorded.id, self._steady()
            self._oldest = self._oldest or self._newest

    def failed(self) -> None:
        """An event could not be recorded."""
        self.failures.inc()

    def stopped(self, sender: object, *, service: str | None, reason: str, **_: object) -> None:
        """The receiver of ``item_blocked``: a cookie's name stays out, for it may hold an id."""
        self.blocked.labels(service or "", reason).inc()

    def text(self, ledger: Callable[[], Ledger]) -> bytes:
        """All of it as Prometheus reads it, in UTF-8, with what the *ledger* says of itself now."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        counted = self.registry
        if SHARED in os.environ:
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]  # as the package ships it
        return generate_latest(counted) + generate_latest(_registry(self.facts(ledger)))

    def facts(self, ledger: Callable[[], Ledger]) -> Iterator["Metric"]:
        """What the *ledger* says of itself; only that it is down when it can't be read."""
        from prometheus_client.core import GaugeMetricFamily

        try:
            found = ledger()
            facts = {
                "consent_entries": ("Entries of the log that are sealed.", float(found.size())),
                "consent_seal_lag_seconds": (
                    "How long an event has waited to be sealed.",
                    self.seal_lag(found),
                ),
                "consent_checkpoint_lag_seconds": (
                    "How long the oldest entry has been there that no signed checkpoint is over.",
                    self.checkpoint_lag(found),
                ),
            }
        except LedgerError:
            facts = {}
        yield GaugeMetricFamily(
            "consent_ledger_up", "Whether the log can be read.", value=1.0 if facts else 0.0
        )
        for name, (text, value) in facts.items():
            yield GaugeMetricFamily(name, text, value=value)

    def seal_lag(self, ledger: Ledger) -> float:
        """Seconds that the oldest event that this process recorded, and is known not to be sealed, has waited."""
        for waiting in (self._oldest, self._newest):
            record = ledger.get(waiting[0]) if waiting else None
            if waiting and record is not None and record.index is None:
                self._oldest = waiting
                return max(0.0, self._steady() - waiting[1])
        self._oldest = self._newest = None
        return 0.0

    def checkpoint_lag(self, ledger: Ledger) -> float:
        """Seconds since the oldest sealed entry that no signed checkpoint is over; 0 without such."""
        signed = next((covered for covered, _ in ledger.storage.notes()), 0)
        record = next(iter(ledger.records(signed - 1)), None)
        return 0.0 if record is None else max(0.0, self._clock() - time_of(record).timestamp())


def time_of(record: Record) -> datetime:
    """When *record* was made; of an erased event the hour; of one that can't be read the beginning of time."""
    try:
        event = record.event()
        return event.time if event else record.outline().hour
    except LedgerError:
        return datetime.fromtimestamp(0, UTC)


def _registry(metrics: Iterator["Metric"]) -> "CollectorRegistry":
    """A registry of *metrics* as they are now."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.registry import Collector

    class Facts(Collector):
        def collect(self) -> Iterator["Metric"]:
            return metrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Facts())
    return registry
