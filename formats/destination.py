"""Where a conversion writes to: the formats that can be written, and how each is begun."""

from __future__ import annotations

import errno
import os
from typing import Literal

from compactmask.errors import FormatError

from . import partial
from .kind import kind_of
from .opening import open as open_dataset
from .sink import Sink

Format = Literal["hdf5", "coco", "coco-results", "sa1b", "label-images", "yolo"]
Compression = Literal["gzip", "zstd"]

FILES = ("hdf5", "coco", "coco-results")
FOLDERS = ("sa1b", "label-images", "yolo")
COMMIT_EVERY = 64
"""Images of a commit to an HDF5 file that may be gone on with."""


def format_of(dst: str, given: Format | None) -> Format:
    """Give the format of a destination: the one that is given, or by its name.

    Raises
    ------
    ValueError
        Where there is no such format.
    FormatError
        Where it is a folder, which may be of several formats.
    """
    if given is not None:
        if given not in (*FILES, *FOLDERS):
            names = ", ".join(map(repr, (*FILES, *FOLDERS)))
            raise ValueError(f"format {given!r}, expected one of {names}")
        return given
    if dst.lower().endswith(".json.gz"):
        raise FormatError(f"{dst}: compressed COCO JSON is read only, expected a name like .json")
    if os.path.isdir(dst) or dst.endswith(("/", os.sep)):
        names = ", ".join(map(repr, FOLDERS))
        raise FormatError(f"{dst}: a folder, expected a format that says of what: {names}")
    return "coco" if dst.lower().endswith(".json") else "hdf5"


def check(src: str, dst: str, kind: Format, *, may_exist: bool) -> None:
    """Refuse what cannot be written to, before the source is gone over.

    Parameters
    ----------
    src, dst : str
        The source, and where to.
    kind : str
        The format.
    may_exist : bool
        Whether what is there is replaced, or gone on with.

    Raises
    ------
    FileExistsError
        Where something is there, and must stay.
    FormatError
        Where it is the source itself, or no regular file.
    NotADirectoryError, IsADirectoryError
        Where a file is where a folder must be, or the other way round.
    """
    if kind not in FOLDERS:
        partial.destination(src, dst, may_exist)
        if _overlap(src, dst, False):
            raise FormatError(f"{dst}: it lies in the source, expected another place")
        return
    if os.path.lexists(dst) and not os.path.isdir(dst):
        raise NotADirectoryError(errno.ENOTDIR, "a file, expected a folder", dst)
    if _overlap(src, dst, True):
        raise FormatError(f"{dst}: it is the source, lies in it or holds it")
    if os.path.isdir(dst) and not may_exist and os.listdir(dst):
        raise FileExistsError(errno.EEXIST, "a folder that is not empty", dst)


def begin(
    dst: str,
    kind: Format,
    *,
    overwrite: bool,
    resume: bool,
    compression: Compression | None,
) -> Sink:
    """Begin a destination, or go on with it.

    Parameters
    ----------
    dst : str
        Where to.
    kind : str
        The format.
    overwrite, resume : bool
        Whether what is there is replaced, or gone on with.
    compression : str, optional
        Of the packed masks of an HDF5 file.

    Raises
    ------
    FormatError
        Where what is gone on with is of another format.
    """
    style: Literal["dataset", "results"] = "dataset" if kind == "coco" else "results"
    mode: Literal["x", "w", "a"] = "w" if overwrite else "a" if resume else "x"
    if kind == "hdf5":
        from .hdf5.creation import create, create_sealed

        if resume:
            return create(
                dst,
                "a",
                compression=compression,
                commit_every=COMMIT_EVERY,
                on_duplicate="keep",
            )
        return create_sealed(dst, compression, replace=overwrite, on_duplicate="keep")
    if kind in ("coco", "coco-results"):
        from .coco import creation
        from .coco.complete import Complete

        if resume and creation.is_complete(dst):
            return Complete(dst, style)
        if resume:
            return creation.create(dst, "a", style)
        return creation.create_sealed(dst, style, replace=overwrite)
    if (resume or overwrite) and os.path.isdir(dst):
        found = kind_of(dst)
        if found not in (None, kind) and (resume or found != "label-images"):
            # What looks like label images may be grey photos, beside which one writes.
            what = "what is gone on with" if resume else "what is replaced"
            raise FormatError(f"{dst}: a folder of {found}, expected {what}: {kind}")
    if kind == "sa1b":
        from . import coco

        return coco.create_folder(dst, mode)
    if kind == "label-images":
        from . import label_images

        return label_images.create(dst, mode)
    from . import yolo

    return yolo.create(dst, mode)


def held(out: Sink) -> tuple[int, int] | None:
    """Count the images and instances that a file which is gone on with has before.

    Returns
    -------
    tuple of int, or None
        None for a folder, in which any file may stand, and for what is complete, which tells
        itself what it lacks.
    """
    from .coco.writer import Writer as CocoWriter
    from .hdf5.writer import Writer

    if isinstance(out, CocoWriter):
        return len(out), out.instances
    if isinstance(out, Writer):
        with open_dataset(out.path) as ds:
            return len(ds), ds._source.n_detections
    return None


def _overlap(src: str, dst: str, is_folder: bool) -> bool:
    """Tell whether a destination lies in the source, or a folder of files holds it."""
    one, other = os.path.realpath(src), os.path.realpath(dst)
    common = os.path.commonpath([one, other])
    return common == one or (is_folder and common == other and os.path.isdir(other))


def size_of(path: str) -> int:
    """Give the bytes of a file, or of all files of a folder."""
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(path)
        for name in names
    )
