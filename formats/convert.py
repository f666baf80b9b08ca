"""Open any format that this package knows, and convert one to another."""

from __future__ import annotations

import builtins
import json
import os
import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from compactmask.errors import CompactMaskError, FormatError

from . import partial
from .dataset import SegmentationDataset
from .report import Report

if TYPE_CHECKING:
    from .hdf5 import Writer

PathLike = str | os.PathLike[str]
OnError = Literal["raise", "skip", "collect"]

HDF5_SIGNATURE = re.compile(rb"\x89...\r\n\x1a\n", re.DOTALL)
"""The three bytes between are others while a checkpoint is applied to the file."""


def open(path: PathLike) -> SegmentationDataset:
    """Open a dataset to read from it, lazily.

    Parameters
    ----------
    path : path-like
        An HDF5 file of this package, or COCO JSON (a dataset or a list of results). Which it is
        is told from its first bytes, not from its name.

    Returns
    -------
    SegmentationDataset
        The dataset; close it, or use it as a context manager.

    Raises
    ------
    FileNotFoundError
        Where there is no file.
    FormatError
        Where it is of neither format, or not what its format says it must be.

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
    return _open(path, None)


def convert(
    src: PathLike,
    dst: PathLike,
    overwrite: bool = False,
    compression: Literal["gzip", "zstd"] | None = None,
    on_error: OnError = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Write a dataset of any format as an HDF5 file, image by image.

    The file is written beside ``dst``, under a name that ends in ``.partial``, and takes its name
    when it is complete and on the disk. So a conversion that fails or is killed leaves whatever
    was at ``dst``, and two that write the same file do not mix: without ``overwrite`` the first
    to finish wins, with it the last.

    Parameters
    ----------
    src : path-like
        A dataset as for :func:`open`.
    dst : path-like
        The file to write; a symbolic link is followed.
    overwrite : bool
        Whether an existing ``dst`` is replaced.
    compression : {"gzip", "zstd"}, optional
        Compress the packed masks too; "zstd" needs the extra of that name.
    on_error : {"raise", "skip", "collect"}
        What a bad annotation does: end the conversion, or be left out and counted, or be left
        out and its error kept in the report. An image that cannot be read or written as a whole
        is left out with all its instances. Where that leaves no image, the first error is raised.
    progress : callable, optional
        Called with the number of images done and their total, after each.

    Returns
    -------
    Report
        Counts, errors, sizes and time.

    Raises
    ------
    FileExistsError
        Where ``dst`` exists and ``overwrite`` is not set.
    FormatError, InvalidMaskError
        Where the source is not valid; annotation and file are named. Where ``dst`` is no regular
        file, or the source itself.

    Examples
    --------
    >>> import compactmask as cm
    >>> folder = getfixture("tmp_path")
    >>> size = (folder / "results.json").write_text(
    ...     '[{"image_id": 7, "category_id": 1, "score": 0.5,'
    ...     ' "segmentation": {"size": [3, 4], "counts": [4, 2, 6]}}]'
    ... )
    >>> report = cm.convert(folder / "results.json", folder / "results.h5")
    >>> report.images, report.instances, report.skipped
    (1, 1, 0)
    """
    from .hdf5.creation import create_sealed

    if on_error not in ("raise", "skip", "collect"):
        raise ValueError(f"on_error is {on_error!r}, expected 'raise', 'skip' or 'collect'")
    started = time.perf_counter()
    src, dst = os.fsdecode(src), os.fsdecode(dst)
    if dst.lower().endswith(".json"):
        raise FormatError(f"{dst}: this version writes HDF5 files only, expected a name like .h5")
    place = partial.destination(src, dst, overwrite)
    faults = None if on_error == "raise" else _Faults(keep=on_error == "collect")
    with _open(src, faults) as ds:
        bytes_in = ds.file_bytes
        _check_metadata(ds)
        out = create_sealed(place, compression, replace=overwrite)
        try:
            out.classes = ds.classes
            out.metadata.update(ds.metadata)
            images, instances = _copy(ds, out, faults, progress)
            if images == 0 and faults is not None and faults.first is not None:
                raise faults.first
            out.close()
        finally:
            out.abandon()
    bytes_out = os.path.getsize(place)
    return Report(
        images=images,
        instances=instances,
        skipped=faults.skipped if faults else 0,
        errors=faults.errors if faults else [],
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        seconds=time.perf_counter() - started,
    )


@dataclass
class _Faults:
    """Counts what was left out, and keeps the errors where they are wanted."""

    keep: bool
    skipped: int = 0
    first: CompactMaskError | None = None
    errors: list[CompactMaskError] = field(default_factory=list)

    def __call__(self, error: CompactMaskError, instances: int = 1) -> None:
        self.skipped += instances
        self.first = self.first or error
        if self.keep:
            self.errors.append(error)


def _open(path: PathLike, faults: _Faults | None) -> SegmentationDataset:
    path = os.fsdecode(path)
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder has an error of its own
        raise FormatError(f"{path}: not a regular file, which cannot be read by position")
    with builtins.open(path, "rb") as file:
        head = file.read(1024)
    if HDF5_SIGNATURE.match(head):
        from . import hdf5

        return hdf5.open(path)
    from .coco.document import BYTE_ORDER_MARK

    if head.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"["):
        from .coco.reader import CocoSource

        return SegmentationDataset(CocoSource(path, faults))
    found = f"it begins with {head[:8]!r}" if head else "it is empty"
    raise FormatError(f"{path}: {found}, expected an HDF5 file or COCO JSON")


def _check_metadata(ds: SegmentationDataset) -> None:
    """Refuse early what COCO documents have and HDF5.md does not."""
    try:
        json.dumps(ds.metadata, allow_nan=False)
    except ValueError as error:
        raise FormatError(f"{ds.path}: metadata that HDF5 cannot hold: {error}") from None


def _copy(
    ds: SegmentationDataset,
    out: Writer,
    faults: _Faults | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[int, int]:
    """Append all images; return how many images and instances were written."""
    columns = dict(ds.images)
    ids, heights, widths = (columns.pop(key) for key in ("id", "height", "width"))
    names = columns.pop("file_name", None)
    images = instances = 0
    owners: dict[str | None, int] = {}
    for i in range(len(ds)):
        shape = int(heights[i]), int(widths[i])
        start, stop = ds.detection_range(i)
        image_id, name = int(ids[i]), None if names is None else names[i] or None
        try:
            if name in owners:
                raise FormatError(
                    f"{ds.path}: image id {image_id}: file_name {name!r} is that of image "
                    f"id {owners[name]} too, which an HDF5 file cannot hold"
                )
            out.append(
                ds[i],
                file_name=name,
                image_shape=shape if all(shape) else None,
                image_id=image_id,
                columns={key: column[i] for key, column in columns.items()},
            )
        except CompactMaskError as error:
            # The writer names its temporary file, which says nothing to anyone.
            named = type(error)(str(error).replace(out.path, ds.path))
            if faults is None:
                raise named from None
            faults(named, stop - start)
        else:
            if name is not None:
                owners[name] = image_id
            images += 1
            instances += stop - start
        if progress is not None:
            progress(i + 1, len(ds))
    return images, instances
