"""The dataset that a writer gathers: tables of images, instances and masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compactmask.packed import Packed

from . import schema
from .rows import Rows, mask_rows
from .stream import Stream
from .table import Ragged, Table, Text, indptr_stream

Mark = tuple[list[tuple[Stream, int]], list[dict[str, Any]]]
"""What a store was at one moment."""


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
        "gzip" or "zstd" compresses the packed masks too; columns always are.
    """

    def __init__(self, compression: str | None) -> None:
        self.compression = compression
        self.codec = compression or "gzip"
        self.images = Table("images", self.codec)
        self.detections = Table("detections", self.codec)
        self.detection_indptr = indptr_stream("detections/indptr", self.codec)
        self.detection_indptr.append_zeros(1)
        self.masks: Masks | None = None
        self.deleted: Stream | None = None
        self.classes: Text | None = None
        self.metadata: Text | None = None
        for name, values in schema.IMAGE_BASE.items():
            self.images.propose(name, values)
        self.detections.propose("xyxy", np.empty((0, 4), np.dtype("<f4")))

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

    def delete(self, images: Sequence[int]) -> None:
        """Mark images as deleted."""
        self.begin_deleted().append(np.array(images, schema.I64))

    def name_classes(self, names: Sequence[str]) -> None:
        """Add class names."""
        if self.classes is None:
            self.classes = Text("classes", self.codec)
        self.classes.take(names)

    def describe(self, text: str) -> None:
        """Add a state of the dataset's metadata, which replaces those before."""
        if self.metadata is None:
            self.metadata = Text("metadata", self.codec)
        self.metadata.take([text])

    def begin_masks(self, total: int | None = None) -> Masks:
        """Give the masks, which begin now where there were none.

        ``total`` is how many bytes they will have, where that is known and they shall be
        contiguous.
        """
        if self.masks is None:
            self.masks = Masks(self.compression, self.codec, total)
            self.masks.skip(self.detections.rows)
        return self.masks

    def begin_deleted(self) -> Stream:
        """Give the marks of deleted images, which begin now where there were none."""
        if self.deleted is None:
            rows = schema.chunk_rows(schema.I64.itemsize)
            self.deleted = Stream("images/deleted", schema.I64, chunk_rows=rows, codec=self.codec)
        return self.deleted

    def streams(self) -> Iterator[Stream]:
        """Give all that is stored."""
        yield from self.images.streams()
        yield self.detection_indptr
        yield from self.detections.streams()
        if self.masks is not None:
            yield from self.masks.streams()
        if self.deleted is not None:
            yield self.deleted
        for text in (self.classes, self.metadata):
            if text is not None:
                yield from text.streams()

    def mark(self) -> Mark:
        """Note the present state."""
        lengths = [(stream, stream.rows) for stream in self.streams()]
        return lengths, [_state(part) for part in self._parts()]

    def roll_back(self, mark: Mark) -> None:
        """Return to the state of a mark; no chunk may have been dropped since."""
        lengths, states = mark
        for part, state in zip([*self._parts()], states, strict=False):
            for name, value in state.items():
                setattr(part, name, value)
        for stream, rows in lengths:
            stream.cut(rows)

    def _parts(self) -> Iterator[Any]:
        yield self
        yield self.images
        yield self.detections
        if self.masks is not None:
            yield self.masks.table


class Masks:
    """Packed masks, and a row for each instance; an instance without a mask has a crop of 0 x 0."""

    def __init__(self, compression: str | None, codec: str, total: int | None) -> None:
        self.table = Table("masks", codec)
        data = Stream(
            "masks/bytes",
            schema.U8,
            chunk_rows=schema.MASK_CHUNK_BYTES,
            codec=compression,
            may_be_compact=False,
            total=total,
        )
        self.packed = Ragged(indptr_stream("masks/indptr", codec), data)
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


def _state(part: Any) -> dict[str, Any]:
    """Give what of a store or table changes when rows are taken, but for its streams."""
    if isinstance(part, Table):
        return {"rows": part.rows, "columns": dict(part.columns), "open": set(part.open)}
    return {name: getattr(part, name) for name in ("masks", "deleted", "classes", "metadata")}
