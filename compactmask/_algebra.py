"""Or, and, minus, xor and complement of sets of masks, and one mask of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from compactmask._kernels import block, boolean, canvas
from compactmask._operand import packed_of
from compactmask._storage import StoredMask
from compactmask._threads import each_part
from compactmask.errors import ShapeMismatchError
from compactmask.packed import Packed

if TYPE_CHECKING:
    import supervision as sv

Self = TypeVar("Self", bound="Algebra")

_OPERATORS = {np.bitwise_or, np.bitwise_and, np.bitwise_xor, np.subtract}


class Algebra(StoredMask):
    """The operators and reductions.

    ``|``, ``&``, ``-`` and ``^`` combine the masks of two sets of one image pair by pair; a set
    of one mask is combined with each of the other. ``~`` gives what the image has beside each
    mask. Nothing is decoded to pixels. Crops of results are tight; one without True pixels is
    1x1 at the origin of its first operand's crop. Where the crops of two masks do not meet,
    ``-`` gives the first mask in its own crop.

    The other operand is any `supervision.CompactMask`, on either side. Operators work in one
    thread and let go of the GIL, so that several of them run at once.

    Raises
    ------
    ShapeMismatchError
        If the image shapes differ, or the numbers of masks where neither is 1.
    TypeError
        If an operand is an array, which could be meant as one frame or as many: call
        ``CompactMask.from_dense`` first.
    InvalidMaskError
        If the crop of a result has 2**32 pixels or more.
    """

    __slots__ = ()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        # an array beside an operator is refused; what else NumPy computes, it does of frames,
        # as it does of supervision's own class
        if ufunc in _OPERATORS and method == "__call__":
            for operand, side in zip(inputs, ("left", "right"), strict=True):
                packed_of(operand, f"{side} operand")
        if any(isinstance(one, Algebra) for one in options.get("out", ())):
            raise TypeError("out is a CompactMask, expected an array")
        if isinstance(options.get("where"), Algebra):
            options["where"] = np.asarray(options["where"])
        frames = [np.asarray(one) if isinstance(one, Algebra) else one for one in inputs]
        return getattr(ufunc, method)(*frames, **options)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        # it takes what has a transpose for an array; other functions do as with supervision's class
        if function is np.moveaxis:
            args, options = (np.asarray(self), *args[1:]), {**options}
            options.pop("a", None)
        return function.__wrapped__(*args, **options)

    def __or__(self: Self, other: sv.CompactMask) -> Self:
        """Unite pairs of masks.

        Parameters
        ----------
        other : supervision.CompactMask
            As many masks of the same image, or one; or this set is one.

        Returns
        -------
        CompactMask
            The results, in tight crops, as the class says.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frames = np.zeros((2, 4, 6), bool)
        >>> frames[0, 1:3, :4] = frames[1, 1:3, 2:] = True
        >>> both = CompactMask.from_dense(frames)
        >>> left, right = both[:1], both[1:]
        >>> (left | right).area, (left | both).area
        (array([12]), array([ 8, 12]))
        """
        return self._wrap(Packed(boolean.union(self._packed, packed_of(other, "right operand"))))

    def __ror__(self: Self, other: sv.CompactMask) -> Self:
        return self._wrap(Packed(boolean.union(packed_of(other, "left operand"), self._packed)))

    def __and__(self: Self, other: sv.CompactMask) -> Self:
        """Keep the pixels that both masks of a pair have.

        Parameters
        ----------
        other : supervision.CompactMask
            As many masks of the same image, or one; or this set is one.

        Returns
        -------
        CompactMask
            The results, in tight crops, as the class says.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frames = np.zeros((2, 4, 6), bool)
        >>> frames[0, 1:3, :4] = frames[1, 1:3, 2:] = True
        >>> both = CompactMask.from_dense(frames)
        >>> left, right = both[:1], both[1:]
        >>> (left & right).area, (left & right).bbox_xyxy
        (array([4]), array([[2, 1, 3, 2]], dtype=int32))
        """
        return self._wrap(
            Packed(boolean.intersection(self._packed, packed_of(other, "right operand")))
        )

    def __rand__(self: Self, other: sv.CompactMask) -> Self:
        return self._wrap(
            Packed(boolean.intersection(packed_of(other, "left operand"), self._packed))
        )

    def __sub__(self: Self, other: sv.CompactMask) -> Self:
        """Keep the pixels of each mask that the other one of the pair lacks.

        Parameters
        ----------
        other : supervision.CompactMask
            As many masks of the same image, or one; or this set is one.

        Returns
        -------
        CompactMask
            The results, in tight crops, as the class says.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frames = np.zeros((2, 4, 6), bool)
        >>> frames[0, 1:3, :4] = frames[1, 1:3, 2:] = True
        >>> both = CompactMask.from_dense(frames)
        >>> left, right = both[:1], both[1:]
        >>> (left - right).area, (both - left).area
        (array([4]), array([0, 4]))
        """
        return self._wrap(
            Packed(boolean.difference(self._packed, packed_of(other, "right operand")))
        )

    def __rsub__(self: Self, other: sv.CompactMask) -> Self:
        return self._wrap(
            Packed(boolean.difference(packed_of(other, "left operand"), self._packed))
        )

    def __xor__(self: Self, other: sv.CompactMask) -> Self:
        """Keep the pixels that one mask of a pair has, and not both.

        Parameters
        ----------
        other : supervision.CompactMask
            As many masks of the same image, or one; or this set is one.

        Returns
        -------
        CompactMask
            The results, in tight crops, as the class says.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frames = np.zeros((2, 4, 6), bool)
        >>> frames[0, 1:3, :4] = frames[1, 1:3, 2:] = True
        >>> both = CompactMask.from_dense(frames)
        >>> left, right = both[:1], both[1:]
        >>> (left ^ right).area
        array([8])
        """
        return self._wrap(
            Packed(boolean.symmetric_difference(self._packed, packed_of(other, "right operand")))
        )

    def __rxor__(self: Self, other: sv.CompactMask) -> Self:
        return self._wrap(
            Packed(boolean.symmetric_difference(packed_of(other, "left operand"), self._packed))
        )

    def __invert__(self: Self) -> Self:
        """Give of each mask the pixels of the image that it lacks.

        Returns
        -------
        CompactMask
            The complements. Each spans most of the image, which has fewer than 2**32 pixels.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> (~CompactMask.from_dense(np.eye(3, dtype=bool)[None])).area
        array([6])
        """
        return self._wrap(Packed(boolean.complement(self._packed)))

    def union(self: Self, *, num_threads: int = 1) -> Self:
        """Join all masks in one.

        Parameters
        ----------
        num_threads : int
            Threads that take a part of the masks each.

        Returns
        -------
        CompactMask
            One mask, of the pixels that any mask has, in a tight crop. Without a True pixel it
            is a 1x1 crop: at the origin of the first mask's crop, or of the image where there
            are no masks.

        Raises
        ------
        InvalidMaskError
            If the crop of the result has 2**32 pixels or more.
        ValueError
            If `num_threads` is below 1.

        Notes
        -----
        Masks gather on a canvas of sorted column edges. Memory is in proportion to their edges
        and to the width of the crops, whatever the image's size, and so is time, with this
        exception: edges below a new one in its column are moved. Thousands of masks apart from
        each other over the same columns take time as the square of the edges of a column.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.eye(3, dtype=bool)[:, None])
        >>> mask.union().to_dense().astype(int)
        array([[[1, 1, 1]]])
        """
        return self._wrap(_reduce(canvas.union, self._packed, num_threads))

    def intersection(self: Self, *, num_threads: int = 1) -> Self:
        """Keep the pixels that all masks have.

        Parameters
        ----------
        num_threads : int
            Threads that take a part of the masks each.

        Returns
        -------
        CompactMask
            One mask in a tight crop; without a True pixel, a 1x1 crop at the origin of the
            first mask's crop.

        Raises
        ------
        ShapeMismatchError
            If there are no masks: every pixel is in all of none, but nobody means that.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.tri(3, dtype=bool)[:, None])
        >>> mask.intersection().to_dense().astype(int)
        array([[[1, 0, 0]]])
        """
        if len(self) == 0:
            raise ShapeMismatchError("intersection of 0 masks, expected 1 at least")
        return self._wrap(_reduce(boolean.common, self._packed, num_threads))


def _reduce(kernel: Callable[[bytes], bytes], masks: Packed, num_threads: int) -> Packed:
    """Make one mask of each part, and one of those."""
    parts = each_part(kernel, [masks], num_threads)
    if len(parts) == 1:
        return Packed(parts[0])
    # once more the first mask: where nothing is left, the result lies at its origin
    first = block.gather(masks, np.zeros(1, np.int64))
    return Packed(kernel(block.concat([first, *parts])))
