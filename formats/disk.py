"""Every change of a file that must survive a crash: the one place that makes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

Buffer = bytes | bytearray | memoryview

BINARY = getattr(os, "O_BINARY", 0)


def create(path: str) -> int:
    """Create a file for reading and writing; FileExistsError where there is one."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, 0o666)


def open_to_write(path: str) -> int:
    """Open a file that exists for reading and writing."""
    return os.open(path, os.O_RDWR | BINARY)


def write(fd: int, data: Buffer, offset: int) -> None:
    """Write all of the data at an offset."""
    view = memoryview(data)
    while view:
        count = _pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def write_all(fd: int, parts: Iterable[Buffer]) -> None:
    """Write parts one after the other, from the beginning of the file."""
    offset = 0
    for part in parts:
        write(fd, part, offset)
        offset += len(part)


def truncate(fd: int, size: int) -> None:
    """Cut a file, or extend it by zeros."""
    os.ftruncate(fd, size)


def sync(fd: int) -> None:
    """Wait until a file's bytes and its size are on the disk."""
    _sync(fd)


def sync_folder(path: str) -> None:
    """Wait until the name of a file, or its absence, is on the disk."""
    if sys.platform == "win32":  # It opens no folders.
        return
    fd = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(source: str, target: str) -> None:
    """Rename a file over whatever has the other name."""
    os.replace(source, target)


def link(source: str, target: str) -> None:
    """Give a file a second name; FileExistsError where that is taken."""
    os.link(source, target)


def remove(path: str) -> None:
    """Remove a name."""
    os.unlink(path)


if sys.platform != "win32":
    _pwrite = os.pwrite
else:

    def _pwrite(fd: int, data: Buffer, offset: int, /) -> int:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, data)


if sys.platform == "darwin":  # Where fsync stops at the drive's own memory.
    import fcntl

    def _sync(fd: int) -> None:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

else:
    _sync = getattr(os, "fdatasync", os.fsync)
