"""JSON values of a COCO document, checked and turned into numbers and columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, TypeGuard

import numpy as np

from compactmask.errors import FormatError

Box = tuple[float, float, float, float]

LONGEST_SIDE = 1 << 20
UNKNOWN_SHAPE = (0, 0)
NO_BOX: Box = (math.nan,) * 4


def integer(key: str, value: Any) -> int:
    """Read a 64-bit integer; ``true`` and ``2.0`` are integers too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
        raise FormatError(f"{key} is {short(value)}, expected an integer")
    return int(value)


def is_integer(value: Any) -> TypeGuard[int]:
    """Tell whether a value is an integer of Python or NumPy, which a boolean is none of."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Tell whether a value is a finite number of Python or NumPy."""
    return isinstance(value, Real) and math.isfinite(real(value))


def number(key: str, value: Any) -> float:
    """Read a number."""
    if type(value) not in (int, float):
        raise FormatError(f"{key} is {short(value)}, expected a number")
    return real(value)


def side(key: str, value: Any) -> int:
    """Read an image's height or width; null and 0 are 0, which means unknown."""
    length = 0 if value is None else integer(key, value)
    if not 0 <= length <= LONGEST_SIDE:
        raise FormatError(f"{key} is {length}, expected 1 to {LONGEST_SIDE:,} pixels")
    return length


def sides(item: Mapping[str, Any], height: str = "height", width: str = "width") -> tuple[int, int]:
    """Read the height and width of an object; zeros where it has none."""
    shape = side(height, item.get(height)), side(width, item.get(width))
    if (shape[0] == 0) != (shape[1] == 0):
        raise FormatError(
            f"{height} is {shape[0]} and {width} is {shape[1]}, expected both or none"
        )
    return shape


def box(value: Any) -> Box:
    """Read a bbox ``[x, y, width, height]`` as ``(x1, y1, x2, y2)``; NO_BOX where there is none."""
    if value is None or value == []:
        return NO_BOX
    if (
        not isinstance(value, list)
        or len(value) != 4
        or not all(type(item) in (int, float) and math.isfinite(real(item)) for item in value)
    ):
        raise FormatError(f"bbox is {short(value)}, expected 4 finite numbers x, y, width, height")
    x, y, width, height = value
    x2, y2 = real(x + width), real(y + height)
    if not (math.isfinite(x2) and math.isfinite(y2)):
        raise FormatError(f"bbox is {short(value)}, expected x + width and y + height to be finite")
    return float(x), float(y), x2, y2


def text(key: str, value: Any) -> str:
    """Read text; JSON can escape half a character, which is none."""
    if not isinstance(value, str) or not _is_text(value):
        raise FormatError(f"{key} is {short(value)}, expected text")
    return value


def short(value: Any) -> str:
    """Show a JSON value in a message, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def real(value: Any) -> float:
    """Convert a JSON number; an integer beyond the range of a float is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
