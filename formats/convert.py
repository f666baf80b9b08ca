"""Convert a dataset of any format to any other, image by image."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from compactmask.errors import CompactMaskError, FormatError

from .coco.categories import NO_CLASS
from .coco.complete import Complete
from .coco.composing import ID_TEXT
from .dataset import SegmentationDataset
from .destination import FILES, Compression, Format, begin, check, format_of, held, size_of
from .opening import open_telling
from .report import Report
from .sink import Sink
from .source import Array

PathLike = str | os.PathLike[str]
OnError = Literal["raise", "skip", "collect"]
Progress = Callable[[int, int], None]


def convert(
    src: PathLike,
    dst: PathLike,
    overwrite: bool = False,
    resume: bool = False,
    compression: Compression | None = None,
    on_error: OnError = "raise",
    progress: Progress | None = None,
    *,
    format: Format | None = None,
) -> Report:
    """Write a dataset of any format in any other, image by image.

    A file is written beside ``dst`` and takes its name when it is complete and on the disk. So a
    conversion that fails or is killed leaves whatever was at ``dst``, and two that write the same
    file do not mix: without ``overwrite`` the first to finish wins, with it the last. Of a folder
    each file is written so, and what is left of other images is removed at the end.

    Parameters
    ----------
    src : path-like
        A dataset as for :func:`open`.
    dst : path-like
        The file or folder to write; a symbolic link is followed.
    overwrite : bool
        Whether an existing ``dst`` is replaced.
    resume : bool
        Keep what is done when the conversion ends before its time, and go on with it: images that
        are in ``dst`` are not written again. An HDF5 file is then written in its place, commit by
        commit, and readable meanwhile; images of a COCO document wait beside it. What the format
        could not hold of images that are there was told when they were written.
    compression : {"gzip", "zstd"}, optional
        Of an HDF5 file: compress the packed masks too; "zstd" needs the extra of that name.
    on_error : {"raise", "skip", "collect"}
        What a bad annotation does: end the conversion, or be left out and counted, or be left
        out and its error kept in the report. An image that cannot be read or written as a whole
        is left out with all its instances. Where that leaves no image, the first error is raised.
    progress : callable, optional
        Called with the number of images done and their total, after each.
    format : str, optional
        Of ``dst``: "hdf5", "coco" or "coco-results" (a file), "sa1b", "label-images" or "yolo" (a
        folder). By default COCO for a name that ends in ``.json``, else HDF5. The last two hold
        less than others: the report says what was lost.

    Returns
    -------
    Report
        Counts, errors, losses, sizes and time.

    Raises
    ------
    FileExistsError
        Where ``dst`` exists and neither ``overwrite`` nor ``resume`` is set.
    FormatError, InvalidMaskError
        Where the source is not valid; annotation and file are named. Where the format cannot hold
        it. Where ``dst`` is no regular file, or the source itself. Where it is a file that is gone
        on with, and has other images than the source, or of these more or fewer instances.

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
    >>> cm.convert(folder / "results.h5", folder / "again.json").loss
    Loss(masks=0, pixels=0, fields=frozenset())
    """
    if on_error not in ("raise", "skip", "collect"):
        raise ValueError(f"on_error is {on_error!r}, expected 'raise', 'skip' or 'collect'")
    if overwrite and resume:
        raise ValueError("overwrite and resume: one of them expected")
    started = time.perf_counter()
    src, dst = os.fsdecode(src), os.fsdecode(dst)
    kind = format_of(dst, format)
    faults = None if on_error == "raise" else _Faults(keep=on_error == "collect")
    if compression is not None and kind != "hdf5":
        raise FormatError(f"{dst}: compression {compression!r}, which only an HDF5 file can have")
    check(src, dst, kind, may_exist=overwrite or resume)
    with open_telling(src, faults) as ds:
        out = begin(dst, kind, overwrite=overwrite, resume=resume, compression=compression)
        try:
            copy = _Copy(ds, out, faults, by_id=kind in FILES, resumes=resume)
            copy.check()
            copy.images(progress)
            out.close()
        finally:
            out.abandon()
        bytes_in = ds.file_bytes
    return Report(
        images=copy.n_images,
        instances=copy.n_instances,
        skipped=faults.skipped if faults else 0,
        errors=faults.errors if faults else [],
        present=copy.n_present,
        loss=out.loss,
        bytes_in=bytes_in,
        bytes_out=size_of(dst),
        seconds=time.perf_counter() - started,
    )


OF_NAMES = (errno.EEXIST, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EINVAL)
"""What the name of an image may be to blame for."""


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


class _Copy:
    """Appends the images of a dataset to a sink that may have some of them."""

    def __init__(
        self,
        ds: SegmentationDataset,
        out: Sink,
        faults: _Faults | None,
        *,
        by_id: bool,
        resumes: bool,
    ) -> None:
        self._ds = ds
        self._out = out
        self._faults = faults
        self._by_id = by_id
        self._resumes = resumes
        self.n_images = self.n_instances = self.n_present = 0

    def check(self) -> None:
        """Refuse classes that are not those there, or begin with them, and odd metadata."""
        ds, out = self._ds, self._out
        try:
            json.dumps(ds.metadata, allow_nan=False)
        except ValueError as error:
            raise FormatError(f"{ds.path}: metadata that is not JSON: {error}") from None
        classes, before = ds.classes, list(out.classes)
        is_held = before == [NO_CLASS] if not classes else before == classes[: len(before)]
        if before and (
            not is_held or (isinstance(out, Complete) and classes and before != classes)
        ):
            raise FormatError(f"{out.path}: its classes are {before}, those of {ds.path} {classes}")

    def images(self, progress: Progress | None) -> None:
        """Append the images, behind classes and metadata."""
        ds, faults = self._ds, self._faults
        columns = dict(ds.images)
        ids, heights, widths = (columns.pop(key) for key in ("id", "height", "width"))
        names = columns.pop("file_name", None)
        there = self._present(ids, names)
        if self._resumes:
            self._check_held(there, ids, names)
        self._about()
        for i in range(len(ds)):
            start, stop = ds.detection_range(i)
            shape = int(heights[i]), int(widths[i])
            name = None if names is None else names[i] or None
            own = {key: column[i] for key, column in columns.items()}
            try:
                if there[i]:
                    self.n_present += 1
                else:
                    self._append(i, int(ids[i]), name, shape if all(shape) else None, own)
            except (CompactMaskError, TypeError, OSError) as error:
                named = self._named(error, int(ids[i]))
                if faults is None or not isinstance(named, CompactMaskError):
                    raise named from None
                faults(named, stop - start)
            if progress is not None:
                progress(i + 1, len(ds))
        nothing = self.n_images == self.n_present == 0
        if nothing and faults is not None and faults.first is not None:
            raise faults.first

    def _about(self) -> None:
        """Give classes and metadata."""
        ds, out = self._ds, self._out
        try:
            out.classes = ds.classes or list(out.classes)
            out.metadata.update(ds.metadata)
        except TypeError as error:
            raise FormatError(f"{ds.path}: {error}") from None

    def _append(
        self,
        i: int,
        image_id: int,
        name: str | None,
        shape: tuple[int, int] | None,
        columns: dict[str, object],
    ) -> None:
        detections = self._ds[i]
        self._out.append(
            detections, file_name=name, image_shape=shape, image_id=image_id, columns=columns
        )
        self.n_images += 1
        self.n_instances += len(detections)

    def _present(self, ids: Array, names: Array | None) -> npt.NDArray[np.bool_]:
        """Tell which images are there, of several that would have one place the first."""
        there = np.zeros(len(ids), np.bool_)
        if not self._resumes:
            return there
        seen: set[int | str] = set()
        by_name = not self._by_id or ID_TEXT in self._ds.images
        for i, image_id in enumerate(ids.tolist()):
            name = None if names is None else names[i] or None
            place = image_id if self._by_id or name is None else os.path.splitext(name)[0]
            if place not in seen:
                # A name that the format refuses is told when the image is to be written.
                with contextlib.suppress(CompactMaskError):
                    there[i] = self._out.has(id=image_id, file_name=name if by_name else None)
            seen.add(place)
        return there

    def _check_held(self, there: npt.NDArray[np.bool_], ids: Array, names: Array | None) -> None:
        """Refuse what is gone on with where it is of another source, as far as that is seen."""
        ds, out, instances = self._ds, self._out, 0
        for i in np.flatnonzero(there).tolist():
            start, stop = ds.detection_range(i)
            instances += stop - start
            image_id, name = int(ids[i]), None if names is None else names[i] or None
            if name is not None and not out.has(file_name=name, id=image_id):
                raise FormatError(
                    f"{ds.path}: image id {image_id}: file_name {name!r}, what is gone on with has "
                    "another one"
                )
            if isinstance(out, Complete):
                out.check(stop - start, file_name=name, id=image_id)
        found, own = held(out), (int(there.sum()), instances)
        if found not in (None, own):
            raise FormatError(
                f"{out.path}: it has (images, instances) {found}, of these {own} are those of "
                f"{ds.path}: expected all, of what is gone on with"
            )

    def _named(self, error: Exception, image_id: int) -> Exception:
        """Name the source in what a sink refuses; what is wrong with the disk is not its fault."""
        source = self._ds.path
        if isinstance(error, CompactMaskError):
            found = str(error)
            if found.startswith(f"{self._out.path}:"):
                return type(error)(source + found.removeprefix(self._out.path))
            return error
        if isinstance(error, OSError) and error.errno not in OF_NAMES:
            return error
        return FormatError(f"{source}: image id {image_id}: {error}")
