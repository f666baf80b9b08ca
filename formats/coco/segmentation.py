"""An annotation's segmentation: RLE, runs or polygons, to packed masks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, compress
from typing import Any

import numpy as np

from compactmask._kernels import block, coco_string, polygon
from compactmask._outlines import Outlines, cut
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

from .values import LONGEST_SIDE, UNKNOWN_SHAPE, real, short

Counts = str | bytes | list[int]


def size_of(segmentation: Any) -> tuple[int, int] | None:
    """Return the ``(H, W)`` that an RLE names; None where it names no valid one."""
    size = segmentation.get("size") if isinstance(segmentation, dict) else None
    if isinstance(size, list) and len(size) == 2:
        height, width = size
        if all(type(item) is int and 1 <= item <= LONGEST_SIDE for item in size):
            return height, width
    return None


def pack(segmentations: Sequence[Any], image_shape: tuple[int, int]) -> Packed:
    """Turn the segmentations of one image to packed masks, tightly cropped.

    Parameters
    ----------
    segmentations : sequence
        Compressed or uncompressed RLE, or polygons. One that is absent becomes an empty mask.
    image_shape : tuple of int
        ``(H, W)`` in pixels.

    Raises
    ------
    InvalidMaskError
        Where a segmentation is not valid; of several it is not told which.
    """
    if image_shape == UNKNOWN_SHAPE:
        raise InvalidMaskError("the image has no height and width, and the segmentation needs them")
    try:
        return _pack(segmentations, image_shape)
    except InvalidMaskError as error:
        raise InvalidMaskError(str(error).removeprefix("mask 0: ")) from None


def _pack(segmentations: Sequence[Any], image_shape: tuple[int, int]) -> Packed:
    polygons = [item for item in segmentations if isinstance(item, list)]
    if not polygons:
        return Packed(_strings(segmentations, image_shape))
    drawn = polygon.pack(*_outlines(polygons), *image_shape)
    if len(polygons) == len(segmentations):
        return Packed(drawn)
    is_rle = [not isinstance(item, list) for item in segmentations]
    rles = [*compress(segmentations, is_rle)]
    both = block.concat([drawn, _strings(rles, image_shape)])
    place = np.argsort(np.argsort(is_rle, kind="stable"))
    return Packed(block.gather(both, place))


def _strings(rles: Sequence[Any], image_shape: tuple[int, int]) -> bytes:
    return coco_string.pack(image_shape, [_counts(rle, image_shape) for rle in rles])


def _counts(segmentation: Any, image_shape: tuple[int, int]) -> Counts:
    """Return the counts of an RLE as they are: the kernel that packs them checks their sum."""
    if segmentation is None:
        return [image_shape[0] * image_shape[1]]
    if not isinstance(segmentation, dict) or "counts" not in segmentation:
        raise InvalidMaskError(
            f"segmentation is {short(segmentation)}, expected polygons, or an RLE with "
            "'size' and 'counts'"
        )
    size = segmentation.get("size")
    if size != list(image_shape):
        raise InvalidMaskError(f"RLE size is {short(size)}, expected {list(image_shape)}")
    counts: Counts = segmentation["counts"]
    if isinstance(counts, str | bytes):
        good = counts.isascii()
    else:
        good = isinstance(counts, list) and _is_flat(counts, {int})
    if not good:
        raise InvalidMaskError(
            f"RLE counts are {short(counts)}, expected ASCII text or a list of integers"
        )
    return counts or ""  # a list without items has no dtype, and covers as little as no text


def _outlines(polygons: Sequence[list[Any]]) -> Outlines:
    """Check polygons and lay them out for the kernel that draws them."""
    for item in polygons:
        for i, part in enumerate(item):
            _check_part(i, part)
    parts = [part for item in polygons for part in item]
    coordinates = [*chain.from_iterable(parts)]
    try:
        flat = np.array(coordinates, np.float64)
    except OverflowError:
        flat = np.array([*map(real, coordinates)], np.float64)
    return cut(flat, map(len, parts), map(len, polygons))


def _check_part(index: int, part: Any) -> None:
    where = f"polygon part {index}"
    if not isinstance(part, list) or not _is_flat(part, {int, float}):
        raise InvalidMaskError(f"{where} is {short(part)}, expected a flat list of numbers")
    if len(part) % 2:
        raise InvalidMaskError(f"{where} has {len(part)} coordinates, expected x, y pairs")
    if len(part) < 6:
        raise InvalidMaskError(f"{where} has {len(part) // 2} points, expected at least 3")


def _is_flat(items: list[Any], kinds: set[type]) -> bool:
    return set(map(type, items)) <= kinds
