"""CompactMask: N instance masks of one image, packed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import supervision as sv

from compactmask import _check
from compactmask._kernels import block, coco_string, dense, geometry, measure, runs
from compactmask._nearest import nearest_source
from compactmask.errors import ShapeMismatchError
from compactmask.packed import Masks, Packed

BoolArray = npt.NDArray[np.bool_]
Self = TypeVar("Self", bound="CompactMask")


class CompactMask(sv.CompactMask):
    """N masks of one image, each packed inside the crop it needs.

    It is a `supervision.CompactMask` in all it does, in a tenth of the memory: one immutable
    block of bytes holds every mask, as formats/ENCODING.md describes it. A set that comes from
    a file reads its bytes when a mask is used; counts, boxes and areas need none.

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

    __slots__ = ("_storage",)

    _storage: Masks

    def __init__(
        self,
        rles: Sequence[npt.ArrayLike],
        crop_shapes: npt.ArrayLike,
        offsets: npt.ArrayLike,
        image_shape: tuple[int, int],
    ) -> None:
        shape = _check.image_shape(image_shape)
        shapes = _check.pairs(crop_shapes, len(rles), "crop_shapes")
        origins = _check.pairs(offsets, len(rles), "offsets")
        _check.crops_inside(shapes, origins, shape)
        self._storage = Packed(runs.pack(rles, shapes, origins, shape))

    @classmethod
    def _wrap(cls: type[Self], storage: Masks) -> Self:
        """Make a set over a storage that exists."""
        result = cls.__new__(cls)
        result._storage = storage
        return result

    @property
    def _packed(self) -> Packed:
        """The storage with its bytes; a lazy one is loaded and replaced."""
        storage = self._storage
        if not isinstance(storage, Packed):
            storage = self._storage = storage.load()
        return storage

    # What supervision reads of its own class

    @property
    def _rles(self) -> list[npt.NDArray[np.int32]]:  # type: ignore[override]
        return runs.unpack_crops(self._packed)

    @property
    def _crop_shapes(self) -> npt.NDArray[np.int32]:  # type: ignore[override]
        return self._storage.crop_shapes

    @property
    def _offsets(self) -> npt.NDArray[np.int32]:  # type: ignore[override]
        return self._storage.offsets

    @property
    def _image_shape(self) -> tuple[int, int]:  # type: ignore[override]
        return self._storage.image_shape

    # Making one

    @classmethod
    def empty(cls: type[Self], image_shape: tuple[int, int]) -> Self:
        """Make a set of no masks.

        Parameters
        ----------
        image_shape : tuple of int
            ``(H, W)``.

        Examples
        --------
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

        Raises
        ------
        ShapeMismatchError
            If masks, boxes and image do not fit together.
        InvalidMaskError
            If a box is not finite or an image side not 1 to 1,048,576.

        Examples
        --------
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
        return cls._wrap(Packed(dense.pack(frames, boxes)))

    @classmethod
    def from_coco_rle(
        cls: type[Self],
        rles: Sequence[Mapping[str, Any]],
        xyxy: npt.ArrayLike | None = None,
        image_shape: tuple[int, int] | None = None,
    ) -> Self:
        """Pack COCO RLEs of full images, without decoding a pixel.

        Parameters
        ----------
        rles : sequence of mapping
            Each with ``size`` ``[H, W]``, all equal, and ``counts``: a compressed string
            (str or bytes) or a list of run lengths.
        xyxy : array_like, shape (n, 4), optional
            The crops, as `from_dense` takes them. Without boxes they are tight and no pixel
            is lost.
        image_shape : tuple of int, optional
            ``(H, W)``; needed only where there are no RLEs.

        Raises
        ------
        InvalidMaskError
            If counts are malformed or do not cover the image; the message names the mask.
        ShapeMismatchError
            If sizes differ or boxes are not ``(n, 4)``.

        Examples
        --------
        >>> mask = CompactMask.from_coco_rle([{"size": [4, 4], "counts": "02208"}])
        >>> mask.area.tolist(), mask.offsets.tolist()
        ([4], [[0, 0]])
        """
        counts, shape = _check.coco_rles(rles, image_shape)
        boxes = None if xyxy is None else _check.boxes(xyxy, len(counts), shape)
        return cls._wrap(Packed(coco_string.pack(shape, counts, boxes)))

    @classmethod
    def from_supervision(cls: type[Self], mask: sv.CompactMask) -> Self:
        """Pack a `supervision.CompactMask`, keeping its crops.

        Parameters
        ----------
        mask : supervision.CompactMask
            Any; one that is packed already is shared.

        Examples
        --------
        >>> base = sv.CompactMask.from_dense(
        ...     np.ones((1, 4, 4), bool), np.array([[1, 1, 2, 2]]), (4, 4)
        ... )
        >>> CompactMask.from_supervision(base) == base
        True
        """
        if isinstance(mask, CompactMask):
            return cls._wrap(mask._storage)
        return cls(mask._rles, mask._crop_shapes, mask._offsets, mask._image_shape)

    # Taking it apart

    def to_supervision(self) -> sv.CompactMask:
        """Return the same masks and crops as a plain `supervision.CompactMask`.

        Examples
        --------
        >>> type(CompactMask.empty((4, 4)).to_supervision())
        <class 'supervision.detection.compact_mask.CompactMask'>
        """
        return sv.CompactMask(
            self._rles, self._crop_shapes.copy(), self._offsets.copy(), self.image_shape
        )

    def to_coco_rle(self, compressed: bool = True) -> list[dict[str, Any]]:
        """Return every mask as a COCO RLE of the full image.

        Parameters
        ----------
        compressed : bool
            Counts as a string, byte for byte what pycocotools writes, else as a list of
            run lengths, background first, column-major.

        Returns
        -------
        list of dict
            ``{"size": [H, W], "counts": ...}``.

        Examples
        --------
        >>> mask = CompactMask.from_dense(np.eye(3, dtype=bool)[None])
        >>> mask.to_coco_rle()
        [{'size': [3, 3], 'counts': '013000'}]
        >>> mask.to_coco_rle(compressed=False)[0]["counts"]
        [0, 1, 3, 1, 3, 1]
        """
        height, width = self.image_shape
        counts = (
            coco_string.strings(self._packed)
            if compressed
            else [run.tolist() for run in coco_string.counts(self._packed)]
        )
        return [{"size": [height, width], "counts": item} for item in counts]

    def to_dense(self, out: BoolArray | None = None) -> BoolArray:
        """Decode every mask into a full frame.

        Parameters
        ----------
        out : ndarray of bool, shape (n, H, W), optional
            Where to; C-contiguous. A buffer that is used again saves most of the time.

        Returns
        -------
        ndarray of bool, shape (n, H, W)
            `out`, or a new array.

        Examples
        --------
        >>> CompactMask.from_dense(np.ones((1, 2, 2), bool)).to_dense().tolist()
        [[[True, True], [True, True]]]
        """
        if out is None:
            out = np.zeros(self.shape, np.bool_)
            frames = out.view(np.uint8)
        else:
            frames = _check.frames_out(out, self.shape)
            frames[:] = 0
        dense.decode(self._packed, np.arange(len(self), dtype=np.int64), frames)
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

        Examples
        --------
        >>> CompactMask.from_dense(np.eye(5, dtype=bool)[None, 1:]).crop(0).shape
        (4, 4)
        """
        return dense.crop(self._packed, index)

    def crops(self, indices: npt.ArrayLike | slice | None = None) -> list[BoolArray]:
        """Decode the crops of several masks.

        Parameters
        ----------
        indices : slice or array_like of int or bool, optional
            Which, in that order; all of them without.

        Returns
        -------
        list of ndarray of bool, each (h, w)
            Their pixels.

        Examples
        --------
        >>> [crop.shape for crop in CompactMask.from_dense(np.ones((2, 3, 4), bool)).crops()]
        [(3, 4), (3, 4)]
        """
        chosen = _check.indices(slice(None) if indices is None else indices, len(self))
        return dense.crops(self._packed, chosen)

    # What it looks like from outside

    def __len__(self) -> int:
        return self._storage.n

    def __repr__(self) -> str:
        n, height, width = self.shape
        return f"{type(self).__name__}({n} masks of {height}x{width}, {self.nbytes} bytes)"

    def __iter__(self) -> Iterator[BoolArray]:
        for i in range(len(self)):
            yield self[i]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, H, W)``, as the frames would have it."""
        return (len(self), *self._storage.image_shape)

    @property
    def image_shape(self) -> tuple[int, int]:
        """``(H, W)`` of the image."""
        return self._storage.image_shape

    @property
    def offsets(self) -> npt.NDArray[np.int32]:
        """``(x, y)`` of each crop's top left pixel, ``(n, 2)`` int32; read-only."""
        return self._storage.offsets

    @property
    def area(self) -> npt.NDArray[np.int64]:
        """True pixels of each mask, ``(n,)`` int64; nothing is decoded for it."""
        return self._storage.area.astype(np.int64)

    @property
    def bbox_xyxy(self) -> npt.NDArray[np.int32]:
        """Inclusive boxes ``x1, y1, x2, y2`` of the crops, ``(n, 4)`` int32."""
        origins = self._storage.offsets
        return np.hstack((origins, origins + self._storage.crop_shapes[:, ::-1] - np.int32(1)))

    @property
    def nbytes(self) -> int:
        """Bytes that would be freed with it, Python objects included.

        Sets that share their storage (a copy, or `from_supervision` of a packed one) each
        count it. A slice has a storage of its own.
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

        Examples
        --------
        >>> mask = CompactMask.from_dense(np.ones((3, 2, 2), bool))
        >>> mask[0].shape, len(mask[[0, 2]]), len(mask[mask.area > 4])
        ((2, 2), 2, 0)
        """
        if isinstance(index, (int, np.integer)):
            return dense.frame(self._packed, index)
        chosen = _check.indices(index, len(self))
        return self._wrap(Packed(block.gather(self._packed, chosen)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(
                "a CompactMask becomes an array only by decoding: copy=False cannot be"
            )
        frames = self.to_dense()
        return frames if dtype is None else frames.astype(dtype, copy=False)

    def __eq__(self, other: object) -> bool:
        """Tell whether all pixels are equal; crops do not matter."""
        if isinstance(other, sv.CompactMask):
            if self.shape != other.shape:
                return False
            return geometry.equal(self._packed, CompactMask.from_supervision(other)._packed)
        if isinstance(other, np.ndarray):
            return self.shape == other.shape and bool(np.array_equal(self.to_dense(), other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._wrap, (self._packed,)

    def __copy__(self: Self) -> Self:
        return self._wrap(self._storage)

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        return self._wrap(self._packed)

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

        Examples
        --------
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

    # Making new ones of it

    @staticmethod
    def merge(masks_list: Sequence[sv.CompactMask]) -> CompactMask:
        """Join sets of masks of one image, in order.

        Parameters
        ----------
        masks_list : sequence of supervision.CompactMask
            At least one; all of the same image shape.

        Raises
        ------
        ShapeMismatchError
            If there is none, or image shapes differ.

        Examples
        --------
        >>> mask = CompactMask.from_dense(np.ones((2, 3, 4), bool))
        >>> len(CompactMask.merge([mask, mask]))
        4
        """
        if len(masks_list) == 0:
            raise ShapeMismatchError("Cannot merge an empty list of CompactMask objects.")
        shape = masks_list[0].image_shape
        for i, mask in enumerate(masks_list):
            if mask.image_shape != shape:
                raise ShapeMismatchError(
                    f"Cannot merge CompactMask objects with different image shapes: "
                    f"{shape} in set 0, {mask.image_shape} in set {i}"
                )
        parts = [CompactMask.from_supervision(mask)._packed for mask in masks_list]
        return CompactMask._wrap(Packed(block.concat(parts)))

    def repack(self: Self) -> Self:
        """Shrink every crop to its True pixels.

        Returns
        -------
        CompactMask
            The same pixels; a mask without any has a 1x1 crop at its old origin.

        Examples
        --------
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:5, 3:4] = True
        >>> CompactMask.from_dense(frame, [[0, 0, 8, 8]]).repack().bbox_xyxy.tolist()
        [[3, 2, 3, 4]]
        """
        return self._wrap(Packed(geometry.tighten(self._packed)))

    def with_offset(self: Self, dx: int, dy: int, new_image_shape: tuple[int, int]) -> Self:
        """Move every mask into another image.

        Parameters
        ----------
        dx, dy : int
            Pixels to the right and down; negative ones are allowed.
        new_image_shape : tuple of int
            ``(H, W)`` of the other image.

        Returns
        -------
        CompactMask
            Crops are cut at the image's sides; a mask wholly outside has an empty 1x1 crop.

        Examples
        --------
        >>> mask = CompactMask.from_dense(np.ones((1, 2, 2), bool))
        >>> mask.with_offset(10, 20, (40, 40)).bbox_xyxy.tolist()
        [[10, 20, 11, 21]]
        """
        shape = _check.image_shape(new_image_shape)
        far = 2 * block.max_side
        x, y = max(-far, min(far, int(dx))), max(-far, min(far, int(dy)))
        return self._wrap(Packed(geometry.move(self._packed, x, y, *shape)))

    def resize(self: Self, new_image_shape: tuple[int, int]) -> Self:
        """Scale image and masks to another resolution.

        Parameters
        ----------
        new_image_shape : tuple of int
            ``(H, W)``.

        Returns
        -------
        CompactMask
            Pixel for pixel ``cv2.resize(frame, (W, H), interpolation=cv2.INTER_NEAREST)``. A
            crop that no new pixel looks into becomes an empty 1x1 crop.

        Examples
        --------
        >>> mask = CompactMask.from_dense(np.ones((1, 2, 2), bool))
        >>> mask.resize((4, 6)).bbox_xyxy.tolist()
        [[0, 0, 5, 3]]
        """
        shape = _check.image_shape(new_image_shape)
        if shape == self.image_shape:
            return self._wrap(self._storage)
        rows, columns = (
            nearest_source(old, new) for old, new in zip(self.image_shape, shape, strict=True)
        )
        height, width = self.image_shape
        return self._wrap(
            Packed(
                geometry.resample(
                    self._packed, _first_at(rows, height), _first_at(columns, width), columns
                )
            )
        )


def _axis(axis: int) -> int:
    if not -3 <= axis < 3:
        raise ValueError(f"axis {axis} is out of range for (n, H, W)")
    return int(axis) % 3


def _first_at(source: npt.NDArray[np.int32], size: int) -> npt.NDArray[np.int32]:
    """Return for 0 to `size` the first place in `source` that is not below it."""
    return np.searchsorted(source, np.arange(size + 1)).astype(np.int32)
