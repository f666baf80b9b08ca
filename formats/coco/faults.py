"""What is wrong with single annotations: raised, or told and left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compactmask.errors import CompactMaskError, FormatError

from ..source import OnFault
from .compact import Array
from .content import Categories
from .gather import NO_INTEGER
from .instances import name_of
from .stream import Block


class Faults:
    """Names what is wrong by the document and the annotation.

    Parameters
    ----------
    path : str
        The document.
    on_fault : callable, optional
        Called with each error; without, the first is raised.
    """

    def __init__(self, path: str, on_fault: OnFault | None) -> None:
        self.path = path
        self.are_left_out = on_fault is not None
        self._on_fault = on_fault

    def of(self, path: str) -> Faults:
        """Give those of another document."""
        return Faults(path, self._on_fault)

    def tell(self, key: Any, start: int, error: CompactMaskError) -> None:
        """Raise or tell an error of the annotation with an id (None, -1: none) at a byte."""
        self.tell_named(type(error)(f"{self.path}: {name_of(key, start)}: {error}"))

    def tell_named(self, error: CompactMaskError) -> None:
        """Raise or tell an error that names document and annotation."""
        if self._on_fault is None:
            raise error from None
        self._on_fault(error)

    def tell_rows(self, block: Block, id_column: int, errors: dict[int, FormatError]) -> None:
        """Raise or tell the errors of some objects of a block."""
        for row in sorted(errors):
            try:
                key = block.value(row, id_column)
            except FormatError:
                key = None
            self.tell(key, block.base + int(block.spans[row, 0, 0]), errors[row])

    def of_rows(self, ids: Array, starts: Array) -> Rows:
        """Begin to look at annotations, given their ids and where they stand."""
        return Rows(self, ids, starts)


class Rows:
    """Annotations that are looked at together; ``keep`` tells which are good so far."""

    def __init__(self, faults: Faults, ids: Array, starts: Array) -> None:
        self._faults = faults
        self._ids = ids
        self._starts = starts
        self.keep = np.ones(len(ids), np.bool_)

    def refuse(self, wrong: Array, why: Callable[[int], str]) -> None:
        """Refuse those that are wrong, unless they were before."""
        for row in np.flatnonzero(wrong & self.keep).tolist():
            error = FormatError(why(row))
            self._faults.tell(int(self._ids[row]), int(self._starts[row]), error)
            self.keep[row] = False

    def missing(self, key: str, numbers: Array) -> None:
        """Refuse those that lack a key."""
        self.refuse(numbers == NO_INTEGER, lambda _: f"{key} is None, expected an integer")

    def listed(self, numbers: Array, categories: Categories) -> Categories:
        """Refuse those whose category is not listed; where none is, list those that occur."""
        if not len(categories.ids):
            return categories.or_of(numbers[self.keep])
        self.refuse(
            ~np.isin(numbers, categories.ids),
            lambda row: (
                f"category_id {numbers[row]} is not among the {len(categories.ids)} categories"
            ),
        )
        return categories
