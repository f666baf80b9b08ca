"""Or, and, minus, xor and complement of sets of masks, and one mask of many."""

from __future__ import annotations

from compactmask._storage import StoredMask


class Algebra(StoredMask):
    """The operators and reductions."""

    __slots__ = ()
