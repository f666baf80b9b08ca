"""Segmentations of annotations as RLE, pixels and numbers, without supervision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels import coco_string, dense, polygon
from compactmask._outlines import outlines
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

from .values import is_integer, short

Shape = Callable[[], tuple[int, int]]


def packed(segmentation: Any, shape: Shape) -> Packed:
    """Turn polygons or an RLE to a packed mask.

    Parameters
    ----------
    segmentation : list or dict
        Polygon parts, or an RLE with ``size`` and ``counts``.
    shape : callable
        Gives ``(H, W)`` of polygons; an RLE names its own.

    Raises
    ------
    InvalidMaskError
        Where it is neither.
    """
    if isinstance(segmentation, list):
        return Packed(polygon.pack(*outlines([segmentation], 3), *shape()))
    try:
        (height, width), counts = segmentation["size"], segmentation["counts"]
    except (TypeError, KeyError, ValueError):
        raise InvalidMaskError(
            f"segmentation is {short(segmentation)}, expected polygons or an RLE"
        ) from None
    if not (is_integer(height) and is_integer(width)):
        raise InvalidMaskError(
            f"RLE size is {short(segmentation['size'])}, expected two integers, height and width"
        )
    runs = counts if isinstance(counts, (list, tuple)) else ()
    if not all(map(is_integer, {type(run): run for run in runs}.values())):
        raise InvalidMaskError(
            f"RLE counts are {short(counts)}, expected ASCII text or a list of integers"
        )
    return Packed(coco_string.pack((height, width), [counts]))


def rle(segmentation: Any, shape: Shape) -> dict[str, Any]:
    """Give an RLE of polygons or runs as ``pycocotools.mask`` gives it, with counts in bytes."""
    mask = packed(segmentation, shape)
    return {"size": list(mask.image_shape), "counts": coco_string.strings(mask)[0].encode()}


def pixels(segmentation: Any, shape: Shape) -> npt.NDArray[np.uint8]:
    """Give the pixels of a segmentation, ``(H, W)``, 1 inside."""
    mask = packed(segmentation, shape)
    frames = np.zeros((1, *mask.image_shape), np.uint8)
    dense.decode(mask, np.zeros(1, np.int64), frames)
    found: npt.NDArray[np.uint8] = frames[0]
    return found


def box(mask: Packed) -> list[float]:
    """Give the box of a tightly cropped mask as ``pycocotools.mask.toBbox`` does."""
    if not mask.area[0]:
        return [0.0, 0.0, 0.0, 0.0]
    (x, y), (h, w) = mask.offsets[0].tolist(), mask.crop_shapes[0].tolist()
    return [float(x), float(y), float(w), float(h)]
