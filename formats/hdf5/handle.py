"""A file that is read by position."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from typing import Final

from compactmask.errors import CorruptFileError, FormatError


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

    __slots__ = ("_fd", "bytes_read", "path", "size")

    def __init__(self, path: str) -> None:
        self._fd = -1
        self.bytes_read = 0
        self.path: Final = path
        # Without O_NONBLOCK, opening a pipe would wait for its other end.
        flags = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        self._fd = os.open(path, os.O_RDONLY | flags)
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise FormatError(f"{path}: not a regular file, expected HDF5")
        self.size: Final = status.st_size

    def __del__(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def read(self, offset: int, size: int) -> bytes:
        """Read exactly ``size`` bytes from ``offset``.

        Raises
        ------
        CorruptFileError
            Where the file ends before.
        """
        self.bytes_read += size
        data = _pread(self._fd, size, offset)
        while len(data) < size:
            more = _pread(self._fd, size - len(data), offset + len(data))
            if not more:
                raise CorruptFileError(
                    f"{self.path}: {size} bytes expected at {offset}, "
                    f"the file ends after {len(data)} of them"
                )
            data += more
        return data

    def is_still_at_path(self) -> bool:
        """Tell whether the path still leads to this very file."""
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except OSError:
            return False


if hasattr(os, "pread"):
    _pread = os.pread
else:  # Windows, where processes do not fork either
    _position = threading.Lock()

    def _pread(fd: int, size: int, offset: int, /) -> bytes:
        with _position:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.read(fd, size)
