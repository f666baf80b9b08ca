"""Read all that a dataset holds, and name the first thing that is wrong with it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compactmask._kernels import block, measure
from compactmask.errors import BusyError, CompactMaskError, CorruptFileError
from compactmask.packed import Packed

from .hdf5.source import Hdf5Source
from .opening import open as open_dataset
from .source import Source

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verification:
    """What reading a dataset from end to end has found."""

    path: str
    images: int
    """Images that were read, up to the first bad one."""
    instances: int
    """Instances of these."""
    bytes_read: int
    """Bytes that were read for that, the structure of the file not counted."""
    seconds: float
    """How long it took."""
    error: CompactMaskError | None = None
    """What is wrong first; None where nothing is."""
    image: int | None = None
    """The image that is bad, by its position; None where it is the file as a whole."""
    instance: int | None = None
    """The instance that is bad, counted over the whole dataset; None where it is no single one."""

    @property
    def is_intact(self) -> bool:
        """Whether all of it was read, and nothing was wrong."""
        return self.error is None


def verify(path: str | os.PathLike[str], progress: Progress | None = None) -> Verification:
    """Read all that a dataset holds, and compare it with its checksums and with itself.

    Every column is read, every mask is decoded and its pixels are counted. Nothing is changed.
    Memory is that of one image, of what :func:`compactmask.open` keeps, and 24 bytes an image.

    Parameters
    ----------
    path : path-like
        A dataset as for :func:`compactmask.open`.
    progress : callable, optional
        Called with the number of images done and their total.

    Returns
    -------
    Verification
        Counts, and the first error with its image and instance. A dataset that cannot be opened
        is an error too.

    Raises
    ------
    FileNotFoundError
        Where there is nothing.
    BusyError
        Where the file changed whenever it was looked at, for many seconds.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> path = getfixture("tmp_path") / "one.h5"
    >>> mask = cm.CompactMask.from_dense(np.ones((2, 30, 40), bool))
    >>> cm.save(sv.Detections(xyxy=mask.bbox_xyxy, mask=mask), path)
    >>> cm.verify(path).is_intact
    True
    >>> data = bytearray(path.read_bytes())
    >>> data[data.index(mask._packed.data.tobytes())] ^= 1
    >>> _ = path.write_bytes(data)
    >>> found = cm.verify(path)
    >>> found.is_intact, found.image, found.instance
    (False, 0, 0)
    """
    started = time.perf_counter()
    path = os.path.abspath(os.fsdecode(path))
    try:
        ds = open_dataset(path)
    except BusyError:
        raise
    except CompactMaskError as error:
        return Verification(path, 0, 0, 0, time.perf_counter() - started, error)
    with ds:
        source, images, instances = ds._source, 0, 0
        found: tuple[CompactMaskError | None, int | None, int | None] = (None, None, None)
        image: int | None = None
        try:
            for image in range(source.n_images):
                instances += _check_image(source, image)
                images += 1
                if progress is not None:
                    progress(images, source.n_images)
            image = None
            _check_columns(source)
        except CompactMaskError as caught:
            if image is None:
                found = caught, None, None
            else:
                instance, first = _first_bad(source, image, caught)
                found = first, image, instance
        seconds = time.perf_counter() - started
        return Verification(path, images, instances, source.bytes_read, seconds, *found)


def _check_image(source: Source, i: int) -> int:
    """Read an image and decode its masks; give the number of its instances."""
    start, stop = source.detection_range(i)
    source.fields(i)
    masks = source.masks(i)
    if masks is not None:
        measure.centroid(masks.load())
    return stop - start


def _check_columns(source: Source) -> None:
    """Read what images are not made of."""
    if isinstance(source, Hdf5Source):
        source.check()
        return
    for columns in (source.images, source.detections):
        for name in columns:
            columns[name]


def _first_bad(
    source: Source, i: int, error: CompactMaskError
) -> tuple[int | None, CompactMaskError]:
    """Find the instance of an image that is bad by itself, and what is wrong with it."""
    packed: Packed | None = None
    try:
        start, stop = source.detection_range(i)
        has_mask = source.fields(i)["data"].get("has_mask")
    except CompactMaskError:
        return None, error
    try:
        masks = source.masks(i)
        if masks is None:
            return None, error
        packed = masks.load()
    except CompactMaskError:
        pass  # Which of them it is, is told one by one.
    for k in range(start, stop):
        try:
            if packed is not None:
                measure.centroid(block.gather(packed, np.array([k - start], np.int64)))
            elif has_mask is None or has_mask[k - start]:
                source.crop(k)
        except CompactMaskError as caught:
            if packed is None:
                return k, caught
            found = str(caught).removeprefix("mask 0: ")
            return k, CorruptFileError(f"{source.path}: image {i}, instance {k}: {found}")
    return None, error
