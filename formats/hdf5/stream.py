"""Rows of one dataset that wait in memory until they fill a chunk of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt


class Stream:
    """One dataset that only ever grows, and those of its rows that fill no chunk yet.

    Parameters
    ----------
    path : str
        Where the dataset stands in the file.
    dtype : dtype
        Of its values as they are stored, little-endian.
    inner : tuple of int
        Shape of one row.
    chunk_rows : int
        Rows of a chunk.
    codec : str, optional
        What its chunks are compressed with: "gzip" or "zstd".
    is_bool : bool
        Whether its values stand for True and False.
    may_be_compact : bool
        Whether a few rows may stand in the dataset's header instead.
    total : int, optional
        How many rows it will have, where that is known and it shall be contiguous.
    """

    __slots__ = (
        "chunk_rows",
        "codec",
        "dtype",
        "first",
        "folded",
        "inner",
        "is_bool",
        "is_open",
        "is_shuffled",
        "may_be_compact",
        "path",
        "row_bytes",
        "rows",
        "total",
        "waiting",
        "zeros",
    )

    def __init__(
        self,
        path: str,
        dtype: np.dtype[Any],
        inner: tuple[int, ...] = (),
        *,
        chunk_rows: int,
        codec: str | None = "gzip",
        is_bool: bool = False,
        may_be_compact: bool = True,
        total: int | None = None,
    ) -> None:
        self.path = path
        self.dtype = dtype
        self.inner = inner
        self.row_bytes = math.prod(inner) * dtype.itemsize
        self.chunk_rows = chunk_rows
        self.codec = codec
        self.is_bool = is_bool
        self.may_be_compact = may_be_compact
        self.total = total
        self.is_shuffled = dtype.itemsize > 1
        """Whether its chunks are shuffled before they are compressed."""
        self.is_open = False
        """Whether nobody gave it a row, so that its dtype may still become another."""
        self.rows = 0
        """All that it was given."""
        self.zeros = 0
        """How many of them, from the first on, came from :meth:`append_zeros`."""
        self.folded = -1
        """How many of them the file has; -1 where it lacks the dataset."""
        self.first = 0
        """The first row that waits; the file has all chunks before it."""
        self.waiting = bytearray()

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Take a copy of rows that have the stream's dtype and inner shape."""
        self.waiting += rows.tobytes()
        self.rows += len(rows)

    def append_bytes(self, data: bytes | bytearray | memoryview) -> None:
        """Take rows as their bytes."""
        self.waiting += data
        self.rows += len(data) // self.row_bytes

    def append_zeros(self, rows: int) -> None:
        """Take rows of zeros."""
        self.waiting += bytes(rows * self.row_bytes)
        if self.zeros == self.rows:
            self.zeros += rows
        self.rows += rows

    def cut(self, rows: int) -> None:
        """Forget all rows but the first ones."""
        self.rows = rows
        self.zeros = min(self.zeros, rows)
        del self.waiting[(rows - self.first) * self.row_bytes :]

    def since(self, row: int) -> bytes:
        """Give the bytes of all rows from one on, which must wait."""
        return bytes(self.waiting[(row - self.first) * self.row_bytes :])

    @property
    def full_chunks(self) -> int:
        """How many chunks the waiting rows fill."""
        return len(self.waiting) // max(self.chunk_rows * self.row_bytes, 1)

    def chunk(self, number: int) -> bytes:
        """Give a chunk of those that wait; the last one may be not full."""
        size = self.chunk_rows * self.row_bytes
        return bytes(self.waiting[number * size : (number + 1) * size])

    def settle(self) -> None:
        """Note that the file has all rows; only those of a chunk that is not full still wait."""
        self.drop(self.full_chunks)
        self.folded = self.rows

    def drop(self, chunks: int) -> None:
        """Let go of the first chunks that wait, once they are written."""
        del self.waiting[: chunks * self.chunk_rows * self.row_bytes]
        self.first += chunks * self.chunk_rows
