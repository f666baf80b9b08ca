"""One writer at a time: a lock that dies with the process that holds it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import Final

from compactmask.errors import BusyError

from .. import disk
from ..positional import pread
from .handle import is_at

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

_HELD: dict[str, tuple[int, object]] = {}
"""The process that holds each lock, and which: record locks do not keep a process from itself."""
_FLAGS = os.O_RDWR | os.O_CREAT | disk.BINARY | getattr(os, "O_NOFOLLOW", 0)
NO_LOCKS: Final = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""Errors of a file system that has no locks."""


def lock_path(path: str) -> str:
    """Give the name of a file's lock."""
    return f"{path}.lock"


class WriterLock:
    """A POSIX record lock on ``<path>.lock``, which names the process and machine that hold it.

    A forked child does not inherit a record lock, so that of a process that was killed is free,
    whatever children it has left; ``flock`` would still be held by them.

    Parameters
    ----------
    path : str
        The file that it protects, as :func:`~..partial.resolve` gives it.

    Raises
    ------
    BusyError
        Where another writer has it.
    OSError
        Where the file system has no locks, or the folder cannot be written to.
    """

    def __init__(self, path: str) -> None:
        self.path: Final = lock_path(path)
        self._file = path
        self._pid = os.getpid()
        mine = self._pid, object()
        held = _HELD.setdefault(self.path, mine)
        if held is not mine:
            if held[0] == self._pid:
                raise BusyError(f"{path}: another writer of this process has it open")
            _HELD[self.path] = mine  # What the parent of this process holds, it does not.
        try:
            self._fd = self._acquire()
        except BaseException:
            del _HELD[self.path]
            raise

    def _acquire(self) -> int:
        while True:
            fd = os.open(self.path, _FLAGS, 0o666)
            try:
                self._lock_or_tell(fd)
            except BaseException as error:
                os.close(fd)
                if isinstance(error, OSError) and error.errno in NO_LOCKS:
                    with contextlib.suppress(OSError):
                        os.unlink(self.path)
                raise
            if is_at(fd, self.path):  # Not removed by the writer that had it before.
                with contextlib.suppress(OSError):  # Of a full disk: it only tells people.
                    os.ftruncate(fd, 0)
                    os.write(fd, f"{self._pid} {socket.gethostname()}\n".encode())
                return fd
            os.close(fd)

    def _lock_or_tell(self, fd: int) -> None:
        try:
            _lock(fd)
        except BlockingIOError:
            pid, _, host = pread(fd, 300, 0).decode(errors="replace").strip().partition(" ")
            raise BusyError(
                f"{self._file}: another writer has it open: process {pid or '?'} on {host or '?'}"
            ) from None

    def hold(self) -> None:
        """Make sure that the lock is still held.

        A record lock ends when the process closes any descriptor of its file, and is of no use
        when that is removed; then it is taken again.

        Raises
        ------
        BusyError
            Where another writer has it meanwhile.
        """
        if is_at(self._fd, self.path):
            self._lock_or_tell(self._fd)
        else:
            lost, self._fd = self._fd, self._acquire()
            os.close(lost)

    def release(self) -> None:
        """Let go of the lock; in a forked child this changes nothing for the parent."""
        if os.getpid() == self._pid:
            if is_at(self._fd, self.path):
                with contextlib.suppress(OSError):
                    os.unlink(self.path)
            _HELD.pop(self.path, None)
        os.close(self._fd)


def _lock(fd: int) -> None:
    """Lock or raise BlockingIOError."""
    try:
        if os.name == "nt":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            raise BlockingIOError(errno.EAGAIN, "locked") from None
        if error.errno in NO_LOCKS:
            raise OSError(
                error.errno,
                "the file system has no locks; where there is one writer only, pass lock=False",
            ) from None
        raise
