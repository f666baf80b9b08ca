"""A file that grows commit by commit: a log beside it, folded into it from time to time."""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import Final, Literal

from compactmask.errors import CompactMaskError

from . import base, journal, snapshot
from .base import Base
from .lock import WriterLock
from .log import Log
from .pages import undisturbed
from .snapshot import Snapshot
from .store import Store

Durability = Literal["commit", "process"]
CHECKPOINT_BYTES = 1 << 23
"""A log that has grown by so many bytes is folded into the file."""


_REPLACED = "{}: removed or replaced by another program while it was written"


class LogLostError(CompactMaskError):
    """The log is not what was written; what it said is still in memory."""


class Journaled:
    """Where a writer leaves rows that are to survive it, commit by commit.

    Parameters
    ----------
    path : str
        What :func:`~..partial.resolve` gave.
    writer : str
        Name and version of the program that writes.
    durability : {"commit", "process"}
        Whether a commit waits until it is on the disk.
    has_lock : bool
        Whether other writers are kept out.
    """

    def __init__(self, path: str, writer: str, durability: Durability, *, has_lock: bool) -> None:
        self.path: Final = path
        self._writer = writer
        self._is_synced = durability == "commit"
        self._lock = WriterLock(path) if has_lock else None
        self._base: Base | None = None
        self._log: Log | None = None
        self._next_checkpoint = CHECKPOINT_BYTES
        self._at_work = threading.Lock()

    @property
    def commits(self) -> int:
        """How many commits stand in the log, which tells whether one has succeeded."""
        with self._at_work:
            return 0 if self._log is None else self._log.commits

    def create(self, compression: str | None, *, replace: bool) -> None:
        """Put a file without images in place.

        Raises
        ------
        FileExistsError
            Where there is a file and it may not be replaced.
        """
        replaces = snapshot.replaced_log(self.path)
        base.create(self.path, self._writer, compression, replaces, replace=replace)
        self._begin(snapshot.take(self.path)).begin(self._opened().end)
        journal.remove(self.path)

    def resume(self, before: Snapshot, store: Store) -> None:
        """Go on after the last commit of a file."""
        log = self._begin(before)
        replay = before.replay
        if before.handle.pages or replay.end != before.end:
            log.begin(self._opened().end)
            journal.remove(self.path)
            return
        journal.remove(self.path)
        streams = {stream.path: stream for stream in store.streams()}
        latest = {path: number for number, path in enumerate(replay.declared)}
        declared = [
            streams.get(path) if latest[path] == number else None
            for number, path in enumerate(replay.declared)
        ]
        log.resume(replay.size, replay.sequence, replay.crc, declared)

    def commit(self, store: Store) -> None:
        """Commit what the store was given since the last commit.

        Raises
        ------
        OSError
            Where it cannot be written.
        CompactMaskError
            Where the file is not at its path any more.
        """
        with self._at_work:
            self._commit(store)

    def _commit(self, store: Store) -> None:
        log, file = self._checked()
        if self._lock is not None:
            self._lock.hold()
        if not file.is_in_place():
            raise CompactMaskError(_REPLACED.format(self.path))
        if not log.is_in_place():
            raise LogLostError(
                f"{log.path}: removed or changed by another program while it was written; "
                "closing the writer puts all that was committed into the file"
            )
        log.append(store.streams())

    def fold_when_due(self, store: Store) -> None:
        """Fold the log into the file where it has grown enough; put it off where that fails."""
        log, file = self._checked()
        if log.size < self._next_checkpoint or not log.commits:
            return
        try:
            undisturbed(lambda: self._fold(store, is_last=False))
            self._next_checkpoint = CHECKPOINT_BYTES
        except Exception as error:
            self._next_checkpoint = log.size + CHECKPOINT_BYTES
            stopped = "the checkpoint stopped half way" if file.is_half_way else "it is put off"
            warnings.warn(
                f"{self.path}: everything is committed, but cannot be folded into the file now, "
                f"{stopped}: {error}",
                RuntimeWarning,
                stacklevel=4,
            )

    def close(self, store: Store) -> None:
        """Fold the log into the file and remove it, and let other writers in."""
        try:
            log, file = self._checked()
            if not file.is_in_place():
                raise CompactMaskError(_REPLACED.format(self.path))
            if any(stream.rows != stream.folded for stream in store.streams()):
                undisturbed(lambda: self._fold(store, is_last=True))
            else:
                log.remove()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of everything. What was committed stays, also where it is in the log."""
        with self._at_work:
            self._release()

    def _release(self) -> None:
        for part in (self._log, self._base):
            if part is not None:
                with contextlib.suppress(OSError):
                    part.close()
        self._log = self._base = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _begin(self, before: Snapshot) -> Log:
        uuid = before.layout.uuid
        self._base = Base(self.path, uuid)
        self._log = Log(self.path, uuid, is_synced=self._is_synced)
        return self._log

    def _fold(self, store: Store, *, is_last: bool) -> None:
        with self._at_work:
            self._fold_alone(store, is_last=is_last)

    def _fold_alone(self, store: Store, *, is_last: bool) -> None:
        log, file = self._checked()
        streams = store.streams()
        file.fold(streams)
        file.is_half_way = True  # Until the log is that of the file as it is now.
        for stream in streams:
            stream.settle()
        if is_last:
            log.remove()
        else:
            log.begin(file.end)
        journal.remove(self.path)
        file.is_half_way = False

    def _opened(self) -> Base:
        assert self._base is not None
        return self._base

    def _checked(self) -> tuple[Log, Base]:
        if self._log is None or self._base is None:
            raise ValueError(f"{self.path}: the writer is closed")
        if self._base.is_half_way:
            raise CompactMaskError(
                f"{self.path}: a checkpoint was interrupted half way; everything committed is "
                "safe: open it again with mode 'a' to go on"
            )
        if self._log.is_torn:
            raise CompactMaskError(
                f"{self.path}: a commit failed and could not be taken out of the log; everything "
                "committed before is safe: open it again with mode 'a' to go on"
            )
        return self._log, self._base
