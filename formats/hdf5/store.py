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
from .table import Numbers, Ragged, Table, Text, indptr_stream

LATE = ("masks", "deleted", "classes", "metadata", "description")
"""Parts of a store that begin when there is something for them."""
Columns = dict[str, Numbers | Text]
Mark = tuple[list[tuple[Stream, int]], list[tuple[Table, int, Columns, set[str]]], dict[str, Any]]
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
        self.description = "{}"
        """The last state of the dataset's metadata, as JSON."""
        self._known: list[Any] = []
        self._streams: list[Stream] = []
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
        self.description = text

    @property
    def n_classes(self) -> int:
        """How many class names there are."""
        return 0 if self.classes is None else self.classes.indptr.rows - 1

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

    def streams(self) -> list[Stream]:
        """Give all that is stored."""
        parts = [*self._parts()]
        state = [(part, part.changes) if isinstance(part, Table) else part for part in parts]
        if state != self._known:
            self._streams = [stream for part in parts for stream in _streams(part)]
            self._known = state
        return self._streams

    def mark(self) -> Mark:
        """Note the present state."""
        lengths = [(stream, stream.rows) for stream in self.streams()]
        tables = [
            (table, table.rows, dict(table.columns), set(table.open))
            for table in self._parts()
            if isinstance(table, Table)
        ]
        return lengths, tables, {name: getattr(self, name) for name in LATE}

    def roll_back(self, mark: Mark) -> None:
        """Return to the state of a mark; no chunk may have been dropped since."""
        lengths, tables, late = mark
        for table, rows, columns, open_ in tables:
            table.rows, table.columns, table.open = rows, columns, open_
            table.changes += 1
        for name, part in late.items():
            setattr(self, name, part)
        for stream, rows in lengths:
            stream.cut(rows)

    def _parts(self) -> Iterator[Table | Text | Stream | Ragged]:
        yield self.images
        yield self.detection_indptr
        yield self.detections
        if self.masks is not None:
            yield self.masks.packed
            yield self.masks.table
        for part in (self.deleted, self.classes, self.metadata):
            if part is not None:
                yield part


def _streams(part: Table | Text | Stream | Ragged) -> Iterator[Stream]:
    if isinstance(part, Stream):
        yield part
    else:
        yield from part.streams()


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
