"""Detections that are written, checked: nothing that COCO gives a meaning to is of another kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError, ShapeMismatchError

from .values import short

Array = npt.NDArray[Any]

INTEGERS, FLAGS, NUMBERS, BOOLEANS = "i", "ib", "if", "b"
OWN = {"class_id": INTEGERS, "tracker_id": INTEGERS, "confidence": NUMBERS}
"""What ``sv.Detections`` has of its own besides boxes and masks."""
DATA = {
    "category_id": INTEGERS,
    "annotation_id": INTEGERS,
    "iscrowd": FLAGS,
    "area": NUMBERS,
    "has_mask": BOOLEANS,
    "has_box": BOOLEANS,
}
"""Data columns that stand for something of COCO's own."""
EXPECTED = {
    INTEGERS: "an integer of 64 bits",
    FLAGS: "an integer of 64 bits",
    NUMBERS: "a finite number, or NaN for none",
    BOOLEANS: "True or False",
}


def checked_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give what ``sv.Detections`` has, its columns that COCO knows as arrays of their kinds.

    Parameters
    ----------
    fields : mapping
        xyxy, class_id, confidence, tracker_id, data.

    Raises
    ------
    ShapeMismatchError
        Where a column does not have a value for each instance.
    FormatError
        Where a value is not what COCO needs; it is named.
    TypeError
        Where a column has no name.
    """
    xyxy, data = np.asarray(fields["xyxy"]), dict(fields.get("data") or {})
    n = len(xyxy)
    if xyxy.shape != (n, 4):
        raise ShapeMismatchError(f"xyxy: shape {xyxy.shape}, expected ({n}, 4)")
    checked = {"xyxy": xyxy} | {name: fields.get(name) for name in OWN}
    for name, values in [*checked.items(), *data.items()]:
        if not isinstance(name, str):
            raise TypeError(f"data: {name!r}: a name expected, not {type(name).__name__}")
        if values is not None and len(values) != n:
            raise ShapeMismatchError(f"{name}: {len(values)} values for {n} boxes")
    finite = np.isfinite(xyxy).all(axis=1)
    if not finite.all():
        at = int(np.argmin(finite))
        raise FormatError(f"box {at} is {xyxy[at].tolist()}, expected finite numbers")
    for known, columns in ((OWN, checked), (DATA, data)):
        for name in known.keys() & columns.keys():
            if columns[name] is not None:
                columns[name] = column(columns[name], known[name], name)
    return checked | {"data": data}


def column(values: Any, kinds: str, name: str) -> Array:
    """Give a column of some kinds of numbers, or refuse one that is not exactly of these.

    Parameters
    ----------
    values : array-like
        A value for each instance.
    kinds : str
        Which of "i", integers of 64 bits, "f", finite numbers and NaN, and "b", booleans.
    name : str
        Of the column, for messages.
    """
    array = _array(values)
    kind = array.dtype.kind
    if kind == "i" and "i" in kinds and array.ndim == 1:
        return array.astype(np.int64, copy=False)
    good = np.zeros(len(array), np.bool_)
    if array.ndim == 1 and kind == "b":
        good[:] = "b" in kinds
    elif array.ndim == 1 and kind == "u":
        good = (array <= np.iinfo(np.int64).max) & ("i" in kinds)
    elif array.ndim == 1 and kind == "f":
        whole = (np.floor(array) == array) & (array >= -(2.0**63)) & (array < 2.0**63)
        good = ~np.isinf(array) if "f" in kinds else whole & ("i" in kinds)
    if not good.all():
        at = int(np.argmin(good))
        found = short(array.tolist()[at])
        raise FormatError(f"instance {at}: {name} is {found}, expected {EXPECTED[kinds]}")
    if "f" in kinds:
        return array.astype(np.float64 if kind == "f" else np.int64, copy=False)
    return array.astype(np.int64 if "i" in kinds else np.bool_)


def _array(values: Any) -> Array:
    """Give an array; one of objects where numpy would change a value."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return values
    listed = list(values)
    try:
        array = np.array(listed)
        is_same = all(
            one == other or one != one for one, other in zip(listed, array.tolist(), strict=True)
        )
    except (TypeError, ValueError, OverflowError):
        is_same = False
    if is_same:
        return array
    objects = np.empty(len(listed), object)
    objects[:] = listed
    return objects
