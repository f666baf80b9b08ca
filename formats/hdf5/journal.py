"""The page journal: what a checkpoint changes in the file, complete before it changes it."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from .. import disk
from ..positional import pread
from . import superblock
from .handle import PAGE, open_beside

MAGIC = b"CMKJRNL1"
HEADER = struct.Struct("<8s16sQQI")
NUMBER = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Journal:
    """Pages to be written, and the file that they belong to."""

    uuid: bytes
    """Of the file, 16 bytes."""
    before: bytes
    """The first page of the file that the pages change; it holds the uuid."""
    size: int
    """Length of the file when they are applied."""
    pages: dict[int, bytes]
    """By their number; the first page is always among them."""

    def encoded(self) -> list[bytes]:
        """Give the bytes of the journal, in parts."""
        head = HEADER.pack(MAGIC, self.uuid, self.size, len(self.pages), PAGE)
        parts = [head, self.before]
        for number, page in self.pages.items():
            parts += [NUMBER.pack(number), page]
        crc = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
        return [*parts, crc.to_bytes(4, "little")]

    def belongs_to(self, fd: int) -> bool:
        """Tell whether a file is the one that it was made for, before or after, or half way."""
        found = np.frombuffer(pread(fd, PAGE, 0), np.uint8)
        before, after = (
            np.frombuffer(page, np.uint8)[: len(found)] for page in (self.before, self.pages[0])
        )
        # Any byte may have been written, and others not; the signature says nothing.
        known = (found == before) | (found == after)
        is_whole = len(found) >= superblock.SIZE and self.uuid.hex().encode() in self.before
        return is_whole and bool(known[len(superblock.HELD) :].all())

    def apply(self, fd: int) -> None:
        """Write the pages. Whatever interrupts it, doing it again completes it."""
        disk.write(fd, superblock.HELD, 0)
        disk.sync(fd)
        for number, page in self.pages.items():
            begin = 0 if number else len(superblock.HELD)
            disk.write(fd, page[begin:], number * PAGE + begin)
        disk.truncate(fd, self.size)
        disk.sync(fd)
        disk.write(fd, superblock.SIGNATURE, 0)
        disk.sync(fd)


def path_of(path: str) -> str:
    """Give the name of a file's journal."""
    return f"{path}.journal"


def write(journal: Journal, path: str) -> None:
    """Write the journal of a file; when this returns it is on the disk."""
    name = path_of(path)
    with contextlib.suppress(FileNotFoundError):
        disk.remove(name)
    fd = disk.create(name)
    try:
        disk.write_all(fd, journal.encoded())
        disk.sync(fd)
    finally:
        os.close(fd)
    disk.sync_folder(name)


def remove(path: str) -> None:
    """Remove the journal of a file; when this returns it does not come back."""
    with contextlib.suppress(FileNotFoundError):
        disk.remove(path_of(path))
        disk.sync_folder(path)


def read(path: str) -> Journal | None:
    """Read the journal of a file; None where there is none, or it is torn."""
    file = open_beside(path_of(path))
    if file is None:
        return None
    with file:
        head = file.read(HEADER.size)
        if len(head) < HEADER.size:
            return None
        magic, uuid, size, count, page_size = HEADER.unpack(head)
        start, step = HEADER.size + PAGE, NUMBER.size + PAGE
        end = start + count * step
        if magic != MAGIC or page_size != PAGE or os.fstat(file.fileno()).st_size != end + 4:
            return None
        data = head + file.read()
    if len(data) != end + 4:
        return None
    if zlib.crc32(memoryview(data)[:end]) != int.from_bytes(data[end:], "little"):
        return None
    found = {
        NUMBER.unpack_from(data, at)[0]: data[at + NUMBER.size : at + step]
        for at in range(start, end, step)
    }
    if 0 not in found or any(number * PAGE >= size for number in found):
        return None
    return Journal(uuid, data[HEADER.size : start], size, found)
