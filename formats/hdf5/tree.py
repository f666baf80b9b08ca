"""The HDF5 side of writing: streams become datasets, chunk by chunk."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5o, h5p, h5s, h5t

from . import filters, schema
from .pages import Pages, access_plan
from .stream import Stream

COMPACT_BYTES = 4096
"""A dataset up to this size may stand in its own header, which HDF5 checksums."""
CHUNKED_OVERHEAD = 112
"""What a dataset of one compressed chunk takes in its header beyond one that holds its bytes."""


def create(pages: Pages, writer: str, compression: str | None, replaces: bytes | None) -> Tree:
    """Create a file without a dataset.

    Parameters
    ----------
    pages : Pages
        Where it is written.
    writer : str
        Name and version of the program that writes.
    compression : str, optional
        Of the packed masks.
    replaces : bytes, optional
        The uuid of a file whose place it takes, and whose log may be removed then.
    """
    file = h5f.create(b"pages", h5f.ACC_EXCL, _creation_plan(), access_plan(pages))
    attributes = {
        "format": schema.FORMAT,
        "format_version": ".".join(map(str, schema.FORMAT_VERSION)),
        "uuid": uuid.uuid4().hex,
        "writer": writer,
        "encoding": schema.ENCODING,
        "encoding_version": str(schema.ENCODING_VERSION),
        "order": schema.ORDER,
        "boxes": schema.BOXES,
    }
    if compression is not None:
        attributes["compression"] = compression
    if replaces is not None:
        attributes["replaces"] = replaces.hex()
    for attribute, value in attributes.items():
        _set_attribute(file, attribute, np.array(value.encode(), f"S{len(value)}"))
    return Tree(file)


class Tree:
    """The datasets of a file that is open for writing.

    What replaces a dataset or a chunk stands in new space: whoever reads the old one by its
    position goes on reading what was there.

    Parameters
    ----------
    file : h5py.h5f.FileID
        The file.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        # As long as something stands behind it, HDF5 takes no space back at the file's end.
        plan = h5p.create(h5p.DATASET_CREATE)
        plan.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        self._fence = h5d.create(file, None, h5t.NATIVE_UINT8, h5s.create_simple((1,)), plan)
        self._growing: dict[str, Any] = {}

    def close(self) -> None:
        """Close the file."""
        self._growing.clear()
        self._fence = None
        self._file.close()

    def write_full_chunks(self, streams: Iterable[Stream]) -> None:
        """Write the waiting rows of streams that fill chunks, and let them go."""
        for stream in streams:
            count = stream.full_chunks
            if stream.total is not None:
                self._write_part(stream, stream.chunk_rows * count)
            elif count:
                self._extend(stream, count, stream.first + count * stream.chunk_rows)
            stream.drop(count)

    def write(self, stream: Stream) -> None:
        """Write all rows of a stream that the file does not have. The stream does not change."""
        if stream.total is not None:
            self._write_part(stream, len(stream.waiting))
        elif stream.first == 0 and stream.full_chunks == 0:
            self._write_small(stream)
        else:
            count = -(-(stream.rows - stream.first) // stream.chunk_rows)
            self._extend(stream, count, stream.rows)

    def write_all(self, streams: Iterable[Stream]) -> None:
        """Write all rows of streams that have any the file does not have."""
        for stream in streams:
            if stream.rows != stream.folded:
                self.write(stream)

    def _write_small(self, stream: Stream) -> None:
        """Write a dataset that fills no chunk anew, in the form that takes the fewest bytes."""
        raw, shape = stream.chunk(0), (stream.rows, *stream.inner)
        self._unlink(stream.path)
        if raw and stream.codec is not None:
            if not self._is_better_compact(stream, raw):
                dataset = self._create(stream, shape, chunk_rows=stream.rows)
                _write_chunk(dataset, 0, stream.rows, raw, stream)
                return
            dataset = self._create(stream, shape, is_compact=True)
        else:
            dataset = self._create(stream, shape)
        if raw:
            values = np.frombuffer(raw, stream.dtype).reshape(shape)
            dataset.write(h5s.ALL, h5s.ALL, values)

    def _is_better_compact(self, stream: Stream, raw: bytes) -> bool:
        if not stream.may_be_compact or len(raw) > COMPACT_BYTES or stream.codec is None:
            return False
        packed = _compressed(raw, stream, stream.codec)
        return len(packed) + CHUNKED_OVERHEAD >= len(raw)

    def _extend(self, stream: Stream, count: int, rows: int) -> None:
        """Write the first chunks that wait into a dataset that can grow."""
        dataset = self._growing.get(stream.path)
        if dataset is None:
            dataset = self._growing[stream.path] = self._growable(stream)
        if stream.codec is not None and dataset.shape[0] > stream.first:
            # The chunk that was not full is not written over: its space stays what it is.
            dataset.set_extent((stream.first, *stream.inner))
        dataset.set_extent((rows, *stream.inner))
        for number in range(count):
            start = stream.first + number * stream.chunk_rows
            _write_chunk(dataset, start, stream.chunk_rows, stream.chunk(number), stream)

    def _growable(self, stream: Stream) -> Any:
        """Give a dataset that can grow and holds all chunks before those that wait."""
        old = self._open(stream.path)
        if stream.first and old is not None and _can_grow(old, stream):
            return old
        self._unlink(stream.path)
        limits = (h5s.UNLIMITED, *stream.inner)
        new = self._create(stream, (0, *stream.inner), stream.chunk_rows, limits)
        if stream.first:
            new.set_extent((stream.first, *stream.inner))
        for start in range(0, stream.first, stream.chunk_rows):
            _write_chunk(new, start, stream.chunk_rows, _rows(old, start, stream), stream)
        return new

    def _write_part(self, stream: Stream, nbytes: int) -> None:
        """Write the first bytes that wait into a contiguous dataset of bytes."""
        dataset = self._growing.get(stream.path)
        if dataset is None:
            dataset = self._growing[stream.path] = self._create(stream, (stream.total,))
        if nbytes:
            space = dataset.get_space()
            space.select_hyperslab((stream.first,), (nbytes,))
            values = np.frombuffer(stream.waiting[:nbytes], np.uint8)
            dataset.write(h5s.create_simple((nbytes,)), space, values)

    def _create(
        self,
        stream: Stream,
        shape: tuple[Any, ...],
        chunk_rows: int | None = None,
        limits: tuple[int, ...] | None = None,
        *,
        is_compact: bool = False,
    ) -> Any:
        plan = h5p.create(h5p.DATASET_CREATE)
        plan.set_obj_track_times(False)
        plan.set_fill_time(h5d.FILL_TIME_NEVER)
        if is_compact:
            plan.set_layout(h5d.COMPACT)
        if chunk_rows is not None:
            plan.set_chunk((chunk_rows, *stream.inner))
            if stream.codec is not None:
                if stream.is_shuffled:
                    plan.set_shuffle()
                level = filters.GZIP_LEVEL if stream.codec == "gzip" else filters.ZSTD_LEVEL
                plan.set_filter(filters.IDS[stream.codec], 0, (level,))
        group, _, link = stream.path.rpartition("/")
        dataset = h5d.create(
            self._group(group),
            link.encode(),
            h5t.py_create(stream.dtype),
            h5s.create_simple(shape, limits or shape),
            plan,
            _utf8_link(),
        )
        for name, is_set in (("bool", stream.is_bool), ("open", stream.is_open)):
            if is_set:
                _set_attribute(dataset, name, np.array(1, schema.U8))
        return dataset

    def _open(self, path: str) -> Any | None:
        """Open a dataset or group; None where there is none."""
        item = h5g.open(self._file, b"/")
        for name in path.split("/"):
            if not isinstance(item, h5g.GroupID) or name.encode() not in item:
                return None
            item = h5o.open(item, name.encode())
        return item

    def _unlink(self, path: str) -> None:
        """Remove a dataset, or what is there instead: a column is numbers or text."""
        parent = path.rpartition("/")[0]
        if parent and isinstance(self._open(parent), h5d.DatasetID):
            path = parent
        if self._open(path) is not None:
            h5g.open(self._file, b"/").unlink(path.encode())

    def _group(self, path: str) -> Any:
        group = h5g.open(self._file, b"/")
        for name in path.split("/") if path else ():
            link = name.encode()
            if link in group:
                group = h5g.open(group, link)
            else:
                plan = h5p.create(h5p.GROUP_CREATE)
                plan.set_obj_track_times(False)
                group = h5g.create(group, link, _utf8_link(), plan)
        return group


def _creation_plan() -> Any:
    """Give what a file of the format is created with: space that was freed is not used again."""
    plan = h5p.create(h5p.FILE_CREATE)
    plan.set_obj_track_times(False)
    plan.set_attr_phase_change(16, 0)  # All of the root's attributes fit its header.
    plan.set_file_space_strategy(h5f.FSPACE_STRATEGY_NONE, False, 1)
    return plan


def _can_grow(dataset: Any, stream: Stream) -> bool:
    """Tell whether a dataset takes the chunks of a stream behind those that it has."""
    plan = dataset.get_create_plist()
    if plan.get_layout() != h5d.CHUNKED or plan.get_chunk()[0] != stream.chunk_rows:
        return False
    limit = dataset.get_space().get_simple_extent_dims(True)[0]
    return bool(limit == h5s.UNLIMITED)


def _rows(dataset: Any, start: int, stream: Stream) -> bytes:
    """Read a chunk's rows from a dataset that has them in another form."""
    shape = stream.chunk_rows, *stream.inner
    space = dataset.get_space()
    space.select_hyperslab((start, *(0,) * len(stream.inner)), shape)
    values = np.empty(shape, stream.dtype)
    dataset.read(h5s.create_simple(shape), space, values)
    return values.tobytes()


def _utf8_link() -> Any:
    plan = h5p.create(h5p.LINK_CREATE)
    plan.set_char_encoding(h5t.CSET_UTF8)
    return plan


def _set_attribute(target: Any, name: str, value: Any) -> None:
    kind = h5t.py_create(value.dtype)
    h5a.create(target, name.encode(), kind, h5s.create(h5s.SCALAR)).write(value)


def _write_chunk(dataset: Any, start: int, chunk_rows: int, raw: bytes, stream: Stream) -> None:
    """Write one chunk, which begins with row ``start``; what is not full is filled with zeros."""
    chunk = raw.ljust(chunk_rows * stream.row_bytes, b"\0")
    if stream.codec is not None:
        chunk = _compressed(chunk, stream, stream.codec)
    dataset.write_direct_chunk((start, *(0,) * len(stream.inner)), chunk)


def _compressed(raw: bytes, stream: Stream, codec: str) -> bytes:
    if stream.is_shuffled:
        raw = filters.shuffled(raw, stream.dtype.itemsize)
    return filters.compressed(raw, codec)
