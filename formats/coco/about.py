"""What a writer says about the document as a whole: class names and metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from compactmask.errors import FormatError

from . import lines
from .values import text


class About:
    """Class names and metadata, which the user may change at any time.

    Parameters
    ----------
    path : str
        Begins every error message.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.classes: list[str] = []
        self.metadata: dict[str, Any] = {}
        self._noted: tuple[list[str], dict[str, Any]] = [], {}

    def changes(self) -> dict[str, Any] | None:
        """Give both as they are to be noted; None where they were noted so.

        Raises
        ------
        FormatError, TypeError
            Where they are not what a document can say.
        """
        try:
            is_same = self._noted == (self.classes, self.metadata)
        except ValueError:  # Arrays do not compare.
            is_same = False
        if is_same:
            return None
        names = checked_names(self.classes, self._path)
        return {"classes": names, "metadata": checked_metadata(self.metadata, self._path)}

    def noted(self, note: dict[str, Any]) -> None:
        """Tell what was noted."""
        self._noted = note["classes"], note["metadata"]

    def restore(self, note: dict[str, Any]) -> None:
        """Take what was noted."""
        self.noted(note)
        self.classes[:] = note["classes"]
        self.metadata.clear()
        self.metadata.update(json.loads(json.dumps(note["metadata"])))


def checked_names(names: Iterable[str], path: str) -> list[str]:
    """Give class names as a list of str."""
    if isinstance(names, str):
        raise TypeError(f"{path}: classes {names!r}, a list of names expected")
    found = list(names)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{path}: classes: {name!r}, str expected")
    return [str(text(f"{path}: classes: name", name)) for name in found]


def checked_metadata(value: Any, path: str) -> dict[str, Any]:
    """Give a copy of metadata as JSON gives it back, which must be equal."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{path}: metadata {value!r:.60}, a mapping expected")
    copy: dict[str, Any] = json.loads(lines.text(dict(value), f"{path}: metadata"))
    if copy != dict(value):
        raise FormatError(
            f"{path}: metadata: does not come back equal from JSON: tuples become lists, keys text"
        )
    for key, item in copy.items():
        lines.check_depth(item, f"{path}: metadata[{key!r}]")
    return copy
