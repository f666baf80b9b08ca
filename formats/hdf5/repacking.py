"""A file written anew: without what was deleted or left behind, its masks in one piece."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..partial import destination
from ..report import Report
from . import filters, log, schema, snapshot, table
from .column import Column, Indptr, Text
from .contents import Contents
from .creation import WRITER
from .masks import MaskStore
from .resume import begun
from .rows import json_text
from .sealed import Sealed
from .store import Store

IMAGES, INSTANCES = 1 << 12, 1 << 16
"""What is copied at a time, at most; one image is copied as a whole."""
Kept = npt.NDArray[np.bool_]
Copy = Callable[[int, int, Kept], None]
"""Copies the rows of a range that are kept."""


def repack(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    overwrite: bool = False,
    compression: Literal["same", "gzip", "zstd"] | None = "same",
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Write the last commit of an HDF5 file as a new one, which holds nothing else.

    Images that were deleted or replaced are left out, and so is the space that appending left
    behind. Packed masks stand in one piece, or in full chunks where they are compressed; a writer
    that continues the new file copies masks that stand in one piece once. The source may have a
    writer meanwhile.

    Parameters
    ----------
    src : path-like
        A file of this package.
    dst : path-like
        The file to write, which takes its name when it is complete and on the disk.
    overwrite : bool
        Whether an existing ``dst`` is replaced.
    compression : {"same", "gzip", "zstd"}, optional
        Of the packed masks; None for none.
    progress : callable, optional
        Called with the number of images done and their total.

    Returns
    -------
    Report
        Counts, sizes and time.

    Raises
    ------
    FileExistsError
        Where ``dst`` exists and ``overwrite`` is not set.
    FormatError
        Where ``src`` is no file of this format or damaged, or is ``dst`` too.

    Examples
    --------
    >>> import supervision as sv, compactmask as cm
    >>> folder = getfixture("tmp_path")
    >>> with cm.create(folder / "run.h5") as out:
    ...     out.append(sv.Detections.empty(), file_name="a.jpg")
    ...     out.append(sv.Detections.empty(), file_name="b.jpg")
    ...     out.delete(file_name="a.jpg")
    >>> cm.repack(folder / "run.h5", folder / "small.h5").images
    1
    """
    started = time.perf_counter()
    src, dst = os.path.abspath(os.fsdecode(src)), os.fsdecode(dst)
    place = destination(src, dst, overwrite)
    contents = snapshot.take(src).contents()
    bytes_in = log.size_with_log(src)
    codec = contents.compression if compression == "same" else compression
    if codec not in (None, "gzip", "zstd"):
        raise ValueError(f"compression {compression!r}, expected 'same', None, 'gzip' or 'zstd'")
    filters.require(codec)
    target, store = Sealed(place, WRITER, codec, replace=overwrite), Store(codec)
    try:
        for done in _copy(contents, store):
            target.fold_when_due(store)
            if progress is not None:
                progress(done, contents.n_images)
        target.close(store)
    finally:
        target.abandon()
    return Report(
        images=store.images.rows,
        instances=store.detections.rows,
        bytes_in=bytes_in,
        bytes_out=os.path.getsize(place),
        seconds=time.perf_counter() - started,
    )


def _copy(contents: Contents, store: Store) -> Iterator[int]:
    """Copy the images that are not deleted; give how many were looked at, from time to time."""
    deleted = np.unique(contents.deleted)
    copies = [*_begun(contents, store, deleted)]
    store.name_classes(contents.classes())
    if contents.metadata():
        store.describe(json_text(contents.metadata(), f"{contents.path}: metadata"))
    for start, stop in _blocks(contents):
        kept = ~np.isin(np.arange(start, stop), deleted)
        bounds = contents.detection_indptr.bounds(start, stop)
        counts = np.diff(bounds)
        images = start, stop, kept
        instances = int(bounds[0]), int(bounds[-1]), np.repeat(kept, counts)
        ends = store.detections.rows + np.cumsum(counts[kept])
        store.detection_indptr.append(ends.astype(schema.I64))
        for copy, is_of_images in copies:
            copy(*(images if is_of_images else instances))
        store.images.rows += int(kept.sum())
        store.detections.rows += int(counts[kept].sum())
        yield stop


def _begun(
    contents: Contents, store: Store, deleted: npt.NDArray[np.int64]
) -> Iterator[tuple[Copy, bool]]:
    """Begin every column in the store; give what copies rows of it, and whether of images."""
    masks = contents.mask_store
    if masks is not None:
        total = _mask_bytes(contents, masks, deleted) if store.compression is None else None
        own = store.begin_masks(total)
        yield partial(_copy_ragged, own.packed, masks.indptr, masks.packed.read), False
    for path, column in contents.columns.items():
        own_column = begun(store, path, column)
        is_of_images = path.startswith("images/")
        if isinstance(own_column, table.Text) and isinstance(column, Text):
            read = partial(_text_bytes, column)
            yield partial(_copy_ragged, own_column, column.indptr, read), is_of_images
        elif isinstance(own_column, table.Numbers) and isinstance(column, Column):
            yield partial(_copy_numbers, own_column, column), is_of_images


def _copy_numbers(own: table.Numbers, column: Column, start: int, stop: int, kept: Kept) -> None:
    rows = column.rows(start, stop)
    own.stream.append(rows if kept.all() else rows[kept])


def _copy_ragged(
    own: table.Ragged,
    indptr: Indptr,
    read: Callable[[int, int], bytes],
    start: int,
    stop: int,
    kept: Kept,
) -> None:
    bounds = indptr.bounds(start, stop)
    lengths = np.diff(bounds)
    first, last = int(bounds[0]), int(bounds[-1])
    data = read(first, last) if last > first else b""
    if not kept.all():
        data = np.frombuffer(data, np.uint8)[np.repeat(kept, lengths)].tobytes()
    own.add(lengths[kept].tolist(), data)


def _text_bytes(column: Text, start: int, stop: int) -> bytes:
    return column.data.rows(start, stop).tobytes()


def _mask_bytes(contents: Contents, masks: MaskStore, deleted: npt.NDArray[np.int64]) -> int:
    """Give the bytes of all packed masks that are not deleted."""
    total = len(masks.packed)
    for image in deleted.tolist():
        start, stop = contents.detection_range(image)
        bounds = masks.indptr.bounds(start, stop)
        total -= int(bounds[-1] - bounds[0])
    return total


def _blocks(contents: Contents) -> Iterator[tuple[int, int]]:
    """Give ranges of images that hold few enough instances."""
    start = 0
    while start < contents.n_images:
        stop = min(start + IMAGES, contents.n_images)
        first, last = contents.detection_indptr.bounds(start, stop)[[0, -1]].tolist()
        if last - first > INSTANCES:
            stop = max(start + 1, contents.detection_indptr.find(first + INSTANCES))
        yield start, stop
        start = stop
