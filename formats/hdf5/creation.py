"""How a writer comes to be: beside a log, or for a file that is written as a whole."""

from __future__ import annotations

import errno
import operator
import os
from collections.abc import Iterable
from typing import Literal

from compactmask import __version__
from compactmask.errors import FormatError, UnsupportedVersionError

from ..partial import resolve
from . import filters, schema, snapshot
from .about import checked_names
from .contents import Compression, Contents
from .journaled import Durability, Journaled
from .resume import resumed
from .sealed import Sealed
from .store import Store
from .writer import OnDuplicate, Writer, checked_policy

Mode = Literal["x", "w", "a"]
WRITER = f"compactmask {__version__}"


def create(
    path: str | os.PathLike[str],
    mode: Mode = "x",
    classes: Iterable[str] | None = None,
    compression: Compression = None,
    commit_every: int = 1,
    durability: Durability = "commit",
    on_duplicate: OnDuplicate = "raise",
    lock: bool = True,
) -> Writer:
    """Create a dataset to append to, or go on with one.

    Every image is committed before :meth:`Writer.append` returns: it is a record in a log beside
    the file, ``<path>.log``. From time to time, and at the end, the log is folded into the file
    under a journal, ``<path>.journal``. A process may be killed at any moment and the power may
    fail: what was committed is read by :func:`compactmask.open`, and mode "a" goes on from it.
    The file may be read by any number of processes meanwhile. File and log belong together until
    the writer is closed; then the file stands alone.

    Keep a writer open rather than opening one for each image: every close leaves some 50 to 100
    KB behind that only :func:`repack` reclaims.

    Parameters
    ----------
    path : path-like
        File to write. Symbolic links are followed.
    mode : {"x", "w", "a"}
        As h5py has it: "x" refuses a file that exists, "w" replaces it at once, "a" goes on with
        it.
    classes : iterable of str, optional
        Class names; ``class_id`` is the index into them. With "a" these and those that the file
        has must begin alike; the longer list holds.
    compression : {"gzip", "zstd"}, optional
        Compress the packed masks too: some percent smaller, and slower to read at random. "zstd"
        needs the extra of that name. With "a", what the file has.
    commit_every : int
        Commit after so many images, and at the end. What is not committed is lost with the
        process, and readers do not see it.
    durability : {"commit", "process"}
        "commit" waits for the disk, so that a commit survives a power failure; "process" leaves
        that to the system: a commit survives the process, and after a power failure the file is
        whole, but may lack the last commits.
    on_duplicate : {"raise", "skip", "replace", "keep"}
        What :meth:`Writer.append` does where there is an image of that id or file name. "keep"
        appends another one of the same name; an id that is there is refused.
    lock : bool
        Keep other writers out by a lock on ``<path>.lock``. Turn it off only where the file
        system has no locks, and nobody else writes.

    Returns
    -------
    Writer
        To be used in a ``with`` statement.

    Raises
    ------
    FileExistsError
        Where the file exists, with "x"; where ``<path>.log`` belongs to another file.
    BusyError
        Where another writer has it open.
    FormatError
        Where the file to go on with is none of this format, or damaged.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> path = getfixture("tmp_path") / "people.h5"
    >>> mask = np.zeros((1, 6, 8), dtype=bool)
    >>> mask[0, 2:4, 3:7] = True
    >>> found = sv.Detections(
    ...     xyxy=np.array([[3.0, 2, 7, 4]]), mask=mask, class_id=np.array([0])
    ... )
    >>> with cm.create(path, classes=["person"]) as out:
    ...     out.append(found, file_name="a.jpg")
    >>> with cm.create(path, "a", on_duplicate="skip") as out:
    ...     for name in ("a.jpg", "b.jpg"):
    ...         out.append(sv.Detections.empty(), file_name=name, image_shape=(6, 8))
    >>> with cm.open(path) as ds:
    ...     print(len(ds), ds.images["file_name"], len(ds[0]), len(ds[1]))
    2 ['a.jpg' 'b.jpg'] 1 0
    """
    if mode not in ("x", "w", "a"):
        raise ValueError(f"mode {mode!r}, expected 'x', 'w' or 'a'")
    _check_compression(compression)
    if durability not in ("commit", "process"):
        raise ValueError(f"durability {durability!r}, expected 'commit' or 'process'")
    checked_policy(on_duplicate)
    if operator.index(commit_every) < 1:
        raise ValueError(f"commit_every {commit_every}, expected at least 1")
    real = resolve(path)
    if mode == "x" and os.path.lexists(real):
        raise FileExistsError(errno.EEXIST, "exists", real)
    names = [] if classes is None else checked_names(classes, real)
    target = Journaled(real, WRITER, durability, has_lock=lock)
    try:
        before = None
        if mode == "a" and os.path.lexists(real):
            found = snapshot.take(real)
            before = found.contents()
            _check_continuable(before, compression)
            snapshot.replaced_log(real)
            store = resumed(before)
            target.resume(found, store)
        else:
            store = Store(compression)
            target.create(compression, replace=mode == "w")
        writer = Writer(target, store, before, commit_every=commit_every, on_duplicate=on_duplicate)
        if names != writer.classes[: len(names)]:
            writer.classes = names
            writer.commit()
        return writer
    except BaseException:
        target.abandon()
        raise


def create_sealed(
    path: str | os.PathLike[str],
    compression: Compression = None,
    *,
    replace: bool,
    on_duplicate: OnDuplicate = "raise",
) -> Writer:
    """Create a dataset that nobody sees before it is complete.

    Parameters
    ----------
    path : path-like
        File to write.
    compression, on_duplicate
        As of :func:`create`.
    replace : bool
        Whether a file that is there is replaced.
    """
    _check_compression(compression)
    target = Sealed(resolve(path), WRITER, compression, replace=replace)
    return Writer(target, Store(compression), on_duplicate=on_duplicate)


def _check_compression(compression: Compression) -> None:
    if compression not in (None, "gzip", "zstd"):
        raise ValueError(f"compression {compression!r}, expected None, 'gzip' or 'zstd'")
    filters.require(compression)


def _check_continuable(before: Contents, compression: Compression) -> None:
    if before.version > schema.FORMAT_VERSION:
        raise UnsupportedVersionError(
            f"{before.path}: format_version {'.'.join(map(str, before.version))} may hold "
            f"what would be lost, this release of compactmask continues "
            f"{'.'.join(map(str, schema.FORMAT_VERSION))}: install a newer one"
        )
    if before.layout.uses_space_again:
        raise FormatError(
            f"{before.path}: made with a file space strategy of HDF5 that uses space again, "
            "under the eyes of readers: repack it to continue it"
        )
    if compression not in (None, before.compression):
        raise FormatError(
            f"{before.path}: compression {compression!r}, the file has {before.compression!r}: "
            "repack it to change that"
        )
    filters.require(before.compression)
