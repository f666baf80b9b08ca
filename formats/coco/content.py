"""Everything that a COCO document says, as columns and places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from compactmask.errors import FormatError

from .compact import Array
from .images import Images
from .instances import Instances
from .parse import kind_of
from .values import integer


@dataclass(frozen=True)
class Categories:
    """Ids and names of categories, in the document's order; none listed: any id will do."""

    ids: Array
    names: list[str]

    @classmethod
    def parse(cls, path: str, listed: Any) -> Categories:
        """Read what a document lists; None where it lists none."""
        names: dict[int, str] = {}
        if listed is not None and not isinstance(listed, list):
            raise FormatError(f"{path}: 'categories' is {kind_of(listed)}, expected a list")
        for position, item in enumerate(listed or []):
            try:
                if not isinstance(item, dict):
                    raise FormatError(f"found {kind_of(item)}, expected an object")
                key = integer("id", item.get("id"))
                if key in names:
                    raise FormatError(f"id {key} is that of {names[key]!r} too")
                name = item.get("name")
                names[key] = str(key if name is None else name)
            except FormatError as error:
                raise FormatError(f"{path}: categories[{position}]: {error}") from None
        return cls(np.array(list(names), np.int64), list(names.values()))

    def or_of(self, numbers: Array) -> Categories:
        """Give these, or where none are listed those that occur, ascending, named by their ids."""
        if len(self.ids):
            return self
        ids = np.unique(numbers).astype(np.int64)
        return Categories(ids, [str(key) for key in ids.tolist()])


@dataclass(frozen=True)
class Content:
    """A document: what it is, its classes, and the columns of its images and instances.

    ``kind`` is "dataset", "results", ...; ``classes`` are empty where it has no categories.
    """

    kind: str
    classes: list[str]
    images: Images
    instances: Instances
