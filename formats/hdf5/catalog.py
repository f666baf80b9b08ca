"""Which images there are, by id and by file name, as numbers: no Python object an image."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from . import schema
from .column import Text
from .contents import Contents

MERGE_AT = 1 << 16
BLOCK_ROWS = 1 << 16


class Catalog:
    """Finds images that are not deleted. A name is known by a hash of 64 bits and its CRC-32."""

    def __init__(self) -> None:
        self._ids = Multimap()
        self._names = Multimap()
        self._deleted: set[int] = set()
        self._next_id = 0

    @property
    def n_deleted(self) -> int:
        """How many images are deleted."""
        return len(self._deleted)

    def fill(self, contents: Contents) -> None:
        """Add the images of a file."""
        n = contents.n_images
        self._deleted.update(contents.deleted.tolist())
        self._ids.fill(contents.images["id"].all(), np.zeros(n, np.uint32), np.arange(n))
        names = contents.images["file_name"]
        if not isinstance(names, Text):
            return
        hashes, checks, images = [], [], []
        for start in range(0, n, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, n)
            present = np.asarray(contents.columns["images/present"].rows(start, stop))
            rows = np.flatnonzero(present & schema.FILE_NAME)
            found = names.rows(start, stop)
            keys = [_key(found[row].encode()) for row in rows.tolist()]
            hashes.append(np.array([key for key, _ in keys], np.int64))
            checks.append(np.array([check for _, check in keys], np.uint32))
            images.append(rows + start)
        if hashes:
            self._names.fill(np.concatenate(hashes), np.concatenate(checks), np.concatenate(images))

    def add(self, image: int, image_id: int, file_name: str | None) -> None:
        """Add an image."""
        self._ids.add(image_id, 0, image)
        if file_name is not None:
            self._names.add(*_key(file_name.encode()), image)

    def delete(self, images: list[int]) -> None:
        """Forget images."""
        self._deleted.update(images)

    def roll_back(self, images: int, deleted: list[int]) -> None:
        """Forget all images but the first ones, and that some were deleted."""
        self._ids.cut(images)
        self._names.cut(images)
        self._deleted.difference_update(deleted)

    def find_id(self, image_id: int | None) -> int | None:
        """Give the image that has an id; None where there is none."""
        return None if image_id is None else self._living(self._ids.find(image_id, 0))

    def find_name(self, file_name: str | None) -> int | None:
        """Give the image that has a file name; None where there is none."""
        if file_name is None:
            return None
        return self._living(self._names.find(*_key(file_name.encode())))

    def is_named(self, image: int, file_name: str) -> bool:
        """Tell whether an image has a file name, which others may have too."""
        return image in self._names.find(*_key(file_name.encode()))

    def free_id(self, least: int) -> int:
        """Give an id that no image has, not below ``least`` nor below one that it gave before."""
        self._next_id = max(self._next_id, least)
        while self.find_id(self._next_id) is not None:
            self._next_id += 1
        return self._next_id

    def _living(self, images: list[int]) -> int | None:
        return next((image for image in images if image not in self._deleted), None)


class Multimap:
    """Positions of images by a key of 64 bits and a second one of 32.

    What is new stands in a dictionary until it is worth sorting into the arrays.
    """

    __slots__ = ("_checks", "_fresh", "_images", "_keys", "_n_fresh")

    def __init__(self) -> None:
        self._keys = np.empty(0, np.int64)
        self._checks = np.empty(0, np.uint32)
        self._images = np.empty(0, np.int64)
        self._fresh: dict[tuple[int, int], list[int]] = {}
        self._n_fresh = 0

    def fill(
        self, keys: npt.NDArray[Any], checks: npt.NDArray[Any], images: npt.NDArray[Any]
    ) -> None:
        """Add many at once."""
        keys = np.concatenate([self._keys, keys])
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._checks = np.concatenate([self._checks, checks])[order]
        self._images = np.concatenate([self._images, images])[order]

    def add(self, key: int, check: int, image: int) -> None:
        """Add one."""
        self._fresh.setdefault((key, check), []).append(image)
        self._n_fresh += 1
        if self._n_fresh > max(MERGE_AT, len(self._keys) // 4):
            entries = [(*key, image) for key, images in self._fresh.items() for image in images]
            keys, checks, images = zip(*entries, strict=True)
            self.fill(
                np.array(keys, np.int64), np.array(checks, np.uint32), np.array(images, np.int64)
            )
            self._fresh.clear()
            self._n_fresh = 0

    def cut(self, images: int) -> None:
        """Forget the last images."""
        for key, found in [*self._fresh.items()]:
            if any(image >= images for image in found):
                self._fresh[key] = [image for image in found if image < images]
        kept = self._images < images
        if not kept.all():
            self._keys, self._checks = self._keys[kept], self._checks[kept]
            self._images = self._images[kept]

    def find(self, key: int, check: int) -> list[int]:
        """Give the images of a key."""
        fresh = [*self._fresh.get((key, check), ())]
        if not len(self._keys):
            return fresh
        low = np.searchsorted(self._keys, np.int64(key), "left")
        high = np.searchsorted(self._keys, np.int64(key), "right")
        same = self._checks[low:high] == check
        sorted_in: list[int] = self._images[low:high][same].tolist()
        return fresh + sorted_in


def _key(name: bytes) -> tuple[int, int]:
    return hash(name), zlib.crc32(name)
