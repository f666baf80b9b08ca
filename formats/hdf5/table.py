"""Columns of equal length that grow together, and the streams that they are stored as."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError, ShapeMismatchError

from . import schema
from .rows import Values
from .stream import Stream

Array = npt.NDArray[Any]


class Numbers:
    """A column of numbers or bools; its dtype is that of its first rows."""

    __slots__ = ("dtype", "stream")

    def __init__(self, path: str, dtype: np.dtype[Any], inner: tuple[int, ...]) -> None:
        self.dtype = dtype
        is_bool = dtype.kind == "b"
        stored = schema.U8 if is_bool else dtype
        chunk_rows = schema.chunk_rows(math.prod(inner) * stored.itemsize)
        self.stream = Stream(path, stored, inner, chunk_rows=chunk_rows, is_bool=is_bool)

    def fit(self, values: Values, where: str) -> Array:
        """Convert values to the column's dtype, which must hold each of them exactly."""
        if isinstance(values, list):
            raise FormatError(f"{where}: text, the column holds {self.dtype}")
        if values.shape[1:] != self.stream.inner:
            raise ShapeMismatchError(
                f"{where}: rows of shape {values.shape[1:]}, the column has {self.stream.inner}"
            )
        if values.dtype == self.dtype:
            return values
        fitted = _cast(values, self.dtype)
        inexact = _different(values, fitted)
        if inexact.any():
            raise FormatError(
                f"{where}: {values[inexact].flat[0]!s} ({values.dtype}) is not exact in the "
                f"column's dtype {self.dtype}"
            )
        return fitted

    def take(self, values: Any) -> None:
        """Add rows that :meth:`fit` gave."""
        self.stream.append(values)

    def skip(self, rows: int) -> None:
        """Add rows that the image does not have."""
        self.stream.append_zeros(rows)

    def streams(self) -> Iterator[Stream]:
        """Give what is stored."""
        yield self.stream


class Ragged:
    """A column of byte strings: bytes back to back, and where each row starts in them."""

    __slots__ = ("bytes", "indptr")

    def __init__(self, indptr: Stream, data: Stream) -> None:
        self.indptr = indptr
        self.bytes = data
        self.indptr.append_zeros(1)

    def add(self, lengths: Sequence[int], data: bytes | memoryview) -> None:
        """Add rows of these lengths."""
        ends = accumulate(lengths, initial=self.bytes.rows)
        next(ends)
        self.indptr.append(np.fromiter(ends, schema.I64, len(lengths)))
        self.bytes.append_bytes(data)

    def skip(self, rows: int) -> None:
        """Add empty rows."""
        self.add([0] * rows, b"")

    def streams(self) -> Iterator[Stream]:
        """Give what is stored."""
        yield self.indptr
        yield self.bytes


class Text(Ragged):
    """A column of text, stored as UTF-8."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(
            indptr_stream(f"{path}/indptr"),
            Stream(f"{path}/bytes", schema.U8, chunk_rows=schema.TEXT_CHUNK_BYTES),
        )

    def fit(self, values: Values, where: str) -> list[str]:
        """Check that the values are text."""
        if not isinstance(values, list):
            raise FormatError(f"{where}: {values.dtype}, the column holds text")
        return values

    def take(self, values: Any) -> None:
        """Add rows that :meth:`fit` gave."""
        encoded = [text.encode() for text in values]
        self.add([len(text) for text in encoded], b"".join(encoded))


class Table:
    """A group of columns with a row for each image, or for each instance.

    A column begins with its first rows; rows before it, and rows of images that lack it, are
    zeros or "". Of a column that has been given without rows only, the dtype is still open.

    Parameters
    ----------
    path : str
        The group.
    """

    __slots__ = ("_open", "columns", "path", "rows")

    def __init__(self, path: str) -> None:
        self.path = path
        self.rows = 0
        self.columns: dict[str, Numbers | Text] = {}
        self._open: dict[str, Values] = {}

    def fit(self, values: Mapping[str, Values], rows: int, where: str) -> dict[str, Any]:
        """Check that rows fit, and convert them. The table does not change.

        Parameters
        ----------
        values : mapping
            A column for each name.
        rows : int
            Length of each.
        where : str
            Begins every error message.
        """
        if len(self.columns.keys() | self._open.keys() | values.keys()) > schema.MAX_COLUMNS:
            raise FormatError(f"{where}: more than {schema.MAX_COLUMNS} columns in {self.path}")
        fitted: dict[str, Any] = {}
        for name, column_values in values.items():
            column = self.columns.get(name)
            if rows and column is None:
                column = self._column(name, column_values)
            if rows and column is not None:
                column_values = column.fit(column_values, f"{where}: {name}")
            fitted[name] = column_values
        return fitted

    def take(self, fitted: Mapping[str, Any], rows: int) -> None:
        """Add rows that :meth:`fit` gave."""
        for name, values in fitted.items():
            if rows:
                self._open.pop(name, None)
                self.begin(name, values).take(values)
            else:
                self.propose(name, values)
        if rows:
            for name in self.columns.keys() - fitted.keys():
                self.columns[name].skip(rows)
        self.rows += rows

    def begin(self, name: str, values: Values) -> Numbers | Text:
        """Give a column, which begins with the kind of these values where it did not exist."""
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = self._column(name, values)
            column.skip(self.rows)
        return column

    def propose(self, name: str, values: Values) -> None:
        """Note the kind of a column that has no rows yet; the first proposal holds."""
        if name not in self.columns:
            self._open.setdefault(name, values)

    def settle(self) -> None:
        """Begin the columns that are still open, with the kind that was proposed."""
        for name, values in self._open.items():
            self.begin(name, values)
        self._open.clear()

    def streams(self) -> Iterator[Stream]:
        """Give what is stored."""
        for column in self.columns.values():
            yield from column.streams()

    def _column(self, name: str, values: Values) -> Numbers | Text:
        path = f"{self.path}/{name}"
        if isinstance(values, list):
            return Text(path)
        return Numbers(path, values.dtype, values.shape[1:])


def indptr_stream(path: str) -> Stream:
    """Give an empty stream of starts."""
    return Stream(path, schema.I64, chunk_rows=schema.chunk_rows(schema.I64.itemsize))


def _cast(values: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(all="ignore"):
        return values.astype(dtype)


def _different(values: Array, cast: Array) -> npt.NDArray[np.bool_]:
    """Tell which values a cast has changed."""
    different = np.asarray(_cast(cast, values.dtype) != values)
    kinds = values.dtype.kind, cast.dtype.kind
    if kinds == ("f", "f"):
        different &= ~(np.isnan(values) & np.isnan(cast))
    elif "f" in kinds:  # Beyond this the result of a cast is not the same on every machine.
        different |= (values > 2**53) | (values < -(2**53))
    else:
        different |= (values < 0) != (cast < 0)
    return different
