"""Numbers that were met before, in 8 bytes each."""

from __future__ import annotations

import hashlib

import numpy as np

RECENT = 1 << 16


class Seen:
    """A set of 64-bit integers that grows: a sorted array, and the last ones in a Python set."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.int64)
        self._recent: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def __contains__(self, number: int) -> bool:
        if number in self._recent:
            return True
        at = self._sorted.searchsorted(number)
        return bool(at < len(self._sorted) and self._sorted[at] == number)

    def add(self, number: int) -> bool:
        """Add a number; tell whether it is new."""
        if number in self:
            return False
        self._recent.add(number)
        if len(self._recent) >= max(RECENT, len(self._sorted) // 8):
            recent = np.fromiter(self._recent, np.int64, len(self._recent))
            self._sorted = np.sort(np.concatenate([self._sorted, recent]))
            self._recent.clear()
        return True


def hashed(text: str) -> int:
    """Give 64 bits that stand for a text: two of a million are alike by a chance of 1 in 10**7."""
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
