"""The HDF5 format of this package: see HDF5.md beside this folder.

Reading loads nothing of the writer; its names are resolved when they are first used (PEP 562).
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from compactmask.errors import FormatError

from ..dataset import SegmentationDataset
from .source import Hdf5Source

if TYPE_CHECKING:
    from supervision import Detections

    from .creation import Mode, create
    from .repacking import repack
    from .writer import Writer

__all__ = ["Mode", "Writer", "create", "load", "open", "repack", "save"]

_HOMES = {
    "Mode": ".creation",
    "Writer": ".writer",
    "create": ".creation",
    "repack": ".repacking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def open(path: str | os.PathLike[str]) -> SegmentationDataset:
    """Open a file for reading.

    What it costs does not depend on how much the file holds. No lock and no HDF5 handle is held.

    Parameters
    ----------
    path : path-like
        A file that :func:`create`, :func:`save` or a conversion wrote.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    FormatError
        Where it is something else.
    UnsupportedVersionError
        Where a later release wrote it in a way that this one cannot read.
    CorruptFileError
        Where it is damaged or unfinished.
    """
    return SegmentationDataset(Hdf5Source(os.path.abspath(os.fsdecode(path))))


def save(
    detections: Detections,
    path: str | os.PathLike[str],
    image_shape: tuple[int, int] | None = None,
) -> None:
    """Save the detections of one image.

    A file that exists is replaced when the new one is whole, and stays where they are refused.

    Parameters
    ----------
    detections : sv.Detections
        What was found.
    path : path-like
        File to write.
    image_shape : tuple of int, optional
        ``(H, W)``; taken from the mask where there is one.

    See Also
    --------
    compactmask.create : What may be stored, and what is refused.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> path = getfixture("tmp_path") / "one.h5"
    >>> mask = cm.CompactMask.from_dense(np.ones((2, 30, 40), bool))
    >>> cm.save(sv.Detections(xyxy=mask.bbox_xyxy, mask=mask), path)
    >>> cm.load(path).mask == mask
    True
    """
    from .creation import create_sealed

    out = create_sealed(path, replace=True)
    try:
        out.append(detections, image_shape=image_shape)
        out.close()
    finally:
        out.abandon()


def load(path: str | os.PathLike[str]) -> Detections:
    """Load the detections of one image into memory.

    Parameters
    ----------
    path : path-like
        A file of one image.

    Raises
    ------
    FormatError
        Where it holds another number of images.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> path = getfixture("tmp_path") / "empty.h5"
    >>> cm.save(sv.Detections.empty(), path, image_shape=(30, 40))
    >>> len(cm.load(path))
    0
    """
    from compactmask.mask import CompactMask

    with open(path) as ds:
        if len(ds) != 1:
            raise FormatError(f"{ds.path}: {len(ds)} images, load expects one: use open")
        detections = ds[0]
    if isinstance(detections.mask, CompactMask):
        detections.mask = CompactMask._wrap(detections.mask._packed)
    return detections
