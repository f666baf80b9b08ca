"""What images and annotations a document that is written has."""

from __future__ import annotations

from typing import NamedTuple

from compactmask.errors import FormatError

from .seen import Seen, hashed
from .stream import MOST_KEYS


class Added(NamedTuple):
    """The images up to one that is added: taking it twice is as taking it once."""

    id: int
    own_id: int | str
    file_name: str | None
    annotation_ids: list[int | None]
    images: int
    """Number of images with it."""
    instances: int
    """Number of instances with its own."""
    are_unique: bool
    """Whether every annotation has an id that no other has."""
    keys: tuple[frozenset[str], frozenset[str]]
    """Further keys of the annotations and of the image."""


class Register:
    """Ids and names of images, and ids of annotations as long as they are unique."""

    def __init__(self) -> None:
        self.images = self.instances = 0
        self.are_unique = True
        self._ids, self._texts, self._annotation_ids = Seen(), Seen(), Seen()
        self._names, self._pairs = Seen(), Seen()
        self._keys: tuple[set[str], set[str]] = set(), set()

    def has(self, file_name: str | None, number: int | None) -> bool:
        """Tell whether there is an image of a name and an id, where both are given."""
        if file_name is None:
            return number is not None and number in self._ids
        if number is None:
            return hashed(file_name) in self._names
        return hashed(f"{number} {file_name}") in self._pairs

    def free_id(self) -> int:
        """Give the next free id, beginning with the position."""
        number = self.images
        while number in self._ids:
            number += 1
        return number

    def check(self, number: int, own_id: int | str, where: str) -> None:
        """Refuse an id that is there, and texts beside integers.

        Parameters
        ----------
        number : int
            Of the image here.
        own_id : int or str
            Of the image in the document.
        where : str
            Begins the error messages.
        """
        is_text = isinstance(own_id, str)
        if number in self._ids or (isinstance(own_id, str) and hashed(own_id) in self._texts):
            raise FormatError(f"{where}: the document has an image of id {own_id!r}")
        if self.images and is_text != bool(len(self._texts)):
            raise FormatError(
                f"{where}: id {own_id!r}, expected {'integers' if is_text else 'texts'} as before"
            )

    def new_keys(
        self, keys: tuple[frozenset[str], frozenset[str]], where: str
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Give those of an image's further keys that no image had; refuse more than are read.

        Parameters
        ----------
        keys : tuple of frozenset of str
            Those of the annotations and of the image.
        where : str
            Begins the error message.
        """
        for before, own in zip(self._keys, keys, strict=True):
            count = len(before | own)
            if count > MOST_KEYS:
                raise FormatError(
                    f"{where}: {count:,} different further keys with its own, expected "
                    f"{MOST_KEYS:,} at most"
                )
        return keys[0] - self._keys[0], keys[1] - self._keys[1]

    def with_image(
        self,
        number: int,
        own_id: int | str,
        file_name: str | None,
        annotation_ids: list[int | None],
        keys: tuple[frozenset[str], frozenset[str]],
    ) -> Added:
        """Give what :meth:`add` adds."""
        are_unique = (
            self.are_unique
            and len(set(annotation_ids)) == len(annotation_ids)
            and not any(own is None or own in self._annotation_ids for own in annotation_ids)
        )
        return Added(
            number,
            own_id,
            file_name,
            annotation_ids,
            self.images + 1,
            self.instances + len(annotation_ids),
            are_unique,
            keys,
        )

    def add(self, added: Added) -> None:
        """Add an image; where that was interrupted it may be done again."""
        self._ids.add(added.id)
        if isinstance(added.own_id, str):
            self._texts.add(hashed(added.own_id))
        if added.file_name is not None:
            self._names.add(hashed(added.file_name))
            self._pairs.add(hashed(f"{added.id} {added.file_name}"))
        for known, more in zip(self._keys, added.keys, strict=True):
            known |= more
        for own in added.annotation_ids if added.are_unique else ():
            assert own is not None
            self._annotation_ids.add(own)
        self.are_unique = added.are_unique
        if not self.are_unique:
            self._annotation_ids = Seen()
        self.images, self.instances = added.images, added.instances
