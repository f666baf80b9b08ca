"""The writer of a folder as SA-1B has it: a JSON file for each image."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex

from compactmask.errors import CompactMaskError, FormatError

from ..folder_sink import FolderSink, Mode
from ..listing import looking_at
from ..sink import Loss
from . import lines
from .checked import checked_fields
from .entry import Entry, Instances, image_entry
from .file import JsonFile
from .sa1b import ENDINGS
from .stream import Stream

if TYPE_CHECKING:
    from supervision import Detections

    from compactmask.mask import CompactMask

NOT_READ = ("class_id", "category_id")
"""What SA-1B has no place for, though a further key may say it."""


def create_folder(folder: str | os.PathLike[str], mode: Mode = "x") -> Sa1bSink:
    """Create a folder of SA-1B documents to append to, or go on with one.

    Parameters
    ----------
    folder : path-like
        Where to; made where it is not there, its parent must be.
    mode : {"x", "w", "a"}
        "x" refuses a folder that holds anything. "w" removes every other ``.json`` and
        ``.json.gz`` that would be read with them, those in sub-folders too. "a" goes on.

    Returns
    -------
    Sa1bSink
        To be used in a ``with`` statement.

    Raises
    ------
    FileExistsError
        Where the folder holds anything, with "x".

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> from compactmask.formats import coco
    >>> folder = getfixture("tmp_path") / "sa_000020"
    >>> mask = cm.CompactMask.from_dense(np.ones((1, 6, 8), bool))
    >>> found = sv.Detections(
    ...     xyxy=np.array([[0.0, 0, 7, 5]]), mask=mask, data={"predicted_iou": np.array([0.9])}
    ... )
    >>> with coco.create_folder(folder) as out:
    ...     out.append(found, file_name="sa_223750.jpg", image_id=223750)
    >>> with coco.open(folder) as ds:
    ...     print(ds.images["id"], ds[0].data["predicted_iou"], [f.name for f in folder.iterdir()])
    [223750] [0.9] ['sa_223750.json']
    """
    return Sa1bSink(folder, mode)


class Sa1bSink(FolderSink):
    """Writes a document for each image: ``image``, and ``annotations`` whose masks are RLE.

    A document has the stem of its image's name, with "_" for "/", or is ``sa_<id>.json`` where
    there is no name. Every column of the instances becomes a key of that name; areas that are not
    known are counted. ``loss.fields`` names ``class_id``, ``category_id`` (which is written, but
    read as nothing by who reads SA-1B), ``classes``, ``metadata``, further columns of images, and
    columns with a value that is not JSON, such as NaN, which is left out.

    Parameters
    ----------
    folder, mode
        As of :func:`create_folder`.
    """

    SUFFIXES = ENDINGS

    def __init__(self, folder: str | os.PathLike[str], mode: Mode) -> None:
        super().__init__(folder, mode)
        self._image: tuple[int, str | None] = 0, None

    @property
    def loss(self) -> Loss:
        """What could not be held so far."""
        loss = super().loss
        said = {"classes": self.classes, "metadata": self.metadata}
        fields = loss.fields | {name for name, value in said.items() if value}
        return Loss(loss.masks, loss.pixels, fields)

    def has(self, *, file_name: str | None = None, id: SupportsIndex | None = None) -> bool:
        """Tell whether the document of an image is there, and says that it is of this image.

        Parameters
        ----------
        file_name : str, optional
            Its name.
        id : int, optional
            Its id.
        """
        if file_name is None and id is None:
            raise TypeError("has() needs a file_name or an id")
        path = self._existing(self._stem(file_name, id))
        if path is None:
            return False
        try:
            with looking_at(path):
                image = _image_of(path)
        except CompactMaskError:
            return False
        return (file_name is None or image.get("file_name") == file_name) and (
            id is None or image.get("image_id") == operator.index(id)
        )

    def append(
        self,
        detections: Detections,
        file_name: str | None = None,
        image_shape: tuple[int, int] | None = None,
        image_id: SupportsIndex | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one image. One that is refused changes nothing.

        Parameters
        ----------
        detections : sv.Detections
            What was found, maybe nothing.
        file_name : str, optional
            Name of the image, relative, with "/" between its parts.
        image_shape : tuple of int, optional
            ``(H, W)``; taken from the mask where there is one.
        image_id : int, optional
            Its id; the first number from its position on that names no document by default.
        columns : mapping, optional
            Further values of the image, which are lost.

        Raises
        ------
        FormatError
            Where the name leaves the folder, the document of another image has its place, or the
            image cannot be written in this format.
        ShapeMismatchError, InvalidMaskError
            Where masks and image do not fit together, or a mask is not valid.
        """
        number = self._free() if image_id is None else operator.index(image_id)
        if not -(1 << 63) <= number < 1 << 63:
            raise FormatError(f"{self.path}: image_id {number}, expected 64 bits")
        self._image = number, file_name
        name = self._stem(None, number) + ".jpg" if file_name is None else file_name
        super().append(detections, name, image_shape, columns=columns)

    def _encode(
        self, detections: Detections, mask: CompactMask | None, shape: tuple[int, int] | None
    ) -> tuple[bytes, str, Loss]:
        number, file_name = self._image
        fields = checked_fields(vars(detections))
        instances = Instances(fields, None if mask is None else mask._packed)
        entry = image_entry(number, file_name, shape or (0, 0))
        image = {"image_id": entry.pop("id")} | entry
        rows = range(len(instances))
        lost = set(instances.further()[1])
        if len(instances):
            lost |= {name for name in NOT_READ if _has(instances, name)}
        texts = instances.json_texts(rows)
        written = []
        for row, annotation in enumerate(_annotations(instances, rows)):
            good, bad = lines.without_bad(annotation)
            lost |= bad
            text = lines.members(good, lines.joined(texts, row), f"instance {row}")
            written.append(f"{{{text}}}")
        document = f'{{"image":{lines.text(image, "image")},"annotations":[{",".join(written)}]}}\n'
        return document.encode(), ".json", Loss(fields=frozenset(lost))

    def _stem(self, file_name: str | None, image_id: SupportsIndex | None) -> str:
        if file_name is None:
            assert image_id is not None
            return f"sa_{operator.index(image_id)}"
        return super()._stem(file_name, image_id).replace("/", "_")


def _annotations(instances: Instances, rows: range) -> list[Entry]:
    """Give the annotations without the keys whose values are JSON text."""
    stated = {"category_id": "category_id", "iscrowd": "iscrowd", "annotation_id": "id"}
    entries = instances.entries(rows, 0, [0] * len(rows))
    instances.add_areas(entries, rows)
    for entry in entries:
        del entry["image_id"], entry["category_id"]
    for column, key in stated.items():
        values = instances.known(column)
        if values is not None:
            for entry, value in zip(entries, values.tolist(), strict=True):
                if key != "id" or value != -1:
                    entry[key] = value
    instances.add_further(entries, rows)
    return entries


def _has(instances: Instances, name: str) -> bool:
    return instances.class_id is not None if name == "class_id" else name in instances.data


def _image_of(path: str) -> Entry:
    """Read what a document says of its image; nothing where it is not one of SA-1B's."""
    stream = Stream(JsonFile(path))
    if stream.peek() == b"{":
        for key in stream.members():
            value = stream.value()
            if key == "image" and isinstance(value, dict):
                return value
    return {}
