"""From one image's Detections to checked rows, the unit in which a file grows."""

from __future__ import annotations

import json
import math
import operator
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from compactmask.errors import CompactMaskError, FormatError, ShapeMismatchError

from . import schema

if TYPE_CHECKING:
    from compactmask.packed import Packed

LITTLE = np.dtype("<i4").byteorder
"""How NumPy calls little-endian order here."""
Array = npt.NDArray[Any]
Values = Array | list[str]
"""Rows of one column: numbers, or text."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What one image adds to a file.

    ``image`` holds one row of each column of /images, ``detections`` one row for each instance;
    both by the path below their group.
    """

    count: int
    image: dict[str, Values]
    detections: dict[str, Values]
    masks: Packed | None


def make_rows(
    detections: Any,
    *,
    image_id: int,
    file_name: str | None,
    image_shape: tuple[int, int] | None,
    columns: Mapping[str, Any],
    where: str,
) -> Rows:
    """Check one image's detections and lay them out as rows.

    Parameters
    ----------
    detections : sv.Detections
        What was found in the image.
    image_id : int
        Its id.
    file_name : str, optional
        Its file name.
    image_shape : tuple of int, optional
        ``(H, W)``; taken from the mask where there is one.
    columns : mapping
        Further values of the image: a number, a bool or a str for each name.
    where : str
        Begins every error message.

    Raises
    ------
    TypeError
        Where something is of a kind that the format does not hold.
    ShapeMismatchError
        Where lengths or image shapes disagree.
    FormatError
        Where a box is not finite.
    InvalidMaskError
        Where a mask is not valid.
    """
    from supervision import Detections

    if not isinstance(detections, Detections):
        raise TypeError(f"{where}: sv.Detections expected, not {type(detections).__name__}")
    xyxy = np.asarray(detections.xyxy)
    count = len(xyxy) if xyxy.ndim else 0
    instances: dict[str, Values] = {"xyxy": _numbers(detections.xyxy, (count, 4), where, "xyxy")}
    finite = np.isfinite(xyxy).all(axis=1)
    if not finite.all():
        at = int(np.argmin(finite))
        raise FormatError(
            f"{where}: xyxy: box {at} is {xyxy[at].tolist()}, expected finite numbers"
        )
    present = 0
    for field, bit in schema.FIELDS.items():
        values = getattr(detections, field)
        if values is not None:
            present |= bit
            instances[field] = _numbers(values, (count,), where, field)
    masks = None if detections.mask is None else _packed(detections.mask, count, where)
    if masks is not None:
        present |= schema.MASK
    height, width = _image_shape(image_shape, masks, where)

    image: dict[str, Values] = {
        "id": np.array([image_id], schema.I64),
        "height": np.array([height], schema.I32),
        "width": np.array([width], schema.I32),
    }
    if file_name is not None:
        present |= schema.FILE_NAME
        image["file_name"] = [checked_text(file_name, where, "file_name")]
    if detections.metadata:
        present |= schema.METADATA
        image["metadata"] = [json_text(detections.metadata, f"{where}: metadata")]
    image["present"] = np.array([present], schema.U32)
    for name, value in columns.items():
        if name in schema.IMAGE_COLUMNS:
            raise TypeError(f"{where}: columns[{name!r}]: the dataset has a column of that name")
        image[f"columns/{_link(name, where, 'columns')}"] = _image_value(value, where, name)
    if not isinstance(detections.data, dict):
        raise TypeError(f"{where}: data: dict expected, not {type(detections.data).__name__}")
    for name, value in detections.data.items():
        link = _link(name, where, "data")
        form, column = _data_column(value, count, f"{where}: data[{name!r}]")
        image[f"data/{link}"] = np.array([form], schema.I32)
        instances[f"data/{link}"] = column
    return Rows(count, image, instances, masks)


def mask_rows(masks: Packed) -> dict[str, Array]:
    """Give the rows of /masks for the masks of one image, all but their bytes."""
    data, indptr = masks.data, masks.indptr.tolist()
    crc = [zlib.crc32(data[start:stop]) for start, stop in pairwise(indptr)]
    return {
        "offsets": masks.offsets,
        "crop_shapes": masks.crop_shapes,
        "area": masks.area.astype(schema.I64),
        "crc": np.array(crc, schema.U32),
    }


def json_text(value: Any, where: str) -> str:
    """Write a dict as a JSON object that reads back as an equal one.

    Raises
    ------
    TypeError
        Where there is none.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{where}: dict expected, not {type(value).__name__}")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        same = bool(json.loads(text) == value)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{where}: cannot be stored as JSON: {error}") from None
    if not same:
        raise TypeError(
            f"{where}: does not come back equal from JSON (tuples become lists, keys become str)"
        )
    return checked_text(text, where, "text")


def _packed(mask: Any, count: int, where: str) -> Packed:
    import supervision

    from compactmask.mask import CompactMask

    try:
        if not isinstance(mask, CompactMask):
            if isinstance(mask, supervision.CompactMask):
                mask = CompactMask.from_supervision(mask)
            else:
                mask = CompactMask.from_dense(mask)
        packed: Packed = mask._packed.straight()
    except (CompactMaskError, TypeError) as error:
        raise type(error)(f"{where}: {error}") from None
    if packed.n != count:
        raise ShapeMismatchError(f"{where}: {packed.n} masks for {count} boxes")
    return packed


def _image_shape(
    given: tuple[int, int] | None, masks: Packed | None, where: str
) -> tuple[int, int]:
    if given is None:
        return (0, 0) if masks is None else masks.image_shape
    try:
        height, width = map(operator.index, given)
    except (TypeError, ValueError):
        raise TypeError(f"{where}: image_shape {given!r}, expected two integers (H, W)") from None
    if not (1 <= height <= schema.MAX_SIDE and 1 <= width <= schema.MAX_SIDE):
        raise ShapeMismatchError(
            f"{where}: image_shape {(height, width)}, sides of 1 to {schema.MAX_SIDE} expected"
        )
    if masks is not None and masks.image_shape != (height, width):
        raise ShapeMismatchError(
            f"{where}: image_shape {(height, width)}, its masks have {masks.image_shape}"
        )
    return height, width


def _numbers(values: Any, shape: tuple[int, ...], where: str, name: str) -> Array:
    array = _plain(np.asanyarray(values), f"{where}: {name}")
    if array.shape != shape:
        raise ShapeMismatchError(f"{where}: {name}: shape {array.shape}, expected {shape}")
    return _native(array, f"{where}: {name}")


def _native(array: Array, where: str) -> Array:
    """Give numbers in little-endian order, or refuse what is not numbers."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(
            f"{where}: dtype {array.dtype}, expected bool, integers or floats of at most 64 bits"
        )
    if array.dtype.kind == "b":  # Any byte that is not 0 is True, and 1 in the file.
        array = np.not_equal(array.view(np.uint8), 0)
    if array.dtype.byteorder == LITTLE:
        return array
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _plain(array: Array, where: str) -> Array:
    """Refuse arrays that would lose something, such as a masked array its mask."""
    if type(array) not in (np.ndarray, np.memmap):
        raise TypeError(f"{where}: {type(array).__name__}, a plain array expected")
    return np.asarray(array)


def _image_value(value: Any, where: str, name: str) -> Values:
    where = f"{where}: columns[{name!r}]"
    if isinstance(value, str):
        return [checked_text(value, where, "text")]
    array = np.asarray(value)
    if array.shape != ():
        raise TypeError(f"{where}: one number, bool or str expected, not shape {array.shape}")
    return _native(array[np.newaxis], where)


def _data_column(value: Any, count: int, where: str) -> tuple[int, Values]:
    """Give a data column as its form, which brings its container back, and its rows."""
    if isinstance(value, list):
        return schema.LIST, _list_values(value, count, where)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{where}: {type(value).__name__}, an array or a list expected")
    array = _plain(value, where)
    if array.ndim == 0 or len(array) != count:
        raise ShapeMismatchError(f"{where}: shape {array.shape}, expected {count} rows")
    kind = array.dtype.kind
    if kind not in "UO":
        return schema.NDARRAY, _row_sized(_native(array, where), where)
    if array.ndim != 1:
        raise ShapeMismatchError(f"{where}: text of shape {array.shape}, one dimension expected")
    texts = array.tolist()
    others = {type(text).__name__ for text in texts} - {"str"}
    if others:
        raise TypeError(f"{where}: holds {', '.join(sorted(others))}, only str can be stored")
    form = schema.OBJECT
    if kind == "U":
        form = max(array.dtype.itemsize // 4, 1)
        if form > schema.MAX_TEXT_WIDTH:
            raise TypeError(
                f"{where}: text of {form} characters, at most {schema.MAX_TEXT_WIDTH} expected; "
                "an object array or a list holds any"
            )
    return form, [checked_text(text, where, "text") for text in texts]


def _list_values(value: list[Any], count: int, where: str) -> Values:
    if len(value) != count:
        raise ShapeMismatchError(f"{where}: {len(value)} items, expected {count}")
    leaves: list[Any] = value
    kinds = {type(leaf) for leaf in leaves}
    if kinds == {str}:
        return [checked_text(text, where, "text") for text in value]
    for _ in range(schema.MAX_DIMENSIONS):
        if kinds == {list}:
            leaves = [*chain.from_iterable(leaves)]
            kinds = {type(leaf) for leaf in leaves}
    if len(kinds) > 1 or not kinds <= {bool, int, float}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"{where}: a list of {names}, one of str, bool, int or float expected")
    try:
        array = np.array(value)
    except (ValueError, OverflowError) as error:
        raise TypeError(f"{where}: {error}") from None
    if kinds == {int} and array.dtype.kind not in "iu":
        raise TypeError(
            f"{where}: integers from {min(leaves)} to {max(leaves)}, no type of 64 bits holds both"
        )
    return _row_sized(_native(array, where), where)


def _row_sized(array: Array, where: str) -> Array:
    """Refuse rows that no chunk can hold."""
    if array.ndim > schema.MAX_DIMENSIONS:
        raise ShapeMismatchError(
            f"{where}: {array.ndim} dimensions, at most {schema.MAX_DIMENSIONS} expected"
        )
    size = math.prod(array.shape[1:]) * array.itemsize
    if not len(array) and not size:
        return array.reshape(0)  # Rows of nothing say nothing of those that may come.
    if len(array) and not 1 <= size <= schema.MAX_CHUNK_BYTES:
        raise ShapeMismatchError(
            f"{where}: rows of shape {array.shape[1:]}, {size} bytes each; "
            f"1 to {schema.MAX_CHUNK_BYTES} expected"
        )
    return array


def checked_text(text: Any, where: str, what: str) -> str:
    """Give a str back that can be stored as UTF-8."""
    if not isinstance(text, str):
        raise TypeError(f"{where}: {what}: str expected, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TypeError(f"{where}: {what}: {text!r} is not valid Unicode") from None
    return str(text)


def _link(name: Any, where: str, what: str) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"{where}: {what}: a name that is not empty expected, not {name!r}")
    return schema.link_name(checked_text(name, where, what))
