"""Polygons from outside, checked and laid out flat for the kernels that draw them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from compactmask.errors import InvalidMaskError

FARTHEST = 1 << 22
"""How far from zero a coordinate may be, in pixels."""


class Outlines(NamedTuple):
    """The polygons of N masks."""

    xy: npt.NDArray[np.float64]
    """``(points, 2)``, the points of all parts."""
    parts: npt.NDArray[np.int64]
    """Where the points of each part start, and the last's end."""
    masks: npt.NDArray[np.int64]
    """``(N + 1,)``, where the parts of each mask start, and the last's end."""


def outlines(polygons: Any, fewest_points: int) -> Outlines:
    """Read polygons.

    Parameters
    ----------
    polygons : iterable of iterable of array_like
        Of each mask its parts, each ``[x, y, x, y, ...]`` or of shape ``(k, 2)``.
    fewest_points : int
        That a part must have; where it is above 0, a mask must have a part.

    Raises
    ------
    InvalidMaskError
        If they are nested otherwise, or a part is not numbers, not finite, too far out or too
        short; the message names mask and part.
    """
    masks = []
    for i, polygon in enumerate(_items(polygons, "polygons is", "a list of parts for each mask")):
        parts = _items(polygon, f"mask {i}: its polygon is", "a list of parts")
        masks.append([_points(part, i, j, fewest_points) for j, part in enumerate(parts)])
        if fewest_points > 0 and not masks[-1]:
            raise InvalidMaskError(f"mask {i}: found no part, expected 1 at least")
    return laid_out(masks)


def laid_out(masks: Sequence[Sequence[npt.NDArray[np.float64]]]) -> Outlines:
    """Join flat parts that are known to be pairs of numbers, as :func:`cut` does."""
    parts = [part for mask in masks for part in mask]
    return cut(np.concatenate([np.empty(0), *parts]), map(len, parts), map(len, masks))


def cut(flat: npt.NDArray[np.float64], parts: Iterable[int], masks: Iterable[int]) -> Outlines:
    """Cut coordinates, those of all parts in one, into parts and masks.

    Parameters
    ----------
    flat : ndarray of float64, shape (2 * points,)
        ``x, y, x, y, ...``
    parts : iterable of int
        The coordinates of each part.
    masks : iterable of int
        The parts of each mask.

    Raises
    ------
    InvalidMaskError
        If a coordinate is not finite or too far out.
    """
    result = Outlines(
        flat.reshape(-1, 2),
        np.fromiter(accumulate(parts, initial=0), np.int64) // 2,
        np.fromiter(accumulate(masks, initial=0), np.int64),
    )
    is_good = np.abs(flat) <= FARTHEST
    if not is_good.all():
        at = int(np.argmin(is_good))
        part = int(np.searchsorted(result.parts, at // 2, side="right")) - 1
        mask = int(np.searchsorted(result.masks, part, side="right")) - 1
        raise InvalidMaskError(
            f"mask {mask}: part {part - result.masks[mask]}: {'xy'[at % 2]} of point "
            f"{at // 2 - result.parts[part]} is {flat[at]}, expected {-FARTHEST} to {FARTHEST}"
        )
    return result


def _items(value: Any, what: str, expected: str) -> Iterable[Any]:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        return value
    raise InvalidMaskError(f"{what} of type {type(value).__name__}, expected {expected}")


def _points(part: Any, i: int, j: int, fewest: int) -> npt.NDArray[np.float64]:
    """Return the coordinates of a part as flat float64."""
    try:
        found = np.asarray(part)
    except ValueError:
        raise InvalidMaskError(
            f"mask {i}: part {j} is nested unevenly, expected x, y pairs"
        ) from None
    shape, size = found.shape, found.size
    if size == 0 and fewest == 0:
        return np.empty(0)
    is_points = len(shape) == 2 and shape[1] == 2
    is_flat = len(shape) == 1 and size % 2 == 0 and size != 2
    if found.dtype.kind not in "iuf" or not (is_points or is_flat) or size < 2 * fewest:
        raise InvalidMaskError(f"mask {i}: part {j} {_fault(part, found, fewest)}")
    return found.astype(np.float64, copy=False).ravel()


def _fault(part: Any, found: npt.NDArray[Any], fewest: int) -> str:
    """Say why a part is none."""
    nesting = "each mask is a list of parts, even where it has only one"
    if found.ndim == 0:
        return f"is of type {type(part).__name__}, expected [x, y, x, y, ...]: {nesting}"
    if found.size > 0 and found.dtype.kind not in "iuf":
        return f"has dtype {found.dtype}, expected numbers"
    if found.shape == (2,):
        return f"is one point, expected [x, y, x, y, ...] or [[x, y]]: {nesting}"
    if found.size > 0 and (found.ndim > 2 or (found.ndim == 2 and found.shape[1] != 2)):
        return f"has shape {found.shape}, expected [x, y, x, y, ...] or (points, 2)"
    if found.size % 2:
        return f"has {found.size} coordinates, expected x, y pairs"
    return f"has {found.size // 2} points, expected {fewest} at least"
