"""Everything that a COCO document says, checked and as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError

from . import document
from .annotations import Annotations, OnFault
from .columns import Columns
from .images import Images
from .values import integer


@dataclass(frozen=True)
class Content:
    """A document in RAM: its classes, and the columns of its images and annotations.

    ``kind`` is "dataset" or "results". ``shapes`` are (H, W) of the images, zeros where unknown;
    ``class_ids`` are the annotations' indices into ``classes``.
    """

    kind: str
    classes: list[str]
    metadata: dict[str, Any]
    images: Columns
    shapes: list[tuple[int, int]]
    annotations: Annotations
    class_ids: npt.NDArray[np.int64]

    @classmethod
    def load(cls, path: str, on_fault: OnFault | None) -> Content:
        """Read a document.

        Parameters
        ----------
        path : str
            A JSON file.
        on_fault : callable or None
            As for :meth:`Annotations.parse`.

        Raises
        ------
        FormatError
            Where the file is not COCO JSON, or an annotation contradicts it.
        """
        parsed = document.read(path)
        names = _category_names(path, parsed.categories)
        images = Images(path, parsed.images)
        annotations = Annotations.parse(path, parsed.annotations, images, names.keys(), on_fault)
        category_ids = annotations.columns["category_id"]
        if not names:
            names = {key: str(key) for key in np.unique(category_ids).tolist()}
        return cls(
            kind="results" if parsed.images is None else "dataset",
            classes=list(names.values()),
            metadata=parsed.metadata,
            images=Columns(images.columns()),
            shapes=[images.shape(i) for i in range(len(images))],
            annotations=annotations,
            class_ids=_positions(list(names), category_ids),
        )


def _category_names(path: str, objects: document.Objects) -> dict[int, str]:
    names: dict[int, str] = {}
    for position, item in enumerate(objects):
        try:
            key = integer("id", item.get("id"))
            if key in names:
                raise FormatError(f"id {key} is that of {names[key]!r} too")
            name = item.get("name")
            names[key] = str(key if name is None else name)
        except FormatError as error:
            raise FormatError(f"{path}: categories[{position}]: {error}") from None
    return names


def _positions(ids: Sequence[int], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if not ids:  # and so nothing is wanted
        return wanted
    order = np.argsort(np.array(ids, dtype=np.int64))
    return order[np.searchsorted(ids, wanted, sorter=order)]
