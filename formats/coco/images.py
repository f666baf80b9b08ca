"""The images of a COCO document, found by their ids."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from compactmask._kernels import json_numbers
from compactmask.errors import FormatError

from .compact import Array, Texts, positions, text_column
from .file import JsonFile
from .further import JSON, FurtherKeys
from .gather import NO_INTEGER, Field, Gather, Keys
from .stream import Further, Stream
from .values import LONGEST_SIDE, integer, side, sides, text

COLUMNS = frozenset({"id", "file_name", "height", "width"})
AS_IT_IS = re.compile(rb'"[ !#-\[\]-\x7f]*"')
"""A JSON string whose text is what stands there."""


@dataclass
class Images:
    """Ids, names and sizes of images, in the document's order.

    ``numbers`` are what annotations name them by: ids, or of ids that are text their numbers.
    ``columns`` are further ones by name, ``further`` those that are read from the document.
    """

    ids: Array
    numbers: Array
    names: Texts
    heights: Array
    widths: Array
    columns: dict[str, Array] = field(default_factory=dict)
    further: FurtherKeys | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def shape(self, i: int) -> tuple[int, int]:
        """Return ``(H, W)``, zeros where it is not known."""
        return int(self.heights[i]), int(self.widths[i])

    def set_shape(self, i: int, shape: tuple[int, int]) -> None:
        """Set ``(H, W)`` of an image whose size the document does not give by itself."""
        self.heights[i], self.widths[i] = shape

    def find(self, numbers: Array) -> Array:
        """Give the position of each number, -1 where no image has it."""
        return positions(self.numbers, numbers)

    def mapping(self) -> dict[str, Callable[[], Array]]:
        """Give what reads each column."""
        columns: dict[str, Callable[[], Array]] = {
            "id": self.ids.copy,
            "file_name": self.names.column,
            "height": self.heights.copy,
            "width": self.widths.copy,
        }
        columns |= {name: column.copy for name, column in self.columns.items()}
        if self.further is not None:
            columns |= {name: partial(self._further, name) for name in self.further.keys}
        return columns

    def _further(self, name: str) -> Array:
        assert self.further is not None
        return self.further.columns(np.arange(len(self)), [name])[name]


def of_numbers(numbers: Array, keys: Keys) -> Images:
    """Make the images that results name, in the order of their first appearance."""
    distinct, first = np.unique(numbers, return_index=True)
    numbers = distinct[np.argsort(first)].astype(np.int64)
    n = len(numbers)
    texts = list(keys.texts)
    return Images(
        ids=np.arange(n) if texts else numbers,
        numbers=numbers,
        names=Texts(texts[i] for i in numbers.tolist()) if texts else Texts([""] * n),
        heights=np.zeros(n, np.int32),
        widths=np.zeros(n, np.int32),
        columns=_id_texts(numbers, keys),
    )


def read(stream: Stream, file: JsonFile, keys: Keys) -> Images:
    """Read the list ``images`` of a dataset.

    Parameters
    ----------
    stream : Stream
        Stands before it.
    file : JsonFile
        The document, for further keys.
    keys : Keys
        The ids of images.

    Raises
    ------
    FormatError
        Where one is not what COCO.md says.
    """
    if not stream.begin_list("images"):
        empty = np.empty(0, np.int64)
        return Images(empty, empty, Texts([]), *np.empty((2, 0), np.int32))
    fields = [
        keys.field("id"),
        Field("height", _sides, side, 0, np.int64),
        Field("width", _sides, side, 0, np.int64),
    ]
    gather = Gather(fields)
    further: dict[str, Further] = {}
    names = _names(stream, gather, further)
    heights, widths = gather.column("height"), gather.column("width")
    numbers = gather.column("id").astype(np.int64)
    _check_sizes(stream.path, heights, widths)
    n = len(numbers)
    _check_ids(stream.path, numbers, keys)
    further.pop("file_name", None)
    return Images(
        ids=np.arange(n) if keys.texts else numbers,
        numbers=numbers,
        names=names,
        heights=heights.astype(np.int32),
        widths=widths.astype(np.int32),
        columns=_id_texts(numbers, keys),
        further=FurtherKeys(
            stream.path, file, gather.items(), np.zeros(n, np.int8), further, n, COLUMNS
        ),
    )


def single(path: str, objects: list[dict[str, Any]]) -> Images:
    """Make images of what SA-1B says of the image of each document."""
    ids, names, sizes = [], [], []
    for item in objects:
        try:
            ids.append(integer("image_id", item.get("image_id")))
            names.append(_name(item.get("file_name")))
            sizes.append(sides(item))
        except FormatError as error:
            raise FormatError(f"{path}: image: {error}") from None
    heights, widths = np.array(sizes, np.int32).reshape(-1, 2).T
    numbers = np.array(ids, np.int64)
    return Images(numbers, numbers, Texts(names), heights.copy(), widths.copy())


def _names(stream: Stream, gather: Gather, further: dict[str, Further]) -> Texts:
    """Gather the columns of all images, and give their names."""
    names = Texts()
    keys = ["id", "height", "width", "file_name"]

    def refuse(row: int, error: FormatError) -> None:
        raise FormatError(f"{stream.path}: images[{len(names) + row}]: {error}") from None

    for block in stream.items(keys, further):
        gather.add(block, refuse)
        found = []
        for row, (start, stop) in enumerate(block.spans[:, len(keys)].tolist()):
            raw = block.text[start:stop]
            if AS_IT_IS.fullmatch(raw):
                found.append(raw[1:-1])
            else:
                try:
                    value = block.value(row, len(keys))
                    found.append(_name(value).encode())
                except FormatError as error:
                    refuse(row, error)
        names.add(found)
    return names


def _id_texts(numbers: Array, keys: Keys) -> dict[str, Array]:
    """Give the column of ids that are text."""
    if not keys.texts:
        return {}
    texts = list(keys.texts)
    shown = [json.dumps(texts[i], ensure_ascii=False) for i in numbers.tolist()]
    return {f"id{JSON}": text_column(shown)}


def _name(value: Any) -> str:
    return "" if value is None else text("file_name", value)


def _sides(text: bytes, spans: Array, kinds: Array, out: Array, odd: Array) -> None:
    json_numbers.integers(text, spans, kinds, out, odd)
    odd[(out < 0) | (out > LONGEST_SIDE)] = 1


def _check_sizes(path: str, heights: Array, widths: Array) -> None:
    wrong = np.flatnonzero((heights == 0) != (widths == 0))
    if len(wrong):
        i = int(wrong[0])
        raise FormatError(
            f"{path}: images[{i}]: height is {heights[i]} and width is {widths[i]}, "
            "expected both or none"
        )


def _check_ids(path: str, numbers: Array, keys: Keys) -> None:
    missing = np.flatnonzero(numbers == NO_INTEGER)
    if len(missing):
        raise FormatError(f"{path}: images[{missing[0]}]: id is None, expected an integer")
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(same):
        first, second = order[same[0]], order[same[0] + 1]
        raise FormatError(
            f"{path}: images[{second}]: id {keys.name(int(numbers[second]))} is that of "
            f"images[{first}] too"
        )
