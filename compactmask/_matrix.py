"""The matrix of a measure over each mask of one set and each of another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels import overlap
from compactmask._kernels.tile import Tile
from compactmask._threads import each_range, thread_count
from compactmask.packed import Packed


def matrix(
    measure: str,
    first: Packed,
    second: Packed,
    num_threads: int,
    is_crowd: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[Any]:
    """Compare two sets of masks of one image, tile by tile.

    Parameters
    ----------
    measure : str
        One of ``overlap.MEASURES``.
    first, second : Packed
        ``n`` and ``m`` masks. Where they are one object, each pair is compared once.
    num_threads : int
        Threads that compare; unpacking is done by one.
    is_crowd : ndarray of uint8, shape (m,), optional
        For "iou": columns whose union is the mask of the row alone.

    Returns
    -------
    ndarray, shape (n, m)
        Of int64 for "intersection", of float64 otherwise. Zeros are not written.
    """
    threads = thread_count(num_threads)
    out = np.zeros((first.n, second.n), np.int64 if measure == "intersection" else np.float64)
    sheet = overlap.Sheet(out, measure, is_crowd)
    is_same = second is first
    rows = _by_left_side(first)
    columns = rows if is_same else _by_left_side(second)

    def compare(tile: Tile, beside: Tile) -> None:
        def part(begin: int, end: int) -> None:
            sheet.compare(tile, beside, begin, end, is_same)

        each_range(part, tile.n, threads)

    row = 0
    while row < first.n:
        tile, row = overlap.load(first, rows, row, None)
        column = 0
        if is_same:
            compare(tile, tile)
            column = row
        while column < second.n:
            beside, column = overlap.load(second, columns, column, tile)
            compare(tile, beside)
    return out


def _by_left_side(packed: Packed) -> npt.NDArray[np.int64]:
    return np.argsort(packed.offsets[:, 0], kind="stable")
