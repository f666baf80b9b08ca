"""The HDF5 file that a writer fills: its tree, its chunks, and how it becomes complete."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5p, h5s, h5t

from . import filters, schema
from .stream import Stream

PARTIAL = ".partial"
COMPACT_BYTES = 4096
"""A dataset up to this size may stand in its own header, which HDF5 checksums."""
CHUNKED_OVERHEAD = 112
"""What a dataset of one deflated chunk takes in its header beyond one that holds its bytes."""


class Output:
    """A file of the format while it is written.

    Where nothing exists at the path it is written there, marked as unfinished; otherwise beside
    it, so that what exists stays whole until it is replaced by the complete file.

    Parameters
    ----------
    path : str
        The file to be.
    replace : bool
        Whether a file may exist there.
    writer : str
        Name and version of the program that writes.

    Raises
    ------
    FileExistsError
        Where there is a file and it may not be replaced.
    """

    def __init__(self, path: str, *, replace: bool, writer: str) -> None:
        self.path = path
        self._written = path
        self._replaces = replace and os.path.lexists(path)
        if self._replaces:
            self._written += PARTIAL
        self._file: Any = _create_file(self._written, exclusive=not self._replaces)
        self._datasets: dict[str, Any] = {}
        attributes = {
            "format": schema.FORMAT,
            "format_version": ".".join(map(str, schema.FORMAT_VERSION)),
            "state": schema.WRITING,
            "uuid": uuid.uuid4().hex,
            "writer": writer,
            "encoding": schema.ENCODING,
            "encoding_version": str(schema.ENCODING_VERSION),
            "order": schema.ORDER,
            "boxes": schema.BOXES,
        }
        for name, value in attributes.items():
            _set_attribute(self._file, name, np.array(value.encode(), f"S{len(value)}"))
        h5f.flush(self._file)

    def flush(self, stream: Stream) -> None:
        """Write those rows of a stream that fill chunks. They are never written again."""
        raw = stream.take_full_chunks()
        if raw:
            self._append_chunks(stream, raw)

    def finish(self, streams: Iterable[Stream]) -> None:
        """Write what still waits, and make the file complete."""
        try:
            for stream in streams:
                raw = stream.take_all()
                if stream.path not in self._datasets:
                    self._write_sealed(stream, raw)
                elif raw:
                    self._append_chunks(stream, raw)
            self._datasets.clear()
            state = h5a.open(self._file, b"state")
            state.write(np.array(schema.COMPLETE.encode()))
            self._file.close()
            _sync(self._written)
            if self._replaces:
                os.replace(self._written, self.path)
            _sync_directory(self.path)
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close without becoming complete; what existed before stays."""
        self._datasets.clear()
        with contextlib.suppress(OSError, RuntimeError):
            self._file.close()
        if self._replaces:
            with contextlib.suppress(OSError):
                os.unlink(self._written)

    def _append_chunks(self, stream: Stream, raw: bytes) -> None:
        dataset = self._datasets.get(stream.path)
        if dataset is None:
            dataset = self._datasets[stream.path] = self._create(
                stream, (0, *stream.inner), stream.chunk_rows, stream.filtered, grows=True
            )
        written: int = dataset.shape[0]
        rows = len(raw) // stream.row_bytes
        dataset.set_extent((written + rows, *stream.inner))
        _write_chunks(dataset, written, stream.chunk_rows, raw, stream, stream.filtered)

    def _write_sealed(self, stream: Stream, raw: bytes) -> None:
        """Write a dataset that was never flushed, in the form that takes the fewest bytes."""
        rows = stream.rows
        if not raw or not stream.filtered:
            dataset = self._create(stream, (rows, *stream.inner), None, False)
            if raw:
                _write_whole(dataset, raw)
            return
        chunk_rows = min(rows, stream.chunk_rows)
        if stream.may_be_compact and len(raw) <= COMPACT_BYTES:
            packed = filters.deflated(filters.shuffled(raw, stream.dtype.itemsize))
            if len(packed) + CHUNKED_OVERHEAD >= len(raw):
                dataset = self._create(stream, (rows, *stream.inner), None, False, compact=True)
                _write_whole(dataset, raw)
                return
        dataset = self._create(stream, (rows, *stream.inner), chunk_rows, True)
        _write_chunks(dataset, 0, chunk_rows, raw, stream, True)

    def _create(
        self,
        stream: Stream,
        shape: tuple[int, ...],
        chunk_rows: int | None,
        filtered: bool,
        *,
        grows: bool = False,
        compact: bool = False,
    ) -> Any:
        plan = h5p.create(h5p.DATASET_CREATE)
        plan.set_obj_track_times(False)
        plan.set_fill_time(h5d.FILL_TIME_NEVER)
        if compact:
            plan.set_layout(h5d.COMPACT)
        if chunk_rows is not None:
            plan.set_chunk((chunk_rows, *stream.inner))
        if filtered:
            if stream.dtype.itemsize > 1:
                plan.set_shuffle()
            plan.set_deflate(filters.LEVEL)
        limits = (h5s.UNLIMITED, *stream.inner) if grows else shape
        group, _, name = stream.path.rpartition("/")
        dataset = h5d.create(
            self._group(group),
            name.encode(),
            h5t.py_create(stream.dtype),
            h5s.create_simple(shape, limits),
            plan,
        )
        if stream.is_bool:
            _set_attribute(dataset, "bool", np.array(1, schema.U8))
        return dataset

    def _group(self, path: str) -> Any:
        group = h5g.open(self._file, b"/")
        for name in path.split("/") if path else ():
            link = name.encode()
            if link in group:
                group = h5g.open(group, link)
            else:
                plan = h5p.create(h5p.GROUP_CREATE)
                plan.set_obj_track_times(False)
                group = h5g.create(group, link, gcpl=plan)
        return group


def _create_file(path: str, *, exclusive: bool) -> Any:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    creation.set_attr_phase_change(16, 0)  # All of the root's attributes fit its header.
    try:
        flags = h5f.ACC_EXCL if exclusive else h5f.ACC_TRUNC
        return h5f.create(os.fsencode(path), flags, creation, access)
    except OSError as error:
        if exclusive and os.path.lexists(path):
            raise FileExistsError(f"{path}: exists") from None
        raise type(error)(f"{path}: cannot be created: {error}") from None


def _set_attribute(target: Any, name: str, value: Any) -> None:
    kind = h5t.py_create(value.dtype)
    h5a.create(target, name.encode(), kind, h5s.create(h5s.SCALAR)).write(value)


def _write_whole(dataset: Any, raw: bytes) -> None:
    dataset.write(h5s.ALL, h5s.ALL, np.frombuffer(raw, dataset.dtype).reshape(dataset.shape))


def _write_chunks(
    dataset: Any, start: int, chunk_rows: int, raw: bytes, stream: Stream, filtered: bool
) -> None:
    """Write whole chunks from row ``start`` on; the last one is filled with zeros."""
    size = chunk_rows * stream.row_bytes
    inner = (0,) * len(stream.inner)
    for number, at in enumerate(range(0, len(raw), size)):
        chunk = raw[at : at + size].ljust(size, b"\0")
        if filtered:
            chunk = filters.deflated(filters.shuffled(chunk, stream.dtype.itemsize))
        dataset.write_direct_chunk((start + number * chunk_rows, *inner), chunk)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_directory(path: str) -> None:
    if os.name == "posix":
        fd = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
