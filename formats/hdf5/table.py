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

    def __init__(self, path: str, dtype: np.dtype[Any], inner: tuple[int, ...], codec: str) -> None:
        self.dtype = dtype
        is_bool = dtype.kind == "b"
        stored = schema.U8 if is_bool else dtype
        chunk_rows = schema.chunk_rows(math.prod(inner) * stored.itemsize)
        self.stream = Stream(
            path, stored, inner, chunk_rows=chunk_rows, codec=codec, is_bool=is_bool
        )

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
        if self.bytes.rows:
            self.add([0] * rows, b"")
        else:
            self.indptr.append_zeros(rows)

    def streams(self) -> Iterator[Stream]:
        """Give what is stored."""
        yield self.indptr
        yield self.bytes


class Text(Ragged):
    """A column of text, stored as UTF-8."""

    __slots__ = ()

    def __init__(self, path: str, codec: str) -> None:
        super().__init__(
            indptr_stream(f"{path}/indptr", codec),
            Stream(f"{path}/bytes", schema.U8, chunk_rows=schema.TEXT_CHUNK_BYTES, codec=codec),
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
    zeros or "". Of a column that has been given without rows only, the dtype is still open: it
    is the first one that was proposed until there are rows.

    Parameters
    ----------
    path : str
        The group.
    codec : str
        What its columns are compressed with.
    """

    __slots__ = ("_codec", "changes", "columns", "open", "path", "rows")

    def __init__(self, path: str, codec: str) -> None:
        self.path = path
        self.rows = 0
        self.columns: dict[str, Numbers | Text] = {}
        self.open: set[str] = set()
        """The columns whose dtype is open."""
        self.changes = 0
        """How often there was another set of columns."""
        self._codec = codec

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
        if len(self.columns.keys() | values.keys()) > schema.MAX_COLUMNS:
            raise FormatError(f"{where}: more than {schema.MAX_COLUMNS} columns in {self.path}")
        if not rows:
            return dict(values)
        fitted: dict[str, Any] = {}
        for name, column_values in values.items():
            column = self.columns.get(name)
            if column is None or name in self.open:
                column = self._column(name, column_values)
            fitted[name] = column.fit(column_values, f"{where}: {name}")
        return fitted

    def take(self, fitted: Mapping[str, Any], rows: int) -> None:
        """Add rows that :meth:`fit` gave."""
        columns = self.columns
        for name, values in fitted.items():
            if not rows:
                self.propose(name, values)
            elif name in columns and name not in self.open:
                columns[name].take(values)
            else:
                self.begin(name, values).take(values)
        if rows and len(columns) > len(fitted):
            for name in columns.keys() - fitted.keys():
                columns[name].skip(rows)
        self.rows += rows

    def begin(self, name: str, values: Values) -> Numbers | Text:
        """Give a column, which begins with the kind of these values where its dtype was open."""
        if name not in self.columns or name in self.open:
            self.columns[name] = self._column(name, values)
            self.columns[name].skip(self.rows)
            self.open.discard(name)
            self.changes += 1
        return self.columns[name]

    def propose(self, name: str, values: Values) -> None:
        """Begin a column that has no rows yet; the first proposal holds until it has some."""
        if name not in self.columns:
            for stream in self.begin(name, values).streams():
                stream.is_open = True
            self.open.add(name)

    def streams(self) -> Iterator[Stream]:
        """Give what is stored."""
        for column in self.columns.values():
            yield from column.streams()

    def _column(self, name: str, values: Values) -> Numbers | Text:
        path = f"{self.path}/{name}"
        if isinstance(values, list):
            return Text(path, self._codec)
        return Numbers(path, values.dtype, values.shape[1:], self._codec)


def indptr_stream(path: str, codec: str) -> Stream:
    """Give an empty stream of starts."""
    rows = schema.chunk_rows(schema.I64.itemsize)
    return Stream(path, schema.I64, chunk_rows=rows, codec=codec)


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
