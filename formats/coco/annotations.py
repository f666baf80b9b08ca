"""The annotations of a dataset, or results: an instance each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compactmask.errors import FormatError

from .compact import Array, Pieces, Places, Texts, narrow, positions
from .content import Categories, Content
from .faults import Faults
from .file import Bytes
from .further import FurtherKeys
from .gather import NO_INTEGER, NOTHING, Gather, Keys, box_field, integer_field, number_field
from .images import Images, of_numbers
from .instances import Instances, grouped
from .stream import Block, Further, Stream

COLUMNS = {
    "id": "annotation_id",
    "iscrowd": "iscrowd",
    "area": "area",
    "score": "confidence",
    "tracker_id": "tracker_id",
}
"""Keys that an annotation may have, and their columns."""
TAKEN = frozenset(
    {"category_id", "class_id", "annotation_id", "has_mask", "has_box", "confidence"}
    | {"xyxy", "mask", "offsets", "crop_shapes", "data/area"}
)
"""Names that other columns have."""
SLACK = 1e-6
"""By which a box in fractions of the image may leave it."""


class Annotations:
    """Gathers annotations block by block.

    Parameters
    ----------
    keys : Keys
        The ids of images.
    faults : Faults
        What becomes of bad annotations.
    """

    KEYS = ("image_id", "category_id", *COLUMNS, "bbox", "segmentation")
    SEGMENTATION = len(KEYS)

    def __init__(self, keys: Keys, faults: Faults) -> None:
        self._keys = keys
        self._faults = faults
        fields = [
            keys.field("image_id"),
            integer_field("category_id", NO_INTEGER),
            integer_field("id", -1),
            integer_field("iscrowd", 0),
            number_field("area"),
            number_field("score"),
            integer_field("tracker_id", -1),
            box_field("bbox"),
        ]
        self._gather = Gather(fields, [self.SEGMENTATION])
        self._documents = Pieces(np.int64)
        self._further: dict[str, Further] = {}
        self._count = 0

    def read(self, stream: Stream, document: int = 0, faults: Faults | None = None) -> None:
        """Gather the items of a list that was begun.

        Parameters
        ----------
        stream : Stream
            Stands before the first item.
        document : int
            Number of the document, where there are several.
        faults : Faults, optional
            Of that document.
        """
        for block in stream.items(self.KEYS, self._further):
            self._add(block, document, faults or self._faults)

    def dataset(self, images: Images | None, categories: Categories, file: Bytes) -> Content:
        """Make the content of a dataset, or of results (no images)."""
        gather, faults = self._gather, self._faults
        numbers, category = gather.column("image_id"), gather.column("category_id")
        ids, items = gather.column("id"), gather.items()
        check = faults.of_rows(ids, items.starts)
        check.missing("image_id", numbers)
        check.missing("category_id", category)
        categories = check.listed(category, categories)
        found = of_numbers(numbers[check.keep], self._keys) if images is None else images
        image = narrow(found.find(numbers))
        check.refuse(
            image < 0,
            lambda row: (
                f"image_id {self._keys.name(int(numbers[row]))} is not among "
                f"the {len(found)} images"
            ),
        )
        return self._content(
            "results" if images is None else "dataset",
            found,
            image,
            narrow(positions(categories.ids, category)),
            categories,
            ids,
            items,
            check.keep,
            file,
        )

    def single_images(self, images: Images, file: Bytes, documents: Texts | None = None) -> Content:
        """Make the content of documents of one image each, without categories."""
        ids, items = self._gather.column("id"), self._gather.items()
        keep = np.ones(len(ids), np.bool_)
        none = Categories(np.empty(0, np.int64), [])
        image = self._documents.take()
        found = self._content("SA-1B", images, image, None, none, ids, items, keep, file)
        return replace(found, instances=replace(found.instances, documents=documents))

    def _add(self, block: Block, document: int, own: Faults) -> None:
        columns, faults = self._gather.read(block)
        empty = self._without_segmentation(block)
        for row in np.flatnonzero(np.isnan(columns[-1][:, 0]) & empty).tolist():
            faults.setdefault(row, FormatError("it has neither a bbox nor a segmentation"))
        own.tell_rows(block, 1 + self.KEYS.index("id"), faults)
        rows = np.delete(np.arange(len(block.kinds)), list(faults))
        block.kinds[empty, self.SEGMENTATION] = 0
        self._gather.take(block, columns, rows)
        self._documents.add(np.full(len(rows), document))
        self._count += len(block.kinds)

    def _without_segmentation(self, block: Block) -> Array:
        """Tell which annotations have none: no key, null, or an empty list."""
        spans, kinds = block.spans[:, self.SEGMENTATION], block.kinds[:, self.SEGMENTATION]
        empty: Array = kinds <= NOTHING
        short = ~empty & (spans[:, 1] - spans[:, 0] < 16)
        for row in np.flatnonzero(short).tolist():
            raw = block.raw(row, self.SEGMENTATION)
            empty[row] = raw[:1] == b"[" and raw[1:-1].strip() == b""
        return empty

    def _content(
        self,
        kind: str,
        images: Images,
        image: Array,
        class_ids: Array | None,
        categories: Categories,
        ids: Array,
        items: Places,
        keep: Array,
        file: Bytes,
    ) -> Content:
        gather = self._gather
        rows = slice(None) if keep.all() else np.flatnonzero(keep)
        values = {"annotation_id": ids}
        for key in list(COLUMNS)[1:]:
            values[COLUMNS[key]] = gather.column(key)
        for key, name in COLUMNS.items():
            if key not in gather.present:
                del values[name]
        boxes, image = gather.column("bbox")[rows], image[rows]
        segmentations, items = gather.values(items).of(rows), items.of(rows)
        values = {name: column[rows] for name, column in values.items()}
        if kind == "dataset":
            _to_pixels(boxes, image, images, values)
        indptr, order = grouped(image, len(images))
        instances = Instances(
            path=self._faults.path,
            indptr=indptr,
            order=order,
            item=None,
            boxes=boxes,
            class_ids=None if class_ids is None else class_ids[rows],
            category_ids=categories.ids,
            values=values,
            segmentations=segmentations,
            items=items,
            further=FurtherKeys(
                self._faults.path, file, items, image, self._further, self._count, TAKEN
            ),
        )
        return Content(kind, categories.names, images, instances)


def _to_pixels(boxes: Array, image: Array, images: Images, values: dict[str, Array]) -> None:
    """Turn boxes and areas in fractions of the image, where all are, to pixels."""
    there = ~np.isnan(boxes[:, 0])
    if not there.any() or np.nanmin(boxes) < -SLACK or np.nanmax(boxes) > 1 + SLACK:
        return
    sides = np.stack([images.widths[image], images.heights[image]], axis=1).astype(np.float64)
    if (boxes[there] == np.round(boxes[there])).all() or (sides == 0).any():
        return
    boxes *= np.hstack([sides, sides])
    if "area" in values:
        values["area"] = values["area"] * sides.prod(axis=1)
