"""The lists of a COCO document, lazily, over any dataset; and plain ones with the same face."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from compactmask.errors import CompactMaskError, FormatError

from ..dataset import SegmentationDataset
from .categories import Categories
from .checked import checked_fields
from .compact import Texts
from .composing import ID_TEXT, Image
from .entry import Entry, Instances, image_entry, keys_of
from .flat import Flat
from .lookup import Rows
from .unchanged import Unchanged
from .values import is_integer

Array = npt.NDArray[Any]

BLOCK = 1024


class Plain:
    """A list of dicts."""

    def __init__(self, items: Sequence[Entry]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def column(self, name: str) -> Array:
        """Give the values of a key; KeyError where an entry lacks it."""
        return column_of([item[name] for item in self._items])

    def load(self, rows: Rows) -> list[Entry]:
        """Give the dicts themselves."""
        return [self._items[row] for row in rows.tolist()]


def column_of(values: Sequence[Any]) -> Array:
    """Give values as an array: of numbers where it has each as it is, else of the values."""
    one_of_each = {type(value): value for value in values}
    if all(map(is_integer, one_of_each.values())):
        with contextlib.suppress(OverflowError):
            return np.array(values, np.int64)
    if one_of_each.keys() == {float}:
        return np.array(values, np.float64)
    return np.fromiter(values, object, len(values))


class LazyList(Sequence[Entry]):
    """A list whose items are made when they are taken; each time anew."""

    def column(self, name: str) -> Array:
        """Give the values of a key."""
        raise NotImplementedError

    def load(self, rows: Rows) -> list[Entry]:
        """Make the entries of rows."""
        raise NotImplementedError

    @overload
    def __getitem__(self, index: SupportsIndex) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.load(np.arange(*index.indices(len(self)), dtype=np.int64))
        row = index.__index__()
        row += len(self) if row < 0 else 0
        if not 0 <= row < len(self):
            raise IndexError(f"{index} is out of range: there are {len(self)}")
        return self.load(np.array([row]))[0]

    def __iter__(self) -> Iterator[Entry]:
        for start in range(0, len(self), BLOCK):
            yield from self[start : start + BLOCK]

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyList:
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self)}"


class Images(LazyList):
    """The images of a dataset as entries of ``images``.

    Parameters
    ----------
    unchanged : Unchanged
        The dataset.
    image_ids : ndarray, shape (images,)
        Their ids, as :func:`image_ids` gives them.
    """

    def __init__(self, unchanged: Unchanged, image_ids: Array) -> None:
        self._unchanged = unchanged
        self._image_ids = image_ids

    def __len__(self) -> int:
        return len(self._image_ids)

    def __reduce__(self) -> Any:
        return Images, (self._unchanged, self._image_ids)

    @cached_property
    def _columns(self) -> dict[str, Any]:
        columns = {**self._unchanged.dataset.images}
        return {
            name: Texts(values.tolist()) if values.dtype.kind in "OU" else values
            for name, values in columns.items()
        }

    @cached_property
    def _further(self) -> Mapping[str, str]:
        own = {"id", "file_name", "height", "width"}
        return keys_of(self._columns.keys() - own, own)[0]

    def column(self, name: str) -> Array:
        """Give the ids, the only column that is asked for."""
        return {"id": self._image_ids}[name]

    def load(self, rows: Rows) -> list[Entry]:
        """Make the entries of rows."""
        columns = self._columns
        names, heights, widths = columns.get("file_name"), columns["height"], columns["width"]
        entries = []
        for row, number in zip(rows.tolist(), self._image_ids[rows].tolist(), strict=True):
            entry = image_entry(
                number,
                None if names is None else names[row],
                (int(heights[row]), int(widths[row])),
            )
            for name, key in self._further.items():
                value = columns[name][row]
                if key == name:
                    entry[key] = value.item() if isinstance(value, np.generic) else value
                elif value:
                    entry[key] = json.loads(value)
            entries.append(entry)
        return entries


class Annotations(LazyList):
    """The instances of a dataset as annotations, in its order: image by image.

    Parameters
    ----------
    unchanged : Unchanged
        The dataset.
    image_ids : ndarray, shape (images,)
        The id of each image.
    categories : Categories
        Those of its classes.
    """

    def __init__(self, unchanged: Unchanged, image_ids: Array, categories: Categories) -> None:
        self._unchanged = unchanged
        self._image_ids = image_ids
        self._categories = categories
        self._last: tuple[int, Instances] | None = None

    def __len__(self) -> int:
        return int(self._indptr[-1])

    def __reduce__(self) -> Any:
        return type(self), (self._unchanged, self._image_ids, self._categories)

    @cached_property
    def _category_ids(self) -> Array:
        return self._flat.category_ids(self._categories)

    @cached_property
    def _flat(self) -> Flat:
        return Flat(self._unchanged.dataset, self._indptr)

    def categories(self) -> list[Entry]:
        """Give the categories of the annotations and of all classes."""
        _ = self._category_ids
        return self._categories.objects()

    @cached_property
    def _indptr(self) -> Array:
        ranges = map(self._unchanged.dataset.detection_range, range(len(self._image_ids)))
        ends = [stop for _, stop in ranges]
        return np.array([0, *ends], np.int64)

    @cached_property
    def _made(self) -> dict[str, Array]:
        return {}

    def column(self, name: str) -> Array:
        """Give the values of ``id``, ``image_id``, ``category_id``, ``area`` or ``iscrowd``."""
        make = {
            "id": self._flat.ids,
            "image_id": lambda: np.repeat(self._image_ids, np.diff(self._indptr)),
            "category_id": lambda: self._category_ids,
            "area": self._flat.areas,
            "iscrowd": self._flat.crowds,
        }
        if name not in self._made:
            _ = self._unchanged.dataset
            self._made[name] = make[name]()
        return self._made[name]

    def load(self, rows: Rows) -> list[Entry]:
        """Make the entries of rows; one reading for those of one image that follow each other."""
        images = np.searchsorted(self._indptr, rows, side="right") - 1
        cuts = [0, *(np.flatnonzero(np.diff(images)) + 1).tolist(), len(rows)]
        entries: list[Entry] = []
        if len(rows):
            for start, stop in pairwise(cuts):
                entries += self._load_of_image(int(images[start]), rows[start:stop])
        return entries

    def _load_of_image(self, image: int, rows: Rows) -> list[Entry]:
        instances = self._instances(image)
        own = (rows - self._indptr[image]).tolist()
        categories = self._category_ids[rows].tolist()
        (image_id,) = self._image_ids[image : image + 1].tolist()
        entries = instances.entries(own, image_id, categories)
        self._complete(entries, instances, own)
        for entry, number in zip(entries, self.column("id")[rows].tolist(), strict=True):
            entry["id"] = number
        instances.add_further(entries, own)
        for key, texts in instances.json_texts(own).items():
            for entry, text in zip(entries, texts, strict=True):
                if text:
                    entry[key] = json.loads(text)
        return entries

    def _complete(self, entries: list[Entry], instances: Instances, own: list[int]) -> None:
        """Add areas and crowds."""
        instances.add_areas(entries, own)
        for entry, crowd in zip(entries, instances.crowds(own), strict=True):
            entry["iscrowd"] = crowd

    def _instances(self, image: int) -> Instances:
        dataset, last = self._unchanged.dataset, self._last
        if last is None or last[0] != image:
            source = dataset._source
            try:
                fields = checked_fields(source.fields(image))
            except CompactMaskError as error:
                raise type(error)(f"{dataset.path}: image {image}: {error}") from None
            last = self._last = image, Instances(fields, source.masks(image))
        return last[1]


def image_ids(dataset: SegmentationDataset) -> Array:
    """Give the ids of images as a document has them: integers, or text where it is kept."""
    columns = dataset.images
    ids, texts = columns["id"], columns.get(ID_TEXT)
    if texts is None:
        return ids
    return column_of(
        [
            Image(number, None, None, {ID_TEXT: text}).own_id
            for number, text in zip(ids.tolist(), texts.tolist(), strict=True)
        ]
    )


def check_unique(image_ids: Array, path: str) -> None:
    """Refuse images that share an id, which nothing could tell apart."""
    counts = Counter(image_ids.tolist())
    if len(counts) < len(image_ids):
        ((number, count),) = counts.most_common(1)
        raise FormatError(f"{path}: {count} images have the id {number!r}, expected one")
