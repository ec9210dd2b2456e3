"""The tree and its proofs straight from the definitions of RFC 6962 §2.1, to compare with.

Nothing here is shared with the package, and nothing is clever: the definitions recur, and what they
gave for a span of leaves is remembered.
"""

import hashlib
from collections.abc import Sequence


def largest_power_of_two_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


class NaiveTree:
    """The Merkle tree over *hashes*, which are those of the leaves. D[a:b] of the RFC is written (a, b)."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self.leaf_hashes = hashes
        self.known: dict[tuple[int, int], bytes] = {}

    def mth(self, a: int, b: int) -> bytes:
        """MTH(D[a:b]) of §2.1."""
        if (a, b) not in self.known:
            n = b - a
            if n == 0:
                found = hashlib.sha256(b"").digest()
            elif n == 1:
                found = self.leaf_hashes[a]
            else:
                k = largest_power_of_two_below(n)
                found = hashlib.sha256(b"\x01" + self.mth(a, a + k) + self.mth(a + k, b)).digest()
            self.known[a, b] = found
        return self.known[a, b]

    def path(self, m: int, a: int, b: int) -> list[bytes]:
        """PATH(m, D[a:b]) of §2.1.1."""
        n = b - a
        if n == 1:
            return []
        k = largest_power_of_two_below(n)
        if m < k:
            return [*self.path(m, a, a + k), self.mth(a + k, b)]
        return [*self.path(m - k, a + k, b), self.mth(a, a + k)]

    def proof(self, m: int, b: int) -> list[bytes]:
        """PROOF(m, D[0:b]) of §2.1.2."""
        return self.subproof(m, 0, b, True)

    def subproof(self, m: int, a: int, b: int, whole: bool) -> list[bytes]:
        """SUBPROOF(m, D[a:b], whole) of §2.1.2."""
        n = b - a
        if m == n:
            return [] if whole else [self.mth(a, b)]
        k = largest_power_of_two_below(n)
        if m <= k:
            return [*self.subproof(m, a, a + k, whole), self.mth(a + k, b)]
        return [*self.subproof(m - k, a + k, b, False), self.mth(a, a + k)]
