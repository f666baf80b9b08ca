"""COCO panoptic: segments of images whose pixels are in PNG files beside the document."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError
from compactmask.packed import Packed

from .. import whole
from .compact import Array, Pieces, Places, Texts, narrow, positions
from .content import Categories, Content
from .faults import Faults
from .gather import Keys
from .images import Images
from .instances import Instances, Rows, grouped
from .parse import kind_of
from .stream import Stream
from .values import NO_BOX, box, integer, number, text

SEGMENT_ID = "segment_id"
"""Column of the ids of segments, which are unique in an image only."""


def folder_of(path: str) -> str:
    """Give the folder of the PNG files of a document."""
    return os.path.splitext(path.removesuffix(".gz"))[0]


class Segments:
    """Gathers annotations of panoptic documents, each of which is an image with its segments.

    Parameters
    ----------
    keys : Keys
        The ids of images.
    faults : Faults
        What becomes of bad annotations.
    """

    def __init__(self, keys: Keys, faults: Faults) -> None:
        self._keys = keys
        self._faults = faults
        self._image = Pieces(np.int64)
        self._item = Pieces(np.int64)
        self._starts: list[int] = []
        self._names: list[str] = []
        self._seen: set[int] = set()
        self._columns = {
            "id": Pieces(np.int64),
            "category_id": Pieces(np.int64),
            "iscrowd": Pieces(np.int64),
            "area": Pieces(np.float64),
            "bbox": Pieces(np.float64, (4,)),
        }

    def read(self, stream: Stream) -> None:
        """Gather the items of a list that was begun."""
        for block in stream.items(()):
            for row in range(len(block.kinds)):
                start = block.base + int(block.spans[row, 0, 0])
                try:
                    self._add(block.value(row), start)
                except FormatError as error:
                    self._faults.tell(None, start, error)

    def _add(self, item: Any, start: int) -> None:
        if not isinstance(item, dict):
            raise FormatError(f"found {kind_of(item)}, expected an object")
        if item.get("image_id") is None:
            raise FormatError("image_id is None, expected an integer")
        image = self._keys.number(item["image_id"])
        if image in self._seen:
            shown = self._keys.name(image)
            raise FormatError(f"image_id {shown} is that of another annotation too")
        name = text("file_name", item.get("file_name"))
        if os.path.basename(name) != name or name in ("", ".", ".."):
            raise FormatError(f"file_name is {name!r}, expected a name without folders")
        listed = item.get("segments_info")
        if not isinstance(listed, list):
            raise FormatError(f"segments_info is {kind_of(listed)}, expected a list")
        segments = [_segment(segment) for segment in listed]
        for at, (key, pieces) in enumerate(self._columns.items()):
            column = [segment[at] for segment in segments]
            dtype = np.float64 if key in ("area", "bbox") else np.int64
            pieces.add(np.array(column, dtype).reshape((-1, 4) if key == "bbox" else (-1,)))
        self._image.add(np.full(len(segments), image))
        self._item.add(np.full(len(segments), len(self._names)))
        self._seen.add(image)
        self._names.append(name)
        self._starts.append(start)

    def finish(
        self, images: Images, categories: Categories, folder: str
    ) -> tuple[Content, PngMasks]:
        """Make the content of a document, and what reads its masks."""
        columns = {key: pieces.take() for key, pieces in self._columns.items()}
        item = self._item.take()
        starts = np.array(self._starts, np.int64)
        category = columns["category_id"].astype(np.int64)
        ids = columns["id"].astype(np.int64)
        check = self._faults.of_rows(ids, starts[item])
        at = images.find(self._image.take().astype(np.int64))
        check.refuse(at < 0, lambda _: f"its image_id is not among the {len(images)} images")
        categories = check.listed(category, categories)
        class_ids = positions(categories.ids, category)
        rows = np.flatnonzero(check.keep)
        indptr, order = grouped(at[rows], len(images))
        instances = Instances(
            path=self._faults.path,
            indptr=indptr,
            order=order,
            item=narrow(item[rows].astype(np.int64)),
            boxes=columns["bbox"][rows],
            class_ids=narrow(class_ids[rows]),
            category_ids=categories.ids,
            values={
                SEGMENT_ID: narrow(ids[rows]),
                "iscrowd": columns["iscrowd"][rows],
                "area": columns["area"][rows],
            },
            segmentations=None,
            items=Places(starts, np.zeros(len(starts), np.int64)),
            further=None,
        )
        content = Content("panoptic", categories.names, images, instances)
        return content, PngMasks(folder, Texts(self._names), instances, images)


def _segment(segment: Any) -> tuple[int, int, int, float, Any]:
    if not isinstance(segment, dict):
        raise FormatError(f"a segment is {kind_of(segment)}, expected an object")
    area = segment.get("area")
    return (
        integer("id", segment.get("id")),
        integer("category_id", segment.get("category_id")),
        integer("iscrowd", segment.get("iscrowd") or 0),
        np.nan if area is None else number("area", area),
        NO_BOX if segment.get("bbox") is None else box(segment["bbox"]),
    )


class PngMasks:
    """Masks of segments, each image's from its PNG file.

    Parameters
    ----------
    folder : str
        Where the files are.
    names : Texts
        Of the file of each annotation.
    instances : Instances
        The segments.
    images : Images
        Their images.
    """

    bytes_read = 0
    some_lack_one = False

    def __init__(self, folder: str, names: Texts, instances: Instances, images: Images) -> None:
        self._folder = folder
        self.names = names
        self._instances = instances
        self._images = images

    def is_masked(self, i: int) -> bool:
        """Tell whether any instance of an image has a mask."""
        return bool(self._instances.indptr[i] < self._instances.indptr[i + 1])

    def has_mask(self, rows: Rows) -> Array:
        """Tell which instances have one."""
        return np.ones(len(np.arange(len(self._instances))[rows]), np.bool_)

    def pack(self, i: int, start: int, stop: int) -> Packed:
        """Pack the masks of some instances of an image.

        Raises
        ------
        FormatError
            Where the PNG file is missing, or no such file.
        InvalidMaskError
            Where a segment is not in it.
        """
        from PIL import Image

        from compactmask.mask import CompactMask

        instances = self._instances
        assert instances.item is not None
        rows = instances.rows(start, stop)
        wanted = instances.values[SEGMENT_ID][rows].astype(np.int64)
        item = int(instances.item[rows][0])
        path = os.path.join(self._folder, self.names[item])
        damaged = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
        try:
            with Image.open(path) as file:
                width, height = file.size
                if (height, width) == self._images.shape(i):
                    whole.check(file, path)
                    colours = np.asarray(file.convert("RGB"))
        except CompactMaskError:
            raise
        except damaged as error:
            problem = "is missing" if isinstance(error, FileNotFoundError) else str(error)
            raise FormatError(f"{path}: the PNG file of the segments: {problem}") from None
        if (height, width) != self._images.shape(i):
            raise FormatError(
                f"{path}: {height} rows and {width} columns, expected {self._images.shape(i)}"
            )
        self.bytes_read += os.path.getsize(path)
        masks, ids = CompactMask.from_panoptic(colours, return_ids=True)
        at = positions(ids.astype(np.int64), wanted)
        if (at < 0).any():
            k = start + int(np.argmax(at < 0))
            raise InvalidMaskError(f"{instances.name(k)}: no pixel of it is in {path}")
        packed: Packed = masks[at]._packed
        return packed

    def of(self, instances: Instances) -> PngMasks:
        """Give what reads the masks of fewer instances."""
        return PngMasks(self._folder, self.names, instances, self._images)
