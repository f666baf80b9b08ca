"""Regular files that are read by position."""

from __future__ import annotations

import os
import stat
import sys
import threading

from compactmask.errors import FormatError


def open_to_read(path: str) -> int:
    """Open a regular file.

    Raises
    ------
    OSError
        Where it cannot be opened.
    FormatError
        Where it is something else, such as a pipe.
    """
    # Without O_NONBLOCK, opening a pipe would wait for its other end.
    flags = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    fd = os.open(path, os.O_RDONLY | flags)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FormatError(f"{path}: not a regular file, which cannot be read by position")
    return fd


if sys.platform != "win32":
    pread = os.pread
else:  # Where processes do not fork either.
    _position = threading.Lock()

    def pread(fd: int, size: int, offset: int, /) -> bytes:
        """Read at most ``size`` bytes from ``offset``."""
        with _position:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.read(fd, size)
