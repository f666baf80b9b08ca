"""Every check of arrays from outside, and the only place that normalises their dtype and order."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels.block import check_image_shape
from compactmask._kernels.boxes import clip
from compactmask.errors import InvalidMaskError, ShapeMismatchError

FARTHEST = 1 << 62
"""How far windows and pads may reach, in pixels, before the size of the image is looked at."""


def _array(values: Any, name: str) -> npt.NDArray[Any]:
    """Return an array; what is nested unevenly is none."""
    try:
        return np.asarray(values)
    except ValueError:
        raise ShapeMismatchError(f"{name} are nested unevenly, expected an array") from None


def image_shape(value: Any) -> tuple[int, int]:
    """Return ``(H, W)`` as two ints that an image can have."""
    try:
        height, width = (int(side) for side in value)
        is_whole = (height, width) == tuple(value)
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        raise InvalidMaskError(f"image_shape {value!r}: (H, W) expected")
    check_image_shape(height, width)
    return height, width


def stack(masks: Any, shape: Any) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """Return frames as uint8 whose rows or columns are contiguous, and their image shape.

    Parameters
    ----------
    masks : array_like, shape (n, H, W)
        Frames; everything but 0 is True.
    shape : tuple of int or None
        ``(H, W)`` they must have; needed where there are none.
    """
    frames = np.asarray(masks)
    if frames.ndim != 3:
        if frames.size or shape is None:
            raise ShapeMismatchError(f"masks have shape {frames.shape}, expected (n, H, W)")
        frames = np.empty((0, *image_shape(shape)), np.bool_)
    found = image_shape(frames.shape[1:]) if len(frames) or shape is None else image_shape(shape)
    if shape is not None and found != image_shape(shape):
        raise ShapeMismatchError(
            f"masks have shape {frames.shape}, expected (n, {shape[0]}, {shape[1]})"
        )
    if frames.dtype.kind not in "biufc":
        raise InvalidMaskError(f"masks have dtype {frames.dtype}, expected bool or numbers")
    if frames.dtype not in (np.bool_, np.uint8):
        frames = frames != 0
    # a side of one pixel may have any stride, so what kernels will see is asked for
    exported: Any = frames.view(np.uint8)
    if 1 not in (memoryview(exported).strides or ())[1:]:
        frames = np.ascontiguousarray(frames)
    return frames.view(np.uint8), found


def boxes(xyxy: Any, n: int, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Return the crops that boxes stand for.

    Parameters
    ----------
    xyxy : array_like, shape (n, 4)
        ``x1, y1, x2, y2``, inclusive; fractions are cut off, what lies outside the image too.
    n : int
        Number of masks.
    shape : tuple of int
        ``(H, W)``.

    Returns
    -------
    ndarray of int32, shape (n, 4)
        Inclusive boxes inside the image. A box that is inverted or wholly outside has
        ``x2 < x1`` and its nearest pixel at ``x1, y1``.
    """
    found = np.asarray(xyxy)
    if found.shape != (n, 4):
        raise ShapeMismatchError(f"xyxy has shape {found.shape}, expected ({n}, 4)")
    if found.dtype.kind not in "biuf":
        raise InvalidMaskError(f"xyxy has dtype {found.dtype}, expected numbers")
    return clip(np.ascontiguousarray(found, np.float64), *shape)


def coco_rles(rles: Any, shape: Any) -> tuple[list[Any], tuple[int, int]]:
    """Take the counts out of COCO RLEs that all have one size, and that size.

    Parameters
    ----------
    rles : sequence of mapping
        Each with ``size`` ``[H, W]`` and ``counts``.
    shape : tuple of int or None
        ``(H, W)`` they must have; needed where there are none.
    """
    if isinstance(rles, str | bytes | Mapping) or not isinstance(rles, Iterable):
        raise InvalidMaskError(f"rles is {type(rles).__name__}, expected a sequence of COCO RLEs")
    expected = None if shape is None else image_shape(shape)
    counts = []
    size: Any = None
    for i, rle in enumerate(rles):
        try:
            found = rle["size"]
            counts.append(_text(rle["counts"]))
        except (TypeError, KeyError):
            raise InvalidMaskError(
                f"mask {i}: {type(rle).__name__} without 'size' and 'counts' is no COCO RLE"
            ) from None
        if isinstance(found, np.ndarray):
            found = found.tolist()
        if found == size:
            continue
        size = found
        try:
            height, width = image_shape(size)
        except InvalidMaskError:
            raise InvalidMaskError(f"mask {i}: size {size!r} found, [H, W] expected") from None
        if expected is None:
            expected = (height, width)
        if (height, width) != expected:
            raise ShapeMismatchError(
                f"mask {i}: size ({height}, {width}) found, "
                f"image_shape ({expected[0]}, {expected[1]}) expected"
            )
    if expected is None:
        raise ShapeMismatchError("no RLE and no image_shape: give image_shape=(H, W)")
    return counts, expected


def _text(counts: Any) -> Any:
    """Return a string of a class of its own, such as NumPy's, as a plain one."""
    if isinstance(counts, str) and type(counts) is not str:
        return str(counts)
    if isinstance(counts, bytes) and type(counts) is not bytes:
        return bytes(counts)
    return counts


def indices(index: Any, n: int) -> npt.NDArray[np.int64]:
    """Return the masks that a slice, a list or an array selects, all in ``0..n - 1``."""
    if isinstance(index, slice):
        return np.arange(*index.indices(n), dtype=np.int64)
    chosen = np.asarray(index)
    if chosen.ndim != 1:
        raise TypeError(
            f"masks are selected by an int, a slice, or one dimension of ints or bools, "
            f"not {chosen.ndim} dimensions of {chosen.dtype}"
        )
    if chosen.dtype == np.bool_ or chosen.size == 0:
        chosen = np.flatnonzero(chosen)
    elif chosen.dtype.kind not in "iu":
        kind = TypeError if chosen.dtype == object else IndexError
        raise kind(f"masks are selected by ints or bools, not by {chosen.dtype}")
    is_bad = (chosen < -n) | (chosen >= n)
    if is_bad.any():
        raise IndexError(f"index {chosen[is_bad][0]} is out of range for {n} masks")
    result = chosen.astype(np.int64)
    result[result < 0] += n
    return result


def frames_out(out: Any, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Return a buffer for frames as uint8."""
    if not isinstance(out, np.ndarray) or out.dtype not in (np.bool_, np.uint8):
        found = out.dtype if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out is {found}, expected an array of bool")
    if out.shape != shape or not out.flags.c_contiguous or not out.flags.writeable:
        found = "C-contiguous" if out.flags.c_contiguous else f"strides {out.strides}"
        if not out.flags.writeable:
            found += ", read-only"
        raise ShapeMismatchError(
            f"out has shape {out.shape}, {found}; expected {shape}, C-contiguous, writeable"
        )
    return out.view(np.uint8)


def label_image(labels: Any) -> npt.NDArray[Any]:
    """Return a label image of integers or bools, aligned and in native byte order."""
    found = _array(labels, "labels")
    if found.ndim != 2:
        raise ShapeMismatchError(f"labels have shape {found.shape}, expected (H, W)")
    if found.dtype.kind not in "biu":
        raise InvalidMaskError(f"labels have dtype {found.dtype}, expected integers or bool")
    image_shape(found.shape)
    return np.require(found, found.dtype.newbyteorder("="), "A")


def panoptic_colours(colours: Any) -> npt.NDArray[np.uint8]:
    """Return an image of colours."""
    found = _array(colours, "colours")
    if found.ndim != 3 or found.shape[2] != 3:
        raise ShapeMismatchError(f"colours have shape {found.shape}, expected (H, W, 3)")
    if found.dtype != np.uint8:
        raise InvalidMaskError(f"colours have dtype {found.dtype}, expected uint8")
    image_shape(found.shape[:2])
    return found


def mask_ids(ids: Any, n: int) -> npt.NDArray[Any]:
    """Return an id for each of n masks: integers or bools, none twice and none 0."""
    found = np.array(ids)
    if found.shape != (n,):
        raise ShapeMismatchError(f"ids have shape {found.shape}, expected ({n},)")
    if n == 0 and found.dtype.kind == "f":  # an empty list
        found = found.astype(np.int32)
    if found.dtype.kind not in "biu":
        raise InvalidMaskError(f"ids have dtype {found.dtype}, expected integers or bool")
    result = np.ascontiguousarray(found, found.dtype.newbyteorder("="))
    if not result.all():
        raise InvalidMaskError(f"mask {np.argmin(result != 0)}: id 0 stands for the background")
    order = np.argsort(result, kind="stable")
    is_again = result[order[1:]] == result[order[:-1]]
    if is_again.any():
        k = int(np.argmax(is_again))
        first, second = order[k : k + 2].tolist()
        raise InvalidMaskError(f"masks {first} and {second} both have id {result[first]}")
    return result


def window(xyxy: Any) -> tuple[int, int, int, int]:
    """Return one inclusive box of whole numbers that is not inverted."""
    found = _array(xyxy, "xyxy")
    if found.shape != (4,):
        raise ShapeMismatchError(f"xyxy has shape {found.shape}, expected (4,)")
    values = found.tolist()
    if not all(isinstance(value, (int, float)) and value == value // 1 for value in values):
        raise InvalidMaskError(f"xyxy {values}: whole numbers expected")
    if not all(-FARTHEST <= value <= FARTHEST for value in values):
        raise InvalidMaskError(f"xyxy {values}: {-FARTHEST} to {FARTHEST} expected")
    x1, y1, x2, y2 = (int(value) for value in values)
    if x2 < x1 or y2 < y1:
        raise InvalidMaskError(f"xyxy {[x1, y1, x2, y2]}: x1 <= x2 and y1 <= y2 expected")
    return x1, y1, x2, y2


def pad_width(value: Any) -> tuple[int, int, int, int]:
    """Return how many pixels `numpy.pad` would add at top, bottom, left and right."""
    try:
        widths = np.broadcast_to(np.asarray(value), (2, 2))
    except ValueError:
        raise ShapeMismatchError(
            f"pad_width {value!r}: an int, (before, after) or ((top, bottom), (left, right)) "
            "expected"
        ) from None
    (top, bottom), (left, right) = widths.tolist()
    sides = top, bottom, left, right
    if widths.dtype.kind == "b" or not all(isinstance(side, int) for side in sides):
        raise TypeError(f"pad_width {value!r}: integers expected")
    if not all(0 <= side <= FARTHEST for side in sides):
        raise InvalidMaskError(f"pad_width {value!r}: 0 to {FARTHEST} pixels expected")
    return sides


def pairs(values: Any, n: int, name: str) -> npt.NDArray[np.int32]:
    """Return a column of n pairs as contiguous int32."""
    found = np.asarray(values)
    if found.size == 0 and n == 0:
        return np.empty((0, 2), np.int32)
    if found.shape != (n, 2) or found.dtype.kind not in "iu":
        raise ShapeMismatchError(
            f"{name} has shape {found.shape} and dtype {found.dtype}, expected ({n}, 2) integers"
        )
    result = np.ascontiguousarray(found, np.int32)
    if not np.array_equal(result, found):
        raise InvalidMaskError(f"{name} has values that are no 32-bit integers")
    return result


def column(values: Any, name: str, n: int, kinds: str, expected: str) -> npt.NDArray[Any]:
    """Return an array with an item for each of n masks, of one of some kinds of dtype."""
    found = np.asarray(values)
    if found.shape != (n,):
        raise ShapeMismatchError(f"{name} has shape {found.shape}, expected ({n},)")
    if found.size and found.dtype.kind not in kinds:
        raise TypeError(f"{name} has dtype {found.dtype}, expected {expected}")
    return found


def crops_inside(
    crop_shapes: npt.NDArray[np.int32], offsets: npt.NDArray[np.int32], shape: tuple[int, int]
) -> None:
    """Refuse crops that are empty or leave the image."""
    ends = crop_shapes.astype(np.int64) + offsets[:, ::-1]
    is_bad = ((crop_shapes < 1) | (offsets[:, ::-1] < 0) | (ends > shape)).any(axis=1)
    if is_bad.any():
        i = int(np.flatnonzero(is_bad)[0])
        (h, w), (x, y) = crop_shapes[i], offsets[i]
        raise InvalidMaskError(
            f"mask {i}: crop ({h}, {w}) at x={x}, y={y} is not inside the image {shape}"
        )


def integer(value: Any, name: str) -> int:
    """Return an integer."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected an integer") from None


def pixels(value: Any, name: str) -> int:
    """Return a number of pixels, which may come as a float."""
    if not isinstance(value, (float, np.floating)):
        return integer(value, name)
    if value != value // 1:
        raise InvalidMaskError(f"{name} is {value}, expected a whole number")
    return int(value)


def whole(value: Any, name: str, most: int) -> int:
    """Return an integer of at least 0, cut at `most`, beyond which a larger one means the same."""
    found = integer(value, name)
    if found < 0:
        raise ValueError(f"{name} is {found}, expected 0 at least")
    return min(found, most)


def part(value: Any, name: str) -> None:
    """Refuse what is not a number from 0 to 1."""
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {value!r}, expected a number")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}, expected 0 to 1")


def choice(value: Any, name: str, choices: Sequence[Any]) -> int:
    """Return the index of a value among those that an argument can have."""
    if not isinstance(value, (str, int, np.integer)) or value not in choices:
        expected = ", ".join(repr(one) for one in choices[:-1]) + f" or {choices[-1]!r}"
        raise ValueError(f"{name} is {value!r}, expected {expected}")
    return choices.index(value)


def pixels_of(points: Any) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the columns and rows of the pixels that points lie in; far ones are cut to 32 bits.

    Parameters
    ----------
    points : array_like, shape (p, 2)
        ``x, y``; a pixel reaches from its whole numbers up to the next ones.
    """
    found = _array(points, "points")
    if found.dtype == object and all(isinstance(value, int) for value in found.flat):
        found = found.clip(-(2**63), 2**63).astype(np.float64)
    if found.size == 0 and found.ndim < 2:
        found = found.reshape(0, 2)
    if found.ndim != 2 or found.shape[1] != 2:
        raise ShapeMismatchError(f"points have shape {found.shape}, expected (p, 2)")
    if found.dtype.kind not in "iuf":
        raise InvalidMaskError(f"points have dtype {found.dtype}, expected numbers")
    found = found.astype(np.float64)
    is_bad = ~np.isfinite(found).all(axis=1)
    if is_bad.any():
        i = int(np.flatnonzero(is_bad)[0])
        raise InvalidMaskError(
            f"point {i} is ({found[i, 0]}, {found[i, 1]}), expected finite numbers"
        )
    x, y = np.floor(found).clip(-1, 2**31 - 1).astype(np.int32).T
    return np.ascontiguousarray(x), np.ascontiguousarray(y)
