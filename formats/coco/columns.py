"""A read-only mapping of columns, some of which are made when one of them is taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from .values import Column


class Columns(Mapping[str, Column]):
    """Columns by name.

    Parameters
    ----------
    ready : dict of ndarray
        Columns that are there; they become read-only.
    late : collection of str
        Names of columns that are made when the first of them is taken.
    make : callable, optional
        Makes all late columns at once.
    """

    def __init__(
        self,
        ready: dict[str, Column],
        late: Collection[str] = (),
        make: Callable[[], dict[str, Column]] = dict,
    ) -> None:
        self._columns: dict[str, Column | None] = dict.fromkeys(late)
        self._make = make
        self._add(ready)

    def __getitem__(self, name: str) -> Column:
        column = self._columns[name]
        if column is None:
            self._add(self._make())
            column = self._columns[name]
            assert column is not None
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"Columns({', '.join(self._columns)})"

    def _add(self, columns: dict[str, Column]) -> None:
        for column in columns.values():
            column.flags.writeable = False
        self._columns |= columns
