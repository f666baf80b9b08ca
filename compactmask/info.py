"""What a file holds, and what its masks take in other forms. Loads no supervision."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compactmask._kernels import runs
from compactmask.formats.dataset import SegmentationDataset
from compactmask.formats.opening import open as open_dataset
from compactmask.packed import Packed

ARRAY = sys.getsizeof(np.empty(0, dtype=np.int32))
"""Bytes of a NumPy array object without its items."""
SLOT = 8
"""Bytes of a place in a list."""


@dataclass
class Sizes:
    """What the masks of a file take, in bytes.

    ``dense`` are booleans, H*W for each mask. ``supervision`` is a ``supervision.CompactMask``
    for each image, with tight crops: 4 bytes for each run, the array object and the list place of
    each mask, and the arrays of shapes and offsets. ``compactmask`` is this package's block of
    bytes for each image. ``file`` is the whole file.
    """

    dense: int = 0
    supervision: int = 0
    compactmask: int = 0
    file: int = 0

    def add(self, packed: Packed) -> None:
        """Count the masks of one image."""
        height, width = packed.image_shape
        self.dense += packed.n * height * width
        self.supervision += sum(ARRAY + SLOT + each.nbytes for each in runs.unpack_crops(packed))
        self.supervision += 2 * ARRAY + packed.offsets.nbytes + packed.crop_shapes.nbytes
        self.compactmask += sys.getsizeof(packed)


@dataclass(frozen=True)
class Largest:
    """The instance with most pixels."""

    instance: int
    image: int
    file_name: str
    class_name: str | None
    area: int
    crop_shape: tuple[int, int]


@dataclass(frozen=True)
class Info:
    """What a file holds."""

    path: str
    format: str
    encoding: str
    compression: str | None
    images: int
    instances: int
    masks: int
    classes: list[str]
    largest: Largest | None
    bytes: Sizes

    def lines(self) -> Iterator[str]:
        """Tell it as text for people."""
        yield f"file       {self.path}"
        yield f"format     {self.format}"
        yield f"masks      {self.encoding}, compression {self.compression or 'none'}"
        yield f"images     {self.images:,}"
        yield f"instances  {self.instances:,}, {self.masks:,} with a mask"
        yield f"classes    {len(self.classes):,}{_some(self.classes)}"
        if self.largest is not None:
            yield f"largest    {_tell(self.largest)}"
        yield ""
        rows = [
            ("dense booleans", self.bytes.dense),
            ("supervision.CompactMask in RAM *", self.bytes.supervision),
            ("compactmask.CompactMask in RAM", self.bytes.compactmask),
            ("this file, everything", self.bytes.file),
        ]
        yield f"{'the masks as':<32}{'bytes':>18}{'a mask':>12}"
        for name, size in rows:
            each = f"{size / self.masks:,.0f}" if self.masks else "-"
            yield f"{name:<32}{size:>18,}{each:>12}"
        yield ""
        yield f"* tight crops: 4 bytes a run, {ARRAY + SLOT} for each mask's array and list place"


def read_info(path: str | os.PathLike[str]) -> Info:
    """Read what a file holds.

    Parameters
    ----------
    path : path-like
        A dataset as for :func:`compactmask.open`.

    Returns
    -------
    Info
        Counts and sizes. Every mask is unpacked to count its runs, image by image.
    """
    sizes = Sizes()
    masks, area, largest = 0, -1, None
    with open_dataset(path) as ds:
        source = ds._source
        sizes.file = source.file_bytes
        about = source.about
        for i in range(len(ds)):
            lazy = source.masks(i)
            if lazy is None or lazy.n == 0:
                continue
            packed = lazy.load()
            sizes.add(packed)
            masks += packed.n
            at = int(packed.area.argmax())
            if packed.area[at] > area:
                area, largest = int(packed.area[at]), (i, ds.detection_range(i)[0] + at)
        return Info(
            path=ds.path,
            format=about["format"] or "",
            encoding=about["encoding"] or "",
            compression=about["compression"],
            images=len(ds),
            instances=source.n_detections,
            masks=masks,
            classes=ds.classes,
            largest=None if largest is None else _describe(ds, *largest),
            bytes=sizes,
        )


def _describe(ds: SegmentationDataset, i: int, k: int) -> Largest:
    instance = ds.instance(k)
    names = dict(enumerate(ds.classes))
    height, width = instance.crop.shape
    return Largest(
        instance=k,
        image=i,
        file_name=str(ds.images["file_name"][i]),
        class_name=None if instance.class_id is None else names.get(instance.class_id),
        area=int(instance.crop.sum()),
        crop_shape=(height, width),
    )


def _tell(largest: Largest) -> str:
    height, width = largest.crop_shape
    class_name = "" if largest.class_name is None else f" {largest.class_name!r},"
    file_name = f" {largest.file_name}" if largest.file_name else ""
    return (
        f"instance {largest.instance:,},{class_name} {largest.area:,} pixels in a crop of "
        f"{width} x {height}, image {largest.image:,}{file_name}"
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
    return f": {shown}" if names else ""
