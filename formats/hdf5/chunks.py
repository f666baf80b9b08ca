"""Chunks of an open file: read, uncompressed, and kept for a while."""

from __future__ import annotations

import threading
from typing import Any

from compactmask.errors import CorruptFileError

from . import filters
from .extent import Extent
from .handle import Handle

CACHE_BYTES = 1 << 24


class ChunkCache:
    """The chunks that were read last, up to a number of bytes, for threads to share.

    A chunk that arrives while another thread puts one in is not kept. So nobody waits, not even
    for a thread that the process lost when it forked.
    """

    __slots__ = ("_chunks", "_lock", "_nbytes")

    def __init__(self) -> None:
        self._chunks: dict[tuple[str, int], tuple[Any, int]] = {}
        self._nbytes = 0
        self._lock = threading.Lock()

    def get(self, path: str, number: int) -> Any | None:
        """Give what is kept under a name and number."""
        entry = self._chunks.get((path, number))
        return None if entry is None else entry[0]

    def put(self, path: str, number: int, chunk: Any, nbytes: int) -> None:
        """Keep a chunk, and let go of the oldest ones where they are too many."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if (path, number) not in self._chunks:
                self._chunks[path, number] = chunk, nbytes
                self._nbytes += nbytes
                while self._nbytes > CACHE_BYTES and len(self._chunks) > 1:
                    self._nbytes -= self._chunks.pop(next(iter(self._chunks)))[1]
        finally:
            self._lock.release()


def read_chunk(extent: Extent, handle: Handle, number: int) -> bytes:
    """Read one chunk and undo its filters.

    Raises
    ------
    CorruptFileError
        Where its checksum or its size is wrong.
    """
    stored = handle.read(extent.offsets[number], extent.sizes[number])
    if extent.codec is None:
        return stored
    try:
        raw = filters.expanded(stored, extent.codec, extent.chunk_rows * extent.row_bytes)
    except ValueError as error:
        raise CorruptFileError(
            f"{handle.path}: /{extent.path}: chunk {number}: damaged: {error}"
        ) from None
    return filters.unshuffled(raw, extent.dtype.itemsize) if extent.is_shuffled else raw
