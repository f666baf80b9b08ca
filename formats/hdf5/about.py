"""What a writer says about the dataset as a whole: class names and metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from compactmask.errors import FormatError

from .contents import Contents
from .rows import checked_text, json_text
from .store import Store


class About:
    """Class names, to which more may be added, and metadata, which may change.

    Both are the user's own objects, which he may change at any time; what is stored is the last
    state of them that was found to be good.

    Parameters
    ----------
    path : str
        Begins every error message.
    before : Contents, optional
        The file that is continued.
    """

    def __init__(self, path: str, before: Contents | None) -> None:
        self._path = path
        self._stored_classes = [] if before is None else before.classes()
        self.classes = self._stored_classes
        self.metadata = {} if before is None else before.metadata()
        self._stored_text = self._text()

    @property
    def classes(self) -> list[str]:
        """Class names; ``class_id`` is the index into them."""
        return self._classes

    @classes.setter
    def classes(self, names: Iterable[str]) -> None:
        classes = checked_names(names, self._path)
        self._good_classes = self._continued(classes)
        self._classes = classes

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself; must be JSON."""
        return self._metadata

    @metadata.setter
    def metadata(self, value: dict[str, Any]) -> None:
        self._good_metadata = self._copied(value)
        self._metadata = value

    def check(self) -> None:
        """Refuse classes or metadata that cannot be stored."""
        self._good_classes = self._continued(checked_names(self._classes, self._path))
        self._good_metadata = self._copied(self._metadata)

    def check_changes(self) -> None:
        """Do the same where they have changed."""
        try:
            same = self._classes == self._good_classes and self._metadata == self._good_metadata
        except ValueError:  # Arrays do not compare.
            same = False
        if not same:
            self.check()

    def give(self, store: Store) -> None:
        """Add to a store what it does not have."""
        new = self._good_classes[len(self._stored_classes) :]
        if new:
            store.name_classes(new)
        text = self._text()
        if text != self._stored_text:
            store.describe(text)

    def settle(self) -> None:
        """Note that the store has it all."""
        self._stored_classes, self._stored_text = self._good_classes, self._text()

    def _continued(self, names: list[str]) -> list[str]:
        if names[: len(self._stored_classes)] != self._stored_classes:
            raise FormatError(
                f"{self._path}: classes {names}, expected to begin with those that the file has: "
                f"{self._stored_classes}"
            )
        return [*names]

    def _copied(self, value: Any) -> dict[str, Any]:
        copy: dict[str, Any] = json.loads(json_text(value, f"{self._path}: metadata"))
        return copy

    def _text(self) -> str:
        return json_text(self._good_metadata, f"{self._path}: metadata")


def checked_names(names: Iterable[str], path: str) -> list[str]:
    """Give class names as a list, or refuse what is none."""
    if isinstance(names, str):
        raise TypeError(f"{path}: classes: {names!r}, expected an iterable of names")
    return [checked_text(name, path, f"classes[{i}]") for i, name in enumerate(names)]
