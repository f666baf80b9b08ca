"""A file that is written beside its place, and put there when it is complete."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat

from compactmask.errors import FormatError

from . import disk

RESERVED = (".log", ".journal", ".lock", ".partial")
"""What stands beside a file while it is written."""


def resolve(path: str | os.PathLike[str]) -> str:
    """Give the real path of a file to write: symbolic links are followed, not replaced.

    Parameters
    ----------
    path : str or path-like
        Where the file shall be; there may be a regular file, or nothing.

    Raises
    ------
    FormatError
        Where something other than a regular file is there, or the path holds a null character.
    IsADirectoryError
        Where a folder is there.
    FileNotFoundError
        Where the folder that shall hold it is missing.
    """
    text = os.fsdecode(path)
    if "\0" in text:
        raise FormatError(f"{text!r}: a path cannot hold a null character")
    real = os.path.realpath(text)
    if real.endswith(RESERVED):
        raise FormatError(f"{real}: a name of what stands beside a file, expected one like .h5")
    try:
        os.lstat(beside(real))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            problem = "too long a name for what stands beside the file while it is written"
            raise OSError(errno.ENAMETOOLONG, problem, real) from None
    try:
        mode = os.stat(real).st_mode
    except FileNotFoundError:
        folder = os.path.dirname(real)
        if not os.path.isdir(folder):
            raise FileNotFoundError(errno.ENOENT, "its folder does not exist", real) from None
        return real
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "a folder, expected a file", real)
    if not stat.S_ISREG(mode):
        raise FormatError(f"{real}: not a regular file, which cannot be written or replaced")
    return real


def destination(src: str, dst: str, overwrite: bool) -> str:
    """Give the real path that a copy of a file is written to.

    Parameters
    ----------
    src, dst : str
        The file, and where it shall go.
    overwrite : bool
        Whether an existing ``dst`` is replaced.

    Raises
    ------
    FileExistsError
        Where it exists and must stay.
    FormatError
        Where it is the source itself, or as of :func:`resolve`.
    """
    place = resolve(dst)
    if os.path.exists(place):
        if os.path.samefile(src, place):
            raise FormatError(f"{dst}: it is the source itself, expected another file")
        if not overwrite:
            raise FileExistsError(errno.EEXIST, "it exists, and overwrite is not set", dst)
    return place


def beside(path: str) -> str:
    """Give a name in the folder of a file that nobody else uses.

    Parameters
    ----------
    path : str
        What :func:`resolve` gave.
    """
    return f"{path}.{secrets.token_hex(4)}.partial"


def remove_second_names(path: str) -> None:
    """Remove the names that :func:`put_in_place` leaves where it is killed.

    Parameters
    ----------
    path : str
        What :func:`resolve` gave.
    """
    folder, name = os.path.split(path)
    for other in os.listdir(folder):
        if other.startswith(f"{name}.") and other.endswith(".partial"):
            beside_it = os.path.join(folder, other)
            with contextlib.suppress(OSError):
                if os.path.samefile(beside_it, path):
                    disk.remove(beside_it)


def put_in_place(temporary: str, path: str, overwrite: bool) -> None:
    """Move a complete file to its place so that it is there even after a power failure.

    Parameters
    ----------
    temporary : str
        The file, closed, in the folder of ``path``.
    path : str
        What :func:`resolve` gave.
    overwrite : bool
        Whether a file that is there is replaced.

    Raises
    ------
    FileExistsError
        Where a file is there and must stay; ``temporary`` is kept.
    """
    fd = disk.open_to_write(temporary)
    try:
        disk.sync(fd)
    finally:
        os.close(fd)
    if overwrite:
        disk.replace(temporary, path)
    else:
        _link(temporary, path)
    disk.sync_folder(path)


def _link(temporary: str, path: str) -> None:
    """Rename without replacing; where the file system has no links, look before."""
    try:
        disk.link(temporary, path)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "it was made meanwhile", path) from None
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "it was made meanwhile", path) from None
        disk.replace(temporary, path)
    else:
        with contextlib.suppress(OSError):
            disk.remove(temporary)
