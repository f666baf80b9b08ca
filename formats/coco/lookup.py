"""Rows by their keys, found in sorted arrays, and mappings over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Entry = dict[str, Any]


class Groups:
    """The rows of each key, in ascending order.

    Parameters
    ----------
    keys : ndarray, shape (n,)
        The key of each row. Those that are no integers are told apart as a dict does.
    """

    def __init__(self, keys: npt.NDArray[Any]) -> None:
        self._codes: dict[Any, int] | None = None
        if keys.dtype.kind not in "iu":
            codes = self._codes = {}
            coded = [codes.setdefault(key, len(codes)) for key in keys.tolist()]
            keys = np.array(coded, np.int64)
        self._order: Rows = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def rows(self, key: Any) -> Rows:
        """Give the rows of a key, none where there is none."""
        sought = self._sought(key)
        if sought is None:
            return self._order[:0]
        start = int(np.searchsorted(self._sorted, sought, side="left"))
        stop = int(np.searchsorted(self._sorted, sought, side="right"))
        return self._order[start:stop]

    def last(self, keys: Sequence[Any]) -> Rows:
        """Give the last row of each of several keys.

        Raises
        ------
        KeyError
            Where there is none of a key.
        """
        if self._codes is None:
            sought = np.asarray(keys)
            if sought.ndim == 1 and sought.dtype.kind == "i":
                at = np.searchsorted(self._sorted, sought, side="right") - 1
                is_found = at >= 0
                is_found[is_found] = self._sorted[at[is_found]] == sought[is_found]
                if not is_found.all():
                    raise KeyError(keys[int(np.argmin(is_found))])
                return self._order[at]
        rows = []
        for key in keys:
            own = self.rows(key)
            if not len(own):
                raise KeyError(key)
            rows.append(own[-1])
        return np.array(rows, np.int64)

    def keys(self) -> list[Any]:
        """Give the keys in the order of their first rows, as plain Python values."""
        if self._codes is not None:
            return list(self._codes)
        is_first = np.ones(len(self._sorted), np.bool_)
        is_first[1:] = self._sorted[1:] != self._sorted[:-1]
        firsts = self._order[is_first]
        keys: list[Any] = self._sorted[is_first][np.argsort(firsts)].tolist()
        return keys

    def __len__(self) -> int:
        return int(np.count_nonzero(self._sorted[1:] != self._sorted[:-1])) + bool(
            len(self._sorted)
        )

    def _sought(self, key: Any) -> Any | None:
        """Give a key as the array has it; None for one that it cannot have."""
        if self._codes is not None:
            return self._codes.get(key)
        if isinstance(key, (int, np.integer)):
            return int(key) if -(1 << 63) <= key < 1 << 63 else None
        if isinstance(key, (float, np.floating)) and key == key // 1:
            return int(key)
        return None


class Table(Protocol):
    """A list of entries of which single columns can be had as arrays."""

    def __len__(self) -> int: ...

    def column(self, name: str) -> npt.NDArray[Any]:
        """Give the values of a key."""

    def load(self, rows: Rows) -> list[Entry]:
        """Give the entries of rows."""


class Lookup:
    """A table, and its rows by the values of its columns, sorted when they are first needed.

    Parameters
    ----------
    table : Table
        Its entries.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._groups: dict[str, Groups] = {}

    def __reduce__(self) -> Any:
        return Lookup, (self.table,)

    def by(self, column: str) -> Groups:
        """Give the rows of each value of a column."""
        if column not in self._groups:
            self._groups[column] = Groups(self.table.column(column))
        return self._groups[column]

    def values(self, column: str, rows: Rows) -> list[Any]:
        """Give the values of a column in some rows."""
        values: list[Any] = self.table.column(column)[rows].tolist()
        return values


class Entries(Mapping[Any, Entry]):
    """Entries by id; each one is made when it is taken.

    Parameters
    ----------
    lookup : Lookup
        Their table.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def __getitem__(self, key: Any) -> Entry:
        rows = self._groups.rows(key)[-1:]
        if not len(rows):
            raise KeyError(key)
        return self._lookup.table.load(rows)[0]

    def __contains__(self, key: object) -> bool:
        return len(self._groups.rows(key)) > 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self._groups.keys())

    def __len__(self) -> int:
        return len(self._groups)

    def take(self, keys: Iterable[Any]) -> list[Entry]:
        """Make the entries of several ids."""
        wanted = list(keys)
        return self._lookup.table.load(self._groups.last(wanted)) if wanted else []

    @property
    def _groups(self) -> Groups:
        return self._lookup.by("id")

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self)}"


class Lists(Mapping[Any, list[Any]]):
    """A list by key, empty for any other key, as ``defaultdict(list)`` has it.

    Parameters
    ----------
    lookup : Lookup
        The table of its items.
    column : str
        Where the keys are.
    items : str, optional
        The column that the items are of; they are entries by default.
    """

    def __init__(self, lookup: Lookup, column: str, items: str | None = None) -> None:
        self._lookup = lookup
        self._column = column
        self._items = items

    def __getitem__(self, key: Any) -> list[Any]:
        found: list[Any] = self.get(key, [])
        return found

    def get(self, key: Any, default: Any = None) -> Any:
        """Give the list of a key, or the default where it has none."""
        rows = self._groups.rows(key)
        if not len(rows):
            return default
        if self._items is None:
            return self._lookup.table.load(rows)
        return self._lookup.values(self._items, rows)

    def __contains__(self, key: object) -> bool:
        return len(self._groups.rows(key)) > 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self._groups.keys())

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def _groups(self) -> Groups:
        return self._lookup.by(self._column)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self)}"
