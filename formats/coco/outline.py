"""Masks as polygons that COCO's rule draws back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from compactmask.mask import CompactMask

Outline = npt.NDArray[np.int32]


class Polygons(NamedTuple):
    """The polygons of masks, and how far they are from giving the masks back."""

    parts: list[list[list[int]]]
    """Of each mask its parts, ``[x, y, x, y, ...]``."""
    lost: npt.NDArray[np.int64]
    """Pixels of each mask that come back different."""


def polygons(mask: CompactMask) -> Polygons:
    """Trace masks that have pixels, and draw them again to see what comes back.

    A part of COCO's is filled, and parts are united, so that a hole cannot be a part. Here each
    hole is in the part of what surrounds it, reached by a line that is drawn forth and back and
    so encloses nothing: COCO's rule inverts what a part's turns enclose twice.

    Parameters
    ----------
    mask : CompactMask
        Masks, none without pixels.
    """
    parts = []
    for i, outlines in enumerate(mask.to_polygons()):
        if all(_encloses(outline) for outline in outlines):
            parts.append([_flat([outline]) for outline in outlines])
        else:
            components, _ = mask[i : i + 1].connected_components(8)
            parts.append([_flat(outer_first) for outer_first in components.to_polygons()])
    drawn = type(mask).from_polygons(parts, mask.image_shape, rule="coco")
    return Polygons(parts, (drawn ^ mask).area)


def _encloses(outline: Outline) -> bool:
    """Tell an outer outline, whose signed area is positive, from that of a hole."""
    x, y = outline.astype(np.int64).T
    return bool(x @ np.roll(y, -1) - y @ np.roll(x, -1) > 0)


def _flat(outlines: Sequence[Outline]) -> list[int]:
    """Join outlines to one: each but the first is visited from the first one's start."""
    first, *holes = outlines
    points: list[Any] = [first]
    for hole in holes:
        points += [first[:1], hole, hole[:1]]
    flat: list[int] = np.concatenate(points).ravel().tolist()
    return flat
