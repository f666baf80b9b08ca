"""Which of the images and categories that are evaluated those of results are."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from compactmask.errors import FormatError

from ..dataset import SegmentationDataset
from .categories import Categories
from .entry import Entry
from .sequences import check_unique, column_of, image_ids

Array = npt.NDArray[Any]

ENDING = re.compile(
    r"\.(avif|bmp|dcm|dng|exr|gif|hei[cf]|jfif|jp2|jpe?g|mpo|npy|pgm|png|ppm|tiff?|webp)$", re.I
)
"""Of an image's name. Whatever else stands behind a point tells images apart: frames, channels."""


class KnownImages:
    """Images among which others are looked for.

    Parameters
    ----------
    images : iterable of dict
        Entries of ``images``.
    """

    def __init__(self, images: Iterable[Entry]) -> None:
        self.names: dict[Any, str] = {image["id"]: image.get("file_name") or "" for image in images}
        named = [(name, number) for number, name in self.names.items() if name]
        self._by_name = _of_one(named)
        self._by_stem = _of_one((_stem(name), number) for name, number in named)

    def fits(self, number: Any, name: str) -> bool:
        """Tell whether there is an image of an id, and that it is not one of another name."""
        if number not in self.names:
            return False
        own = self.names[number]
        if name in ("", own, number):  # A text is an id first of all.
            return True
        if name in self._by_name:
            return False
        if own and _are_alike(own, name):
            return True
        return _stem(name) not in self._by_stem and (not own or name == str(number))

    def of_name(self, name: str) -> Any:
        """Give the id of the one image that a name fits; None where there is none, or several."""
        if name in self._by_name:
            return self._by_name[name]
        number = self._by_stem.get(_stem(name))
        return number if number is not None and _are_alike(self.names[number], name) else None


class NamedCategories(Categories):
    """Categories of results, which are told by their names where they have no ids.

    A class whose name none of those has that are evaluated, or several, gets an id that none has.

    Parameters
    ----------
    classes, metadata
        As of :class:`Categories`.
    categories : sequence of dict
        Those that are evaluated.
    """

    def __init__(
        self, classes: Sequence[str], metadata: Mapping[str, Any], categories: Sequence[Entry]
    ) -> None:
        super().__init__(classes, metadata)
        ids = [category["id"] for category in categories if isinstance(category["id"], int)]
        self._unused = max(ids, default=0) + 1
        self._by_name = _of_one(
            (category["name"], category["id"])
            for category in categories
            if isinstance(category.get("name"), str)
        )

    def _number(self, class_id: int, name: str | None) -> int:
        if class_id < len(self.classes):
            name = self.classes[class_id]
        if name is None or class_id < len(self._listed()):
            return super()._number(class_id, name)
        number = self._by_name.get(name)
        return number if isinstance(number, int) else self._unused + class_id


def matched(dataset: SegmentationDataset, images: Iterable[Entry]) -> Array:
    """Give the ids that the images of a dataset have among others.

    Those with instances are told by their ids, unless one of them is not there, or is that of an
    image of another name. Then all are told by their names.

    Parameters
    ----------
    dataset : SegmentationDataset
        What was found.
    images : iterable of dict
        Those that are evaluated.

    Raises
    ------
    FormatError
        Where neither ids nor names fit, or two images are the same one.
    """
    known, own, names = KnownImages(images), image_ids(dataset), dataset.images.get("file_name")
    ranges = map(dataset.detection_range, range(len(dataset)))
    used = [image for image, (start, stop) in enumerate(ranges) if start < stop]
    ids = own[used].tolist()
    texts = [""] * len(used) if names is None else names[used].tolist()
    pairs = list(zip(ids, texts, strict=True))
    if not all(known.fits(*pair) for pair in pairs):
        of_names = [known.of_name(name) for name in texts]
        if None in of_names:
            wrong = [at for at, pair in enumerate(pairs) if not known.fits(*pair)]
            at = next((at for at in wrong if of_names[at] is None), wrong[0])
            if ids[at] not in known.names:
                check_images(ids, known.names, f"{dataset.path}: ")
            raise FormatError(
                f"{dataset.path}: image {used[at]} has the id {ids[at]!r} and the file_name "
                f"{texts[at]!r}, image {ids[at]!r} of the current coco set is "
                f"{known.names[ids[at]]!r}: expected all ids to fit, or all names"
            )
        own = own.astype(object)
        own[used] = of_names
    check_unique(own[used], dataset.path)
    return column_of(own.tolist())


def check_images(found: Iterable[Any], known: Container[Any], where: str) -> None:
    """Refuse results of images that are not evaluated."""
    images = dict.fromkeys(found)
    unknown = [number for number in images if number not in known]
    if unknown:
        few = ", ".join(map(repr, unknown[:5]))
        raise FormatError(
            f"{where}Results do not correspond to current coco set: {len(unknown)} of "
            f"{len(images)} images are not in it: {few}{', ...' * (len(unknown) > 5)}"
        )


def _of_one(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Give the number of each name; None where several have it."""
    numbers: dict[Any, Any] = {}
    for name, number in pairs:
        numbers[name] = None if name in numbers else number
    return numbers


def _are_alike(one: str, other: str) -> bool:
    """Tell whether names differ in nothing but their endings and folders before one of them."""
    one, other = ENDING.sub("", one), ENDING.sub("", other)
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")


def _stem(name: str) -> str:
    return ENDING.sub("", name).rpartition("/")[2]
