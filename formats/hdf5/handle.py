"""A file that is read by position."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping
from typing import BinaryIO, Final

from compactmask.errors import CorruptFileError

from ..positional import open_to_read, pread

PAGE = 4096
"""Bytes of a page of the journal."""


def open_beside(path: str) -> BinaryIO | None:
    """Open what stands beside a file under a name of the format; None where nothing does."""
    try:
        return os.fdopen(open_to_read(path), "rb")
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise


def is_at(fd: int, path: str) -> bool:
    """Tell whether a path leads to an open file."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False


def lay_over(view: memoryview, start: int, pages: Mapping[int, bytes | bytearray]) -> None:
    """Put pages over bytes that stand in a file from a position on."""
    stop = start + len(view)
    for number in range(start // PAGE, -(-stop // PAGE)):
        page = pages.get(number)
        if page is not None:
            base = number * PAGE
            low, high = max(start, base), min(stop, base + PAGE)
            view[low - start : high - start] = page[low - base : high - base]


class Handle:
    """An open file that threads and forked processes read without moving a common position.

    It closes itself when nobody holds it any more, so what reads from it later simply keeps it.

    Parameters
    ----------
    path : str
        File to read.

    Raises
    ------
    OSError
        Where it cannot be opened.
    FormatError
        Where it is no regular file, such as a pipe.
    """

    __slots__ = ("bytes_read", "fd", "pages", "path", "size")

    def __init__(self, path: str) -> None:
        self.fd = -1
        self.pages: dict[int, bytes] = {}
        """Of a journal: they stand for those of the file."""
        self.bytes_read = 0
        self.path: Final = path
        self.fd = open_to_read(path)
        self.size: Final = os.fstat(self.fd).st_size

    def __del__(self) -> None:
        if self.fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self.fd)

    def read(self, offset: int, size: int) -> bytes:
        """Read exactly ``size`` bytes from ``offset``.

        Raises
        ------
        CorruptFileError
            Where the file ends before.
        """
        self.bytes_read += size
        data = pread(self.fd, size, offset)
        while len(data) < size:
            more = pread(self.fd, size - len(data), offset + len(data))
            if not more:
                raise CorruptFileError(
                    f"{self.path}: {size} bytes expected at {offset}, "
                    f"the file ends after {len(data)} of them"
                )
            data += more
        if self.pages:
            laid_over = bytearray(data)
            lay_over(memoryview(laid_over), offset, self.pages)
            return bytes(laid_over)
        return data

    def is_still_at_path(self) -> bool:
        """Tell whether the path still leads to this very file."""
        return is_at(self.fd, self.path)
