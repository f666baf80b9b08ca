"""The HDF5 file that a writer fills: its tree, its chunks, and how it becomes complete."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5p, h5s, h5t

from compactmask.errors import CompactMaskError

from ..partial import beside, put_in_place
from . import filters, schema
from .handle import Handle
from .stream import Stream

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
        The file to be, as :func:`~..partial.resolve` gives it.
    replace : bool
        Whether a file may exist there.
    writer : str
        Name and version of the program that writes.
    before : Handle, optional
        The file that this one continues, which must be at the path until the end.

    Raises
    ------
    FileExistsError
        Where there is a file and it may not be replaced.
    """

    def __init__(self, path: str, *, replace: bool, writer: str, before: Handle | None) -> None:
        self.path = path
        self.replaces: Final = replace and os.path.lexists(path)
        self._before = before
        self._written = beside(path) if self.replaces else path
        self._file: Any = _create_file(self._written)
        self._stat = os.stat(self._written)
        self._datasets: dict[str, Any] = {}
        try:
            self._write_attributes(writer)
        except BaseException:
            self.abandon()
            raise

    def _write_attributes(self, writer: str) -> None:
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
        """Write those rows of a stream that fill chunks. What was interrupted may be repeated."""
        if stream.full_chunks:
            self._append_chunks(stream, stream.full_chunks)

    def finish(self, streams: Iterable[Stream]) -> None:
        """Write what still waits, and make the file complete.

        Raises
        ------
        CompactMaskError
            Where another file has taken the place of this one, or of the one that it continues.
        """
        try:
            for stream in streams:
                if stream.path not in self._datasets:
                    self._write_sealed(stream, stream.waiting())
                elif stream.nbytes:
                    self._append_chunks(stream, stream.full_chunks + 1)
            self._datasets.clear()
            state = h5a.open(self._file, b"state")
            state.write(np.array(schema.COMPLETE.encode()))
            if not self._is_in_place():
                raise CompactMaskError(
                    f"{self._written}: removed or replaced by another file while it was written"
                )
            self._file.close()
        except BaseException:
            self.abandon()
            raise
        if self._before is not None and not self._before.is_still_at_path():
            raise CompactMaskError(
                f"{self.path}: removed or replaced by another file while it was continued; "
                f"all rows are in {self._written}"
            )
        try:
            put_in_place(self._written, self.path, overwrite=True)
        except Exception:  # An interrupt loses no file that is complete.
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close, and remove what was written; what existed before stays."""
        self._datasets.clear()
        is_in_place = self._is_in_place()
        with contextlib.suppress(OSError, RuntimeError):
            self._file.close()
        if is_in_place:
            with contextlib.suppress(OSError):
                os.unlink(self._written)

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(self._stat, os.stat(self._written))
        except OSError:
            return False

    def _append_chunks(self, stream: Stream, count: int) -> None:
        """Write the first chunks that wait, of which the last may be not full."""
        dataset = self._datasets.get(stream.path)
        if dataset is None:
            dataset = self._datasets[stream.path] = self._create(
                stream, (0, *stream.inner), stream.chunk_rows, stream.filtered, grows=True
            )
        for _ in range(count):
            raw = stream.first_chunk()
            if raw:
                start = stream.written_rows
                rows = len(raw) // stream.row_bytes
                dataset.set_extent((start + rows, *stream.inner))
                _write_chunk(dataset, start, stream.chunk_rows, raw, stream)
                stream.drop(len(raw))

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
        size = chunk_rows * stream.row_bytes
        for at in range(0, len(raw), size):
            start = at // stream.row_bytes
            _write_chunk(dataset, start, chunk_rows, raw[at : at + size], stream)

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
            _utf8_link(),
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
                group = h5g.create(group, link, _utf8_link(), plan)
        return group


def _create_file(path: str) -> Any:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    creation.set_attr_phase_change(16, 0)  # All of the root's attributes fit its header.
    try:
        return h5f.create(os.fsencode(path), h5f.ACC_EXCL, creation, access)
    except OSError as error:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists", path) from None
        raise OSError(error.errno, "cannot be created", path) from None


def _utf8_link() -> Any:
    plan = h5p.create(h5p.LINK_CREATE)
    plan.set_char_encoding(h5t.CSET_UTF8)
    return plan


def _set_attribute(target: Any, name: str, value: Any) -> None:
    kind = h5t.py_create(value.dtype)
    h5a.create(target, name.encode(), kind, h5s.create(h5s.SCALAR)).write(value)


def _write_whole(dataset: Any, raw: bytes) -> None:
    dataset.write(h5s.ALL, h5s.ALL, np.frombuffer(raw, dataset.dtype).reshape(dataset.shape))


def _write_chunk(dataset: Any, start: int, chunk_rows: int, raw: bytes, stream: Stream) -> None:
    """Write one chunk, which begins with row ``start``; what is not full is filled with zeros."""
    chunk = raw.ljust(chunk_rows * stream.row_bytes, b"\0")
    if stream.filtered:
        chunk = filters.deflated(filters.shuffled(chunk, stream.dtype.itemsize))
    dataset.write_direct_chunk((start, *(0,) * len(stream.inner)), chunk)
