"""Ours: the HDF5 dataset, its mask bytes unfiltered or deflated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import supervision as sv

from benchmarks.formats import BoolMask, Format, Item
from compactmask import CompactMask, create
from compactmask import open as open_dataset


class Ours(Format):
    """``cm.create`` and ``cm.open``."""

    extension = "h5"
    options: ClassVar[dict[str, Any]] = {"commit_every": 256, "durability": "process"}
    """What `create` is told."""

    @staticmethod
    def given(item: Item) -> tuple[sv.Detections, str, int]:
        """Return what ``append`` takes."""
        mask = CompactMask.from_coco_rle(item.rles, item.boxes, item.image_shape)
        return item.detections(mask), item.file_name, item.image_id

    @classmethod
    def write(cls, given: list[Any], path: Path) -> None:
        """Append image by image."""
        with create(path, **cls.options) as out:
            for found, file_name, image_id in given:
                out.append(found, file_name=file_name, image_id=image_id)

    def __init__(self, path: Path) -> None:
        self.ds = open_dataset(path)

    def key(self, i: int) -> tuple[int, str]:
        """Return the id and the file name of image ``i``."""
        return int(self.ds.images["id"][i]), self.ds.images["file_name"][i]

    def image(self, i: int) -> sv.Detections:
        """Return image ``i``; its masks are lazy, and the first crop has all of them read."""
        found = self.ds[i]
        found.mask.crop(0)
        return found

    def crop(self, k: int) -> BoolMask:
        """Return the crop of instance ``k``."""
        return self.ds.crop(k)

    def scan(self) -> Iterator[BoolMask]:
        """Decode the crops of one image after the other."""
        for i in range(len(self.ds)):
            yield from self.ds.crops(range(*self.ds.detection_range(i)))


class OursGzip(Ours):
    """The same with ``compression="gzip"``."""

    options: ClassVar[dict[str, Any]] = {**Ours.options, "compression": "gzip"}


class OursDurable(Ours):
    """Each image committed before the next, to the disk: what `create` does by default."""

    options: ClassVar[dict[str, Any]] = {}
