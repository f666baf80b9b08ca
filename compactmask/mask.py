"""CompactMask: N instance masks of one image, packed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import supervision as sv

from compactmask import _check
from compactmask._algebra import Algebra
from compactmask._analysis import Analysis
from compactmask._construction import Construction
from compactmask._export import Export
from compactmask._geometry import Geometry
from compactmask._kernels import block, dense, geometry, measure
from compactmask._labels import Labels
from compactmask._morphology import Morphology
from compactmask._operand import packed_of
from compactmask._polygons import Polygons
from compactmask.errors import ShapeMismatchError
from compactmask.packed import Packed

Self = TypeVar("Self", bound="CompactMask")


class CompactMask(Construction, Polygons, Labels, Export, Geometry, Algebra, Morphology, Analysis):
    """N masks of one image, each packed inside the crop it needs.

    It is a `supervision.CompactMask` in all it does, in a ninth of the memory: one immutable
    block of bytes holds every mask, as formats/ENCODING.md describes it. A set that comes from
    a file reads its bytes when a mask is used; counts, boxes and areas need none.

    Operations take all masks at once and never make a full frame of one: ``|``, ``&``, ``-``, ``^``
    (with as many masks, or with one) and ``~``, geometry, morphology, components, polygons and
    label images; `compactmask.mask_iou` and its neighbours compare two sets. Coordinates are
    x, y with (0, 0) at the top left, boxes are inclusive. Results that are new pixels have tight
    crops, one without a True pixel is 1x1; what only moves keeps its crop.

    Parameters
    ----------
    rles : sequence of array_like of int
        Run lengths of each crop, background first, column-major.
    crop_shapes : array_like of int, shape (n, 2)
        ``(h, w)`` of each crop.
    offsets : array_like of int, shape (n, 2)
        ``(x, y)`` of each crop's top left pixel.
    image_shape : tuple of int
        ``(H, W)`` of the image, each 1 to 1,048,576.

    Raises
    ------
    InvalidMaskError
        If runs do not cover their crop or a crop leaves the image; the message names the mask.
    ShapeMismatchError
        If the columns are not equally long.

    Examples
    --------
    >>> import numpy as np
    >>> from compactmask import CompactMask
    >>> masks = np.zeros((2, 100, 100), bool)
    >>> masks[0, 10:20, 10:20] = True
    >>> masks[1, 50:70, 50:80] = True
    >>> mask = CompactMask.from_dense(masks)
    >>> mask.area.tolist()
    [100, 600]
    >>> mask.bbox_xyxy.tolist()
    [[10, 10, 19, 19], [50, 50, 79, 69]]
    >>> mask.crop(1).shape
    (20, 30)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        n, height, width = self.shape
        return f"{type(self).__name__}({n} masks of {height}x{width}, {self.nbytes} bytes)"

    def __iter__(self) -> Iterator[npt.NDArray[np.bool_]]:
        """Decode one mask after the other into a full frame of bool, ``(H, W)``."""
        for i in range(len(self)):
            yield self[i]

    @property
    def area(self) -> npt.NDArray[np.int64]:
        """True pixels of each mask, ``(n,)`` int64; nothing is decoded for it.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> CompactMask.from_dense(np.ones((2, 3, 4), bool)).area.tolist()
        [12, 12]
        """
        return self._storage.area.astype(np.int64)

    @property
    def bbox_xyxy(self) -> npt.NDArray[np.int32]:
        """Inclusive boxes ``x1, y1, x2, y2`` of the crops, ``(n, 4)`` int32.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> CompactMask.from_dense(np.eye(5, dtype=bool)[None, 1:]).bbox_xyxy.tolist()
        [[1, 0, 4, 3]]
        """
        origins = self._storage.offsets
        return np.hstack((origins, origins + self._storage.crop_shapes[:, ::-1] - np.int32(1)))

    @property
    def nbytes(self) -> int:
        """Bytes that would be freed with it, Python objects included.

        Sets that share their storage (a copy, or `from_supervision` of a packed one) each
        count it. A slice has a storage of its own.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((1, 1080, 1920), bool))
        >>> mask.nbytes < mask.to_dense().nbytes / 1000
        True
        """
        storage = self._storage
        size = sys.getsizeof(self) + sys.getsizeof(storage)
        if not isinstance(storage, Packed):
            size += sum(
                sys.getsizeof(column)
                for column in (storage.offsets, storage.crop_shapes, storage.area)
            )
        return size

    def __getitem__(self, index: Any) -> Any:
        """Select masks, or decode one.

        Parameters
        ----------
        index : int, slice, or array_like of int or bool
            An int gives the full frame, anything else a `CompactMask`. Bools may be fewer than
            the masks; the rest is left out.

        Returns
        -------
        ndarray of bool, shape (H, W), or CompactMask
            The frame, or the chosen masks in a storage of their own.

        Raises
        ------
        IndexError
            If there is no such mask, or `index` is of floats or strings.
        TypeError
            If `index` has more than one dimension, or is something else.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((3, 2, 2), bool))
        >>> mask[0].shape, len(mask[[0, 2]]), len(mask[mask.area > 4])
        ((2, 2), 2, 0)
        """
        if isinstance(index, (int, np.integer)):
            return dense.frame(self._packed, index)
        chosen = _check.indices(index, len(self))
        return self._wrap(Packed(block.gather(self._packed, chosen)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Decode all masks into full frames: what ``numpy.asarray`` gives."""
        if copy is False:
            raise ValueError(
                "a CompactMask becomes an array only by decoding: copy=False cannot be"
            )
        frames = self.to_dense()
        return frames if dtype is None else frames.astype(dtype, copy=False)

    def __eq__(self, other: object) -> bool:
        """Tell whether all pixels are equal; crops do not matter.

        Parameters
        ----------
        other : supervision.CompactMask, or ndarray of shape (n, H, W)
            A set of masks, or their frames, which are compared one by one.

        Returns
        -------
        bool
            One for all masks; False where the shapes differ.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frames = np.eye(3, dtype=bool)[None]
        >>> mask = CompactMask.from_dense(frames)
        >>> mask == frames, mask == mask[[0, 0]], mask == mask.repack()
        (True, False, True)
        """
        if isinstance(other, sv.CompactMask):
            if self.shape != other.shape:
                return False
            return geometry.equal(self._packed, CompactMask.from_supervision(other)._packed)
        if isinstance(other, np.ndarray):
            return self.shape == other.shape and all(map(np.array_equal, self, other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    # a subclass may have attributes of its own

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._wrap, (self._packed,), getattr(self, "__dict__", None)

    def __copy__(self: Self) -> Self:
        result = self._wrap(self._storage)
        if hasattr(self, "__dict__"):
            vars(result).update(vars(self))
        return result

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        result = self._wrap(self._packed)
        if hasattr(self, "__dict__"):
            vars(result).update(deepcopy(vars(self), memo))
        return result

    def sum(self, axis: int | tuple[int, ...] | None = None) -> Any:
        """Count True pixels as ``to_dense().sum(axis)`` would, without the frames.

        Parameters
        ----------
        axis : int or tuple of int, optional
            Axes of ``(n, H, W)`` to sum over; all of them without.

        Returns
        -------
        ndarray of int64, or int64
            The counts.

        Raises
        ------
        ValueError
            If an axis is not -3 to 2, or named twice.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((2, 3, 4), bool))
        >>> mask.sum(axis=(1, 2)).tolist(), int(mask.sum()), mask.sum(axis=0).shape
        ([12, 12], 24, (3, 4))
        """
        if axis is None:
            return self.area.sum()
        axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
        kept = {0, 1, 2} - {_axis(one) for one in axes}
        if len(axes) != 3 - len(kept):
            raise ValueError(f"axis {axis} names an axis twice")
        if kept == {0, 1, 2}:
            return self.to_dense().astype(np.int64)
        if kept == {1, 2}:
            return measure.depth(self._packed)
        if 2 in kept:
            columns = measure.in_columns(self._packed)
            return columns if 0 in kept else columns.sum(axis=0)
        if 1 in kept:
            rows = measure.in_rows(self._packed)
            return rows if 0 in kept else rows.sum(axis=0)
        return self.area if kept else self.area.sum()

    @staticmethod
    def merge(masks_list: Sequence[sv.CompactMask]) -> CompactMask:
        """Join sets of masks of one image, in order.

        Parameters
        ----------
        masks_list : sequence of supervision.CompactMask
            At least one; all of the same image shape.

        Returns
        -------
        CompactMask
            The masks of all, in a storage of their own.

        Raises
        ------
        ShapeMismatchError
            If there is none, or image shapes differ.
        TypeError
            If one is an array, or anything else.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((2, 3, 4), bool))
        >>> len(CompactMask.merge([mask, mask]))
        4
        """
        if len(masks_list) == 0:
            raise ShapeMismatchError("Cannot merge an empty list of CompactMask objects.")
        parts = [packed_of(mask, f"set {i}") for i, mask in enumerate(masks_list)]
        shape = parts[0].image_shape
        for i, part in enumerate(parts):
            if part.image_shape != shape:
                raise ShapeMismatchError(
                    f"Cannot merge CompactMask objects with different image shapes: "
                    f"{shape} in set 0, {part.image_shape} in set {i}"
                )
        return CompactMask._wrap(Packed(block.concat(parts)))


def _axis(axis: int) -> int:
    if not -3 <= axis < 3:
        raise ValueError(f"axis {axis} is out of range for (n, H, W)")
    return int(axis) % 3
