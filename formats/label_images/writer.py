"""The writer of a folder of label images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from compactmask.errors import FormatError, InvalidMaskError

from ..folder_sink import FolderSink, Mode, is_far, lost_columns
from ..sink import Loss
from . import pixels
from .source import SUFFIXES

if TYPE_CHECKING:
    from supervision import Detections

    from compactmask.mask import CompactMask


def create(folder: str | os.PathLike[str], mode: Mode = "x") -> LabelImageSink:
    """Create a folder of label images to append to, or go on with one.

    Parameters
    ----------
    folder : path-like
        Where to; made where it is not there, its parent must be.
    mode : {"x", "w", "a"}
        "x" refuses a folder that holds anything. "w" removes every ``.png``, ``.tif`` and
        ``.tiff`` in the folder and its sub-folders, photos as well, what is unfinished of these,
        and nothing else. "a" goes on.

    Returns
    -------
    LabelImageSink
        To be used in a ``with`` statement.

    Raises
    ------
    FileExistsError
        Where the folder holds anything, with "x".

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> from compactmask.formats import label_images
    >>> folder = getfixture("tmp_path") / "labels"
    >>> mask = cm.CompactMask.from_label_image([[7, 7, 0], [0, 2, 2]])
    >>> with label_images.create(folder) as out:
    ...     out.append(sv.Detections(xyxy=mask.bbox_xyxy, mask=mask), file_name="a.jpg")
    >>> with label_images.open(folder) as ds:
    ...     print(ds.images["file_name"], ds.detections["area"])
    ['a.png'] [2 2]
    """
    return LabelImageSink(folder, mode)


class LabelImageSink(FolderSink):
    """Writes a label image for each image.

    Where masks overlap the later one is seen. ``loss.masks`` counts the masks of which a pixel is
    covered, and those without a pixel, which a label image cannot hold; ``loss.pixels`` counts
    the covered ones.

    Parameters
    ----------
    folder, mode
        As of :func:`create`.
    """

    SUFFIXES = SUFFIXES
    NAMES_IMAGES = True

    def _encode(
        self, detections: Detections, mask: CompactMask | None, shape: tuple[int, int] | None
    ) -> tuple[bytes, str, Loss]:
        if mask is None and len(detections):
            raise InvalidMaskError(f"{len(detections)} instances without masks")
        if shape is None:
            raise FormatError("no image_shape, and no mask to take it from")
        limit = pixels.largest_size()
        if limit is not None and shape[0] * shape[1] > limit:
            raise FormatError(
                f"{shape[0]} x {shape[1]} pixels, expected {limit:,} at most, which Pillow decodes"
            )
        if mask is None or not len(mask):
            return pixels.write(np.zeros(shape, np.uint8), 0), pixels.suffix_for(0), Loss()
        n = len(mask)
        image = mask.to_label_image()
        visible = np.zeros(n, np.int64)
        seen, places = type(mask).from_label_image(image, return_ids=True)
        visible[places - 1] = seen.area
        covered = mask.area.astype(np.int64) - visible
        lost = lost_columns(detections, {"label"})
        labels = _labels(detections)
        if labels is None:
            largest = n
            lost |= {"label"} & set(detections.data)
        else:
            largest = int(labels.max())
            image = np.concatenate(([0], labels))[image]
        if is_far(detections.xyxy, mask.bbox_xyxy + np.array([0, 0, 1, 1])):
            lost |= {"xyxy"}
        loss = Loss(int(((covered > 0) | (visible == 0)).sum()), int(covered.sum()), lost)
        return pixels.write(image, largest), pixels.suffix_for(largest), loss

    def _is_written(self, path: str) -> bool:
        return pixels.is_label_image(path)


def _labels(detections: Detections) -> npt.NDArray[np.int64] | None:
    """Give the values of instances where they are given and can be written."""
    given = np.asarray(detections.data.get("label", ()))
    if given.shape != (len(detections),) or given.dtype.kind not in "iu":
        return None
    if given.min() < 1 or given.max() > pixels.LARGEST_ID or len(np.unique(given)) < len(given):
        return None
    return given.astype(np.int64)
