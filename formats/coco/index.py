"""What was found in a document, kept beside it, so that it need not be gone over again."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict

from compactmask import __version__

from ..opening import GZIP_MAGIC
from ..positional import open_to_read, pread
from . import document
from .document import Document
from .file import EDGE, JsonFile, Stamp
from .index_file import read_arrays, read_header, write
from .index_parts import put_together, take_apart

ENDING = ".index"
VERSION = 2
"""Is another one whenever what stands in an index, or what it means, is."""
TICK = 20_000_000
"""Nanoseconds in which a file may change twice and have one time of change."""
COARSE_TICK = 2_000_000_000
"""The same, where times of change are whole seconds."""
UNUSABLE = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What reading an index may raise; RecursionError too, where its JSON is nested."""


def load(path: str) -> Document | None:
    """Give a document as its index has it.

    Parameters
    ----------
    path : str
        The document.

    Returns
    -------
    Document or None
        None where there is no index, or it is of another document, of what this one was before,
        of another version, or damaged.
    """
    try:
        with os.fdopen(open_to_read(path + ENDING), "rb") as kept:
            header = read_header(kept)
            if header["version"] != VERSION or header["package"] != __version__:
                return None
            file = JsonFile(path)
            stamp = file.look()
            if header["document"] != asdict(stamp):
                return None
            return put_together(file, stamp, header["content"], read_arrays(kept, header))
    except (*UNUSABLE, RecursionError):
        return None


def read_and_keep(path: str) -> Document:
    """Go over a document, and write its index where that can be.

    Parameters
    ----------
    path : str
        The document. Of a folder, and of what is compressed, no index is kept.

    Raises
    ------
    FormatError
        As :func:`document.read` does.
    """
    before = _stamp(path)
    is_told = before is not None and tells_changes(before)
    found = document.read(path, None)
    if before is not None and is_told and before == _stamp(path):
        description, arrays = take_apart(found)
        header = {
            "version": VERSION,
            "package": __version__,
            "document": asdict(before),
            "content": description,
        }
        with contextlib.suppress(OSError, ValueError, RecursionError):
            write(path + ENDING, header, arrays)
    return found


def _stamp(path: str) -> Stamp | None:
    """Look at a file; None where no index is kept of it."""
    if os.path.isdir(path):
        return None
    fd = open_to_read(path)
    try:
        return None if pread(fd, len(GZIP_MAGIC), 0) == GZIP_MAGIC else Stamp.of(fd)
    finally:
        os.close(fd)


def tells_changes(stamp: Stamp) -> bool:
    """Tell whether a change from now on gives another stamp; if need be wait until it does."""
    if stamp.size <= 2 * EDGE:  # nothing of it is not compared
        return True
    age = abs(time.time_ns() - stamp.mtime_ns)
    if stamp.mtime_ns % 1_000_000_000 == 0:
        return age > COARSE_TICK
    if age <= TICK:
        time.sleep(TICK / 1e9)
    return True
