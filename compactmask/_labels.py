"""Masks of label images, and the label image of masks."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt

from compactmask import _check
from compactmask._kernels import stripe
from compactmask._kernels.labels import Bundle
from compactmask._kernels.scan import Scan
from compactmask._storage import StoredMask
from compactmask._threads import each_range, join, thread_count
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

Self = TypeVar("Self", bound="Labels")

Integers = npt.NDArray[Any]


class Labels(StoredMask):
    """The constructors from label images and the export to them."""

    __slots__ = ()

    @overload
    @classmethod
    def from_label_image(
        cls: type[Self],
        labels: npt.ArrayLike,
        return_ids: Literal[False] = False,
        *,
        num_threads: int = 1,
    ) -> Self: ...

    @overload
    @classmethod
    def from_label_image(
        cls: type[Self],
        labels: npt.ArrayLike,
        return_ids: Literal[True],
        *,
        num_threads: int = 1,
    ) -> tuple[Self, Integers]: ...

    @classmethod
    def from_label_image(
        cls: type[Self], labels: npt.ArrayLike, return_ids: bool = False, *, num_threads: int = 1
    ) -> Self | tuple[Self, Integers]:
        """Pack every id of a label image, in one pass for all of them.

        Time and memory follow the image's pixels and the runs of equal ones in its rows, not
        the number of ids. No copy is made of an array in native byte order.

        Parameters
        ----------
        labels : array_like of int or bool, shape (H, W)
            The id of each pixel; 0 is background, every other value an id, also a negative one.
            Any integer dtype and any strides.
        return_ids : bool
            Whether to return the ids too.
        num_threads : int
            Threads that scan a part of the image each, then pack a part of the masks.

        Returns
        -------
        masks : CompactMask
            A mask for each id that occurs, ids ascending, in tight crops.
        ids : ndarray, shape (n,)
            Only with `return_ids`: the ids, in the dtype of `labels`.

        Raises
        ------
        ShapeMismatchError
            If `labels` is not two-dimensional.
        InvalidMaskError
            If it is not of integers, or a side is not 1 to 1,048,576, or an id is spread over
            a crop of more than 4,294,967,295 pixels.
        TypeError
            If `num_threads` is no integer.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> masks, ids = CompactMask.from_label_image([[7, 7, 0], [0, 2, 2]], return_ids=True)
        >>> ids.tolist(), masks.bbox_xyxy.tolist()
        ([2, 7], [[1, 1, 2, 1], [0, 0, 1, 0]])
        """
        return cls._from_labels(_check.label_image(labels), return_ids, num_threads)

    @overload
    @classmethod
    def from_panoptic(
        cls: type[Self],
        colours: npt.ArrayLike,
        return_ids: Literal[False] = False,
        *,
        num_threads: int = 1,
    ) -> Self: ...

    @overload
    @classmethod
    def from_panoptic(
        cls: type[Self],
        colours: npt.ArrayLike,
        return_ids: Literal[True],
        *,
        num_threads: int = 1,
    ) -> tuple[Self, Integers]: ...

    @classmethod
    def from_panoptic(
        cls: type[Self], colours: npt.ArrayLike, return_ids: bool = False, *, num_threads: int = 1
    ) -> Self | tuple[Self, Integers]:
        """Pack every segment of a COCO panoptic image, in one pass for all of them.

        Parameters
        ----------
        colours : array_like of uint8, shape (H, W, 3)
            Red, green and blue, in this order (OpenCV reads them as blue, green, red). A pixel
            has the id ``R + 256 * G + 65536 * B``; 0 is void.
        return_ids : bool
            Whether to return the ids too.
        num_threads : int
            Threads that scan a part of the image each, then pack a part of the masks.

        Returns
        -------
        masks : CompactMask
            A mask for each id that occurs, ids ascending, in tight crops.
        ids : ndarray of uint32, shape (n,)
            Only with `return_ids`: the ids.

        Raises
        ------
        ShapeMismatchError
            If `colours` is not ``(H, W, 3)``.
        InvalidMaskError
            If it is not of uint8, or a side is not 1 to 1,048,576, or an id is spread over a
            crop of more than 4,294,967,295 pixels.
        TypeError
            If `num_threads` is no integer.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> colours = np.zeros((4, 5, 3), np.uint8)
        >>> colours[1:, 2:] = 10, 1, 0
        >>> masks, ids = CompactMask.from_panoptic(colours, return_ids=True)
        >>> ids.tolist(), masks.bbox_xyxy.tolist()
        ([266], [[2, 1, 4, 3]])
        """
        return cls._from_labels(_check.panoptic_colours(colours), return_ids, num_threads)

    @classmethod
    def _from_labels(
        cls: type[Self], image: Integers, return_ids: bool, num_threads: int
    ) -> Self | tuple[Self, Integers]:
        pixels = image.view(np.uint8) if image.dtype == np.bool_ else image
        are_rows = abs(image.strides[1]) <= abs(image.strides[0])
        lines = pixels if are_rows else pixels.swapaxes(0, 1)

        def scan(first: int, last: int) -> Scan:
            return Scan(lines[first:last], first)

        height, width = image.shape[:2]
        bundle = Bundle(each_range(scan, len(lines), num_threads), height, width, are_rows)
        masks = cls._wrap(join(each_range(bundle.pack, len(bundle.ids), num_threads)))
        if not return_ids:
            return masks
        return masks, bundle.ids if pixels is image else bundle.ids.view(np.bool_)

    def to_label_image(
        self,
        ids: npt.ArrayLike | None = None,
        overlap: Literal["last", "error"] = "last",
        *,
        num_threads: int = 1,
    ) -> Integers:
        """Draw all masks into one image of ids.

        Parameters
        ----------
        ids : array_like of int or bool, shape (n,), optional
            The id of each mask: none twice and none 0. Without, mask ``i`` has ``i + 1``.
        overlap : "last" or "error"
            What happens where masks overlap: the last of them is seen, or an error.
        num_threads : int
            Threads that paint a part of the rows each, of all masks that reach there.

        Returns
        -------
        ndarray, shape (H, W)
            The id of each pixel, 0 where no mask is; in the dtype of `ids`, int32 without.

        Raises
        ------
        InvalidMaskError
            If an id is 0 or stands twice, or masks overlap and ``overlap="error"``; the message
            names two of them and a pixel.
        ShapeMismatchError
            If there are not as many ids as masks.
        TypeError
            If `num_threads` is no integer.
        ValueError
            If `overlap` is something else, or `num_threads` below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> labels = np.array([[7, 7, 0], [0, 2, 2]])
        >>> masks, ids = CompactMask.from_label_image(labels, return_ids=True)
        >>> masks.to_label_image().tolist()
        [[2, 2, 0], [0, 1, 1]]
        >>> np.array_equal(masks.to_label_image(ids), labels)
        True
        """
        _check.choice(overlap, "overlap", ("last", "error"))
        n = len(self)
        values = np.arange(1, n + 1, dtype=np.int32) if ids is None else _check.mask_ids(ids, n)
        packed, threads = self._packed, thread_count(num_threads)
        image = np.zeros(self.image_shape, values.dtype)
        ends = [0, len(image)] if threads == 1 else _stripes(packed, threads)

        def paint(first: int, last: int) -> None:
            top, bottom = ends[first], ends[last]
            rows = image[top:bottom]
            if threads > 1 and len(rows) == len(image):  # again, after a stripe has failed
                rows[:] = 0
            found = stripe.paint(packed, rows, top, values, overlap == "error")
            if found is not None:
                second, x, y = found
                earlier = int(np.flatnonzero(values == image[y, x])[0])
                raise InvalidMaskError(f"masks {earlier} and {second} overlap at x={x}, y={y}")

        each_range(paint, len(ends) - 1, threads)
        return image


def _stripes(masks: Packed, n: int) -> list[int]:
    """Cut an image into stripes, `n` at most, with about as many pixels of masks in each.

    They are no more than threads, since a mask is unpacked for each that it reaches into.
    """
    height = masks.image_shape[0]
    top, rows = masks.offsets[:, 1], masks.crop_shapes[:, 0]
    pixels = masks.area / rows  # in a row
    begins = np.bincount(top, pixels, height + 1)
    over = np.bincount(top + rows, pixels, height + 1)
    work = np.cumsum(1 + np.cumsum(begins - over)[:height])
    cuts = np.searchsorted(work, work[-1] * np.arange(1, n) / n)
    return sorted({0, *cuts.tolist(), height})
