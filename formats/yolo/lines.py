"""A line of a label file: a class and a polygon or a box, in parts of the image's sides."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compactmask._kernels import fill
from compactmask._outlines import laid_out
from compactmask.errors import FormatError, InvalidMaskError
from compactmask.packed import Packed

Box = tuple[float, float, float, float]
Polygon = npt.NDArray[np.float32]

MOST_CLASSES = 1 << 16
LONGEST = 1 << 22
"""Bytes of a line."""
OUTSIDE = 1.0
"""How far outside the image a value may be, in sides of it."""
SHIFT = 0.25
"""Of a pixel: what is written is its coordinate and this, so that whoever rounds and whoever cuts
off fractions both get the pixel."""


class Line(NamedTuple):
    """What a line says."""

    class_id: int
    box: Box
    """x1, y1, x2, y2; of a polygon the least and largest of its values."""
    polygon: Polygon | None
    """``(k, 2)``, None for a box."""
    confidence: float
    """NaN where there is none."""


def parse(text: bytes) -> Line | None:
    """Read a line; None for one without anything, as of :func:`read`."""
    return read(text) if text.strip() else None


def read(text: bytes) -> Line:
    """Read a line that says something.

    Raises
    ------
    FormatError
        Where it is none; the message says what was found and expected.
    """
    text = text.strip()
    if b"\r" in text:
        raise FormatError("found a carriage return alone, expected lines that end with a line feed")
    class_text, *rest = text.split()
    class_id = _class_id(class_text)
    values = _numbers(rest)
    if len(values) < 4:
        raise FormatError(
            f"found {len(values)} values after the class, expected x, y of 3 points or more, or "
            "the 4 of a box"
        )
    is_box = len(values) <= 5
    confidence = math.nan
    if len(values) % 2:
        confidence = values.pop()
        if not 0 <= confidence <= 1:
            raise FormatError(
                f"found {len(values) + 1} values after the class, the last {confidence:g}: "
                "expected x, y pairs, or a confidence of 0 to 1 behind them"
            )
    if min(values) < -OUTSIDE or max(values) > 1 + OUTSIDE:
        i = next(i for i, value in enumerate(values) if not -OUTSIDE <= value <= 1 + OUTSIDE)
        raise FormatError(
            f"value {i} after the class is {values[i]:g}, expected 0 to 1, of the image's side"
        )
    if not is_box:
        xs, ys = values[::2], values[1::2]
        polygon = np.array(values, np.float32).reshape(-1, 2)
        return Line(class_id, (min(xs), min(ys), max(xs), max(ys)), polygon, confidence)
    x, y, width, height = values
    if width < 0 or height < 0:
        raise FormatError(f"a box of {width:g} x {height:g}, expected 0 or above")
    box = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return Line(class_id, box, None, confidence)


def draw(polygons: list[Polygon | None], image_shape: tuple[int, int]) -> Packed:
    """Draw polygons as supervision does: rounded to pixels, filled, with their outline.

    Parameters
    ----------
    polygons : list of ndarray or None
        In parts of the image's sides; None becomes a mask without pixels.
    image_shape : tuple of int
        ``(H, W)``.

    Raises
    ------
    InvalidMaskError
        Where one crosses more rows than a mask may; with more than one the message names it.
    """
    height, width = image_shape
    side = np.array((width, height), np.float32)
    parts = [
        [] if polygon is None else [np.round(polygon * side).astype(np.float64).ravel()]
        for polygon in polygons
    ]
    try:
        return Packed(fill.pack(*laid_out(parts), height, width))
    except InvalidMaskError as error:
        if len(parts) == 1:
            raise InvalidMaskError(str(error).removeprefix("mask 0: ")) from None
        raise


def polygon_line(class_id: int, pixels: npt.NDArray[np.int64], image_shape: tuple[int, int]) -> str:
    """Write a polygon of pixels."""
    height, width = image_shape
    values = (pixels + SHIFT) / (width, height)
    x, y = (f"%.{len(str(side)) + 1}f" for side in (width, height))
    return f"{class_id} {' '.join([f'{x} {y}'] * len(values))}" % tuple(values.ravel().tolist())


def box_line(class_id: int, xyxy: list[float], image_shape: tuple[int, int]) -> str:
    """Write a box."""
    height, width = image_shape
    x1, x2 = sorted((xyxy[0] / width, xyxy[2] / width))
    y1, y2 = sorted((xyxy[1] / height, xyxy[3] / height))
    values = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
    return f"{class_id} {' '.join(f'{value:.12g}' for value in values)}"


def _class_id(text: bytes) -> int:
    """Read a class, which may be written as ``1.0``."""
    value = _number(text, "class")
    if not (value.is_integer() and 0 <= value < MOST_CLASSES):
        raise FormatError(
            f"class is {_shown(text)}, expected a whole number of 0 to {MOST_CLASSES - 1}"
        )
    return int(value)


def _numbers(texts: list[bytes]) -> list[float]:
    try:
        values = list(map(float, texts))
        if math.isfinite(sum(values)) and b"_" not in b"".join(texts):
            return values
    except ValueError:
        pass
    return [_number(text, f"value {i} after the class") for i, text in enumerate(texts)]


def _number(text: bytes, what: str) -> float:
    try:
        value = math.nan if b"_" in text else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FormatError(f"{what} is {_shown(text)}, expected a finite number")
    return value


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", "replace"))
