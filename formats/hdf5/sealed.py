"""A file that is written as a whole, beside its place, and put there when it is complete."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from compactmask.errors import BusyError

from .. import disk, partial
from . import journal, log, snapshot
from .lock import NO_LOCKS, WriterLock
from .pages import Pages, undisturbed
from .store import Store
from .tree import Tree, create

FLUSH_BYTES = 1 << 23
"""Rows wait in memory up to this size."""
PATIENCE = 2.0
"""Seconds that a lock is waited for."""
KEPT_BYTES = 1 << 20
"""The beginning of the file stays in memory until the end: HDF5 writes to it again and again."""


class Sealed:
    """Where a writer leaves rows that nobody reads before all of them are there.

    Parameters
    ----------
    path : str
        What :func:`~..partial.resolve` gave.
    writer : str
        Name and version of the program that writes.
    compression : str, optional
        Of the packed masks.
    replace : bool
        Whether a file that is there is replaced.

    Raises
    ------
    BusyError
        Where a writer has that file open.
    FileExistsError
        Where something else has the name of its log.
    """

    def __init__(self, path: str, writer: str, compression: str | None, *, replace: bool) -> None:
        self.path: Final = path
        self._writer = writer
        self._compression = compression
        self._replace = replace
        with _no_other_writer(path):
            self._replaces = snapshot.replaced_log(path)
        self._temporary = partial.beside(path)
        self._fd = -1
        self._tree: Tree | None = None
        try:
            self._fd = disk.create(self._temporary)
        except BaseException:
            self.abandon()
            raise
        self._pages = Pages(self._fd, 0, kept_bytes=KEPT_BYTES)

    @property
    def commits(self) -> int:
        """Nothing is committed before the end."""
        return 0

    def commit(self, store: Store) -> None:
        """Do nothing: all rows become visible at once."""

    def fold_when_due(self, store: Store) -> None:
        """Write what fills chunks, once enough waits."""
        streams = store.streams()
        if sum(len(stream.waiting) for stream in streams) >= FLUSH_BYTES:
            self._do(lambda: self._begun().write_full_chunks(streams))

    def close(self, store: Store) -> None:
        """Write what still waits, and put the file in place.

        Raises
        ------
        BusyError
            Where a writer has opened the file that is there.
        """
        try:
            self._do(lambda: self._complete(store))
            self._pages.write_back()
            disk.sync(self._fd)  # Before the lock is taken: that is for a moment only.
            self._close_file()
            with _no_other_writer(self.path):
                snapshot.replaced_log(self.path)
                partial.put_in_place(self._temporary, self.path, self._replace)
                for name in (log.path_of(self.path), journal.path_of(self.path)):
                    with contextlib.suppress(FileNotFoundError):
                        disk.remove(name)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Remove what was written; what existed before stays."""
        with contextlib.suppress(OSError, RuntimeError):
            if self._tree is not None:
                self._do(self._close_tree)
        self._close_file()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)

    def _do(self, work: Callable[[], None]) -> None:
        """Let HDF5 work, and raise what went wrong with the file."""
        undisturbed(work)
        if self._pages.error is not None:
            raise self._pages.error

    def _begun(self) -> Tree:
        if self._tree is None:
            self._tree = create(self._pages, self._writer, self._compression, self._replaces)
        return self._tree

    def _complete(self, store: Store) -> None:
        for stream in store.streams():
            if stream.codec is None and stream.first == 0:
                stream.total = stream.rows  # Masks that were not flushed fit in one piece.
        self._begun().write_all(store.streams())
        self._close_tree()

    def _close_tree(self) -> None:
        if self._tree is not None:
            file, self._tree = self._tree, None
            file.close()

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@contextlib.contextmanager
def _no_other_writer(path: str) -> Iterator[None]:
    """Keep writers out, where the file system has locks."""
    lock = _awaited_lock(path)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _awaited_lock(path: str) -> WriterLock | None:
    """Take the lock of a file; others that put a complete one in place hold it for a moment."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return WriterLock(path)
        except BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)
        except OSError as error:
            if error.errno in NO_LOCKS:
                return None
            raise
