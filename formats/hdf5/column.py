"""Columns of an open file, read in chunks when they are touched."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from compactmask.errors import CorruptFileError

from .chunks import ChunkCache, read_chunk
from .extent import Extent
from .handle import Handle

Array = npt.NDArray[Any]


class Column:
    """Rows of numbers.

    Parameters
    ----------
    extent : Extent
        Where they are.
    handle : Handle
        The file.
    cache : ChunkCache
        Keeps what was read.
    limits : tuple of int, optional
        The least and the largest value that may stand there.
    """

    __slots__ = ("_cache", "_handle", "_limits", "chunk_rows", "dtype", "extent")

    def __init__(
        self,
        extent: Extent,
        handle: Handle,
        cache: ChunkCache,
        *,
        limits: tuple[int, int] | None = None,
    ) -> None:
        self.extent = extent
        self.chunk_rows: Final = extent.step
        """Rows that are read together."""
        self._handle = handle
        self._cache = cache
        self._limits = (0, 1) if extent.is_bool else limits
        self.dtype: Final = np.dtype(bool) if extent.is_bool else extent.dtype

    def __len__(self) -> int:
        return self.extent.shape[0]

    @property
    def path(self) -> str:
        """File and dataset, as an error message names them."""
        return f"{self._handle.path}: /{self.extent.path}"

    @property
    def inner(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.extent.shape[1:]

    def rows(self, start: int, stop: int) -> Array:
        """Read rows ``start`` to ``stop``; a read-only view where one chunk has them all."""
        if stop <= start:
            return self.empty()
        step = self.chunk_rows
        first = start // step
        if stop <= (first + 1) * step:
            return self.chunk(first)[start - first * step : stop - first * step]
        parts = [self.chunk(number) for number in range(first, -(-stop // step))]
        parts[0] = parts[0][start - first * step :]
        parts[-1] = parts[-1][: stop - (first + len(parts) - 1) * step]
        joined = np.concatenate(parts)
        joined.flags.writeable = False
        return joined

    def empty(self) -> Array:
        """Give an array like it, without rows."""
        return np.empty((0, *self.inner), self.dtype)

    def all(self) -> Array:
        """Read all rows."""
        return self.rows(0, len(self))

    def value(self, row: int) -> Any:
        """Read one row as a Python number."""
        number, rest = divmod(row, self.chunk_rows)
        return self.chunk(number).item(rest)

    def chunk(self, number: int) -> Array:
        """Read the rows of one chunk."""
        kept = self._cache.get(self.extent.path, number)
        if kept is not None:
            chunk: Array = kept
            return chunk
        chunk = self._read(number)
        self._cache.put(self.extent.path, number, chunk, chunk.nbytes)
        return chunk

    def check(self) -> None:
        """Read all chunks, one after the other."""
        for number in range(-(-len(self) // self.chunk_rows)):
            self.chunk(number)

    def _read(self, number: int) -> Array:
        extent = self.extent
        start = number * self.chunk_rows
        stop = min(start + self.chunk_rows, extent.shape[0])
        raw = b""
        if start < extent.stored_rows:
            begin, end = 0, (min(stop, extent.stored_rows) - start) * extent.row_bytes
            if extent.inline is None:
                raw = read_chunk(extent, self._handle, number)
            else:
                raw, begin = extent.inline, start * extent.row_bytes
            raw = raw[begin : begin + end]
        if extent.tail is not None and stop > extent.stored_rows:
            raw += extent.tail.rows(max(start, extent.stored_rows), stop)
        items = math.prod(self.inner)
        chunk = np.frombuffer(raw, extent.dtype, (stop - start) * items)
        chunk = chunk.reshape(stop - start, *self.inner)
        self._check(chunk, number)
        return chunk.view(self.dtype)

    def _check(self, chunk: Array, number: int) -> None:
        """Refuse a chunk, of one row at least, that holds what may not stand there."""
        if self._limits is not None:
            low, high = self._limits
            least, largest = chunk.min(), chunk.max()
            if least < low or largest > high:
                raise CorruptFileError(
                    f"{self.path}: values from {least} to {largest}, expected {low} to {high}"
                )


class Indptr(Column):
    """Where each of n lists starts in one that joins them: n + 1 ascending positions, from 0.

    Parameters
    ----------
    extent, handle, cache
        As of any column.
    total : int
        Length of the joined list, which is the last position.
    """

    __slots__ = ("_total",)

    def __init__(self, extent: Extent, handle: Handle, cache: ChunkCache, *, total: int) -> None:
        super().__init__(extent, handle, cache, limits=(0, total))
        self._total = total

    def range(self, i: int) -> tuple[int, int]:
        """Give the start and stop of list ``i``."""
        start, stop = self.bounds(i, i + 1).tolist()
        return start, stop

    def bounds(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Give the starts of lists ``start`` to ``stop``, and the end of the last one."""
        bounds = self.rows(start, stop + 1)
        # Each chunk ascends; across two of them it is told here.
        if bounds[-1] < bounds[0]:
            raise CorruptFileError(f"{self.path}: goes backwards")
        return bounds

    def find(self, position: int) -> int:
        """Give the list that holds a position, which must be below ``total``."""
        step = self.chunk_rows
        chunks = range(-(-len(self) // step))
        number = bisect_right(chunks, position, key=lambda c: self.value(c * step)) - 1
        inside = int(np.searchsorted(self.chunk(number), position, side="right"))
        return number * step + inside - 1

    def check(self) -> None:
        """Read all chunks, and tell whether each goes on where the one before ended."""
        super().check()
        for row in range(self.chunk_rows, len(self), self.chunk_rows):
            self.bounds(row - 1, row)

    def _check(self, chunk: Array, number: int) -> None:
        super()._check(chunk, number)
        if (chunk[1:] < chunk[:-1]).any():
            raise CorruptFileError(f"{self.path}: goes backwards")
        if number == 0 and chunk[0] != 0:
            raise CorruptFileError(f"{self.path}: begins with {chunk[0]}, expected 0")
        is_last = (number + 1) * self.chunk_rows >= len(self)
        if is_last and chunk[-1] != self._total:
            raise CorruptFileError(f"{self.path}: ends with {chunk[-1]}, expected {self._total}")


class Text:
    """Rows of text.

    Parameters
    ----------
    indptr : Indptr
        Where each row starts.
    data : Column
        The bytes of all rows.
    """

    __slots__ = ("data", "indptr")

    def __init__(self, indptr: Indptr, data: Column) -> None:
        self.indptr = indptr
        self.data = data

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def path(self) -> str:
        """File and dataset, as an error message names them."""
        return self.data.path

    def rows(self, start: int, stop: int) -> list[str]:
        """Read rows ``start`` to ``stop``."""
        bounds = self.indptr.bounds(start, stop).tolist()
        first = bounds[0]
        data = self.data.rows(first, bounds[-1]).tobytes()
        try:
            return [data[begin - first : end - first].decode() for begin, end in pairwise(bounds)]
        except UnicodeDecodeError as error:
            raise CorruptFileError(f"{self.path}: not UTF-8: {error}") from None

    def check(self) -> None:
        """Read all rows, some at a time."""
        self.indptr.check()
        step = self.indptr.chunk_rows
        for start in range(0, len(self), step):
            self.rows(start, min(start + step, len(self)))

    def all(self) -> Array:
        """Read all rows as an array of Python str, where one long row makes no other longer."""
        return np.array(self.rows(0, len(self)), dtype=object)


class NoText:
    """Rows of text that nobody gave.

    Parameters
    ----------
    rows : int
        How many.
    """

    __slots__ = ("_rows",)

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def all(self) -> Array:
        """Give an array of empty text."""
        return np.full(self._rows, "", dtype=object)


AnyColumn = Column | Text | NoText


class MaskBytes:
    """The packed masks of an open file.

    Parameters
    ----------
    extent : Extent
        Where they are.
    handle : Handle
        The file.
    cache : ChunkCache
        Keeps deflated chunks that were read.
    """

    __slots__ = ("_cache", "_handle", "extent")

    def __init__(self, extent: Extent, handle: Handle, cache: ChunkCache) -> None:
        self.extent = extent
        self._handle = handle
        self._cache = cache

    def __len__(self) -> int:
        return self.extent.shape[0]

    def read(self, start: int, stop: int) -> bytes:
        """Read bytes ``start`` to ``stop``, which must not be the same."""
        tail, stored = self.extent.tail, self.extent.stored_rows
        if tail is not None and stop > stored:
            rest = tail.rows(max(start, stored), stop)
            return self.read(start, stored) + rest if start < stored else rest
        step = self.extent.chunk_rows
        number, begin = divmod(start, step)
        if stop <= (number + 1) * step:
            return self._read(number, begin, stop - number * step)
        parts = []
        while start < stop:
            number, begin = divmod(start, step)
            end = min(step, stop - number * step)
            parts.append(self._read(number, begin, end))
            start = number * step + end
        return b"".join(parts)

    def positions(self, indptr: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Tell where in the file each mask stands in one piece as it is; -1 where it does not."""
        extent = self.extent
        starts, lasts = indptr[:-1], np.maximum(indptr[1:] - 1, indptr[:-1])
        if extent.inline is not None or extent.codec is not None:
            return np.full(len(starts), -1)
        numbers = np.minimum(starts // extent.chunk_rows, len(extent.offsets) - 1)
        is_split = (numbers != lasts // extent.chunk_rows) | (lasts >= extent.stored_rows)
        offsets = np.array(extent.offsets)
        return np.where(is_split, -1, offsets[numbers] + starts - numbers * extent.chunk_rows)

    def _read(self, number: int, begin: int, end: int) -> bytes:
        extent = self.extent
        if extent.inline is not None:
            return extent.inline[begin:end]
        if extent.codec is None:
            return self._handle.read(extent.offsets[number] + begin, end - begin)
        chunk = self._cache.get(extent.path, number)
        if chunk is None:
            chunk = read_chunk(extent, self._handle, number)
            self._cache.put(extent.path, number, chunk, len(chunk))
        return bytes(chunk[begin:end])
