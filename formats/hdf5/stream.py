"""Rows that wait in memory until they fill a chunk of their dataset."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt


class Stream:
    """One dataset that only ever grows, and those of its rows that are not in the file yet.

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
    filtered : bool
        Whether its chunks are shuffled and deflated.
    is_bool : bool
        Whether its values stand for True and False.
    may_be_compact : bool
        Whether a few rows may stand in the dataset's header instead.
    """

    __slots__ = (
        "_waiting",
        "chunk_rows",
        "dtype",
        "filtered",
        "inner",
        "is_bool",
        "may_be_compact",
        "path",
        "row_bytes",
        "rows",
    )

    def __init__(
        self,
        path: str,
        dtype: np.dtype[Any],
        inner: tuple[int, ...] = (),
        *,
        chunk_rows: int,
        filtered: bool = True,
        is_bool: bool = False,
        may_be_compact: bool = True,
    ) -> None:
        self.path = path
        self.dtype = dtype
        self.inner = inner
        self.row_bytes = math.prod(inner) * dtype.itemsize
        self.chunk_rows = chunk_rows
        self.filtered = filtered
        self.is_bool = is_bool
        self.may_be_compact = may_be_compact
        self.rows = 0
        """All that it was given."""
        self._waiting = bytearray()

    @property
    def nbytes(self) -> int:
        """Bytes that wait."""
        return len(self._waiting)

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Take a copy of rows that have the stream's dtype and inner shape."""
        self._waiting += rows.tobytes()
        self.rows += len(rows)

    def append_bytes(self, data: bytes | memoryview) -> None:
        """Take rows of one byte each."""
        self._waiting += data
        self.rows += len(data)

    def append_zeros(self, rows: int) -> None:
        """Take rows of zeros."""
        self._waiting += bytes(rows * self.row_bytes)
        self.rows += rows

    @property
    def full_chunks(self) -> int:
        """How many chunks the waiting rows fill."""
        return len(self._waiting) // max(self.chunk_rows * self.row_bytes, 1)

    @property
    def written_rows(self) -> int:
        """Rows that wait no more."""
        return self.rows - len(self._waiting) // max(self.row_bytes, 1)

    def first_chunk(self) -> bytes:
        """Give the first rows that wait, at most a chunk of them."""
        return bytes(self._waiting[: self.chunk_rows * self.row_bytes])

    def waiting(self) -> bytes:
        """Give all rows that wait."""
        return bytes(self._waiting)

    def drop(self, nbytes: int) -> None:
        """Let go of the first bytes that wait, once they are written."""
        del self._waiting[:nbytes]
