"""The dataset that a writer gathers: tables of images, instances and masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from compactmask.packed import Packed

from . import schema
from .rows import Rows, mask_rows
from .stream import Stream
from .table import Ragged, Table, indptr_stream


@dataclass(frozen=True, slots=True)
class FittedRows:
    """Rows of one image that are known to fit into the store."""

    rows: Rows
    image: dict[str, Any]
    detections: dict[str, Any]
    masks: dict[str, Any]


class Store:
    """What was appended, as streams. It knows nothing of files.

    Parameters
    ----------
    compression : str, optional
        "gzip" deflates the packed masks too.
    """

    def __init__(self, compression: str | None) -> None:
        self.compression = compression
        self.images = Table("images")
        self.detections = Table("detections")
        self.detection_indptr = indptr_stream("detections/indptr")
        self.detection_indptr.append_zeros(1)
        self.masks: Masks | None = None

    def fit(self, rows: Rows, where: str) -> FittedRows:
        """Check that an image fits to what is there. The store does not change.

        Raises
        ------
        FormatError, ShapeMismatchError
            Where a column cannot hold its values exactly.
        """
        return FittedRows(
            rows,
            self.images.fit(rows.image, 1, where),
            self.detections.fit(rows.detections, rows.count, where),
            {} if rows.masks is None else mask_rows(rows.masks),
        )

    def take(self, fitted: FittedRows) -> None:
        """Add an image."""
        rows = fitted.rows
        if rows.masks is not None:
            self.begin_masks().take(fitted.masks, rows.masks)
        elif self.masks is not None:
            self.masks.skip(rows.count)
        self.images.take(fitted.image, 1)
        self.detections.take(fitted.detections, rows.count)
        self.detection_indptr.append(np.array([self.detections.rows], schema.I64))

    def begin_masks(self) -> Masks:
        """Give the masks, which begin now where there were none."""
        if self.masks is None:
            self.masks = Masks(self.compression)
            self.masks.skip(self.detections.rows)
        return self.masks

    def settle(self) -> None:
        """Give every column its dtype, also those that never had a row."""
        for name, values in schema.IMAGE_BASE.items():
            self.images.propose(name, values)
        self.detections.propose("xyxy", np.empty((0, 4), np.dtype("<f4")))
        self.images.settle()
        self.detections.settle()

    def streams(self) -> Iterator[Stream]:
        """Give all that is stored."""
        yield from self.images.streams()
        yield self.detection_indptr
        yield from self.detections.streams()
        if self.masks is not None:
            yield from self.masks.streams()


class Masks:
    """Packed masks, and a row for each instance; an instance without a mask has a crop of 0 x 0."""

    def __init__(self, compression: str | None) -> None:
        self.table = Table("masks")
        data = Stream(
            "masks/bytes",
            schema.U8,
            chunk_rows=schema.MASK_CHUNK_BYTES[compression],
            filtered=compression is not None,
            may_be_compact=False,
        )
        self.packed = Ragged(indptr_stream("masks/indptr"), data)
        for name, values in schema.MASK_COLUMNS.items():
            self.table.begin(name, values)

    def take(self, columns: dict[str, Any], masks: Packed) -> None:
        """Add the masks of one image, and their rows of :func:`mask_rows`."""
        self.table.take(columns, masks.n)
        self.packed.add(np.diff(masks.indptr).tolist(), masks.data)

    def skip(self, rows: int) -> None:
        """Add instances that have no mask."""
        self.table.take({}, rows)
        self.packed.skip(rows)

    def streams(self) -> Iterator[Stream]:
        """Give what is stored."""
        yield from self.packed.streams()
        yield from self.table.streams()
