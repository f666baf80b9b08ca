"""The files of a folder, and their names by position."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from itertools import accumulate

import numpy as np

from compactmask.errors import CorruptFileError

from .source import Array

OF_ONE_FILE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR)
"""What one file of a folder is to blame for: it is gone, or a link to nothing, or locked."""


def walk(folder: str, suffixes: tuple[str, ...]) -> list[str]:
    """List files by their suffix, also those in sub-folders, in the order of their names.

    Parameters
    ----------
    folder : str
        Where to begin. Links to folders are not followed.
    suffixes : tuple of str
        Ends of names in lower case; what begins with a point is left out.

    Returns
    -------
    list of str
        Names relative to the folder, with "/" between their parts.
    """

    def fail(error: OSError) -> None:
        raise error

    found = []
    for parent, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inner = os.path.relpath(parent, folder).replace(os.sep, "/")
        prefix = "" if inner == "." else f"{inner}/"
        found += [
            prefix + name
            for name in files
            if name.lower().endswith(suffixes) and not name.startswith(".")
        ]
    return sorted(found)


def stem(name: str, suffixes: tuple[str, ...]) -> str:
    """Give the name of a file without its suffix, which is one of several in either case."""
    return name[: -next(len(end) for end in suffixes if name.lower().endswith(end))]


@contextlib.contextmanager
def looking_at(path: str) -> Iterator[None]:
    """Look at a file of a folder, which is to blame where it cannot be opened.

    Raises
    ------
    CorruptFileError
        Where that is so.
    OSError
        Where something else is wrong.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in OF_ONE_FILE:
            raise
        raise CorruptFileError(
            f"{path}: {error.strerror}, expected a file that can be read"
        ) from None


class Texts:
    """Texts by position, back to back as UTF-8.

    Parameters
    ----------
    texts : iterable of str
        The texts.
    """

    __slots__ = ("_data", "_indptr")

    def __init__(self, texts: Iterable[str]) -> None:
        parts = [text.encode() for text in texts]
        self._data = b"".join(parts)
        self._indptr = np.fromiter(accumulate(map(len, parts), initial=0), np.int64)

    def __len__(self) -> int:
        return len(self._indptr) - 1

    def __getitem__(self, i: int) -> str:
        return self._data[self._indptr[i] : self._indptr[i + 1]].decode()

    def column(self) -> Array:
        """Give all of them as an object array."""
        result = np.empty(len(self), object)
        result[:] = [self[i] for i in range(len(self))]
        return result
