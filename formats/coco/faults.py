"""What is wrong with single annotations: raised, or told and left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compactmask.errors import CompactMaskError, FormatError

from ..source import OnFault
from .compact import Array
from .instances import name_of


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

    def tell(self, key: Any, start: int, error: CompactMaskError) -> None:
        """Raise or tell an error of the annotation with an id (None, -1: none) at a byte."""
        self.tell_named(type(error)(f"{self.path}: {name_of(key, start)}: {error}"))

    def tell_named(self, error: CompactMaskError) -> None:
        """Raise or tell an error that names document and annotation."""
        if self._on_fault is None:
            raise error from None
        self._on_fault(error)

    def refuse(
        self, keep: Array, wrong: Array, ids: Array, starts: Array, why: Callable[[int], str]
    ) -> None:
        """Tell what is wrong with rows that are still kept, and keep them no longer."""
        for row in np.flatnonzero(wrong & keep).tolist():
            self.tell(int(ids[row]), int(starts[row]), FormatError(why(row)))
            keep[row] = False
