"""Keys of objects that this package gives no meaning to: they become columns of their names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compactmask._kernels.json_scan import KINDS
from compactmask.errors import CorruptFileError, FormatError

from . import stream
from .compact import Array, Places, text_column
from .file import Bytes
from .parse import loads
from .values import real, text

JSON = ":json"
"""Ends the name of a column that holds values as JSON text, "" where an object lacks the key."""

INTEGER, FLOAT, BOOLEAN, TEXT, BEYOND_FLOAT = (
    KINDS[kind] for kind in ("integer", "float", "boolean", "text", "beyond float")
)
PLAIN: Mapping[int, type[Any]] = {
    BOOLEAN: np.bool_,
    INTEGER: np.int64,
    INTEGER | BEYOND_FLOAT: np.int64,
    FLOAT: np.float64,
    INTEGER | FLOAT: np.float64,
    TEXT: object,
}
BATCH = 1 << 20
"""Bytes of objects that are read at once."""


class FurtherKeys:
    """The further keys of the objects of a list, read from the document when they are used.

    Parameters
    ----------
    path : str
        The document, for messages.
    file : Bytes
        Its bytes.
    items : Places
        Where the objects stand.
    images : ndarray of int
        The image of each, by which ``file`` finds its document.
    found : mapping
        What further keys there are, and what kinds their values have.
    count : int
        Objects in which they were looked for, also those that are left out.
    taken : frozenset of str
        Names that other columns have.
    """

    def __init__(
        self,
        path: str,
        file: Bytes,
        items: Places,
        images: Array,
        found: Mapping[str, stream.Further],
        count: int,
        taken: frozenset[str],
    ) -> None:
        self._path = path
        self._file = file
        self.items = items
        self._images = images
        self.keys: dict[str, tuple[str, type[Any] | None]] = {}
        """Column names, and their keys and dtypes."""
        for key, (n, kinds) in found.items():
            dtype = PLAIN.get(kinds) if n == count and key and key not in taken else None
            name = f"{key}{JSON}" if dtype is None or key.endswith(JSON) else key
            self.keys[name] = key, dtype if name == key else None

    @classmethod
    def of_keys(
        cls,
        path: str,
        file: Bytes,
        items: Places,
        images: Array,
        keys: dict[str, tuple[str, type[Any] | None]],
    ) -> FurtherKeys:
        """Make them of keys whose columns were decided before."""
        result = cls(path, file, items, images, {}, 0, frozenset())
        result.keys = keys
        return result

    def columns(self, rows: Array, names: list[str] | None = None) -> dict[str, Array]:
        """Read the columns of some objects.

        Parameters
        ----------
        rows : ndarray of int
            Which objects.
        names : list of str, optional
            Which columns; all by default.
        """
        chosen = self.keys if names is None else {name: self.keys[name] for name in names}
        values: dict[str, list[Any]] = {name: [] for name in chosen}
        for item in self._objects(rows) if chosen else ():
            for name, (key, dtype) in chosen.items():
                values[name].append(self._value(item, key, dtype))
        return {
            name: text_column(values[name])
            if dtype is None or dtype is object
            else np.array(values[name], dtype)
            for name, (_, dtype) in chosen.items()
        }

    def _value(self, item: dict[str, Any], key: str, dtype: type[Any] | None) -> Any:
        if dtype is None:
            return _text(item[key]) if key in item else ""
        value = item.get(key)
        if dtype is object:
            return self._checked(key, value)
        return real(value) if dtype is np.float64 and isinstance(value, int) else value

    def _checked(self, key: str, value: Any) -> str:
        try:
            return text(key, value)
        except FormatError as error:
            raise FormatError(f"{self._path}: {error}") from None

    def _objects(self, rows: Array) -> Iterator[dict[str, Any]]:
        """Read objects, those that stand behind each other at once."""
        bounds = self.items.bounds(rows)
        images = self._images[rows].tolist()
        at = 0
        while at < len(bounds):
            start, stop = bounds[at]
            last = at + 1
            while (
                last < len(bounds)
                and images[last] == images[at]
                and stop <= bounds[last][0] <= stop + 64
                and bounds[last][1] - start <= BATCH
            ):
                stop = bounds[last][1]
                last += 1
            self._file.check(images[at])
            data = self._file.read(images[at], start, stop)
            for first, end in bounds[at:last]:
                yield self._object(data[first - start : end - start], first)
            at = last

    def _object(self, text: bytes, start: int) -> dict[str, Any]:
        try:
            value = loads(text)
            if isinstance(value, dict):
                return value
        except ValueError as error:
            raise CorruptFileError(
                f"{self._path}: not JSON: {error}, in the object at byte {start}"
            ) from None
        raise CorruptFileError(f"{self._path}: no object at byte {start} any more")


def _text(value: Any) -> str:
    """Write a value as JSON; half characters are escaped as they were."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, separators=(",", ":"))
    return text
