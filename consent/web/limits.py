"""How much one address, and everybody together, may write into the ledger in a while.

Addresses are never stored: a bucket's name is a keyed hash under a key that lives as long as the process.
Wide enough for a hospital whose visitors all leave by one address.
"""

import hashlib
import ipaddress
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from consent.errors import LedgerUnavailable

#: Answers that one address may send at once, and how many it regains in a second.
ADDRESS_BURST, ADDRESS_RATE = 120.0, 2.0
#: The same for all addresses together, for one process.
GLOBAL_BURST, GLOBAL_RATE = 1200.0, 50.0
#: The same for what is loaded once, which takes nothing from answers.
ONCE = (30.0, 0.5, 300.0, 10.0)
#: Buckets remembered; the one used longest ago makes room.
MOST_ADDRESSES = 4096


class TooMany(LedgerUnavailable):
    """More answers than the limits allow; *retry_after* seconds from now one is taken again."""


@dataclass(slots=True)
class Bucket:
    """Tokens that refill by themselves: at most *burst*, *rate* a second."""

    burst: float
    rate: float
    tokens: float
    at: float

    def refill(self, now: float) -> float:
        """The tokens there are at *now* (seconds of a steady clock)."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = now
        return self.tokens

    def wait(self) -> float:
        """Seconds until one token is there."""
        return max(0.0, (1.0 - self.tokens) / self.rate)


@dataclass(slots=True)
class Limits:
    """Token buckets per address and for everybody; *key* (bytes) keeps the addresses unreadable."""

    key: bytes
    sizes: tuple[float, float, float, float] = ADDRESS_BURST, ADDRESS_RATE, GLOBAL_BURST, GLOBAL_RATE
    """Burst and rate for one address, burst and rate for everybody."""
    buckets: OrderedDict[bytes, Bucket] = field(default_factory=OrderedDict)
    everybody: Bucket | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, address: str | None, now: float) -> None:
        """Let one answer from *address* be written at *now* (seconds of a steady clock), or raise TooMany."""
        with self.lock:
            both = (self._of_everybody(now), self._of(address, now))
            for bucket in both:
                if bucket.refill(now) < 1.0:
                    wait = max(1, math.ceil(bucket.wait()))
                    raise TooMany(
                        "more answers at once than are taken; the next one after a pause", retry_after=wait
                    )
            for bucket in both:
                bucket.tokens -= 1.0

    def _of_everybody(self, now: float) -> Bucket:
        if self.everybody is None:
            burst, rate = self.sizes[2:]
            self.everybody = Bucket(burst, rate, burst, now)
        return self.everybody

    def _of(self, address: str | None, now: float) -> Bucket:
        name = hashlib.blake2b(network(address).encode(), key=self.key, digest_size=16).digest()
        burst, rate = self.sizes[:2]
        bucket = self.buckets.pop(name, None) or Bucket(burst, rate, burst, now)
        self.buckets[name] = bucket
        if len(self.buckets) > MOST_ADDRESSES:
            self.buckets.popitem(last=False)
        return bucket


def network(address: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 customer gets."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
