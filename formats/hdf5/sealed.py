"""A file that is written as a whole, beside its place, and put there when it is complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from .. import disk, partial
from . import journal, log, tree
from .lock import WriterLock, lock_path
from .store import Store

FLUSH_BYTES = 1 << 23
"""Rows wait in memory up to this size."""


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
    """

    def __init__(self, path: str, writer: str, compression: str | None, *, replace: bool) -> None:
        self.path: Final = path
        self._replace = replace
        self._temporary = partial.beside(path)
        self._tree: tree.Tree | None = tree.create(
            os.fsencode(self._temporary), writer, compression
        )

    @property
    def commits(self) -> int:
        """Nothing is committed before the end."""
        return 0

    def commit(self, store: Store) -> None:
        """Do nothing: all rows become visible at once."""

    def fold_when_due(self, store: Store) -> None:
        """Write what fills chunks, once enough waits."""
        streams = store.streams()
        if self._tree is not None and sum(len(s.waiting) for s in streams) >= FLUSH_BYTES:
            for stream in streams:
                self._tree.write_chunks(stream)

    def close(self, store: Store) -> None:
        """Write what still waits, and put the file in place."""
        assert self._tree is not None
        try:
            for stream in store.streams():
                if stream.codec is None and stream.first == 0:
                    stream.total = stream.rows  # Masks that were not flushed fit in one piece.
            self._tree.write_all(store.streams())
            self._close_tree()
            with _no_other_writer(self.path):
                partial.put_in_place(self._temporary, self.path, self._replace)
                for name in (log.path_of(self.path), journal.path_of(self.path)):
                    with contextlib.suppress(FileNotFoundError):
                        disk.remove(name)
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Remove what was written; what existed before stays."""
        with contextlib.suppress(OSError, RuntimeError):
            self._close_tree()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)

    def _close_tree(self) -> None:
        if self._tree is not None:
            file, self._tree = self._tree, None
            file.close()


@contextlib.contextmanager
def _no_other_writer(path: str) -> Iterator[None]:
    """Keep writers out; one that is at work has its lock there."""
    if not os.path.exists(lock_path(path)):
        yield
        return
    lock = WriterLock(path)
    try:
        yield
    finally:
        lock.release()
