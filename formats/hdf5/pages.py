"""A file for the HDF5 library in which nothing that is committed changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from h5py import h5f, h5fd, h5p

from .. import disk
from ..positional import pread
from .handle import PAGE, lay_over

Result = TypeVar("Result")


def access_plan(pages: Pages) -> Any:
    """Give what opens or creates a file in pages, as the format wants it."""
    plan = h5p.create(h5p.FILE_ACCESS)
    plan.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    plan.set_fclose_degree(h5f.CLOSE_STRONG)
    plan.set_fileobj_driver(h5fd.fileobj_driver, pages)
    return plan


class Pages:
    """The file object that HDF5 reads from and writes to.

    What is written to a page that the file has is kept in memory. What is written beyond goes
    to the file at once: nothing refers to it yet. Errors are kept until they are asked for,
    because the HDF5 library does not survive those of a file object.

    Parameters
    ----------
    fd : int
        The file.
    size : int
        Its length as its superblock tells it; bytes beyond it do not count.
    pages : dict of int to bytes
        Pages that stand in memory from the beginning, by their number.
    kept_bytes : int, optional
        What is written below is kept in memory; by default ``size``.
    """

    def __init__(
        self,
        fd: int,
        size: int,
        pages: dict[int, bytes] | None = None,
        kept_bytes: int | None = None,
    ) -> None:
        self.size = size
        self.error: OSError | None = None
        self._fd = fd
        self._position = 0
        self._pages = {number: bytearray(page) for number, page in (pages or {}).items()}
        self._kept: float = -(-(size if kept_bytes is None else kept_bytes) // PAGE)

    def changed(self) -> dict[int, bytes]:
        """Give the pages that stand in memory."""
        return {number: bytes(page) for number, page in sorted(self._pages.items())}

    def write_back(self) -> None:
        """Write the pages that stand in memory, and give the file its length."""
        for number, page in self._pages.items():
            disk.write(self._fd, page, number * PAGE)
        disk.truncate(self._fd, self.size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Give the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read from the position on; zeros where nothing was written."""
        view = memoryview(buffer).cast("B")
        start, stop = self._position, self._position + len(view)
        view[:] = self._read(start, stop)
        lay_over(view, start, self._pages)
        self._position = stop
        return len(view)

    def write(self, data: Any) -> int:
        """Write at the position."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            number, begin = divmod(self._position + done, PAGE)
            if number >= self._kept:
                self._write_through(view[done:], self._position + done)
                break
            count = min(PAGE - begin, len(view) - done)
            page = self._pages.get(number)
            if page is None:
                page = self._pages[number] = bytearray(
                    self._read(number * PAGE, number * PAGE + PAGE)
                )
            page[begin : begin + count] = view[done : done + count]
            done += count
        self._position += len(view)
        self.size = max(self.size, self._position)
        return len(view)

    def truncate(self, size: int) -> None:
        """Note the length that HDF5 gives the file."""
        self.size = size

    def flush(self) -> None:
        """Do nothing: what is kept is written by a checkpoint."""

    def _write_through(self, view: memoryview, offset: int) -> None:
        try:
            disk.write(self._fd, view, offset)
        except OSError as error:
            # The library goes on as if nothing were: from now on all of it stays in memory.
            self.error = error
            self._kept = float("inf")
            self._position, position = offset, self._position
            self.write(view)
            self._position = position

    def _read(self, start: int, stop: int) -> bytes:
        try:
            found = pread(self._fd, stop - start, start)
        except OSError as error:
            self.error = error
            found = b""
        return found.ljust(stop - start, b"\0")


def undisturbed(work: Callable[[], Result]) -> Result:
    """Do work in a thread of its own, where no signal of the program interrupts it.

    An exception that a signal handler raises while HDF5 calls a file object would crash the
    process. What arrives meanwhile is raised when the work is done.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    finished = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            finished.set()

    threading.Thread(target=run).start()
    interrupt: BaseException | None = None
    while not finished.is_set():  # Thread.join() forgets a thread when it is interrupted.
        try:
            finished.wait()
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt
    if errors:
        raise errors[0]
    return results[0]
