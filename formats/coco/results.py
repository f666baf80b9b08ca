"""Results, prepared for an evaluation as pycocotools does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask.errors import CompactMaskError, FormatError

from ..dataset import SegmentationDataset
from .entry import Entry, Instances, box_area
from .file import JsonFile
from .matching import NamedCategories, check_images, matched
from .rle import box, packed
from .sequences import Annotations
from .stream import Stream
from .unchanged import Unchanged
from .values import is_finite, short

Array = npt.NDArray[Any]

KINDS = ("caption", "bbox", "segmentation", "keypoints", "segmentations")
"""Keys by which it is told what results are of."""
DATASET_KINDS = ("bbox", "segmentation")
OF_CATEGORIES = ("bbox", "segmentation", "keypoints")
TRIPLES = range(3, sys.maxsize, 3)


class Results(Annotations):
    """The instances of a dataset as ``pycocotools`` prepares results.

    Their ids count from 1, none is a crowd, and their areas are those of all boxes or of all
    masks. One without a mask has its box as polygon.

    Parameters
    ----------
    unchanged, image_ids, categories
        As of :class:`Annotations`.
    """

    @cached_property
    def _has_box_areas(self) -> bool:
        """Whether the areas are those of the boxes: the first result has one of its own."""
        if not len(self):
            return True
        image = int(np.searchsorted(self._indptr, 0, side="right")) - 1
        stated = self._instances(image).known("has_box")
        return stated is None or bool(stated[0])

    def column(self, name: str) -> Array:
        """Give the values of a key."""
        make = {
            "id": lambda: np.arange(1, len(self) + 1),
            "area": self._flat.box_areas if self._has_box_areas else self._flat.mask_areas,
            "iscrowd": lambda: np.zeros(len(self), np.int64),
        }
        if name in make and name not in self._made:
            _ = self._unchanged.dataset
            self._made[name] = make[name]()
        return super().column(name)

    def _complete(self, entries: list[Entry], instances: Instances, own: list[int]) -> None:
        pixels = instances.pixels(own)
        for entry, area in zip(entries, pixels, strict=True):
            _add_outline(entry)
            entry["area"] = box_area(entry) if self._has_box_areas or area is None else area
            entry["iscrowd"] = 0


def read_items(path: str) -> list[Any] | None:
    """Read a list of captions, key points or of what else is no dataset; None where it is one.

    Parameters
    ----------
    path : str
        What is there is told by its first item.

    Raises
    ------
    FormatError
        Where a list of such items is no JSON.
    """
    if not os.path.isfile(path):
        return None
    stream = Stream(JsonFile(path))
    if stream.peek() != b"[" or not stream.begin_list("results") or _is_of_dataset(stream):
        return None
    items = []
    for block in stream.items(()):
        for row in range(len(block.kinds)):
            try:
                items.append(block.value(row))
            except FormatError as error:
                start = block.base + int(block.spans[row, 0, 0])
                raise FormatError(
                    f"{path}: results[{len(items)}] at byte {start}: {error}"
                ) from None
    stream.end()
    return items


def _is_of_dataset(stream: Stream) -> bool:
    """Tell by the first item whether a list is read as a dataset, which tells what is wrong too."""
    try:
        first = stream.first(KINDS)
    except FormatError:
        return True
    return first is None or "segmentations" in first or kind_of_result(first) in DATASET_KINDS


def prepare_items(
    items: Sequence[Entry],
    known: Container[Any],
    shape: Callable[[Any], tuple[int, int]],
    where: str,
) -> list[Entry]:
    """Give copies of results with the id, area, box, mask and crowd that pycocotools adds.

    Parameters
    ----------
    items : sequence of dict
        Results.
    known : container
        The ids of the images that are evaluated.
    shape : callable
        Gives ``(H, W)`` of an image id; only where there are polygons.
    where : str
        Begins the message of an error.

    Raises
    ------
    FormatError
        Where one is of another image, or lacks what the first one has.
    """
    for position, item in enumerate(items):
        if not isinstance(item, Mapping) or not _is_key(item.get("image_id")):
            raise FormatError(
                f"{where}results[{position}] is {short(item)}, expected an object with an image_id"
            )
    check_images((item["image_id"] for item in items), known, where)
    prepared: list[Entry] = []
    kind = kind_of_result(items[0]) if items else ""
    for position, item in enumerate(items):
        try:
            prepared.append({**_prepared(item, kind, shape), "id": position + 1})
        except CompactMaskError as error:
            raise type(error)(f"{where}results[{position}]: {error}") from None
    return prepared


def kind_of_result(first: Entry) -> str:
    """Tell by the first result, as pycocotools does, where the areas of all come from."""
    if "caption" in first:
        return "caption"
    box = first.get("bbox")
    if box is not None and not (isinstance(box, list) and not box):
        return "bbox"
    return next((key for key in ("segmentation", "keypoints", "bbox") if key in first), "")


def prepare_dataset(
    dataset: SegmentationDataset,
    images: Sequence[Entry],
    categories: Sequence[Entry],
) -> Results:
    """Give the instances of a dataset as results.

    Parameters
    ----------
    dataset : SegmentationDataset
        What was found.
    images, categories : sequence of dict
        Those that are evaluated.

    Raises
    ------
    FormatError
        Where it is not clear which image each is.
    """
    unchanged = Unchanged(dataset)
    ids = matched(dataset, images)
    own = NamedCategories(dataset.classes, dataset.metadata, categories)
    return Results(unchanged, ids, own)


def _prepared(item: Entry, kind: str, shape: Callable[[Any], tuple[int, int]]) -> Entry:
    entry = {**item}
    if kind in OF_CATEGORIES and not _is_key(entry.get("category_id")):
        raise FormatError(f"category_id is {short(entry.get('category_id'))}, expected an integer")
    if kind == "bbox":
        _numbers(entry, "bbox", (4,), "4 finite numbers x, y, width, height")
        _add_outline(entry)
        entry["area"], entry["iscrowd"] = box_area(entry), 0
    elif kind == "segmentation":
        mask = packed(entry.get("segmentation"), partial(shape, entry["image_id"]))
        entry["area"], entry["iscrowd"] = int(mask.area[0]), 0
        if entry.get("bbox") is None:
            entry["bbox"] = box(mask)
    elif kind == "keypoints":
        points = _numbers(entry, "keypoints", TRIPLES, "finite numbers x, y, visibility, x, ...")
        xs, ys = points[0::3], points[1::3]
        entry["bbox"] = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        entry["area"] = box_area(entry)
    return entry


def _numbers(entry: Entry, key: str, lengths: Container[int], expected: str) -> Any:
    values = entry.get(key)
    if (
        not isinstance(values, (list, tuple, np.ndarray))
        or len(values) not in lengths
        or not all(map(is_finite, values))
    ):
        raise FormatError(f"{key} is {short(values)}, expected {expected}")
    return values


def _is_key(value: Any) -> bool:
    """Tell whether a value may be an id: there is one, and things are found by it."""
    return value is not None and isinstance(value, Hashable)


def _add_outline(entry: Entry) -> None:
    """Make the box of a result without a mask its polygon."""
    if "segmentation" not in entry:
        x, y, w, h = entry["bbox"]
        entry["segmentation"] = [[x, y, x, y + h, x + w, y + h, x + w, y]]
