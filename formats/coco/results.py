"""Results, prepared for an evaluation as pycocotools does."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError

from ..dataset import SegmentationDataset
from .categories import Categories
from .entry import Entry, Instances, box_area
from .rle import box, packed
from .sequences import Annotations, check_unique, column_of, image_ids
from .unchanged import Unchanged

Array = npt.NDArray[Any]

HEAD_BYTES = 1 << 16
BYTE_ORDER_MARK = "\ufeff"


class Results(Annotations):
    """The instances of a dataset as ``pycocotools`` prepares results.

    Their ids count from 1, none is a crowd, and their areas are those of all boxes or of all
    masks. One without a mask has its box as polygon.

    Parameters
    ----------
    unchanged, image_ids, categories
        As of :class:`Annotations`.
    has_box_areas : bool
        Whether the areas are those of the boxes.
    """

    def __init__(
        self,
        unchanged: Unchanged,
        image_ids: Array,
        categories: Categories,
        has_box_areas: bool,
    ) -> None:
        super().__init__(unchanged, image_ids, categories)
        self._has_box_areas = has_box_areas

    def __reduce__(self) -> Any:
        has_box_areas = self._has_box_areas
        return type(self), (self._unchanged, self._image_ids, self._categories, has_box_areas)

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


def first_result(path: str) -> Any:
    """Read the first item of a JSON list; None where a file is none, or empty."""
    size, wanted = os.path.getsize(path), HEAD_BYTES
    while True:
        with open(path, "rb") as file:
            data = file.read(wanted)
        head = data.decode(errors="ignore").removeprefix(BYTE_ORDER_MARK).lstrip()
        if not head.startswith("["):
            return None
        try:
            return json.JSONDecoder().raw_decode(head[1:].lstrip())[0]
        except ValueError:
            if wanted >= size:
                return None
            wanted *= 4


def prepare_items(items: Sequence[Entry], shapes: Any) -> list[Entry]:
    """Give copies of results with the id, area, box, mask and crowd that pycocotools adds.

    Parameters
    ----------
    items : sequence of dict
        Results.
    shapes : callable
        Gives ``(H, W)`` of an image id.
    """
    prepared: list[Entry] = []
    kind = kind_of(items[0]) if items else ""
    for number, item in enumerate(items, 1):
        entry = {**item, "id": number}
        if kind == "bbox":
            _add_outline(entry)
            entry["area"], entry["iscrowd"] = box_area(entry), 0
        elif kind == "segmentation":
            mask = packed(entry["segmentation"], shapes(entry["image_id"]))
            entry["area"], entry["iscrowd"] = int(mask.area[0]), 0
            entry.setdefault("bbox", box(mask))
        elif kind == "keypoints":
            xs, ys = entry["keypoints"][0::3], entry["keypoints"][1::3]
            entry["bbox"] = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
            entry["area"] = box_area(entry)
        prepared.append(entry)
    return prepared


def kind_of(first: Entry) -> str:
    """Tell by the first result, as pycocotools does, where the areas of all come from."""
    if "caption" in first:
        return "caption"
    if first.get("bbox", []) != []:
        return "bbox"
    return next((key for key in ("segmentation", "keypoints") if key in first), "")


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
    ids = _matched(dataset, images)
    own = Categories(dataset.classes, {"categories": _of_classes(dataset, categories)})
    return Results(unchanged, ids, own, _has_box(dataset))


def check_images(found: Sequence[Any], known: Array) -> None:
    """Refuse results of images that are not evaluated."""
    images = dict.fromkeys(found)
    there = set(known.tolist())
    unknown = [number for number in images if number not in there]
    if unknown:
        few = ", ".join(map(repr, unknown[:5]))
        raise FormatError(
            f"Results do not correspond to current coco set: {len(unknown)} of "
            f"{len(images)} images are not in it: {few}{', ...' * (len(unknown) > 5)}"
        )


def _matched(dataset: SegmentationDataset, images: Sequence[Entry]) -> Array:
    """Give the ids that its images have among others.

    Images with results are told by their ids, unless one of them has the name of another image.
    Then, and where an id is not there, they are told by their names, each of which one image has.
    """
    own, names = image_ids(dataset), dataset.images.get("file_name")
    ranges = map(dataset.detection_range, range(len(dataset)))
    used = [image for image, (start, stop) in enumerate(ranges) if start < stop]
    by_name: dict[Any, Any] = {}
    known = []
    for image in images:
        name = image.get("file_name")
        by_name[name] = None if name in by_name or not name else image["id"]
        known.append(image["id"])
    ids = own[used].tolist()
    of_names = [None] * len(used) if names is None else [by_name.get(name) for name in names[used]]
    pairs = list(zip(used, ids, of_names, strict=True))
    wrong = next((pair for pair in pairs if pair[2] not in (None, pair[1])), None)
    if None not in of_names and (wrong is not None or not set(known).issuperset(ids)):
        own = own.astype(object)
        own[used] = ids = of_names
        wrong = None
    check_images(ids, column_of(known))
    if wrong is not None:
        position, number, other = wrong
        raise FormatError(
            f"{dataset.path}: image {position} has the id {number!r} and the file_name of image "
            f"{other!r} of the current coco set, and not all names are in it: expected ids or "
            "names to fit"
        )
    check_unique(own[used], dataset.path)
    return column_of(own.tolist())


def _of_classes(dataset: SegmentationDataset, categories: Sequence[Entry]) -> list[Entry]:
    """Give the categories that the classes of a dataset have, by what it says, else by name."""
    stated = dataset.metadata.get("categories")
    if stated is not None:
        return list(stated)
    by_name = {category.get("name"): category for category in categories}
    if len(by_name) == len(categories) and all(name in by_name for name in dataset.classes):
        return [by_name[name] for name in dataset.classes]
    return []


def _has_box(dataset: SegmentationDataset) -> bool:
    """Tell whether the first result has a box of its own."""
    for image in range(len(dataset)):
        start, stop = dataset.detection_range(image)
        if start < stop:
            stated = dataset._source.fields(image)["data"].get("has_box")
            return stated is None or bool(stated[0])
    return True


def _add_outline(entry: Entry) -> None:
    """Make the box of a result without a mask its polygon."""
    if "segmentation" not in entry:
        x, y, w, h = entry["bbox"]
        entry["segmentation"] = [[x, y, x, y + h, x + w, y + h, x + w, y]]
