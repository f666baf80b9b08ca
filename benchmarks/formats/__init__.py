"""One dataset in many file formats: a module each, which imports what it reads with.

So a fresh process that opens a file of one format holds no other format's libraries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import supervision as sv

Array = npt.NDArray[Any]
BoolMask = npt.NDArray[np.bool_]


class Item(NamedTuple):
    """One image and its instances, before they are written.

    Parameters
    ----------
    image_id, file_name, image_shape
        Of the image, ``(H, W)``.
    boxes : ndarray of float32, shape (n, 4)
        Tight boxes, inclusive ``x1, y1, x2, y2``: the crops of all formats.
    class_ids, scores : ndarray of int64, of float32
    rles : list of dict
        COCO RLEs of the full image, counts as bytes.
    runs : list of ndarray of int32
        Run lengths of each crop, as supervision holds them.
    """

    image_id: int
    file_name: str
    image_shape: tuple[int, int]
    boxes: Array
    class_ids: Array
    scores: Array
    rles: list[dict[str, Any]]
    runs: list[Array]

    def detections(self, mask: Any) -> sv.Detections:
        """Return the image as supervision has it, with masks of any kind."""
        return detections(self.boxes, self.class_ids, self.scores, mask)


class Format(ABC):
    """A file of some format; making one opens it."""

    extension: ClassVar[str]

    @staticmethod
    def given(item: Item) -> Any:
        """Return an image as the writer likes it best, before the time of writing is taken."""
        return item

    @classmethod
    @abstractmethod
    def write(cls, given: list[Any], path: Path) -> None:
        """Write all images."""

    @abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abstractmethod
    def key(self, i: int) -> tuple[int, str]:
        """Return the id and the file name of image ``i``."""

    @abstractmethod
    def image(self, i: int) -> sv.Detections:
        """Return image ``i``, its masks in RAM."""

    @abstractmethod
    def crop(self, k: int) -> BoolMask:
        """Return the crop of instance ``k``, counted over all images."""

    @abstractmethod
    def scan(self) -> Iterator[BoolMask]:
        """Go through all images and decode every crop."""


class Columns(Format):
    """A file whose columns, all but the masks, are in RAM once it is open."""

    def hold(
        self, starts: Array, shapes: Array, boxes: Array, class_ids: Array, scores: Array
    ) -> None:
        """Take the columns: ``starts`` and ``shapes`` by image, the others by instance."""
        self.starts, self.shapes = starts.tolist(), [(int(h), int(w)) for h, w in shapes]
        self.boxes, self.class_ids, self.scores = boxes, class_ids, scores
        self.crops = boxes.astype(np.int32)
        self.image_of = np.repeat(np.arange(len(shapes)), np.diff(starts))

    @abstractmethod
    def masks(self, i: int, start: int, stop: int) -> Any:
        """Return the masks of image ``i``, whose instances these are."""

    def image(self, i: int) -> sv.Detections:
        """Return image ``i``, its masks in RAM."""
        start, stop = self.starts[i : i + 2]
        part = slice(start, stop)
        mask = self.masks(i, start, stop)
        return detections(self.boxes[part], self.class_ids[part], self.scores[part], mask)


def detections(boxes: Array, class_ids: Array, scores: Array, mask: Any) -> sv.Detections:
    """Return an image as supervision has it."""
    return sv.Detections(xyxy=boxes, mask=mask, confidence=scores, class_id=class_ids)


def compact(runs: Sequence[Array], crops: Array, image_shape: tuple[int, int]) -> sv.CompactMask:
    """Return supervision's masks of the run lengths in int32 boxes."""
    crop_shapes = crops[:, [3, 2]] - crops[:, [1, 0]] + 1
    return sv.CompactMask(list(runs), crop_shapes, crops[:, :2], image_shape)
