"""A document that is complete, as what a conversion goes on with: it may only find all in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from compactmask.errors import FormatError

from ..sink import Loss
from .composing import ID_TEXT, Image, Style
from .reader import CocoSource

if TYPE_CHECKING:
    from supervision import Detections


RESULTS = "COCO JSON, results"


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
        self.metadata: dict[str, Any] = {}
        self.loss = Loss()
        self._style = style
        source = CocoSource(path)
        is_results = source.about["format"] == RESULTS
        if is_results != (style == "results"):
            found = "results" if is_results else "a dataset"
            raise FormatError(f"{path}: {found}, expected what is gone on with: {style}")
        self.classes = [] if is_results else source.classes
        columns = source.images
        self._places = {key: i for i, key in enumerate(columns["id"].tolist())}
        self._names = None if is_results else columns["file_name"]
        texts = columns.get(ID_TEXT)
        self._texts = (
            None if texts is None else {_own_id({ID_TEXT: text}): i for i, text in enumerate(texts)}
        )
        ranges = map(source.detection_range, range(source.n_images))
        self._counts = [stop - start for start, stop in ranges]
        self._others = set(range(source.n_images))
        source.close()

    def has(self, *, file_name: str | None = None, id: int | None = None) -> bool:
        """Tell whether there is an image of an id, and where names are told of a file name.

        Results whose ids are text know images by that, as their file name.
        """
        return self._place(file_name, id) is not None

    def check(self, instances: int, *, file_name: str | None = None, id: int | None = None) -> None:
        """Refuse an image that is there, but not with as many instances as the source has.

        Raises
        ------
        FormatError
            Where it is so.
        """
        place = self._place(file_name, id)
        if place is not None:
            self._check_count(place, instances, id)

    def append(
        self,
        detections: Detections,
        file_name: str | None = None,
        image_shape: tuple[int, int] | None = None,
        image_id: int | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        """Refuse an image, but one that is there by an id that is text, or results say nothing of.

        Raises
        ------
        FormatError
            Always, otherwise.
        """
        place = None if self._texts is None else self._texts.get(_own_id(columns or {}))
        if place is not None:
            self._check_count(place, len(detections), image_id)
        elif len(detections) or self._style == "dataset":
            raise FormatError(
                f"{self.path}: image id {image_id}: the document that is gone on with lacks it, "
                "and is complete: nothing is appended to that"
            )

    def close(self) -> None:
        """Refuse a document that has images of something else.

        Raises
        ------
        FormatError
            Where one was neither checked nor appended.
        """
        if self._others:
            key = list(self._places)[min(self._others)]
            raise FormatError(
                f"{self.path}: {len(self._others)} of its images, such as that of id {key}, are "
                "not in the source: expected what is gone on with to be of that"
            )

    def abandon(self) -> None:
        """Do nothing."""

    def _place(self, file_name: str | None, id: int | None) -> int | None:
        """Give the position of an image; None where it is not there."""
        if self._texts is not None and self._names is None:
            return None if file_name is None else self._texts.get(file_name)
        place = None if id is None else self._places.get(id)
        if place is None or file_name is None or self._names is None:
            return place
        return place if self._names[place] == file_name else None

    def _check_count(self, place: int, instances: int, image_id: int | None) -> None:
        self._others.discard(place)
        if self._counts[place] != instances:
            raise FormatError(
                f"{self.path}: image id {image_id}: it has {instances} instances, in the document "
                f"that is gone on with {self._counts[place]}, and that is complete"
            )


def _own_id(columns: Mapping[str, Any]) -> int | str:
    """Give the text that is an image's id; a number that says nothing where it is none."""
    return Image(-1, None, None, columns).own_id
