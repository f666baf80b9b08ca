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
    store : Store
        Where they go.
    before : Contents, optional
        The file that is continued.
    """

    def __init__(self, path: str, store: Store, before: Contents | None) -> None:
        self._path = path
        self._store = store
        self._given = [] if before is None else before.classes()
        self.classes = self._given
        self.metadata = {} if before is None else before.metadata()

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
        self._keep(value)
        self._metadata = value

    def check(self) -> None:
        """Refuse classes or metadata that cannot be stored."""
        self._good_classes = self._continued(checked_names(self._classes, self._path))
        self._keep(self._metadata)

    def check_changes(self) -> None:
        """Do the same where they have changed."""
        try:
            same = self._classes == self._good_classes and self._metadata == self._good_metadata
        except ValueError:  # Arrays do not compare.
            same = False
        if not same:
            self.check()

    def give(self) -> None:
        """Give the store what it does not have."""
        new = self._good_classes[self._store.n_classes :]
        if new:
            self._given = self._good_classes
            self._store.name_classes(new)
        if self._good_text != self._store.description:
            self._store.describe(self._good_text)

    def _continued(self, names: list[str]) -> list[str]:
        stored = self._given[: self._store.n_classes]
        if names[: len(stored)] != stored:
            raise FormatError(
                f"{self._path}: classes {names}, expected to begin with those that the file has: "
                f"{stored}"
            )
        return [*names]

    def _keep(self, metadata: Any) -> None:
        """Keep a copy that changes no more."""
        self._good_text = json_text(metadata, f"{self._path}: metadata")
        self._good_metadata = json.loads(self._good_text)


def checked_names(names: Iterable[str], path: str) -> list[str]:
    """Give class names as a list, or refuse what is none."""
    if isinstance(names, str):
        raise TypeError(f"{path}: classes: {names!r}, expected an iterable of names")
    return [checked_text(name, path, f"classes[{i}]") for i, name in enumerate(names)]
