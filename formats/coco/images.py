"""The images of a COCO document, found by their ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from compactmask.errors import FormatError

from .document import Objects
from .values import UNKNOWN_SHAPE, Column, integer, plain_columns, short, side, text, text_column

KEYS = ("id", "file_name", "height", "width")


class Images:
    """Ids, names and sizes of images, in the document's order.

    Parameters
    ----------
    path : str
        The document, for messages.
    objects : list of dict or None
        The ``images`` of a dataset. None for a list of results, whose images are those that
        its ``image_id`` name, in the order of their first appearance.
    """

    def __init__(self, path: str, objects: Objects | None) -> None:
        self._listed = objects is not None
        self._index: dict[int | str, int] = {}
        self._names: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._further: dict[str, Column] = {}
        for position, item in enumerate(objects or []):
            try:
                self._add(*self._read(item))
            except FormatError as error:
                raise FormatError(f"{path}: images[{position}]: {error}") from None
        if objects:
            self._further = plain_columns(objects, KEYS)

    def __len__(self) -> int:
        return len(self._index)

    def find(self, image_id: Any) -> int:
        """Return the index of the image with an id.

        A list of results adds an image that it has not named before. Its ids may be text, as some
        writers put a file's stem there: all of them or none.
        """
        if self._listed:
            position = self._index.get(integer("image_id", image_id))
            if position is None:
                raise FormatError(f"image_id {image_id} is not among the {len(self)} images")
            return position
        read = text if isinstance(image_id, str) else integer
        key = read("image_id", image_id)
        if key not in self._index:
            if self._index and type(key) is not type(next(iter(self._index))):
                raise FormatError(
                    f"image_id is {short(image_id)}, expected all ids to be integers, or all text"
                )
            self._add(key, key if isinstance(key, str) else "", UNKNOWN_SHAPE)
        return self._index[key]

    def shape(self, index: int) -> tuple[int, int]:
        """Return ``(H, W)``, zeros where it is not known."""
        return self._sizes[index]

    def set_shape(self, index: int, shape: tuple[int, int]) -> None:
        """Set ``(H, W)`` of an image whose size the document does not give by itself."""
        self._sizes[index] = shape

    def columns(self) -> dict[str, Column]:
        """Return ``id``, ``file_name`` ("" for none), ``height``, ``width`` and further columns.

        Where the document's ids are text, that is the file name, and the id is the position.
        """
        ids = list(self._index)
        positions = any(isinstance(key, str) for key in ids)
        sizes = np.array(self._sizes, dtype=np.int32).reshape(-1, 2)
        return {
            "id": np.array(range(len(ids)) if positions else ids, dtype=np.int64),
            "file_name": text_column(self._names),
            "height": sizes[:, 0].copy(),
            "width": sizes[:, 1].copy(),
            **self._further,
        }

    def _add(self, key: int | str, name: str, size: tuple[int, int]) -> None:
        if key in self._index:
            raise FormatError(f"id {key} is that of images[{self._index[key]}] too")
        self._index[key] = len(self._index)
        self._names.append(name)
        self._sizes.append(size)

    @staticmethod
    def _read(item: dict[str, Any]) -> tuple[int, str, tuple[int, int]]:
        name = text("file_name", item.get("file_name") or "")
        height, width = (side(key, item.get(key)) for key in ("height", "width"))
        if (height == 0) != (width == 0):
            raise FormatError(f"height is {height} and width is {width}, expected both or none")
        return integer("id", item.get("id")), name, (height, width)
