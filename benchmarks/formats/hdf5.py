"""Two ways people store masks with plain h5py: dense and deflated, and as ragged runs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import supervision as sv
from pycocotools import mask as coco
from rlemasklib import RLEMask

from benchmarks.formats import Array, BoolMask, Columns, Item, compact

BLOCK = 4096
"""Masks that a scan of the ragged ones reads at a time."""


class Hdf5(Columns):
    """Columns of images and of instances; the masks are up to the kind."""

    extension = "h5"

    @classmethod
    def write(cls, given: list[Any], path: Path) -> None:
        """Write columns and masks."""
        with h5py.File(path, "w", libver="latest") as file:
            for name, column in as_columns(given).items():
                file.create_dataset(name, data=column, compression="gzip")
            cls.write_masks(given, file)

    def __init__(self, path: Path) -> None:
        self.file = h5py.File(path)
        names = ("starts", "shapes", "boxes", "class_ids", "scores")
        self.hold(**{name: self.file[name][:] for name in names})

    @classmethod
    @abstractmethod
    def write_masks(cls, given: list[Any], file: h5py.File) -> None:
        """Write the masks of all images."""

    def key(self, i: int) -> tuple[int, str]:
        """Return the id and the file name of image ``i``."""
        return int(self.file["image_ids"][i]), self.file["file_names"][i].decode()


class Hdf5Dense(Hdf5):
    """A stack of bool frames an image, a chunk a mask, gzip 4."""

    @classmethod
    def write_masks(cls, given: list[Item], file: h5py.File) -> None:
        """Decode and deflate the frames of each image."""
        for i, item in enumerate(given):
            frames = coco.decode(item.rles).transpose(2, 0, 1).view(np.bool_)
            file.create_dataset(
                f"masks/{i}",
                data=frames,
                chunks=(1, *item.image_shape),
                compression="gzip",
                compression_opts=4,
            )

    def masks(self, i: int, start: int, stop: int) -> BoolMask:
        """Read the frames."""
        return self.file[f"masks/{i}"][:]

    def crop(self, k: int) -> BoolMask:
        """Slice the crop of instance ``k``, for which its frame is inflated."""
        i = self.image_of[k]
        x1, y1, x2, y2 = self.crops[k].tolist()
        return self.file[f"masks/{i}"][k - self.starts[i], y1 : y2 + 1, x1 : x2 + 1]

    def scan(self) -> Iterator[BoolMask]:
        """Cut the crops of one image after the other out of its frames."""
        for i, (start, stop) in enumerate(zip(self.starts, self.starts[1:], strict=False)):
            frames = self.masks(i, start, stop)
            for frame, (x1, y1, x2, y2) in zip(
                frames, self.crops[start:stop].tolist(), strict=True
            ):
                yield frame[y1 : y2 + 1, x1 : x2 + 1]


class Hdf5Ragged(Hdf5):
    """Run lengths of the crops in one dataset of variable length."""

    @staticmethod
    def given(item: Item) -> Item:
        """Return the image, its runs unsigned as the file has them."""
        return item._replace(runs=[runs.view(np.uint32) for runs in item.runs])

    @classmethod
    def write_masks(cls, given: list[Item], file: h5py.File) -> None:
        """Write all runs at once."""
        n_masks = sum(len(item.runs) for item in given)
        ragged = file.create_dataset("runs", n_masks, h5py.vlen_dtype(np.uint32))
        rows = np.empty(n_masks, object)
        rows[:] = [runs for item in given for runs in item.runs]
        ragged[:] = rows

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.runs = self.file["runs"]

    def masks(self, i: int, start: int, stop: int) -> sv.CompactMask:
        """Read the runs."""
        runs = [one.view(np.int32) for one in self.runs[start:stop]]
        return compact(runs, self.crops[start:stop], self.shapes[i])

    def crop(self, k: int) -> BoolMask:
        """Read the runs of instance ``k`` and decode them."""
        return self.decode(k, self.runs[k])

    def scan(self) -> Iterator[BoolMask]:
        """Decode the crops of one block after the other."""
        for start in range(0, len(self.runs), BLOCK):
            for k, runs in enumerate(self.runs[start : start + BLOCK], start):
                yield self.decode(k, runs)

    def decode(self, k: int, runs: Array) -> BoolMask:
        """Decode one crop."""
        x1, y1, x2, y2 = self.crops[k].tolist()
        mask = RLEMask.from_counts(runs, (y2 - y1 + 1, x2 - x1 + 1), validate_sum=False)
        return mask.to_array().view(np.bool_)


def as_columns(items: list[Item]) -> dict[str, Array]:
    """Return everything but the masks."""
    return {
        "image_ids": np.array([item.image_id for item in items]),
        "file_names": np.array([item.file_name for item in items], object),
        "shapes": np.array([item.image_shape for item in items], np.int32),
        "starts": np.cumsum([0, *(len(item.rles) for item in items)]),
        "boxes": np.concatenate([item.boxes for item in items]),
        "class_ids": np.concatenate([item.class_ids for item in items]),
        "scores": np.concatenate([item.scores for item in items]),
    }
