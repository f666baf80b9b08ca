"""The HDF5 file of a writer: what commits are folded into, under a journal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import Final

from h5py import h5f

from compactmask.errors import CompactMaskError, CorruptFileError, FormatError

from .. import disk, partial
from ..positional import pread
from . import journal, superblock, tree
from .handle import PAGE, is_at
from .journal import Journal
from .pages import Pages, access_plan, undisturbed
from .stream import Stream


def create(
    path: str, writer: str, compression: str | None, replaces: bytes | None, *, replace: bool
) -> None:
    """Put a file without images in place.

    Parameters
    ----------
    path : str
        What :func:`~..partial.resolve` gave.
    writer : str
        Name and version of the program that writes.
    compression : str, optional
        Of the packed masks.
    replaces : bytes, optional
        As of :func:`tree.create`.
    replace : bool
        Whether a file that is there is replaced.

    Raises
    ------
    FileExistsError
        Where a file is there and must stay.
    """
    temporary, fd = partial.beside(path), -1
    try:
        fd = disk.create(temporary)
        pages = Pages(fd, 0, kept_bytes=PAGE)
        undisturbed(lambda: tree.create(pages, writer, compression, replaces).close())
        if pages.error is not None:
            raise pages.error
        pages.write_back()
        partial.put_in_place(temporary, path, overwrite=replace)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.remove(temporary)
        raise
    finally:
        if fd >= 0:
            os.close(fd)


class Base:
    """The file at a path, to be changed by checkpoints. A complete journal is applied first.

    Parameters
    ----------
    path : str
        What :func:`~..partial.resolve` gave.
    uuid : bytes
        Of the file, 16 bytes.

    Raises
    ------
    FormatError
        Where it is a file that cannot be continued.
    """

    def __init__(self, path: str, uuid: bytes) -> None:
        self.path: Final = path
        self._uuid = uuid
        self.fd: Final = disk.open_to_write(path)
        self.is_half_way = False
        """Whether a journal waits to be applied, which opening the file again does."""
        try:
            self._check()
            self._complete_journal()
            self._block = self._read_superblock()
        except BaseException:
            self.close()
            raise

    @property
    def end(self) -> int:
        """Where the file ends, as its superblock has it."""
        return self._block.end

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.fd)

    def is_in_place(self) -> bool:
        """Tell whether the file is still at its path."""
        return is_at(self.fd, self.path)

    def fold(self, streams: Iterable[Stream]) -> None:
        """Write all rows that the file does not have.

        After an error the file is as it was before, or :attr:`is_half_way` is set.

        When this returns the journal is still there: whoever reads the file meanwhile knows
        from it that the log is of no use any more.
        """
        if self._read_superblock().raw != self._block.raw:
            raise CompactMaskError(f"{self.path}: changed by another program while it was written")
        if os.fstat(self.fd).st_size > self.end:  # What a checkpoint that failed has left.
            disk.truncate(self.fd, self.end)
        try:
            written = self._journal(self._changes(streams))
        except BaseException:
            self._give_up()
            raise
        self.is_half_way = True
        written.apply(self.fd)
        self.is_half_way = False
        self._block = self._read_superblock()

    def _give_up(self) -> None:
        """Take a checkpoint back, if its journal can be removed."""
        try:
            journal.remove(self.path)
        except BaseException:
            self.is_half_way = True  # The journal may be complete: nothing may be cut off.
            raise
        with contextlib.suppress(OSError):
            disk.truncate(self.fd, self.end)

    def _changes(self, streams: Iterable[Stream]) -> Pages:
        pages = Pages(self.fd, self.end)
        try:
            file = tree.Tree(h5f.open(b"pages", h5f.ACC_RDWR, access_plan(pages)))
            try:
                file.write_all(streams)
            finally:
                file.close()
        finally:
            if pages.error is not None:
                raise pages.error
        if pages.size <= self.end:
            raise CompactMaskError(f"{self.path}: a checkpoint did not grow the file")
        return pages

    def _journal(self, pages: Pages) -> Journal:
        disk.truncate(self.fd, pages.size)
        disk.sync(self.fd)
        before = pread(self.fd, PAGE, 0).ljust(PAGE, b"\0")
        written = Journal(self._uuid, before, pages.size, pages.changed())
        journal.write(written, self.path)
        return written

    def _check(self) -> None:
        """Refuse a file that a journal could not be made for, or that has a second name."""
        if self._uuid.hex().encode() not in pread(self.fd, PAGE, 0):
            raise FormatError(
                f"{self.path}: its uuid is not in its first page, as it is in files of this "
                "package: repack it to continue it"
            )
        if os.fstat(self.fd).st_nlink > 1:
            partial.remove_second_names(self.path)
        if os.fstat(self.fd).st_nlink > 1:
            raise FormatError(
                f"{self.path}: has a second name (a hard link), under which its log would not "
                "be found: copy it to continue it"
            )

    def _complete_journal(self) -> None:
        """Apply a complete journal of this file; one that is torn is of no use."""
        found = journal.read(self.path)
        if found is not None and found.belongs_to(self.fd):
            found.apply(self.fd)

    def _read_superblock(self) -> superblock.Superblock:
        found = superblock.parse(pread(self.fd, superblock.SIZE, 0))
        if found is None:
            raise FormatError(
                f"{self.path}: not a file of HDF5's format 1.10, as those of this package are: "
                "repack it to continue it"
            )
        if found.is_held:
            raise CorruptFileError(
                f"{self.path}: half way through a checkpoint, and there is no journal to "
                "complete it"
            )
        return found
