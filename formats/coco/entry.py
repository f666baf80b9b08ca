"""The instances of one image as annotations, and an image as an entry of ``images``."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels import block, coco_string

from .boxes import xywh
from .checked import DATA

if TYPE_CHECKING:
    from compactmask.packed import Masks

Entry = dict[str, Any]

JSON_SUFFIX = ":json"
"""Ends the name of a column whose text is the value of the key before it."""
KNOWN = frozenset(DATA)
"""Data columns that stand for something of COCO's own."""
TAKEN = frozenset(
    {"id", "image_id", "category_id", "segmentation", "bbox", "area", "iscrowd"}
    | {"score", "tracker_id", "segmentations", "segments_info"}
)
"""Keys of an annotation that no further column may have: the last two tell other dialects."""


class Instances:
    """The instances of one image.

    Parameters
    ----------
    fields : mapping
        What ``sv.Detections`` has: xyxy, class_id, confidence, tracker_id, data.
    masks : Masks or None
        Their masks.
    """

    def __init__(self, fields: Mapping[str, Any], masks: Masks | None) -> None:
        self.xyxy = np.asarray(fields["xyxy"])
        self.class_id: npt.NDArray[Any] | None = fields.get("class_id")
        self._confidence = fields.get("confidence")
        self._tracker_id = fields.get("tracker_id")
        self.data: Mapping[str, Any] = fields.get("data") or {}
        self._masks = masks
        self._counts: list[str] | None = None

    def __len__(self) -> int:
        return len(self.xyxy)

    def known(self, name: str) -> npt.NDArray[Any] | None:
        """Give a data column that stands for something of COCO's own."""
        values = self.data.get(name)
        return None if values is None else np.asarray(values)

    @property
    def has_mask(self) -> npt.NDArray[np.bool_]:
        """Which instances have a mask."""
        if self._masks is None:
            return np.zeros(len(self), np.bool_)
        stated = self.known("has_mask")
        return np.ones(len(self), np.bool_) if stated is None else stated.astype(np.bool_)

    def segmentations(self, rows: Sequence[int]) -> list[Entry | None]:
        """Give RLEs as pycocotools writes them; None for an instance without a mask."""
        if self._masks is None:
            return [None] * len(rows)
        height, width = self._masks.image_shape
        counts = self._counts
        if counts is None and 2 * len(rows) < len(self):
            chosen = block.gather(self._masks.load(), np.array(rows, np.int64))
            texts = coco_string.strings(chosen)
        else:
            if counts is None:
                counts = self._counts = coco_string.strings(self._masks.load())
            texts = [counts[row] for row in rows]
        has_mask = self.has_mask
        return [
            {"size": [height, width], "counts": text} if has_mask[row] else None
            for row, text in zip(rows, texts, strict=True)
        ]

    def pixels(self, rows: Sequence[int]) -> list[int | None]:
        """Give the pixels of the masks; None for an instance without one."""
        if self._masks is None:
            return [None] * len(rows)
        pixels, has_mask = self._masks.area.tolist(), self.has_mask
        return [pixels[row] if has_mask[row] else None for row in rows]

    def add_areas(self, entries: Sequence[Entry], rows: Sequence[int]) -> None:
        """Add the annotated areas; where there is none the pixels, without a mask the box's."""
        stated = self.known("area")
        areas = [math.nan] * len(rows) if stated is None else plain(stated, rows)
        is_missing = any(area != area for area in areas)
        pixels = self.pixels(rows) if is_missing else [None] * len(rows)
        for entry, area, count in zip(entries, areas, pixels, strict=True):
            if area == area:
                entry["area"] = area
            else:
                entry["area"] = box_area(entry) if count is None else count

    def crowds(self, rows: Sequence[int]) -> list[int]:
        """Give ``iscrowd``, 0 where nothing is said of it."""
        stated = self.known("iscrowd")
        return [0] * len(rows) if stated is None else plain(stated.astype(np.int64), rows)

    def scores(self, rows: Sequence[int]) -> list[float | None]:
        """Give the scores; None where there is none."""
        if self._confidence is None:
            return [None] * len(rows)
        scores: list[float] = np.asarray(self._confidence)[rows].tolist()
        return [None if score != score else score for score in scores]

    def entries(
        self, rows: Sequence[int], image_id: int | str, category_ids: Iterable[int]
    ) -> list[Entry]:
        """Give annotations without ids, areas, crowds and further keys.

        Parameters
        ----------
        rows : sequence of int
            Which instances.
        image_id : int or str
            The id of their image.
        category_ids : iterable of int
            Of each of these instances.
        """
        boxes = xywh(self.xyxy[rows])
        entries = []
        for category_id, segmentation, bbox, score in zip(
            category_ids, self.segmentations(rows), boxes, self.scores(rows), strict=True
        ):
            entry: Entry = {"image_id": image_id, "category_id": category_id}
            if segmentation is not None:
                entry["segmentation"] = segmentation
            entry["bbox"] = bbox
            if score is not None:
                entry["score"] = score
            entries.append(entry)
        if self._tracker_id is not None:
            tracker_ids = np.asarray(self._tracker_id)[rows].tolist()
            for entry, tracker_id in zip(entries, tracker_ids, strict=True):
                if tracker_id != -1:
                    entry["tracker_id"] = tracker_id
        return entries

    def further(self) -> tuple[dict[str, str], frozenset[str]]:
        """Tell which columns become further keys.

        Returns
        -------
        dict of str to str
            The key of each such column.
        frozenset of str
            Columns whose key another one has.
        """
        return keys_of(self.data.keys() - KNOWN, TAKEN)

    def add_further(self, entries: Sequence[Entry], rows: Sequence[int]) -> None:
        """Add the further keys to annotations, all but those of ``:json`` columns."""
        for column, key in self.further()[0].items():
            if key == column:
                values = plain(self.data[column], rows)
                for entry, value in zip(entries, values, strict=True):
                    entry[key] = value

    def json_texts(self, rows: Sequence[int]) -> dict[str, list[str]]:
        """Give the values of ``:json`` columns by key, as JSON text; "" for no value."""
        return {
            key: plain(self.data[column], rows)
            for column, key in self.further()[0].items()
            if key != column
        }


def box_area(entry: Entry) -> float:
    """Give the area of an annotation's box."""
    _, _, width, height = entry["bbox"]
    area: float = width * height
    return area


def keys_of(
    columns: Collection[str], taken: Collection[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Give the keys that columns become, and the columns whose key is taken."""
    keys, lost = {}, set()
    for column in sorted(columns):
        key = column.removesuffix(JSON_SUFFIX)
        if key in taken or not key or (key != column and key in columns):
            lost.add(column)
        else:
            keys[column] = key
    return keys, frozenset(lost)


def plain(values: Any, rows: Sequence[int]) -> list[Any]:
    """Give rows of a column as plain Python values, in new lists."""
    if not isinstance(values, np.ndarray):
        return [plain_value(values[row]) for row in rows]
    chosen: list[Any] = values[rows].tolist()
    return chosen if values.dtype.kind != "O" else list(map(plain_value, chosen))


def plain_value(value: Any) -> Any:
    """Give a value of numpy as one of Python."""
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def image_entry(image_id: int | str, file_name: str | None, shape: tuple[int, int]) -> Entry:
    """Give an entry of ``images`` without its further keys."""
    entry: Entry = {"id": image_id}
    if file_name:
        entry["file_name"] = file_name
    if all(shape):
        entry["height"], entry["width"] = shape
    return entry
