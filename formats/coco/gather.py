"""The values of known keys, from blocks of objects to columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from compactmask._kernels import json_numbers
from compactmask._kernels.json_scan import KINDS
from compactmask.errors import FormatError

from .compact import Array, Pieces, Places, narrow
from .stream import Block
from .values import NO_BOX, box, integer, number, short, text

NOTHING = KINDS["null"]
"""Kinds up to this one are no value."""
NO_INTEGER = -(1 << 63)
"""Stands for an integer that is not there, where every other one may be."""

Kernel = Callable[[bytes, Array, Array, Array, Array], None]


class Field(NamedTuple):
    """A key that becomes a column.

    ``kernel`` reads what is as usual and marks the rest as odd, ``read`` reads one value of
    those or refuses it; ``missing`` stands for none.
    """

    key: str
    kernel: Kernel
    read: Callable[[str, Any], Any]
    missing: Any
    dtype: type[np.generic]
    shape: tuple[int, ...] = ()


def integer_field(key: str, missing: int) -> Field:
    """Describe a key whose values are integers."""
    return Field(key, json_numbers.integers, integer, missing, np.int64)


def number_field(key: str) -> Field:
    """Describe a key whose values are numbers; NaN stands for none."""
    return Field(key, json_numbers.floats, number, np.nan, np.float64)


def box_field(key: str) -> Field:
    """Describe a key whose values are boxes ``x, y, width, height``, as corners."""
    return Field(key, _boxes, lambda _, value: box(value), NO_BOX[0], np.float64, (4,))


class Keys:
    """Ids of images: all integers, or all texts, which are numbered as they appear."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}
        self._in_order: list[str] = []
        self._has_integers = False

    def field(self, key: str) -> Field:
        """Describe a key whose values are such ids."""
        return Field(key, self._fill, self._read, NO_INTEGER, np.int64)

    def number(self, value: Any) -> int:
        """Give the number of an id."""
        return self._read("id", value)

    def name(self, number: int) -> str:
        """Show the id of a number in a message."""
        return repr(self._in_order[number]) if self.texts else str(number)

    def _fill(self, text: bytes, spans: Array, kinds: Array, out: Array, odd: Array) -> None:
        json_numbers.integers(text, spans, kinds, out, odd)
        are_integers = kinds == KINDS["integer"]
        if self.texts:
            odd[are_integers] = 1
        elif are_integers.any():
            self._has_integers = True

    def _read(self, key: str, value: Any) -> int:
        is_text = isinstance(value, str)
        if self._has_integers if is_text else bool(self.texts):
            raise FormatError(
                f"{key} is {short(value)}, expected all ids to be integers, or all text"
            )
        if is_text:
            if text(key, value) not in self.texts:
                self.texts[value] = len(self.texts)
                self._in_order.append(value)
            return self.texts[value]
        found = integer(key, value)
        self._has_integers = True
        return found


class Gather:
    """Columns of a list of objects, piece by piece.

    Parameters
    ----------
    fields : sequence of Field
        What becomes columns, in the order of the block's columns from 1 on.
    places : sequence of int
        Columns of the blocks whose places are kept, as well as those of the items.
    """

    def __init__(self, fields: Sequence[Field], places: Sequence[int] = ()) -> None:
        self._fields = fields
        self._place_columns = places
        self._columns = [Pieces(field.dtype, field.shape) for field in fields]
        self._starts = Pieces(np.int64)
        self._lengths = Pieces(np.int64)
        self._offsets = [(Pieces(np.int64), Pieces(np.int64)) for _ in places]
        self.present: set[str] = set()

    def add(self, block: Block, on_fault: Callable[[int, FormatError], None]) -> None:
        """Append the objects of a block, all but those that are refused.

        Parameters
        ----------
        block : Block
            Its first columns are the fields.
        on_fault : callable
            Called with the row and error of each object that is refused.
        """
        columns, faults = self.read(block)
        rows = np.arange(len(block.kinds))
        if faults:
            for row in sorted(faults):
                on_fault(row, faults[row])
            rows = np.delete(rows, list(faults))
        self.take(block, columns, rows)

    def read(self, block: Block) -> tuple[list[Array], dict[int, FormatError]]:
        """Give the columns of a block's objects, and the errors of those that are refused."""
        faults: dict[int, FormatError] = {}
        for row in np.flatnonzero(block.kinds[:, 0] != KINDS["object"]).tolist():
            try:
                found = short(block.value(row))
                faults[row] = FormatError(f"found {found}, expected an object")
            except FormatError as error:
                faults[row] = error
        columns = [
            self._read_column(field, block, column, faults)
            for column, field in enumerate(self._fields, 1)
        ]
        return columns, faults

    def take(self, block: Block, columns: list[Array], rows: Array) -> None:
        """Append some rows of what :meth:`read` gave."""
        for field, pieces, values, column in zip(
            self._fields, self._columns, columns, range(1, len(columns) + 1), strict=True
        ):
            pieces.add(values[rows])
            if field.key not in self.present and (block.kinds[rows, column] > NOTHING).any():
                self.present.add(field.key)
        starts = block.spans[rows, 0, 0]
        self._starts.add(starts + block.base)
        self._lengths.add(block.spans[rows, 0, 1] - starts)
        for column, (offsets, lengths) in zip(self._place_columns, self._offsets, strict=True):
            spans = block.spans[rows, column]
            is_there = block.kinds[rows, column] > NOTHING
            offsets.add(np.where(is_there, spans[:, 0] - starts, 0))
            lengths.add(np.where(is_there, spans[:, 1] - spans[:, 0], 0))

    def column(self, key: str) -> Array:
        """Give a column and let go of it."""
        at = [field.key for field in self._fields].index(key)
        return self._columns[at].take()

    def items(self) -> Places:
        """Give where the objects stand, and let go of it."""
        return Places(self._starts.take(), self._lengths.take())

    def values(self, items: Places, which: int = 0) -> Places:
        """Give where the values of a kept column stand (length 0: there is none)."""
        offsets, lengths = self._offsets[which]
        starts = offsets.take()
        return Places(narrow(items.starts.astype(np.int64) + starts), lengths.take())

    @staticmethod
    def _read_column(
        field: Field, block: Block, column: int, faults: dict[int, FormatError]
    ) -> Array:
        n = len(block.kinds)
        values = np.full((n, *field.shape), field.missing, field.dtype)
        odd = np.zeros(n, np.uint8)
        spans = np.ascontiguousarray(block.spans[:, column])
        kinds = np.ascontiguousarray(block.kinds[:, column])
        field.kernel(block.text, spans, kinds, values, odd)
        for row in np.flatnonzero(odd).tolist():
            try:
                values[row] = field.read(field.key, block.value(row, column))
            except FormatError as error:
                faults.setdefault(row, error)
        return values


def _boxes(text: bytes, spans: Array, kinds: Array, out: Array, odd: Array) -> None:
    json_numbers.quadruples(text, spans, kinds, out, odd)
    with np.errstate(all="ignore"):
        out[:, 2:] += out[:, :2]
    there = kinds > NOTHING
    odd[there & ~np.isfinite(out).all(axis=1)] = 1
