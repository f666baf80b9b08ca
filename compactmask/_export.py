"""What a `CompactMask` gives back: pixels, COCO RLEs, supervision's own masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import supervision as sv

from compactmask import _check
from compactmask._kernels import coco_string, dense
from compactmask._storage import StoredMask
from compactmask._threads import each_part, each_range
from compactmask.packed import Packed

BoolArray = npt.NDArray[np.bool_]


class Export(StoredMask):
    """The methods that take masks out."""

    __slots__ = ()

    def to_supervision(self) -> sv.CompactMask:
        """Return the same masks and crops as a plain `supervision.CompactMask`.

        Returns
        -------
        supervision.CompactMask
            It shares nothing with this set.

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> type(CompactMask.empty((4, 4)).to_supervision())
        <class 'supervision.detection.compact_mask.CompactMask'>
        """
        return sv.CompactMask(
            self._rles, self._crop_shapes.copy(), self._offsets.copy(), self.image_shape
        )

    def to_coco_rle(self, compressed: bool = True, *, num_threads: int = 1) -> list[dict[str, Any]]:
        """Return every mask as a COCO RLE of the full image.

        Parameters
        ----------
        compressed : bool
            Counts as a string, byte for byte what pycocotools writes, else as a list of
            run lengths, background first, column-major.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        list of dict
            ``{"size": [H, W], "counts": ...}``.

        Raises
        ------
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.eye(3, dtype=bool)[None])
        >>> mask.to_coco_rle()
        [{'size': [3, 3], 'counts': '013000'}]
        >>> mask.to_coco_rle(compressed=False)[0]["counts"]
        [0, 1, 3, 1, 3, 1]
        """
        height, width = self.image_shape
        write: Callable[[bytes], list[Any]] = coco_string.strings if compressed else _lists
        parts = each_part(write, [self._packed], num_threads)
        return [{"size": [height, width], "counts": item} for part in parts for item in part]

    def to_dense(self, out: BoolArray | None = None, *, num_threads: int = 1) -> BoolArray:
        """Decode every mask into a full frame.

        Parameters
        ----------
        out : ndarray of bool or uint8, shape (n, H, W), optional
            Where to; C-contiguous. A buffer that is used again saves most of the time.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        ndarray of bool, shape (n, H, W)
            `out`, or a new array.

        Raises
        ------
        TypeError
            If `out` is no array of bool or uint8.
        ShapeMismatchError
            If `out` has another shape, or is not C-contiguous and writeable.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> CompactMask.from_dense(np.ones((1, 2, 2), bool)).to_dense().tolist()
        [[[True, True], [True, True]]]
        """
        if out is None:
            out = np.zeros(self.shape, np.bool_)
            frames = out.view(np.uint8)
        else:
            frames = _check.frames_out(out, self.shape)
            frames[:] = 0
        packed = self._packed

        def decode(first: int, last: int) -> None:
            dense.decode(packed, np.arange(first, last, dtype=np.int64), frames[first:last])

        each_range(decode, len(self), num_threads)
        return out

    def crop(self, index: int) -> BoolArray:
        """Decode the crop of one mask.

        Parameters
        ----------
        index : int
            Which; negative ones count from the end.

        Returns
        -------
        ndarray of bool, shape (h, w)
            Its pixels from ``offsets[index]`` on.

        Raises
        ------
        IndexError
            If there is no such mask.
        TypeError
            If `index` is no integer.
        InvalidMaskError
            If its bytes, from a file, are damaged.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> CompactMask.from_dense(np.eye(5, dtype=bool)[None, 1:]).crop(0).shape
        (4, 4)
        """
        storage = self._storage  # the property would take a tenth of the time of a small mask
        return dense.crop(storage if type(storage) is Packed else self._packed, index)

    def crops(
        self, indices: npt.ArrayLike | slice | None = None, *, num_threads: int = 1
    ) -> list[BoolArray]:
        """Decode the crops of several masks.

        Parameters
        ----------
        indices : slice or array_like of int or bool, optional
            Which, in that order; all of them without.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        list of ndarray of bool, each (h, w)
            Their pixels.

        Raises
        ------
        IndexError
            If there is no such mask.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> [crop.shape for crop in CompactMask.from_dense(np.ones((2, 3, 4), bool)).crops()]
        [(3, 4), (3, 4)]
        """
        chosen = _check.indices(slice(None) if indices is None else indices, len(self))
        packed = self._packed

        def decode(first: int, last: int) -> list[BoolArray]:
            return dense.crops(packed, chosen[first:last])

        return [crop for part in each_range(decode, len(chosen), num_threads) for crop in part]


def _lists(block: bytes) -> list[list[int]]:
    return [counts.tolist() for counts in coco_string.counts(block)]
