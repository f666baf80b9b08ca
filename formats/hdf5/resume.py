"""Carry the rows of an existing file over into a store, so that a writer continues it."""

from __future__ import annotations

from collections.abc import Callable

from . import schema, table
from .column import Column, Text
from .contents import Contents
from .rows import Values
from .store import Store
from .stream import Stream

BLOCK_BYTES = 1 << 20


def carry_over(
    contents: Contents, store: Store, flush: Callable[[], None]
) -> tuple[set[int], set[str]]:
    """Copy all rows, column by column.

    Parameters
    ----------
    contents : Contents
        The file to continue.
    store : Store
        Takes the rows; it must be empty.
    flush : callable
        Called after each block of rows, to write what fills chunks.

    Returns
    -------
    ids, file_names : set
        Of the images.
    """
    tables = {"images": store.images, "detections": store.detections}
    if contents.mask_store is not None:
        tables["masks"] = store.begin_masks().table
    copies: list[tuple[Stream, Column]] = [(store.detection_indptr, contents.detection_indptr)]
    for path, column in contents.columns.items():
        group, _, name = path.partition("/")
        if group not in tables:
            continue
        kind: Values = [] if isinstance(column, Text) else column.empty()
        if not len(column):
            tables[group].propose(name, kind)
            continue
        begun = tables[group].begin(name, kind)
        if isinstance(begun, table.Numbers) and isinstance(column, Column):
            copies.append((begun.stream, column))
        elif isinstance(begun, table.Text) and isinstance(column, Text):
            copies += [(begun.indptr, column.indptr), (begun.bytes, column.data)]
    store.images.rows, store.detections.rows = contents.n_images, contents.n_detections
    if contents.mask_store is not None:
        masks = store.begin_masks()
        masks.table.rows = contents.n_detections
        copies.append((masks.packed.indptr, contents.mask_store.indptr))
        packed = contents.mask_store.packed
        for start in range(0, len(packed), BLOCK_BYTES):
            masks.packed.bytes.append_bytes(
                packed.read(start, min(start + BLOCK_BYTES, len(packed)))
            )
            flush()
    for stream, column in copies:
        step = max(1, BLOCK_BYTES // max(stream.row_bytes, 1))
        # A stream of starts has its first one already.
        for start in range(stream.rows, len(column), step):
            stream.append(column.rows(start, min(start + step, len(column))))
            flush()
    return _ids_and_names(contents)


def _ids_and_names(contents: Contents) -> tuple[set[int], set[str]]:
    present = contents.columns["images/present"].all()
    names = contents.images["file_name"].all()
    return (
        set(contents.images["id"].all().tolist()),
        set(names[present & schema.FILE_NAME > 0].tolist()),
    )
