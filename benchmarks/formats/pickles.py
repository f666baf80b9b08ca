"""A pickle of a list of ``sv.Detections`` that hold ``supervision.CompactMask``."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv

from benchmarks.formats import BoolMask, Format, Item, compact


class Pickle(Format):
    """All of it is loaded at once, and is then in RAM; id and name are ``metadata``."""

    extension = "pickle"

    @staticmethod
    def given(item: Item) -> sv.Detections:
        """Return the image with supervision's masks."""
        crops = item.boxes.astype(np.int32)
        found = item.detections(compact(item.runs, crops, item.image_shape))
        found.metadata = {"image_id": item.image_id, "file_name": item.file_name}
        return found

    @classmethod
    def write(cls, given: list[Any], path: Path) -> None:
        """Pickle the list."""
        with path.open("wb") as file:
            pickle.dump(given, file, protocol=pickle.HIGHEST_PROTOCOL)

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.images = pickle.load(file)
        self.places = [(i, j) for i, found in enumerate(self.images) for j in range(len(found))]

    def key(self, i: int) -> tuple[int, str]:
        """Return the id and the file name of image ``i``."""
        about = self.images[i].metadata
        return about["image_id"], about["file_name"]

    def image(self, i: int) -> sv.Detections:
        """Return image ``i``."""
        return self.images[i]

    def crop(self, k: int) -> BoolMask:
        """Decode the crop of instance ``k``."""
        i, j = self.places[k]
        return self.images[i].mask.crop(j)

    def scan(self) -> Iterator[BoolMask]:
        """Decode the crops of one image after the other."""
        for found in self.images:
            for j in range(len(found)):
                yield found.mask.crop(j)
