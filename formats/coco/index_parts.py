"""A document as arrays and a description in JSON, and put together of them again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .compact import Array, Places, Texts, text_column
from .content import Content
from .document import Document
from .file import JsonFile, Stamp
from .further import FurtherKeys
from .images import Images
from .index_file import expect
from .instances import Instances
from .masks import JsonMasks, MaskReader
from .panoptic import SEGMENT_ID, PngMasks, folder_of
from .values import LONGEST_SIDE

DTYPES: dict[str, type[Any]] = {
    "bool": np.bool_,
    "int64": np.int64,
    "float64": np.float64,
    "text": object,
}
ROWS = 1 << 16
"""That are checked together, so that little memory is needed."""
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def take_apart(document: Document) -> tuple[dict[str, Any], dict[str, Array]]:
    """Give a description as JSON has it, and arrays by name.

    Parameters
    ----------
    document : Document
        Of one file that is not compressed.
    """
    content = document.content
    images, instances = content.images, content.instances
    arrays = {
        "images/ids": images.ids,
        "images/heights": images.heights,
        "images/widths": images.widths,
        "instances/indptr": instances.indptr,
        "instances/boxes": instances.boxes,
        "instances/category_ids": instances.category_ids,
    }
    if images.numbers is not images.ids:
        arrays["images/numbers"] = images.numbers
    _take_texts(arrays, "images/names", images.names)
    for name, column in images.columns.items():
        if column.dtype == object:
            _take_texts(arrays, f"images/columns/{name}", Texts(column.tolist()))
        else:
            arrays[f"images/columns/{name}"] = column
    for name in ("order", "item", "class_ids"):
        part = getattr(instances, name)
        if part is not None:
            arrays[f"instances/{name}"] = part
    for name, column in instances.values.items():
        arrays[f"instances/values/{name}"] = column
    _take_places(arrays, "instances/items", instances.items)
    if instances.segmentations is not None:
        _take_places(arrays, "instances/segmentations", instances.segmentations)
    if images.further is not None:
        _take_places(arrays, "images/items", images.further.items)
    if isinstance(document.masks, PngMasks):
        _take_texts(arrays, "masks/names", document.masks.names)
    description = {
        "kind": content.kind,
        "classes": content.classes,
        "metadata": document.metadata,
        "image_columns": list(images.columns),
        "values": list(instances.values),
        "image_keys": _take_keys(images.further),
        "keys": _take_keys(instances.further),
    }
    return description, arrays


def put_together(
    file: JsonFile, stamp: Stamp, description: Mapping[str, Any], arrays: Mapping[str, Array]
) -> Document:
    """Make a document of its parts, every one of which is checked.

    Parameters
    ----------
    file : JsonFile
        The document itself.
    stamp : Stamp
        Tells it from others.
    description, arrays : mapping
        What :func:`take_apart` gave.

    Raises
    ------
    ValueError, LookupError, TypeError, AttributeError
        Where they contradict each other or the file.
    """
    parts = _Parts(file, description, arrays)
    images = parts.images()
    instances = parts.instances(len(images))
    content = Content(parts.text("kind"), parts.texts_of("classes"), images, instances)
    expect(len(content.classes) == len(instances.category_ids))
    expect(isinstance(description["metadata"], dict))
    masks: MaskReader
    if "instances/segmentations/starts" in arrays:
        masks = JsonMasks(file, instances, images)
    else:
        masks = parts.png_masks(instances, images)
    return Document(content, description["metadata"], masks, file.size, str(stamp))


class _Parts:
    """Reads parts of an index, and checks them."""

    def __init__(
        self, file: JsonFile, description: Mapping[str, Any], arrays: Mapping[str, Array]
    ) -> None:
        self._file = file
        self._description = description
        self._arrays = arrays

    def text(self, name: str) -> str:
        """Give a text of the description."""
        text = self._description[name]
        expect(isinstance(text, str))
        return str(text)

    def texts_of(self, name: str) -> list[str]:
        """Give a list of texts of the description."""
        texts = self._description[name]
        expect(isinstance(texts, list) and all(isinstance(text, str) for text in texts))
        return list(texts)

    def images(self) -> Images:
        ids = self._arrays["images/ids"]
        n = len(ids)
        expect(ids.dtype == np.int64 and ids.ndim == 1)
        numbers = ids
        if "images/numbers" in self._arrays:
            numbers = self._integers("images/numbers", n)
        heights, widths = self._integers("images/heights", n), self._integers("images/widths", n)
        for side in (heights, widths):
            expect(side.dtype == np.int32)
            _expect_between(side, 0, LONGEST_SIDE)
        columns = {name: self._image_column(name, n) for name in self.texts_of("image_columns")}
        further = None
        if self._description["image_keys"] is not None:
            further = self._further("image_keys", self._places("images/items", n))
        names = self._texts("images/names", n)
        return Images(ids, numbers, names, heights, widths, columns, further)

    def instances(self, n_images: int) -> Instances:
        boxes = self._arrays["instances/boxes"]
        n = len(boxes)
        expect(boxes.dtype == np.float64 and boxes.shape == (n, 4))
        indptr = self._indptr("instances/indptr", n_images, n)
        order = self._optional("order", n, n)
        if order is not None:
            is_there = np.zeros(n, np.bool_)
            is_there[order] = True
            expect(bool(is_there.all()))
        category_ids = self._arrays["instances/category_ids"]
        expect(category_ids.dtype == np.int64 and category_ids.ndim == 1)
        has_items = "instances/item" in self._arrays
        items = self._places("instances/items", None if has_items else n)
        segmentations = None
        if "instances/segmentations/starts" in self._arrays:
            segmentations = self._places("instances/segmentations", n)
        _check_boxes(boxes, segmentations)
        further = None
        if self._description["keys"] is not None:
            further = self._further("keys", items)
        return Instances(
            path=self._file.path,
            indptr=indptr,
            order=order,
            item=self._optional("item", n, len(items.starts)),
            boxes=boxes,
            class_ids=self._optional("class_ids", n, len(category_ids)),
            category_ids=category_ids,
            values={name: self._value(name, n) for name in self.texts_of("values")},
            segmentations=segmentations,
            items=items,
            further=further,
        )

    def png_masks(self, instances: Instances, images: Images) -> PngMasks:
        expect(instances.item is not None and instances.values[SEGMENT_ID].dtype.kind == "i")
        n = len(instances.items.starts)
        names = self._texts("masks/names", n)
        for i in range(n):
            expect(os.path.basename(names[i]) == names[i] and names[i] not in ("", ".", ".."))
        return PngMasks(folder_of(self._file.path), names, instances, images)

    def _integers(self, name: str, n: int) -> Array:
        array = self._arrays[name]
        expect(array.dtype.kind == "i" and array.shape == (n,))
        return array

    def _optional(self, name: str, n: int, stop: int) -> Array | None:
        """Give the indices of that name, where there are any; all are below ``stop``."""
        if f"instances/{name}" not in self._arrays:
            return None
        indices = self._integers(f"instances/{name}", n)
        _expect_between(indices, 0, stop - 1)
        return indices

    def _indptr(self, name: str, n: int, last: int) -> Array:
        indptr = self._integers(name, n + 1)
        expect(indptr[0] == 0 and indptr[-1] == last and bool((indptr[1:] >= indptr[:-1]).all()))
        return indptr

    def _places(self, name: str, n: int | None) -> Places:
        if n is None:
            n = len(self._arrays[f"{name}/starts"])
        starts = self._integers(f"{name}/starts", n)
        lengths = self._integers(f"{name}/lengths", n)
        size = self._file.size
        _expect_between(starts, 0, size)
        _expect_between(lengths, 0, size)
        for first in range(0, n, ROWS):
            rows = slice(first, first + ROWS)
            expect(bool((starts[rows].astype(np.int64) + lengths[rows] <= size).all()))
        return Places(starts, lengths)

    def _texts(self, name: str, n: int) -> Texts:
        data = self._arrays[f"{name}/bytes"]
        expect(data.dtype == np.uint8 and data.ndim == 1)
        indptr = self._indptr(f"{name}/indptr", n, len(data))
        held = bytearray(data)
        held.decode()
        inner = indptr[(indptr > 0) & (indptr < len(data))]
        expect(not bool(((data[inner] & 0xC0) == 0x80).any()))  # no text begins inside a character
        return Texts.of(held, indptr)

    def _image_column(self, name: str, n: int) -> Array:
        place = f"images/columns/{name}"
        if place in self._arrays:
            return self._integers(place, n)
        texts = self._texts(place, n)
        return text_column([texts[i] for i in range(n)])

    def _value(self, name: str, n: int) -> Array:
        column = self._arrays[f"instances/values/{name}"]
        expect(column.dtype.kind in "if" and column.shape == (n,))
        return column

    def _further(self, name: str, items: Places) -> FurtherKeys:
        keys: dict[str, tuple[str, type[Any] | None]] = {}
        for column, key, dtype in self._description[name]:
            expect(isinstance(column, str) and isinstance(key, str) and column not in keys)
            keys[column] = key, None if dtype is None else DTYPES[dtype]
        one_file = np.zeros(len(items.starts), np.int8)
        return FurtherKeys.of_keys(self._file.path, self._file, items, one_file, keys)


def _take_texts(arrays: dict[str, Array], name: str, texts: Texts) -> None:
    data, arrays[f"{name}/indptr"] = texts.parts()
    arrays[f"{name}/bytes"] = np.frombuffer(data, np.uint8)


def _take_places(arrays: dict[str, Array], name: str, places: Places) -> None:
    arrays[f"{name}/starts"], arrays[f"{name}/lengths"] = places.starts, places.lengths


def _take_keys(further: FurtherKeys | None) -> list[tuple[str, str, str | None]] | None:
    if further is None:
        return None
    return [
        (column, key, None if dtype is None else DTYPE_NAMES[dtype])
        for column, (key, dtype) in further.keys.items()
    ]


def _expect_between(values: Array, low: int, high: int) -> None:
    expect(not len(values) or (low <= int(values.min()) and int(values.max()) <= high))


def _check_boxes(boxes: Array, segmentations: Places | None) -> None:
    """Expect finite corners, or none where there is a mask to take the box from."""
    is_missing = np.isnan(boxes[:, 0])
    expect(bool((np.isfinite(boxes).all(axis=1) | is_missing).all()))
    if segmentations is not None:
        expect(bool((~is_missing | (segmentations.lengths > 0)).all()))
