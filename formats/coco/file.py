"""The bytes of a document, by position."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from typing import Protocol

from compactmask.errors import CorruptFileError, FormatError

from ..opening import GZIP_MAGIC
from ..positional import open_to_read, pread

EDGE = 1 << 16
"""Bytes at either end of a document that are compared."""


@dataclass(frozen=True)
class Stamp:
    """What tells a file from another one, or from what it was before."""

    size: int
    mtime_ns: int
    digest: str
    """Of its two ends."""

    @classmethod
    def of(cls, fd: int) -> Stamp:
        """Look at an open file."""
        return cls(*_stamp(fd), _edges(fd))


class Bytes(Protocol):
    """Where segmentations and further keys are read from."""

    @property
    def bytes_read(self) -> int:
        """Bytes read by position."""

    def check(self, image: int) -> None:
        """Refuse the document of an image if it was changed since it was opened."""

    def read(self, image: int, start: int, stop: int) -> bytes:
        """Give the bytes from ``start`` to ``stop`` of the document of an image."""


class JsonFile:
    """A JSON file, open for reading; it closes itself when nobody holds it any more.

    A file that is compressed by gzip has no random access: it is decompressed once, into a
    temporary file without a name, that is gone with this object.

    Parameters
    ----------
    path : str
        A regular file.

    Raises
    ------
    OSError
        Where it cannot be opened.
    FormatError
        Where it is no regular file, or damaged gzip.
    """

    __slots__ = ("_fd", "_may_change", "bytes_read", "path", "size", "stamp")

    def __init__(self, path: str) -> None:
        self._fd = -1
        self.path = path
        self.bytes_read = 0
        fd = open_to_read(path)
        self.stamp = _stamp(fd)
        self._may_change = True
        if pread(fd, len(GZIP_MAGIC), 0) == GZIP_MAGIC:
            fd = _decompressed(fd, path)
            self._may_change = False
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def __del__(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)

    def fileno(self) -> int:
        """Give the descriptor that is read from."""
        return self._fd

    def look(self) -> Stamp:
        """Give what tells the document from another one, or from what it was before."""
        return Stamp(*self.stamp, _edges(self._fd))

    def some(self, start: int, size: int) -> bytes:
        """Give at most ``size`` bytes from ``start`` on; none at the end."""
        return pread(self._fd, size, start)

    def check(self, image: int) -> None:
        """Look whether the file is as it was.

        Raises
        ------
        CorruptFileError
            Where it was changed.
        """
        if self._may_change and _stamp(self._fd) != self.stamp:
            raise CorruptFileError(f"{self.path}: the file was changed after it was opened")

    def read(self, image: int, start: int, stop: int) -> bytes:
        """Give the bytes from ``start`` to ``stop``.

        Raises
        ------
        CorruptFileError
            Where the file has become shorter.
        """
        data = pread(self._fd, stop - start, start)
        self.bytes_read += len(data)
        while len(data) < stop - start:
            more = pread(self._fd, stop - start - len(data), start + len(data))
            if not more:
                raise CorruptFileError(
                    f"{self.path}: the file ends at byte {start + len(data)}, "
                    f"it had {self.size} when it was opened"
                )
            data += more
        return data


def _stamp(fd: int) -> tuple[int, int]:
    """Give what tells a file from one that was changed: its size and the time of its change."""
    status = os.fstat(fd)
    return status.st_size, status.st_mtime_ns


def _edges(fd: int) -> str:
    """Give a digest of both ends of an open file."""
    digest = hashlib.blake2b(pread(fd, EDGE, 0), digest_size=16)
    digest.update(pread(fd, EDGE, max(EDGE, os.fstat(fd).st_size - EDGE)))
    return digest.hexdigest()


def _decompressed(fd: int, path: str) -> int:
    """Give a descriptor of a temporary file that holds what a compressed one says."""
    with os.fdopen(fd, "rb") as packed, tempfile.TemporaryFile() as plain:
        try:
            with gzip.GzipFile(fileobj=packed) as unpacked:
                shutil.copyfileobj(unpacked, plain, 1 << 20)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FormatError(f"{path}: damaged gzip: {error}") from None
        plain.flush()
        return os.dup(plain.fileno())
