"""Which format a path is of, told by what is there."""

from __future__ import annotations

import builtins
import codecs
import os
import re
import stat

from compactmask.errors import FormatError

from .dataset import SegmentationDataset
from .listing import walk
from .source import OnFault

PathLike = str | os.PathLike[str]

HDF5_SIGNATURE = re.compile(rb"\x89(?!PNG)...\r\n\x1a\n", re.DOTALL)
"""The three bytes between are others while a checkpoint is applied to the file."""
GZIP_MAGIC = b"\x1f\x8b"


def open(path: PathLike) -> SegmentationDataset:
    """Open a dataset to read from it, lazily.

    Parameters
    ----------
    path : path-like
        An HDF5 file of this package; COCO JSON in any of the dialects of ``formats/COCO.md``,
        which may be compressed by gzip; a folder of SA-1B documents, of label images (PNG, TIFF)
        or of YOLO segmentations. Which it is is told from its content, not from its name. A
        folder without a file is of none, though ``label_images.open`` takes it as empty.

    Returns
    -------
    SegmentationDataset
        The dataset; close it, or use it as a context manager.

    Raises
    ------
    FileNotFoundError
        Where there is nothing.
    FormatError
        Where it is of no such format, or not what its format says it must be; where a folder
        has files of several formats.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> path = getfixture("tmp_path") / "one.h5"
    >>> mask = cm.CompactMask.from_dense(np.ones((2, 30, 40), bool))
    >>> cm.save(sv.Detections(xyxy=mask.bbox_xyxy, mask=mask), path)
    >>> with cm.open(path) as ds:
    ...     len(ds), ds.detections["area"].tolist(), ds.crop(1).shape
    (1, [1200, 1200], (30, 40))
    """
    return open_telling(path, None)


def open_telling(path: PathLike, on_fault: OnFault | None) -> SegmentationDataset:
    """Open a dataset of any format.

    Parameters
    ----------
    path : path-like
        As of :func:`open`.
    on_fault : callable, optional
        Called with the error of each bad annotation, which is then left out.
    """
    path = os.fsdecode(path)
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return _open_folder(path, on_fault)
    if not stat.S_ISREG(mode):
        raise FormatError(f"{path}: not a regular file, which cannot be read by position")
    with builtins.open(path, "rb") as file:
        head = file.read(1024)
    if HDF5_SIGNATURE.match(head):
        from . import hdf5

        return hdf5.open(path)
    is_json = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[")
    if is_json or head.startswith(GZIP_MAGIC):
        from .coco.reader import CocoSource

        return SegmentationDataset(CocoSource(path, on_fault))
    found = f"it begins with {head[:8]!r}" if head else "it is empty"
    raise FormatError(f"{path}: {found}, expected an HDF5 file or COCO JSON")


def _open_folder(path: str, on_fault: OnFault | None) -> SegmentationDataset:
    from .kind import kind_of

    kind = kind_of(path)
    if kind == "yolo":
        from . import yolo

        return yolo.open(path, on_fault=on_fault)
    if kind == "sa1b":
        from .coco.reader import CocoSource

        return SegmentationDataset(CocoSource(path, on_fault))
    from . import label_images
    from .label_images.source import SUFFIXES

    if kind == "label-images" or walk(path, SUFFIXES):
        return label_images.open(path, on_fault=on_fault)
    raise FormatError(
        f"{path}: a folder without SA-1B documents, YOLO label files or label images, expected "
        "those of one format"
    )
