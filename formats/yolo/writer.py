"""The writer of a dataset of YOLO segmentation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from compactmask.errors import FormatError

from ..folder_sink import UNFINISHED, FolderSink, Mode, is_far, lost_columns
from ..sink import Loss
from . import description, lines
from .layout import LABELS
from .outline import outline

if TYPE_CHECKING:
    from supervision import Detections

    from compactmask.mask import CompactMask

NO_CLASS = "object"
"""The name of class 0 where instances have no class, and there are no names."""


def create(folder: str | os.PathLike[str], mode: Mode = "x") -> YoloSink:
    """Create a dataset of YOLO segmentation to append to, or go on with one.

    Label files and ``data.yaml`` are written; images are not. To be read again the dataset needs
    them beside the label files, in ``images``, by the names they were appended with.

    Parameters
    ----------
    folder : path-like
        Where to; made where it is not there, its parent must be.
    mode : {"x", "w", "a"}
        "x" refuses a folder that holds anything. "w" removes every ``.txt`` in its ``labels``,
        ``data.yaml``, what is unfinished of these, and nothing else. "a" goes on, with the names
        of its classes.

    Returns
    -------
    YoloSink
        To be used in a ``with`` statement.

    Raises
    ------
    FileExistsError
        Where the folder holds anything, with "x".
    FormatError
        Where ``labels`` is a link that leads out of the folder.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> from compactmask.formats import yolo
    >>> folder = getfixture("tmp_path") / "dataset"
    >>> mask = cm.CompactMask.from_dense(np.ones((1, 10, 10), bool))
    >>> found = sv.Detections(xyxy=mask.bbox_xyxy, mask=mask, class_id=np.array([0]))
    >>> with yolo.create(folder) as out:
    ...     out.classes = ["cat"]
    ...     out.append(found, file_name="train/a.jpg")
    >>> print((folder / "labels" / "train" / "a.txt").read_text(), end="")
    0 0.025 0.025 0.925 0.025 0.925 0.925 0.025 0.925
    """
    return YoloSink(folder, mode)


class YoloSink(FolderSink):
    """Writes a label file for each image: a line for each instance, a polygon or a box.

    Each polygon is drawn again as a reader draws it, and what differs is counted in ``loss``.

    Parameters
    ----------
    folder, mode
        As of :func:`create`.
    """

    SUFFIXES = (".txt",)
    INNER = LABELS

    def __init__(self, folder: str | os.PathLike[str], mode: Mode) -> None:
        super().__init__(folder, mode)
        self._description = os.path.join(self.path, description.NAME)
        self._said: tuple[list[str], dict[str, Any], set[str]] | None = None
        self._names: list[str] = []
        self._folders: set[str] = set()
        if mode == "a":
            self._folders |= {entry.name for entry in os.scandir(self._inner) if entry.is_dir()}
        if mode == "a" and os.path.exists(self._description):
            found = description.read(self._description)
            self.classes, self.metadata = list(found.names), found.metadata
            self._names = found.names

    def close(self) -> None:
        """Write ``data.yaml`` as it is to be. Closing twice is allowed."""
        if not self._closed:
            self._describe()
        super().close()

    def _encode(
        self, detections: Detections, mask: CompactMask | None, shape: tuple[int, int] | None
    ) -> tuple[bytes, str, Loss]:
        if not len(detections):
            return b"", ".txt", Loss()
        if shape is None:
            raise FormatError("no image_shape, and no mask to take it from")
        has_pixels = np.zeros(len(detections), bool) if mask is None else mask.area > 0
        outlines = [] if mask is None else mask.to_polygons()
        texts = [
            lines.polygon_line(class_id, outline(outlines[k]), shape)
            if has_pixels[k]
            else lines.box_line(class_id, detections.xyxy[k].tolist(), shape)
            for k, class_id in enumerate(self._class_ids(detections))
        ]
        longest = max(map(len, texts)) + 1
        if longest >= lines.LONGEST:
            raise FormatError(f"a line of {longest:,} bytes, expected less than {lines.LONGEST:,}")
        loss = _loss(detections, mask, shape, [lines.read(text.encode()) for text in texts])
        return "".join(f"{text}\n" for text in texts).encode(), ".txt", loss

    def _class_ids(self, detections: Detections) -> list[int]:
        if detections.class_id is None:
            if self.classes not in ([], [NO_CLASS]):
                raise FormatError(f"no class_id, expected one of {len(self.classes)} classes")
            self.classes = [NO_CLASS]
            return [0] * len(detections)
        class_ids = [int(class_id) for class_id in detections.class_id]
        for class_id in class_ids:
            if not 0 <= class_id < len(self.classes):
                raise FormatError(
                    f"class_id is {class_id}, expected one of the {len(self.classes)} classes"
                )
        return class_ids

    def _write(self, path: str, data: bytes, overwrite: bool = False) -> None:
        if path != self._description:  # what names the classes is there before what uses them
            inner = os.path.relpath(path, self._inner).split(os.sep)
            self._folders |= set(inner[:-1][:1])
            self._describe()
        super()._write(path, data, overwrite)

    def _describe(self) -> None:
        names = list(self.classes)
        if names[: len(self._names)] != self._names:
            raise FormatError(
                f"{self._description}: classes are {str(names)[:80]}, expected those before to "
                f"stay, and others behind them: {str(self._names)[:80]}"
            )
        said = names, dict(self.metadata), set(self._folders)
        if said != self._said:
            self._write(self._description, description.write(*said), overwrite=True)
            self._said, self._names = said, names

    def _loses_metadata(self) -> bool:
        return description.unheld(self.metadata)

    def _all(self) -> list[str]:
        unfinished = [
            os.path.join(self.path, name)
            for name in os.listdir(self.path)
            if UNFINISHED.search(name) and UNFINISHED.sub("", name) == description.NAME
        ]
        return super()._all() + unfinished


def _loss(
    detections: Detections,
    mask: CompactMask | None,
    shape: tuple[int, int],
    written: list[lines.Line],
) -> Loss:
    """Compare what is written, drawn as a reader draws it, with what was given."""
    height, width = shape
    lost = lost_columns(detections, {"class_id", "has_mask"})
    boxes = np.array([line.box for line in written]) * (width, height, width, height)
    if is_far(detections.xyxy, boxes):
        lost |= {"xyxy"}
    if mask is None:
        return Loss(fields=lost)
    drawn = type(mask)._wrap(lines.draw([line.polygon for line in written], shape))
    pixels = (drawn ^ mask).area.astype(np.int64)
    expected = np.asarray(detections.data.get("has_mask", np.ones(len(mask))), bool)
    is_lost = (pixels > 0) | (expected & (mask.area == 0))
    return Loss(int(is_lost.sum()), int(pixels.sum()), lost)
