"""Columns in as few bytes as their values need, gathered piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
NARROW = tuple(np.dtype(dtype) for dtype in (np.int8, np.int16, np.int32))
FIRST_ROWS = 64


def smallest(values: Array) -> np.dtype[Any]:
    """Give the smallest dtype that holds integers; that of other arrays."""
    if values.dtype.kind != "i" or not values.size:
        return NARROW[0] if values.dtype.kind == "i" else values.dtype
    low, high = int(values.min()), int(values.max())
    for dtype in NARROW:
        if -(1 << (8 * dtype.itemsize - 1)) <= low and high < 1 << (8 * dtype.itemsize - 1):
            return dtype
    return values.dtype


def narrow(values: Array) -> Array:
    """Give a copy of integers in the smallest dtype that holds them."""
    return values.astype(smallest(values))


class Pieces:
    """A column that grows; integers are kept in the smallest dtype that holds them all.

    Parameters
    ----------
    dtype : dtype
        Of the values.
    shape : tuple of int
        Of one row.
    """

    __slots__ = ("_buffer", "_n")

    def __init__(self, dtype: npt.DTypeLike, shape: tuple[int, ...] = ()) -> None:
        dtype = np.dtype(dtype)
        self._buffer: Array = np.empty((0, *shape), NARROW[0] if dtype.kind == "i" else dtype)
        self._n = 0

    def add(self, values: Array) -> None:
        """Append rows."""
        dtype = np.promote_types(self._buffer.dtype, smallest(values))
        stop = self._n + len(values)
        if dtype != self._buffer.dtype:
            self._buffer = self._buffer.astype(dtype)
        if stop > len(self._buffer):
            # One block that grows by a quarter: many small ones would leave holes in the heap.
            rows = max(FIRST_ROWS, stop + stop // 4)
            self._buffer.resize((rows, *self._buffer.shape[1:]), refcheck=False)
        self._buffer[self._n : stop] = values
        self._n = stop

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, row: Any) -> Any:
        return self._buffer[row]

    def take(self) -> Array:
        """Give all rows and let go of them."""
        buffer, n = self._buffer, self._n
        self._buffer, self._n = buffer[:0].copy(), 0
        buffer.resize((n, *buffer.shape[1:]), refcheck=False)
        return buffer


class Texts:
    """Texts in one buffer: no Python object for each.

    Parameters
    ----------
    texts : iterable of str
        The texts.
    """

    __slots__ = ("_bytes", "_indptr")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes = bytearray()
        self._indptr = Pieces(np.int64)
        self._indptr.add(np.zeros(1, np.int64))
        self.add([text.encode() for text in texts])

    @classmethod
    def of(cls, data: bytearray, indptr: Array) -> Texts:
        """Make them of their parts."""
        texts = cls()
        texts._bytes = data
        texts._indptr.add(indptr[1:])
        return texts

    def parts(self) -> tuple[bytearray, Array]:
        """Give the texts in UTF-8, and where each begins and the last ends."""
        return self._bytes, self._indptr[: len(self._indptr)]

    def add(self, texts: list[bytes]) -> None:
        """Append texts in UTF-8."""
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64) + len(self._bytes)
        self._bytes += b"".join(texts)
        self._indptr.add(ends)

    def __len__(self) -> int:
        return len(self._indptr) - 1

    def __getitem__(self, i: int) -> str:
        return self._bytes[self._indptr[i] : self._indptr[i + 1]].decode()

    def column(self) -> Array:
        """Give an array of Python str."""
        return text_column([self[i] for i in range(len(self))])


def text_column(values: Sequence[str]) -> Array:
    """Make an object column of text: one long text does not widen the others."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


class Places:
    """Where pieces of a document begin and how long they are, row by row.

    Parameters
    ----------
    starts, lengths : ndarray of int
        In bytes.
    """

    __slots__ = ("lengths", "starts")

    def __init__(self, starts: Array, lengths: Array) -> None:
        self.starts = starts
        self.lengths = lengths

    def of(self, rows: Any) -> Places:
        """Give those of some rows."""
        return Places(self.starts[rows], self.lengths[rows])

    def bounds(self, rows: Any) -> list[tuple[int, int]]:
        """Give start and stop of some rows."""
        starts = self.starts[rows].astype(np.int64)
        return list(zip(starts.tolist(), (starts + self.lengths[rows]).tolist(), strict=True))


def positions(numbers: Array, wanted: Array) -> Array:
    """Give where each wanted number stands among distinct ones, -1 where it does not."""
    if not len(numbers):
        return np.full(len(wanted), -1)
    order = np.argsort(numbers, kind="stable")
    places = np.searchsorted(numbers[order], wanted)
    np.minimum(places, len(numbers) - 1, out=places)
    found = order[places]
    return np.where(numbers[found] == wanted, found, -1)
