"""The instances of a document, image by image, as columns in few bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .compact import Array, Places, Texts, narrow
from .further import FurtherKeys
from .values import short

Rows = slice | Array
ID_COLUMNS = ("annotation_id", "segment_id", "tracker_id")
"""The first that there is names an annotation."""


@dataclass(frozen=True)
class Instances:
    """What the annotations of a document say about instances.

    Rows are in the document's order; ``order`` sorts them by image and ``indptr`` is where those of
    each image start then. Several instances may be of one annotation (an object of a video):
    ``item`` tells which.

    ``documents`` are the names of those of each image, where ``path`` is a folder of them.

    ``values`` are columns in their smallest dtype; ``boxes`` are (x1, y1, x2, y2), NaN where there
    is none; ``segmentations`` is where they stand, with length 0 for none; ``items`` where the
    annotations stand.
    """

    path: str
    indptr: Array
    order: Array | None
    item: Array | None
    boxes: Array
    class_ids: Array | None
    category_ids: Array
    values: dict[str, Array]
    segmentations: Places | None
    items: Places
    further: FurtherKeys | None
    documents: Texts | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def rows(self, start: int, stop: int) -> Rows:
        """Give the rows of the instances ``start`` to ``stop``, counted image by image."""
        return slice(start, stop) if self.order is None else self.order[start:stop]

    def row(self, k: int) -> int:
        """Give the row of instance ``k``."""
        return k if self.order is None else int(self.order[k])

    def image(self, k: int) -> int:
        """Give the image of instance ``k``."""
        return int(np.searchsorted(self.indptr, k, side="right")) - 1

    def name(self, k: int) -> str:
        """Give the words by which a message names instance ``k``."""
        row = self.row(k)
        item = row if self.item is None else int(self.item[row])
        ids = next((self.values[name] for name in ID_COLUMNS if name in self.values), None)
        key = None if ids is None else int(ids[row])
        path = self.path
        if self.documents is not None:
            path = os.path.join(path, self.documents[self.image(k)])
        return f"{path}: {name_of(key, int(self.items.starts[item]))}"

    def columns(self, rows: Rows) -> dict[str, Array]:
        """Give the columns of some rows that were read with the document, in their own dtypes."""
        columns = {} if self.class_ids is None else {"category_id": self._category(rows)}
        for name in self.values:
            columns[name] = self._wide(name, rows)
        return columns

    def readers(self) -> dict[str, Callable[[Rows], Array]]:
        """Give what makes each of those columns."""
        columns: dict[str, Callable[[Rows], Array]] = {}
        if self.class_ids is not None:
            columns["category_id"] = self._category
        return columns | {name: partial(self._wide, name) for name in self.values}

    def classes(self, rows: Rows) -> Array:
        """Give the class ids of some rows."""
        assert self.class_ids is not None
        return self.class_ids[rows].astype(np.int64)

    def has_box(self, rows: Rows) -> Array:
        """Tell which of some rows have a box of their own."""
        return ~np.isnan(self.boxes[rows, 0])

    def further_columns(self, rows: Rows, names: list[str] | None = None) -> dict[str, Array]:
        """Read further columns of some rows from the document."""
        if self.further is None or not self.further.keys:
            return {}
        chosen = np.arange(len(self))[rows]
        return self.further.columns(chosen if self.item is None else self.item[chosen], names)

    def _category(self, rows: Rows) -> Array:
        assert self.class_ids is not None
        return self.category_ids[self.class_ids[rows]]

    def _wide(self, name: str, rows: Rows) -> Array:
        values = self.values[name][rows]
        if values.dtype.kind == "i":
            return values.astype(np.int64)
        return values.copy()

    def kept(self, keep: Array, n_images: int) -> Instances:
        """Give those of the rows that are True in ``keep``."""
        image = np.repeat(np.arange(n_images), np.diff(self.indptr))
        if self.order is not None:
            unsorted = np.empty_like(image)
            unsorted[self.order] = image
            image = unsorted
        rows = np.flatnonzero(keep)
        indptr, order = grouped(image[rows], n_images)
        return replace(
            self,
            indptr=indptr,
            order=order,
            item=narrow(rows) if self.item is None else self.item[rows],
            boxes=self.boxes[rows],
            class_ids=None if self.class_ids is None else self.class_ids[rows],
            values={name: values[rows] for name, values in self.values.items()},
            segmentations=None if self.segmentations is None else self.segmentations.of(rows),
        )


def grouped(image: Array, n_images: int) -> tuple[Array, Array | None]:
    """Give where each image's rows start when they are sorted by image, and what sorts them."""
    indptr = np.concatenate(([0], np.cumsum(np.bincount(image, minlength=n_images))))
    if (image[1:] >= image[:-1]).all():
        return indptr, None
    return indptr, narrow(np.argsort(image, kind="stable"))


def name_of(key: Any, start: int) -> str:
    """Name an annotation by its id and where it stands."""
    if key is None or key == -1:
        return f"annotation at byte {start}"
    return f"annotation {short(key)} (byte {start})"
