"""What a file held at one moment, whatever its writer did meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import dataclass

from compactmask.errors import BusyError, FormatError

from ..positional import pread
from . import journal, log, replay, superblock
from .contents import Contents
from .handle import Handle, open_beside
from .layout import Layout, read_layout
from .replay import Replay

PATIENCE = 20.0
"""Seconds that a reader tries, where the file changes whenever it looks."""


@dataclass(slots=True)
class Snapshot:
    """The last commit of a file when it was read, and from where later ones are read."""

    handle: Handle
    layout: Layout
    head: bytes
    """Its superblock."""
    replay: Replay

    @property
    def end(self) -> int:
        """The end of the file as its superblock tells it; -1 where it has an old one."""
        block = superblock.parse(self.head)
        return -1 if block is None else block.end

    def contents(self) -> Contents:
        """Give what it holds."""
        tree = replay.merged(self.layout.tree, self.replay)
        return Contents(self.handle, self.layout, tree)

    def advance(self) -> bool | None:
        """Read the records that the log has got since.

        Returns
        -------
        bool or None
            Whether there were any; None where the snapshot must be taken anew.
        """
        changed = None
        if self._is_current():
            with contextlib.suppress(FormatError):
                changed = self._advance()
        return changed if self._is_current() else None

    def _advance(self) -> bool | None:
        name = log.path_of(os.path.realpath(self.handle.path))
        if not self.replay.size:
            return None if os.path.exists(name) else False
        file = open_beside(name)
        if file is None:
            return None
        with file:
            if file.read(log.HEADER.size) != log.header(self.layout.uuid, self.end):
                return None
            if self.replay.last:  # Is it still there, or has a failed commit been taken back?
                file.seek(self.replay.last)
                if log.checksum(file.read(log.RECORD.size)) != self.replay.crc:
                    return None
            file.seek(self.replay.size)
            return self.replay.go_on(file.read())

    def _is_current(self) -> bool:
        """Tell whether no checkpoint has begun or passed, and the file is the same."""
        head, journaled = _state(self.handle, os.path.realpath(self.handle.path))
        return self.handle.is_still_at_path() and not journaled and head == self.head


def take(path: str) -> Snapshot:
    """Read the last commit of a file.

    The journal is looked at first: where there is a complete one, its pages stand for those of
    the file, whatever has become of them. Then the structure, then the log. At last it is told
    whether all of that belonged together; if not, it is done again.

    Raises
    ------
    BusyError
        Where it never belonged together for as long as a reader waits.
    FormatError
        Where it is no file of this format, or damaged.
    """
    deadline = time.monotonic() + PATIENCE
    pause = 0.001
    while True:
        handle = Handle(path)
        real = os.path.realpath(path)
        before = _state(handle, real)
        # Otherwise a checkpoint may have passed since it was opened.
        is_stable = os.fstat(handle.fd).st_size == handle.size
        error: FormatError | None = None
        found: Snapshot | None = None
        try:
            found = _read(handle, real)
        except FormatError as caught:
            error = caught
        if is_stable and handle.is_still_at_path() and _state(handle, real) == before:
            if found is not None:
                return found
            assert error is not None
            raise error
        if time.monotonic() > deadline:
            raise BusyError(f"{path}: it changed whenever it was read, for {PATIENCE:.0f} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def replaced_log(path: str) -> bytes | None:
    """Give the uuid in a log that has commits, and that goes when its file is replaced.

    Parameters
    ----------
    path : str
        The file, which need not be there.

    Raises
    ------
    FileExistsError
        Where the log is that of another file, or no log at all.
    FormatError
        Where log or journal is no regular file.
    """
    journal.read(path)
    file = open_beside(log.path_of(path))
    if file is None:
        return None
    with file:
        head, has_more = file.read(log.HEADER.size), bool(file.read(1))
    magic, rest = head[: len(log.MAGIC)], head[len(log.MAGIC) :]
    if not any(head) or (log.MAGIC.startswith(magic) and not has_more):
        return None
    problem = f"is there and is not the log of {path}: move it away"
    try:
        layout = take(path).layout
        if rest[:16] in (layout.uuid, layout.replaces):
            return rest[:16]
    except FileNotFoundError:
        pass
    except FormatError as error:
        problem = f"is there, and whether it belongs to {path} cannot be told: {error}"
    raise FileExistsError(errno.EEXIST, problem, log.path_of(path))


def _read(handle: Handle, real: str) -> Snapshot:
    pending = journal.read(real)
    if pending is not None and pending.belongs_to(handle.fd):
        handle.pages = pending.pages
    head = handle.read(0, min(handle.size, superblock.SIZE))
    block = superblock.parse(head)
    layout = read_layout(handle)
    end = -1 if block is None else block.end
    if handle.pages:  # The journal has taken in what the log says, whatever has become of that.
        return Snapshot(handle, layout, head, Replay(real, layout.uuid, layout.tree))
    return Snapshot(handle, layout, head, replay.read(real, layout.uuid, end, layout.tree))


def _state(handle: Handle, real: str) -> tuple[bytes, tuple[int, ...] | None]:
    """Give what changes whenever a checkpoint begins or ends."""
    journaled = _identity(journal.path_of(real))
    head = b"" if journaled else pread(handle.fd, superblock.SIZE, 0)
    return head, journaled


def _identity(path: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
