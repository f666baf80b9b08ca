"""A store that goes on where a file ends."""

from __future__ import annotations

from . import table
from .column import Column, Text
from .contents import NO_IMAGES, Contents
from .extent import Extent
from .rows import Values, json_text
from .store import Store
from .stream import Stream


def resumed(contents: Contents) -> Store:
    """Give a store whose rows are those of a file, of which it holds the last chunks only.

    Parameters
    ----------
    contents : Contents
        The file.
    """
    store = Store(contents.compression)
    if contents.tree is NO_IMAGES:
        return store
    if contents.mask_store is not None:
        store.begin_masks()
    for path, column in contents.columns.items():
        own = begun(store, path, column)
        if own is not None:
            _adopt(own, column)
    _adopt_stream(store.detection_indptr, contents.detection_indptr)
    store.images.rows, store.detections.rows = contents.n_images, contents.n_detections
    if contents.mask_store is not None:
        masks = store.begin_masks()
        masks.table.rows = contents.n_detections
        _adopt_stream(masks.packed.indptr, contents.mask_store.indptr)
        packed = contents.mask_store.packed
        _adopt_rows(masks.packed.bytes, packed.extent, len(packed))
        if len(packed) > masks.packed.bytes.first:
            masks.packed.bytes.waiting += packed.read(masks.packed.bytes.first, len(packed))
    deleted = contents.columns.get("images/deleted")
    if isinstance(deleted, Column):
        _adopt_stream(store.begin_deleted(), deleted)
    for name in ("classes", "metadata"):
        text = contents.columns.get(name)
        if isinstance(text, Text):
            about = table.Text(name, store.codec)
            _adopt(about, text)
            setattr(store, name, about)
    store.description = json_text(contents.metadata(), f"{contents.path}: metadata")
    return store


def begun(store: Store, path: str, column: Column | Text) -> table.Numbers | table.Text | None:
    """Begin a column in a store as it is in a file; None where it is no column of a table."""
    group, _, name = path.partition("/")
    tables = {"images": store.images, "detections": store.detections}
    if store.masks is not None:
        tables["masks"] = store.masks.table
    if group not in tables or path in ("images/deleted", "detections/indptr", "masks/indptr"):
        return None
    kind: Values = [] if isinstance(column, Text) else column.empty()
    extent = column.extent if isinstance(column, Column) else column.data.extent
    if extent.is_open or not len(column):
        tables[group].propose(name, kind)
    else:
        tables[group].begin(name, kind)
    return tables[group].columns[name]


def _adopt(own: table.Numbers | table.Text, column: Column | Text) -> None:
    if isinstance(own, table.Numbers) and isinstance(column, Column):
        _adopt_stream(own.stream, column)
    elif isinstance(own, table.Text) and isinstance(column, Text):
        _adopt_stream(own.indptr, column.indptr)
        _adopt_stream(own.bytes, column.data)


def _adopt_stream(stream: Stream, column: Column) -> None:
    _adopt_rows(stream, column.extent, len(column))
    if stream.rows > stream.first:
        stream.waiting += column.rows(stream.first, stream.rows).tobytes()


def _adopt_rows(stream: Stream, extent: Extent, rows: int) -> None:
    """Note how many rows there are, and which of them the stream must hold."""
    if extent.offsets:
        stream.codec, stream.is_shuffled = extent.codec, extent.is_shuffled
    if len(extent.offsets) > 1:
        stream.chunk_rows = extent.chunk_rows
    is_new = extent.tail is not None and not extent.tail.start
    stream.waiting.clear()
    stream.rows = rows
    stream.folded = -1 if is_new else extent.stored_rows
    stream.first = max(stream.folded, 0) // stream.chunk_rows * stream.chunk_rows
