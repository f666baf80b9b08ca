"""Where one dataset stands in a file, as HDF5 tells it, checked against what the file has."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5s, h5t, h5z

from compactmask.errors import CorruptFileError

from . import filters, schema

MAX_COMPACT_BYTES = 1 << 16
CODES = "i8 i4 u1 u4 f4 f8 i1 i2 u2 u8 f2"
KINDS = [(h5t.py_create(np.dtype(f"<{code}")), np.dtype(f"<{code}")) for code in CODES.split()]
"""The types that a dataset may have: little-endian numbers, bit for bit as NumPy has them."""
CODECS: dict[tuple[int, ...], str | None] = {(): None}
CODECS.update({(number,): codec for codec, number in filters.IDS.items()})
"""What a dataset may be compressed with, by HDF5's numbers of its filters after shuffling."""


@dataclass(slots=True)
class Tail:
    """Rows of one dataset that stand in the log: zeros first, then those of the records.

    It only ever grows; whoever reads from it knows how many rows it had.
    """

    dtype: np.dtype[Any]
    inner: tuple[int, ...]
    is_bool: bool
    is_open: bool
    start: int
    """Rows of the dataset in the file that stand before it."""
    zeros: int
    data: bytearray = field(default_factory=bytearray)
    row_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.row_bytes = math.prod(self.inner) * self.dtype.itemsize

    @property
    def stop(self) -> int:
        """All rows of the dataset."""
        return self.start + self.zeros + len(self.data) // max(self.row_bytes, 1)

    def rows(self, start: int, stop: int) -> bytes:
        """Give the bytes of rows of the dataset, which must be in the tail."""
        size = self.row_bytes
        begin, end = start - self.start - self.zeros, stop - self.start - self.zeros
        zeros = bytes((min(end, 0) - min(begin, 0)) * size)
        return zeros + bytes(self.data[max(begin, 0) * size : max(end, 0) * size])


@dataclass(frozen=True, slots=True)
class Extent:
    """One dataset: its kind, and where its rows are.

    ``inline`` holds all rows of a small dataset that stands in its own header. Otherwise chunk c
    holds the rows from ``c * chunk_rows`` on in ``sizes[c]`` bytes at ``offsets[c]``; a contiguous
    dataset is one chunk. Rows that only the log has follow in ``tail``.
    """

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    chunk_rows: int
    is_bool: bool = False
    inline: bytes | None = None
    offsets: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    codec: str | None = None
    is_shuffled: bool = False
    is_open: bool = False
    tail: Tail | None = None

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def stored_rows(self) -> int:
        """Rows that stand in the file itself."""
        return self.shape[0] if self.tail is None else self.tail.start

    @property
    def step(self) -> int:
        """Rows that are read together."""
        if len(self.offsets) > 1:
            return self.chunk_rows
        return max(self.chunk_rows, schema.chunk_rows(self.row_bytes))


def read_extent(dataset: Any, path: str, file_size: int, where: str) -> Extent:
    """Note where a dataset is.

    Parameters
    ----------
    dataset : h5py.h5d.DatasetID
        The dataset, open.
    path : str
        Its name in the file.
    file_size : int
        Bytes that the file has.
    where : str
        Begins every error message.

    Raises
    ------
    CorruptFileError
        Where it is of a kind that the format does not have, or its bytes are not in the file.
    """
    kind = dataset.get_type()
    dtype = next((dtype for known, dtype in KINDS if kind == known), None)
    if dtype is None:
        raise CorruptFileError(f"{where}: type {dataset.dtype}, expected little-endian numbers")
    shape: tuple[int, ...] | None = dataset.shape
    if not shape or len(shape) > schema.MAX_DIMENSIONS:
        raise CorruptFileError(
            f"{where}: shape {shape}, expected 1 to {schema.MAX_DIMENSIONS} dimensions"
        )
    is_bool = dtype == schema.U8 and h5a.exists(dataset, b"bool")
    is_open = h5a.exists(dataset, b"open")
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes == 0:
        return Extent(path, dtype, shape, max(shape[0], 1), is_bool, b"", is_open=is_open)
    plan = dataset.get_create_plist()
    layout = plan.get_layout()
    if layout == h5d.COMPACT:
        inline = _inline(dataset, shape, dtype, nbytes, where)
        return Extent(path, dtype, shape, shape[0], is_bool, inline, is_open=is_open)
    if layout == h5d.CONTIGUOUS:
        offset = _contiguous(dataset, plan, nbytes, file_size, where)
        return Extent(path, dtype, shape, shape[0], is_bool, None, (offset,), (nbytes,))
    if layout != h5d.CHUNKED:
        raise CorruptFileError(f"{where}: its bytes are in other datasets, which are not opened")
    codes = tuple(plan.get_filter(i)[0] for i in range(plan.get_nfilters()))
    is_shuffled = codes[:1] == (h5z.FILTER_SHUFFLE,)
    codec = CODECS.get(codes[is_shuffled:], "none")
    if codec == "none" or (is_shuffled and codec is None):
        raise CorruptFileError(
            f"{where}: filters {codes}, expected shuffle (2) and deflate (1) or zstd (32015)"
        )
    chunk = plan.get_chunk()
    raw = math.prod(chunk) * dtype.itemsize
    if chunk[1:] != shape[1:] or raw > schema.MAX_CHUNK_BYTES:
        raise CorruptFileError(
            f"{where}: chunks of {chunk} in shape {shape}, expected whole rows "
            f"of at most {schema.MAX_CHUNK_BYTES} bytes"
        )
    least = -(-raw // filters.MAX_RATIO[codec])
    offsets, sizes = _chunks(dataset, shape[0], chunk[0], (least, raw, file_size), where)
    return Extent(
        path, dtype, shape, chunk[0], is_bool, None, offsets, sizes, codec, is_shuffled, is_open
    )


def _inline(
    dataset: Any, shape: tuple[int, ...], dtype: np.dtype[Any], nbytes: int, where: str
) -> bytes:
    if nbytes > MAX_COMPACT_BYTES or dataset.get_storage_size() != nbytes:
        raise CorruptFileError(f"{where}: its {nbytes} bytes are not there")
    values = np.empty(shape, dtype)
    dataset.read(h5s.ALL, h5s.ALL, values)
    return values.tobytes()


def _contiguous(dataset: Any, plan: Any, nbytes: int, file_size: int, where: str) -> int:
    if plan.get_external_count():
        raise CorruptFileError(f"{where}: its bytes are in another file, which is not opened")
    offset: int | None = dataset.get_offset()
    if offset is None or dataset.get_storage_size() != nbytes or offset + nbytes > file_size:
        raise CorruptFileError(f"{where}: its {nbytes} bytes are not there")
    return offset


def _chunks(
    dataset: Any, rows: int, chunk_rows: int, bounds: tuple[int, int, int], where: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the offset and size of each chunk.

    ``bounds`` are the fewest bytes that can stand for a chunk, its bytes, and those of the file.
    """
    least, raw, file_size = bounds
    count = -(-rows // chunk_rows)
    if count * least > file_size:
        raise CorruptFileError(f"{where}: {count} chunks of {raw} bytes in a file of {file_size}")
    offsets, sizes = [-1] * count, [0] * count

    def note(chunk: Any) -> None:
        number, rest = divmod(chunk.chunk_offset[0], chunk_rows)
        offset, size = chunk.byte_offset, chunk.size
        if rest or number >= count or chunk.filter_mask:
            raise CorruptFileError(f"{where}: a chunk at row {chunk.chunk_offset[0]} is not valid")
        if size < least:
            raise CorruptFileError(f"{where}: a chunk of {raw} bytes stored in {size}")
        if offset + size > file_size:
            raise CorruptFileError(f"{where}: a chunk beyond the file's end at {file_size}")
        offsets[number], sizes[number] = offset, size

    dataset.chunk_iter(note)
    missing = offsets.count(-1)
    if missing:
        raise CorruptFileError(f"{where}: {missing} of {count} chunks are missing")
    return tuple(offsets), tuple(sizes)
