"""The annotations of a COCO document as columns, grouped by image."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError

from .images import Images
from .segmentation import is_absent, pack, size_of
from .values import NO_BOX, UNKNOWN_SHAPE, Box, Column, box, integer, number, plain_columns, short

OnFault = Callable[[CompactMaskError], None]


class OptionalKey(NamedTuple):
    """A key that an annotation may have: its column, how to read it, and what stands for none."""

    column: str
    read: Callable[[str, Any], float]
    dtype: type[np.generic]
    missing: float


OPTIONAL = {
    "id": OptionalKey("annotation_id", integer, np.int64, -1),
    "iscrowd": OptionalKey("iscrowd", integer, np.int64, 0),
    "area": OptionalKey("area", number, np.float64, math.nan),
    "score": OptionalKey("confidence", number, np.float64, math.nan),
}
NOT_FURTHER = frozenset(
    {"image_id", "category_id", "bbox", "segmentation", *OPTIONAL}
    # names that other columns have
    | {"annotation_id", "has_mask", "confidence", "class_id", "tracker_id"}
    | {"xyxy", "mask", "offsets", "crop_shapes"}
)


@dataclass(frozen=True)
class Annotations:
    """What the annotations of a document say, image by image, each image's in the file's order.

    ``indptr`` is where each image's annotations start, ``masked`` tells which images have masks.
    ``positions`` are the places in the document. ``boxes`` are (x1, y1, x2, y2), NaN where an
    annotation has none. ``columns`` are all further ones by name, ``category_id`` among them.
    """

    path: str
    indptr: npt.NDArray[np.int64]
    masked: npt.NDArray[np.bool_]
    positions: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]
    columns: dict[str, Column]
    segmentations: list[Any]

    @classmethod
    def parse(
        cls,
        path: str,
        items: Sequence[Any],
        images: Images,
        category_ids: Collection[int],
        on_fault: OnFault | None,
    ) -> Annotations:
        """Check annotations one by one and build the columns of the good ones.

        Parameters
        ----------
        path : str
            The document, for messages.
        items : sequence
            JSON values, expected to be objects.
        images : Images
            Where ``image_id`` is looked up. Sizes that it lacks are taken from the first RLE,
            which is the first good one where faults are left out.
        category_ids : collection of int
            The ids that the document lists; empty: any.
        on_fault : callable or None
            Called with the error of each bad annotation, which is then left out; to know them
            all, each segmentation is turned to a mask here. None: the first error is raised, and
            the segmentations are checked when they are used.
        """
        rows: list[_Row] = []
        for position, item in enumerate(items):
            try:
                rows.append(_read(position, item, images, category_ids, on_fault is not None))
            except (FormatError, InvalidMaskError) as error:
                key = item.get("id") if isinstance(item, dict) else None
                named = type(error)(f"{path}: {_name(key, position)}: {error}")
                if on_fault is None:
                    raise named from None
                on_fault(named)
        if on_fault is not None:
            rows = list(_with_good_masks(path, rows, images, on_fault))
        rows.sort(key=lambda row: row.image)
        return cls._from_rows(path, rows, len(images))

    @classmethod
    def _from_rows(cls, path: str, rows: list[_Row], n_images: int) -> Annotations:
        image = np.array([row.image for row in rows], dtype=np.int64)
        has_mask = np.array([not is_absent(row.segmentation) for row in rows], dtype=np.bool_)
        masked = np.bincount(image[has_mask], minlength=n_images) > 0
        columns = _optional_columns(rows)
        columns |= plain_columns([row.item for row in rows], NOT_FURTHER)
        columns["category_id"] = np.array([row.category_id for row in rows], dtype=np.int64)
        if not has_mask[masked[image]].all():
            columns["has_mask"] = has_mask
        return cls(
            path=path,
            indptr=np.concatenate(([0], np.cumsum(np.bincount(image, minlength=n_images)))),
            masked=masked,
            positions=np.array([row.position for row in rows], dtype=np.int64),
            boxes=np.array([row.box for row in rows], dtype=np.float64).reshape(-1, 4),
            columns=columns,
            segmentations=[row.segmentation for row in rows],
        )

    def name(self, k: int) -> str:
        """Give the words by which a message names annotation ``k``."""
        ids = self.columns.get("annotation_id")
        key = None if ids is None or ids[k] == OPTIONAL["id"].missing else int(ids[k])
        return f"{self.path}: {_name(key, int(self.positions[k]))}"


class _Row(NamedTuple):
    image: int
    position: int
    category_id: int
    optional: list[float | None]
    box: Box
    segmentation: Any
    item: dict[str, Any]


def _read(
    position: int, item: Any, images: Images, category_ids: Collection[int], check_size: bool
) -> _Row:
    if not isinstance(item, dict):
        raise FormatError(f"found {short(item)}, expected an object")
    category_id = integer("category_id", item.get("category_id"))
    if category_ids and category_id not in category_ids:
        raise FormatError(
            f"category_id {category_id} is not among the {len(category_ids)} categories"
        )
    optional = [
        None if item.get(key) is None else known.read(key, item[key])
        for key, known in OPTIONAL.items()
    ]
    xyxy = box(item.get("bbox"))
    segmentation = item.get("segmentation")
    if xyxy is NO_BOX and is_absent(segmentation):
        raise FormatError("it has neither a bbox nor a segmentation")
    image = images.find(item.get("image_id"))
    if images.shape(image) == UNKNOWN_SHAPE and (size := size_of(segmentation)) is not None:
        if check_size:
            pack([segmentation], size)
        images.set_shape(image, size)
    return _Row(image, position, category_id, optional, xyxy, segmentation, item)


def _with_good_masks(
    path: str, rows: Iterable[_Row], images: Images, on_fault: OnFault
) -> Iterator[_Row]:
    for row in rows:
        try:
            if not is_absent(row.segmentation):
                pack([row.segmentation], images.shape(row.image))
        except InvalidMaskError as error:
            name = _name(row.item.get("id"), row.position)
            on_fault(InvalidMaskError(f"{path}: {name}: {error}"))
        else:
            yield row


def _optional_columns(rows: list[_Row]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for at, known in enumerate(OPTIONAL.values()):
        values = [row.optional[at] for row in rows]
        if any(value is not None for value in values):
            filled = [known.missing if value is None else value for value in values]
            columns[known.column] = np.array(filled, dtype=known.dtype)
    return columns


def _name(key: Any, position: int) -> str:
    return f"annotation at position {position}" if key is None else f"annotation {short(key)}"
