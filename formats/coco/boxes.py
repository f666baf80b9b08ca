"""COCO's boxes: x, y, width, height instead of two corners."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

POWERS = [10.0**digits for digits in range(18)]
FEW = 9
SMALL = 1e5
EXACT = 2.0**53


def xywh(xyxy: npt.NDArray[Any]) -> list[list[float]]:
    """Turn boxes of two corners to COCO's.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4)
        x1, y1, x2, y2, finite.

    Returns
    -------
    list of list of float
        ``[x1, y1, w, h]``, in new lists. ``w`` is the number of the fewest decimals for which
        ``x1 + w == x2`` holds exactly, ``h`` likewise. Where there is none, because ``x1`` and
        ``x2`` are too far apart, it is the difference.

    Examples
    --------
    >>> 116.73 + 38.65, 155.38 - 116.73
    (155.38, 38.64999999999999)
    >>> import numpy as np
    >>> xywh(np.array([[116.73, 0, 155.38, 9]]))
    [[116.73, 0.0, 38.65, 9.0]]
    """
    boxes: list[list[float]] = np.asarray(xyxy, dtype=np.float64).tolist()
    for box in boxes:
        box[2] = extent(box[0], box[2])
        box[3] = extent(box[1], box[3])
    return boxes


def extent(start: float, end: float) -> float:
    """Give the shortest number that added to the start gives the end."""
    difference = end - start
    fewest = digits = 0
    if -SMALL < start < SMALL and -SMALL < end < SMALL:
        # Numbers that give the end lie closer together than two of 9 decimals: where the nearest
        # of these does not, no shorter one does.
        power = POWERS[FEW]
        if start + math.floor(difference * power + 0.5) / power != end:
            fewest = FEW + 1
    for digits in range(fewest, len(POWERS)):
        power = POWERS[digits]
        scaled = difference * power
        if not -EXACT < scaled < EXACT:
            break
        shorter = math.floor(scaled + 0.5) / power
        if start + shorter == end:
            return shorter
    return _long_extent(start, end, digits)


def _long_extent(start: float, end: float, fewest: int) -> float:
    """Round as Python does: slow, and exact also where the digits do not fit a float."""
    difference = end - start
    for digits in range(fewest, len(POWERS)):
        shorter = round(difference, digits)
        if start + shorter == end:
            return shorter
    for towards in (-math.inf, math.inf):  # The difference may be a rounded one.
        neighbour = math.nextafter(difference, towards)
        if start + neighbour == end:
            return neighbour
    return difference
