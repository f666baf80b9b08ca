"""The log: every commit since the last checkpoint, one record each."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from .. import disk
from .handle import is_at
from .stream import Stream

MAGIC = b"CMKLOG\x00\x01"
HEADER = struct.Struct("<8s16sQI")
RECORD_MAGIC = b"CMKR"
RECORD = struct.Struct("<4sIQQQ")
COUNTS = struct.Struct("<II")
PIECE = struct.Struct("<IQ")


def path_of(path: str) -> str:
    """Give the name of a file's log."""
    return f"{path}.log"


def size_with_log(path: str) -> int:
    """Give the bytes of a file and of its log."""
    real = os.path.realpath(path)
    with contextlib.suppress(OSError):
        return os.path.getsize(real) + os.path.getsize(path_of(real))
    return os.path.getsize(real)


def header(uuid: bytes, end: int) -> bytes:
    """Give the first bytes of the log that continues a file from one of its ends."""
    fields = HEADER.pack(MAGIC, uuid, end, 0)[:-4]
    return fields + zlib.crc32(fields).to_bytes(4, "little")


def record_head(payload: Sequence[bytes], sequence: int, synced: int, crc: int) -> bytes:
    """Give what stands before the payload of a record; its checksum continues that before it."""
    size = sum(map(len, payload))
    found = zlib.crc32(RECORD.pack(RECORD_MAGIC, 0, size, sequence, synced), crc)
    for part in payload:
        found = zlib.crc32(part, found)
    return RECORD.pack(RECORD_MAGIC, found, size, sequence, synced)


def checksum(head: bytes) -> int:
    """Give the checksum of a record from its first bytes; -1 where they are none."""
    if len(head) < RECORD.size or head[: len(RECORD_MAGIC)] != RECORD_MAGIC:
        return -1
    crc: int = RECORD.unpack_from(head)[1]
    return crc


class Position(NamedTuple):
    """Where a log ends, and what it said until there."""

    size: int
    sequence: int
    """Records."""
    synced: int
    """Of these, how many were on the disk before the next one was begun."""
    crc: int
    """Checksum of the last one."""
    declared: int
    """Streams that were declared; each has the number of those before it."""
    logged: dict[Stream, tuple[int, int]]
    """Their numbers, and how many of their rows the file and the log have."""


class Log:
    """The log of a writer.

    Parameters
    ----------
    path : str
        The file that it continues.
    uuid : bytes
        Of that file, 16 bytes.
    is_synced : bool
        Whether a commit waits until it is on the disk.
    """

    def __init__(self, path: str, uuid: bytes, *, is_synced: bool) -> None:
        self.path: Final = path_of(path)
        self._uuid = uuid
        self._is_synced = is_synced
        self._fd = -1
        self._at = Position(0, 0, 0, 0, 0, {})
        self.is_torn = False
        """Whether it may hold a commit that failed."""

    @property
    def size(self) -> int:
        """Bytes, header and all."""
        return self._at.size

    @property
    def commits(self) -> int:
        """Records since the log began."""
        return self._at.sequence

    def begin(self, end: int) -> None:
        """Begin anew, at a file that ends there."""
        head = header(self._uuid, end)
        if self._fd < 0:
            with contextlib.suppress(FileNotFoundError):
                disk.remove(self.path)
            self._fd = disk.create(self.path)
            disk.write(self._fd, head, 0)
            disk.sync(self._fd)
            disk.sync_folder(self.path)
        else:
            disk.truncate(self._fd, 0)
            disk.write(self._fd, head, 0)
            disk.sync(self._fd)
        self._at = Position(len(head), 0, 0, zlib.crc32(head), 0, {})

    def resume(self, size: int, sequence: int, crc: int, declared: Iterable[Stream | None]) -> None:
        """Go on after the records that the log has; what is torn behind them is cut off.

        Parameters
        ----------
        size, sequence, crc : int
            Where the last record ends, how many there are, and the checksum of the last one.
        declared : iterable of Stream or None
            What they declare, in their order, with the rows that they bring it to; None for what
            a later declaration has replaced.
        """
        self._fd = disk.open_to_write(self.path)
        disk.truncate(self._fd, size)
        disk.sync(self._fd)
        numbered = [*enumerate(declared)]
        logged = {stream: (number, stream.rows) for number, stream in numbered if stream}
        self._at = Position(size, sequence, sequence, crc, len(numbered), logged)

    def append(self, streams: Iterable[Stream]) -> None:
        """Commit what streams were given since the last record.

        Raises
        ------
        OSError
            Where it cannot be written; the log is as it was before.
        """
        declarations, pieces, after = self._delta(streams)
        if not declarations and not pieces:
            return
        text = json.dumps(declarations, separators=(",", ":")).encode() if declarations else b""
        payload = [
            COUNTS.pack(len(text), len(pieces)),
            text,
            b"".join(PIECE.pack(number, len(data)) for number, data in pieces),
            *(data for _, data in pieces),
        ]
        at = self._at
        head = record_head(payload, at.sequence, at.synced, at.crc)
        record = b"".join([head, *payload])
        position = Position(
            at.size + len(record),
            at.sequence + 1,
            at.sequence + 1 if self._is_synced else at.synced,
            checksum(head),
            at.declared + len(declarations),
            {**at.logged, **after},
        )
        try:
            disk.write(self._fd, record, at.size)
            if self._is_synced:
                disk.sync(self._fd)
            self._at = position
        except BaseException:
            self._cut_back(at.size)
            raise

    def _cut_back(self, size: int) -> None:
        try:
            disk.truncate(self._fd, size)
        except BaseException:
            self.is_torn = True
            raise

    def is_in_place(self) -> bool:
        """Tell whether the log is still at its path, and nobody else has written to it."""
        return is_at(self._fd, self.path) and os.fstat(self._fd).st_size == self.size

    def remove(self) -> None:
        """Remove the log, which is not needed any more; one of another writer stays."""
        if is_at(self._fd, self.path):
            disk.remove(self.path)
            disk.sync_folder(self.path)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _delta(
        self, streams: Iterable[Stream]
    ) -> tuple[list[dict[str, Any]], list[tuple[int, bytes]], dict[Stream, tuple[int, int]]]:
        declarations: list[dict[str, Any]] = []
        pieces: list[tuple[int, bytes]] = []
        after: dict[Stream, tuple[int, int]] = {}
        for stream in streams:
            number, rows = self._at.logged.get(stream, (-1, stream.folded))
            if stream.rows == rows:
                continue
            if number < 0:
                is_new = stream.folded <= 0
                number = self._at.declared + len(declarations)
                rows = stream.zeros if is_new else rows
                declarations.append(_declaration(stream, is_new))
            if stream.rows > rows:
                pieces.append((number, stream.since(rows)))
            after[stream] = number, stream.rows
        return declarations, pieces, after


def _declaration(stream: Stream, is_new: bool) -> dict[str, Any]:
    return {
        "path": stream.path,
        "dtype": stream.dtype.str.lstrip("<|"),
        "inner": stream.inner,
        "bool": stream.is_bool,
        "open": stream.is_open,
        "start": 0 if is_new else stream.folded,
        "zeros": stream.zeros if is_new else 0,
    }
