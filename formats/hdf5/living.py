"""Positions without the images that were deleted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Living:
    """What is left of positions when ranges of them are taken out.

    Nothing but the ranges is kept, so it costs memory for what was deleted only.

    Parameters
    ----------
    total : int
        How many positions there are.
    starts, stops : ndarray of int64
        The ranges, ascending and not overlapping; they may be empty.
    """

    __slots__ = ("_after", "_gone", "_starts", "_stops", "count")

    def __init__(self, total: int, starts: Array, stops: Array) -> None:
        self._starts, self._stops = starts, stops
        self._gone = np.cumsum(stops - starts)
        self._after = stops - self._gone
        """The position that the first one behind each range gets."""
        self.count = total - (int(self._gone[-1]) if len(starts) else 0)
        """How many positions are left."""

    def stored(self, position: int) -> int:
        """Give the position in the file of one that is left."""
        before = int(np.searchsorted(self._after, position, side="right"))
        return position + (int(self._gone[before - 1]) if before else 0)

    def shown(self, stored: int) -> int:
        """Give the position that is left of one in the file that is in no range, or its end."""
        before = int(np.searchsorted(self._stops, stored, side="right"))
        return stored - (int(self._gone[before - 1]) if before else 0)

    def is_gone(self, stored: int) -> bool:
        """Tell whether a position in the file is in one of the ranges."""
        before = int(np.searchsorted(self._stops, stored, side="right"))
        return before < len(self._starts) and bool(self._starts[before] <= stored)

    def of(self, rows: Array) -> Array:
        """Give the rows that are left of all those in the file."""
        kept = np.ones(len(rows), bool)
        for start, stop in zip(self._starts.tolist(), self._stops.tolist(), strict=True):
            kept[start:stop] = False
        return rows[kept]
