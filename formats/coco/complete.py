"""A document that is complete, as what a conversion goes on with: it may only find all in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from compactmask.errors import FormatError

from ..sink import Loss
from .composing import Style
from .reader import CocoSource

if TYPE_CHECKING:
    from supervision import Detections


class Complete:
    """The images of a document that nothing is appended to; a :class:`~..sink.Sink`.

    Parameters
    ----------
    path : str
        The document.
    style : {"dataset", "results"}
        What it must be; results do not tell images without detections.
    """

    def __init__(self, path: str, style: Style) -> None:
        self.path = path
        self.classes: list[str] = []
        self.metadata: dict[str, Any] = {}
        self.loss = Loss()
        self._style = style
        source = CocoSource(path)
        self._ids = np.sort(source.images["id"])
        source.close()

    def has(self, *, file_name: str | None = None, id: int | None = None) -> bool:
        """Tell whether there is an image of an id."""
        if id is None:
            raise TypeError(f"{self.path}: an id expected")
        at = np.searchsorted(self._ids, id)
        return bool(at < len(self._ids) and self._ids[at] == id)

    def append(
        self,
        detections: Detections,
        file_name: str | None = None,
        image_shape: tuple[int, int] | None = None,
        image_id: int | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        """Refuse an image, but one that results hold nothing of.

        Raises
        ------
        FormatError
            Always, otherwise.
        """
        if len(detections) or self._style == "dataset":
            raise FormatError(
                f"{self.path}: image id {image_id}: the document that is gone on with lacks it, "
                "and is complete: nothing is appended to that"
            )

    def close(self) -> None:
        """Do nothing."""

    def abandon(self) -> None:
        """Do nothing."""
