"""Greedy suppression of masks, tile by tile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from compactmask._kernels.suppress import Suppression
from compactmask._threads import each_range
from compactmask.packed import Packed


def kept(
    packed: Packed,
    best_first: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    threshold: float,
    of_smaller: bool,
    is_single: bool,
    num_threads: int,
) -> npt.NDArray[np.bool_]:
    """Drop each mask that overlaps a better one of its group, which is kept, above a threshold.

    Parameters
    ----------
    packed : Packed
        ``n`` masks.
    best_first : ndarray of int64, shape (n,)
        Every mask once.
    group : ndarray of int64, shape (n,)
        What stands for the class of each.
    threshold : float
        From 0 to 1.
    of_smaller : bool
        Overlap is a part of the smaller mask, not of the union.
    is_single : bool
        It is computed in float32.
    num_threads : int
        Threads that hold the masks behind a tile against it.

    Returns
    -------
    ndarray of bool, shape (n,)
        Which masks are left.
    """
    masks = Suppression(packed, best_first, group, threshold, of_smaller, is_single)
    first = masks.settle()
    while first < packed.n:

        def drop(begin: int, end: int, first: int = first) -> None:
            masks.drop(first + begin, first + end)

        each_range(drop, packed.n - first, num_threads)
        first = masks.settle()
    return masks.result.view(np.bool_)
