"""How a COCO document comes to be written: modes, and what a killed writer left."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import Literal

from ..partial import beside, resolve
from .about import checked_names
from .composing import Composer, Style
from .spool import Spool, Stamp, stamp_of
from .writer import Writer

Mode = Literal["x", "w", "a"]

ENDING = ".partial"


def create(
    path: str | os.PathLike[str],
    mode: Mode = "x",
    style: Style = "dataset",
    classes: Iterable[str] | None = None,
    *,
    polygons: bool = False,
    allow_lossy: bool = False,
) -> Writer:
    """Write a COCO document image by image, or go on with one that is not complete.

    Images wait in two files beside the document, ``<path>.annotations.partial`` and
    ``<path>.images.partial``, which need little memory however many there are. When the writer
    is closed the document is put together, and takes its place at once when it is on the disk: no
    reader ever sees a part of it, and what was there before stays until then. Where the body of
    the ``with`` statement raises, or the process is killed, the document's place is as it was, and
    the images that wait stay: mode "a" goes on with them.

    Parameters
    ----------
    path : path-like
        File to write. Symbolic links are followed.
    mode : {"x", "w", "a"}
        "x" refuses a document that exists, and images that wait; "w" replaces both, the document
        when the new one is complete; "a" goes on with images that wait, and begins where there
        is nothing. A document that is complete cannot be appended to. What was not there when
        images began to wait is never replaced.
    style : {"dataset", "results"}
        A dataset, or a list of results, which holds neither images nor categories.
    classes : iterable of str, optional
        Class names; ``class_id`` is the index into them. With "a" these and those that wait must
        begin alike; the longer list holds.
    polygons : bool
        Write masks as polygons that give them back. Crowds and masks without pixels stay RLE.
    allow_lossy : bool
        Whether values of further keys that JSON does not know, such as NaN, are left out, and
        masks that do not come back from their polygons are written nevertheless. ``loss`` counts
        both.

    Returns
    -------
    Writer
        To be used in a ``with`` statement.

    Raises
    ------
    FileExistsError
        Where there is something that the mode does not allow, or something else than what was
        there when images began to wait.
    BusyError
        Where another writer is at work on it, in this process or another one.
    FormatError
        Where images wait that were written with another style.

    Examples
    --------
    >>> import json, numpy as np, supervision as sv
    >>> from compactmask.formats import coco
    >>> path = getfixture("tmp_path") / "people.json"
    >>> found = sv.Detections(
    ...     xyxy=np.array([[3.0, 2, 7, 4]]), mask=np.ones((1, 6, 8), bool), class_id=np.array([0])
    ... )
    >>> with coco.create(path, classes=["person"]) as out:
    ...     out.append(found, file_name="a.jpg")
    >>> document = json.loads(path.read_text())
    >>> document["annotations"][0]["segmentation"], document["categories"]
    ({'size': [6, 8], 'counts': '0`1'}, [{'id': 1, 'name': 'person'}])
    """
    if mode not in ("x", "w", "a"):
        raise ValueError(f"mode {mode!r}, expected 'x', 'w' or 'a'")
    composer = _composer(style, polygons, allow_lossy)
    real = resolve(path)
    names = checked_names(() if classes is None else classes, real)
    spool = Spool(real)
    if mode == "x" and os.path.lexists(real):
        raise FileExistsError(errno.EEXIST, "exists", real)
    if mode == "x" and spool.exists:
        raise FileExistsError(
            errno.EEXIST, "is not complete: mode 'a' goes on with it, 'w' begins anew", real
        )
    waits = spool.open()
    goes_on = mode == "a" and waits and spool.is_begun
    writer = Writer(real, spool, real + ENDING, composer=composer, replace=False, keep=True)
    if goes_on:
        writer.resume(names)
        return writer
    if waits:
        spool.remove()
    found = stamp_of(real)
    _check_place(real, found, mode)
    writer.begin(names, found)
    try:
        _check_place(real, stamp_of(real), mode)  # One that was completed before this had the lock.
    except FileExistsError:
        spool.remove()
        raise
    return writer


def _check_place(path: str, found: Stamp | None, mode: Mode) -> None:
    if found is not None and mode != "w":
        raise FileExistsError(errno.EEXIST, "is complete, and nothing is appended to that", path)


def is_complete(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is a document, and no image waits to be added to another one."""
    real = resolve(path)
    return os.path.lexists(real) and not Spool(real).exists


def create_sealed(
    path: str | os.PathLike[str],
    style: Style = "dataset",
    *,
    replace: bool,
    polygons: bool = False,
    allow_lossy: bool = False,
) -> Writer:
    """Write a COCO document of which nothing is left where it is abandoned.

    A process that is killed leaves ``<path>.<hex>.*.partial``, which nobody goes on with.

    Parameters
    ----------
    path : path-like
        File to write.
    style, polygons, allow_lossy
        As of :func:`create`.
    replace : bool
        Whether a file that is there is replaced.
    """
    composer = _composer(style, polygons, allow_lossy)
    real = resolve(path)
    temporary = beside(real)
    spool = Spool(temporary.removesuffix(ENDING))
    writer = Writer(real, spool, temporary, composer=composer, replace=replace, keep=False)
    writer.begin([], None)
    return writer


def _composer(style: Style, polygons: bool, allow_lossy: bool) -> Composer:
    if style not in ("dataset", "results"):
        raise ValueError(f"style {style!r}, expected 'dataset' or 'results'")
    return Composer(style, polygons, allow_lossy)
