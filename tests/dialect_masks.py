"""Masks for the documents of the COCO dialects: drawn by NumPy, coded by pycocotools."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

SHAPE = (13, 9)
"""Height and width that most of the documents use: not square, so that a swap is seen."""

Mask = npt.NDArray[np.bool_]


def blob(seed: int, shape: tuple[int, int] = SHAPE) -> Mask:
    """Draw a mask with holes and several parts that is never empty; equal for equal seeds."""
    rng = np.random.default_rng(seed)
    height, width = shape
    mask = np.zeros(shape, dtype=np.bool_)
    y, x = rng.integers(0, height - 3), rng.integers(0, width - 3)
    rows, columns = rng.integers(3, height - y + 1), rng.integers(3, width - x + 1)
    mask[y : y + rows, x : x + columns] = rng.random((rows, columns)) < 0.6
    mask[y + 1, x + 1] = True
    return mask


def nothing(shape: tuple[int, int] = SHAPE) -> Mask:
    """Give a mask without pixels."""
    return np.zeros(shape, dtype=np.bool_)


def rle(mask: Mask) -> dict[str, Any]:
    """Encode a mask as JSON holds it: counts as text."""
    coded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": coded["counts"].decode("ascii")}


def runs(mask: Mask) -> dict[str, Any]:
    """Encode a mask as a list of run lengths, column by column, background first."""
    pixels = mask.T.ravel()
    edges = np.flatnonzero(np.diff(pixels)) + 1
    counts = np.diff([0, *edges, pixels.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if pixels[0] else counts}


def box(mask: Mask) -> list[float]:
    """Give x, y, width, height as pycocotools tells them."""
    with _old_array_protocol():
        return coco_mask.toBbox(rle(mask)).tolist()


def inclusive_box(mask: Mask) -> list[float]:
    """Give x, y, width, height with sides that are one less, as SAM's mask generator does."""
    x, y, width, height = box(mask)
    return [x, y, width - 1, height - 1]


def area(mask: Mask) -> int:
    return int(mask.sum())


def dense(segmentation: Any, height: int, width: int) -> Mask:
    """Decode whatever a COCO document may hold as a segmentation."""
    if not segmentation:
        return nothing((height, width))
    if _is_raw(segmentation):
        segmentation = coco_mask.frPyObjects(segmentation, height, width)
    if isinstance(segmentation, list):
        segmentation = coco_mask.merge(segmentation)
    with _old_array_protocol():
        return coco_mask.decode(segmentation) > 0


def _is_raw(segmentation: Any) -> bool:
    return isinstance(segmentation, list) or isinstance(segmentation["counts"], list)


def corners(bbox: list[float]) -> list[float]:
    """Turn x, y, width, height into x1, y1, x2, y2."""
    x, y, width, height = bbox
    return [float(x), float(y), float(x + width), float(y + height)]


@contextmanager
def _old_array_protocol() -> Iterator[None]:
    """Let pycocotools hand its arrays to NumPy 2, which warns of how it does so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield
