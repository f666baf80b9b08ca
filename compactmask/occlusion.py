"""Masks that lie above one another: what each of them shows."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import numpy.typing as npt
import supervision as sv

from compactmask._kernels import block, boolean, canvas
from compactmask._operand import packed_of
from compactmask._threads import each_range, join, thread_count
from compactmask.errors import ShapeMismatchError
from compactmask.mask import CompactMask
from compactmask.packed import Packed


def occlude(
    masks: sv.CompactMask, order: npt.ArrayLike | None = None, *, num_threads: int = 1
) -> CompactMask:
    """Take from each mask what masks above it cover.

    Parameters
    ----------
    masks : supervision.CompactMask
        ``n`` masks of one image.
    order : array_like of int, shape (n,), optional
        Indices of all masks from the lowest to the topmost. Without it a later mask lies above
        those before it, as in painting.
    num_threads : int
        Threads that take a part of the stack each.

    Returns
    -------
    CompactMask
        ``n`` masks in the order of `masks`: no two share a pixel, and together they have the
        pixels of all. Crops are tight; a mask that nothing is left of has an empty 1x1 crop at
        its old origin.

    Raises
    ------
    TypeError
        If `masks` is an array, or `order` not of integers.
    ShapeMismatchError
        If `order` does not have one index for each mask.
    ValueError
        If `order` has an index outside ``0..n - 1`` or one twice, or `num_threads` is below 1.

    Notes
    -----
    From the topmost down, each mask loses what the canvas has and joins it, so time is in
    proportion to the edges that meet, not to the square of the number of masks, with this
    exception: edges of the canvas below a new one in its column are moved. Thousands of masks
    apart from each other over the same columns take time as the square of the edges of a column.

    Examples
    --------
    >>> import numpy as np
    >>> from compactmask import CompactMask, occlude
    >>> frames = np.zeros((2, 1, 5), bool)
    >>> frames[0, 0, :3] = frames[1, 0, 2:] = True
    >>> masks = CompactMask.from_dense(frames)
    >>> occlude(masks).area, occlude(masks, order=[1, 0]).area
    (array([2, 3]), array([3, 2]))
    """
    packed = packed_of(masks, "masks")
    lowest_first = _permutation(order, packed.n)
    shown = _shown(packed, np.ascontiguousarray(lowest_first[::-1]), num_threads)
    place = packed.n - 1 - np.argsort(lowest_first)
    return CompactMask._wrap(Packed(block.gather(shown, place)))


def _shown(packed: Packed, topmost_first: npt.NDArray[np.int64], num_threads: int) -> Packed:
    """Return what each mask shows, the topmost first."""

    def take(first: int, last: int) -> tuple[bytes, bytes]:
        part = canvas.occlude(packed, topmost_first[first:last])
        return part, canvas.union(part)

    if thread_count(num_threads) == 1:
        return Packed(canvas.occlude(packed, topmost_first))
    parts, covers = zip(*each_range(take, packed.n, num_threads), strict=True)
    above = list(accumulate(covers, boolean.union))

    def cut(first: int, last: int) -> bytes:
        return block.concat(
            [boolean.difference(parts[k + 1], above[k]) for k in range(first, last)]
        )

    if len(parts) == 1:
        return Packed(parts[0])
    shown = join([parts[0], *each_range(cut, len(parts) - 1, num_threads)])
    is_hidden = shown.area == 0
    origins = np.where(is_hidden[:, None], packed.offsets[topmost_first], shown.offsets)
    return Packed.from_columns(
        shown.image_shape, origins, shown.crop_shapes, shown.area, shown.indptr, shown.data
    )


def _permutation(order: npt.ArrayLike | None, n: int) -> npt.NDArray[np.int64]:
    """Return `order` as indices of `n` masks, each once."""
    if order is None:
        return np.arange(n)
    indices = np.array(order)  # a copy: nobody changes it once it is checked
    if indices.shape != (n,):
        raise ShapeMismatchError(f"order has shape {indices.shape}, expected ({n},)")
    if n == 0:
        return np.arange(0)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"order has dtype {indices.dtype}, expected integers")
    wrong = np.flatnonzero((indices < 0) | (indices >= n))
    if wrong.size:
        i = wrong[0]
        raise ValueError(f"order[{i}] is {indices[i]}, expected 0 to {n - 1}")
    indices = indices.astype(np.int64)
    times = np.bincount(indices, minlength=n)
    if times.max() > 1:
        i = int(times.argmax())
        raise ValueError(f"order has index {i} {times[i]} times, expected each of {n} once")
    return indices
