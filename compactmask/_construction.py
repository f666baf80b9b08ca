"""How a `CompactMask` is made of what users have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import supervision as sv

from compactmask import _check
from compactmask._kernels import coco_string, dense
from compactmask._storage import StoredMask
from compactmask._threads import each_range, join

Self = TypeVar("Self", bound="Construction")


class Construction(StoredMask):
    """The class methods that make masks."""

    __slots__ = ()

    @classmethod
    def empty(cls: type[Self], image_shape: tuple[int, int]) -> Self:
        """Make a set of no masks.

        Parameters
        ----------
        image_shape : tuple of int
            ``(H, W)``.

        Returns
        -------
        CompactMask
            With ``len`` 0.

        Raises
        ------
        InvalidMaskError
            If a side is not 1 to 1,048,576.

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> CompactMask.empty((480, 640)).shape
        (0, 480, 640)
        """
        pairs = np.empty((0, 2), np.int32)
        return cls([], pairs, pairs, image_shape)

    @classmethod
    def from_dense(
        cls: type[Self],
        masks: npt.ArrayLike,
        xyxy: npt.ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        *,
        num_threads: int = 1,
    ) -> Self:
        """Pack full frames.

        Parameters
        ----------
        masks : array_like of bool, shape (n, H, W)
            Frames; everything but 0 is True. No copy is made of bool or uint8 whose rows or
            columns are contiguous.
        xyxy : array_like, shape (n, 4), optional
            The crops, inclusive ``x1, y1, x2, y2``: as in supervision, fractions are cut off,
            pixels outside the box are lost, and a box that is inverted or outside the image
            gives an empty 1x1 crop. Without boxes the crops are tight and no pixel is lost.
        image_shape : tuple of int, optional
            ``(H, W)``; needed only where there are no masks.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            n masks.

        Raises
        ------
        ShapeMismatchError
            If masks, boxes and image do not fit together.
        InvalidMaskError
            If a box is not finite or an image side not 1 to 1,048,576.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:5, 3:4] = True
        >>> CompactMask.from_dense(frame).bbox_xyxy.tolist()
        [[3, 2, 3, 4]]
        >>> CompactMask.from_dense(frame, [[0, 0, 8, 8]]).bbox_xyxy.tolist()
        [[0, 0, 8, 8]]
        """
        frames, shape = _check.stack(masks, image_shape)
        if len(frames) == 0:
            return cls.empty(shape)
        boxes = None if xyxy is None else _check.boxes(xyxy, len(frames), shape)

        def pack(first: int, last: int) -> bytes:
            return dense.pack(frames[first:last], None if boxes is None else boxes[first:last])

        return cls._wrap(join(each_range(pack, len(frames), num_threads)))

    @classmethod
    def from_coco_rle(
        cls: type[Self],
        rles: Sequence[Mapping[str, Any]],
        xyxy: npt.ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
        *,
        num_threads: int = 1,
    ) -> Self:
        """Pack COCO RLEs of full images, without decoding a pixel.

        Parameters
        ----------
        rles : sequence of mapping
            Each with ``size`` ``[H, W]``, all equal, and ``counts``: a compressed string
            (str or bytes) or a list of run lengths. Any iterable of them is taken.
        xyxy : array_like, shape (n, 4), optional
            The crops, as `from_dense` takes them. Without boxes they are tight and no pixel
            is lost.
        image_shape : tuple of int, optional
            ``(H, W)``; needed only where there are no RLEs.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            n masks.

        Raises
        ------
        InvalidMaskError
            If counts are malformed or do not cover the image; the message names the mask.
        ShapeMismatchError
            If sizes differ or boxes are not ``(n, 4)``.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_coco_rle([{"size": [4, 4], "counts": "02208"}])
        >>> mask.area.tolist(), mask.offsets.tolist()
        ([4], [[0, 0]])
        """
        counts, shape = _check.coco_rles(rles, image_shape)
        boxes = None if xyxy is None else _check.boxes(xyxy, len(counts), shape)

        def pack(first: int, last: int) -> bytes:
            chosen = None if boxes is None else boxes[first:last]
            return coco_string.pack(shape, counts[first:last], chosen)

        return cls._wrap(join(each_range(pack, len(counts), num_threads)))

    @classmethod
    def from_supervision(cls: type[Self], mask: sv.CompactMask) -> Self:
        """Pack a `supervision.CompactMask`, keeping its crops.

        Parameters
        ----------
        mask : supervision.CompactMask
            Any; one that is packed already is shared.

        Returns
        -------
        CompactMask
            The same masks and crops.

        Raises
        ------
        TypeError
            If `mask` is an array or anything else.
        InvalidMaskError
            If its runs do not cover its crops, or a crop leaves the image.

        Examples
        --------
        >>> import numpy as np
        >>> import supervision as sv
        >>> from compactmask import CompactMask
        >>> base = sv.CompactMask.from_dense(
        ...     np.ones((1, 4, 4), bool), np.array([[1, 1, 2, 2]]), (4, 4)
        ... )
        >>> CompactMask.from_supervision(base) == base
        True
        """
        if isinstance(mask, StoredMask):
            return cls._wrap(mask._storage)
        if not isinstance(mask, sv.CompactMask):
            found = "an ndarray" if isinstance(mask, np.ndarray) else f"a {type(mask).__name__}"
            raise TypeError(
                f"mask is {found}, expected a supervision.CompactMask: "
                "call CompactMask.from_dense(frames) for frames"
            )
        return cls(mask._rles, mask._crop_shapes, mask._offsets, mask._image_shape)
