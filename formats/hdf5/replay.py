"""The records of a log, read back: the rows that a file has beyond its last checkpoint."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from compactmask.errors import CorruptFileError

from . import log, schema
from .extent import CODES, Extent, Tail
from .layout import Tree

MAX_ROWS = 1 << 56
DTYPES = {code: np.dtype(f"<{code}") for code in CODES.split()}


class Replay:
    """What a log says, as far as it was read.

    Parameters
    ----------
    path : str
        The file that the log continues, for messages.
    uuid : bytes
        Of that file, 16 bytes.
    """

    def __init__(self, path: str, uuid: bytes) -> None:
        self.where = log.path_of(path)
        self._uuid = uuid
        self.end = -1
        """Where the file ends that the log continues; -1 where there is no log of this file."""
        self.size = 0
        """Bytes of the log up to the end of the last record."""
        self.sequence = 0
        """Records."""
        self.crc = 0
        """Checksum of the last one."""
        self.tails: dict[str, Tail] = {}
        """By the path of their dataset."""
        self.declared: list[str] = []
        """The paths in the order in which the log declared them; records name them by that."""
        self._numbered: list[Tail] = []

    def begin(self, data: bytes) -> None:
        """Read the header of a log, and its records.

        Raises
        ------
        CorruptFileError
            Where it is damaged. One that is too short or zeros was never on the disk.
        """
        size = log.HEADER.size
        if len(data) < size or not any(data):
            return
        magic, uuid, end, crc = log.HEADER.unpack_from(data)
        if magic != log.MAGIC or crc != zlib.crc32(data[: size - 4]):
            raise CorruptFileError(f"{self.where}: its first {size} bytes are damaged")
        if uuid != self._uuid:
            return
        self.end, self.size, self.crc = end, size, zlib.crc32(data[:size])
        self.go_on(data[size:])

    def go_on(self, data: bytes) -> bool:
        """Read what stands behind the records that were read; tell whether there was one more.

        Raises
        ------
        CorruptFileError
            Where a record that was on the disk is damaged, or says what cannot be.
        """
        view = memoryview(data)
        at = 0
        while True:
            end = self._record_end(view, at)
            if not end:
                self._check_rest(data, at)
                return at > 0
            fields = log.RECORD.unpack_from(view, at)
            self._take(view[at + log.RECORD.size : end])
            self.crc = fields[1]
            self.sequence += 1
            self.size += end - at
            at = end

    def _record_end(self, view: memoryview, at: int) -> int:
        """Give where the record ends that begins at a position; 0 where it is not whole."""
        if len(view) - at < log.RECORD.size:
            return 0
        magic, crc, size, sequence, synced = log.RECORD.unpack_from(view, at)
        end: int = at + log.RECORD.size + size
        if magic != log.RECORD_MAGIC or sequence != self.sequence or end > len(view):
            return 0
        found = zlib.crc32(log.RECORD.pack(magic, 0, size, sequence, synced), self.crc)
        return end if zlib.crc32(view[at + log.RECORD.size : end], found) == crc else 0

    def _check_rest(self, data: bytes, at: int) -> None:
        """Refuse where a later record says that the one that is not whole had been written."""
        while (at := data.find(log.RECORD_MAGIC, at + 1)) >= 0:
            if len(data) - at < log.RECORD.size:
                return
            _, _, size, sequence, synced = log.RECORD.unpack_from(data, at)
            most = self.sequence + len(data) // log.RECORD.size
            if self.sequence < synced <= sequence <= most and size <= len(data) - at:
                raise CorruptFileError(
                    f"{self.where}: record {self.sequence} is damaged, and record {sequence} "
                    "behind it says that it was whole on the disk"
                )

    def _take(self, payload: memoryview) -> None:
        text_size, count = self._unpack(log.COUNTS, payload, 0)
        at = log.COUNTS.size
        text = bytes(payload[at : at + text_size])
        at += text_size
        if text:
            self._declare(text)
        heads = payload[at : at + count * log.PIECE.size]
        if len(heads) != count * log.PIECE.size:
            raise self._wrong("it is too short")
        at += len(heads)
        pieces = [*log.PIECE.iter_unpack(heads)]
        if at + sum(size for _, size in pieces) != len(payload):
            raise self._wrong("its pieces are not as long as it is")
        tails = self._numbered
        for number, size in pieces:
            if number >= len(tails):
                raise self._wrong(f"rows of stream {number}, there are {len(tails)}")
            tail = tails[number]
            if size % tail.row_bytes:
                raise self._wrong(f"{size} bytes for stream {number} are no rows of it")
            tail.data += payload[at : at + size]
            at += size

    def _unpack(self, kind: Any, payload: memoryview, at: int) -> Any:
        if at + kind.size > len(payload):
            raise self._wrong("it is too short")
        return kind.unpack_from(payload, at)

    def _declare(self, text: bytes) -> None:
        try:
            for found in json.loads(text):
                path = found["path"]
                inner = tuple(found["inner"])
                tail = Tail(
                    DTYPES[found["dtype"]],
                    inner,
                    bool(found["bool"]),
                    bool(found["open"]),
                    found["start"],
                    found["zeros"],
                )
                sizes = (tail.start, tail.zeros, *inner)
                if not all(type(n) is int and 0 <= n < MAX_ROWS for n in sizes):
                    raise ValueError(f"sizes {sizes}")
                if not 1 <= tail.row_bytes <= schema.MAX_CHUNK_BYTES:
                    raise ValueError(f"rows of {tail.row_bytes} bytes")
                if len(inner) >= schema.MAX_DIMENSIONS or not schema.is_dataset(path):
                    raise ValueError(f"a dataset {path!r} of rows {inner}")
                for other in schema.instead_of(path):
                    self.tails.pop(other, None)
                self.tails[path] = tail
                self.declared.append(path)
                self._numbered.append(tail)
        except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
            raise self._wrong(f"a declaration cannot be: {error!r}") from None

    def _wrong(self, what: str) -> CorruptFileError:
        return CorruptFileError(f"{self.where}: record {self.sequence}: {what}")


def read(path: str, uuid: bytes) -> Replay:
    """Read the log of a file; one without records where there is none, or that of another."""
    found = Replay(path, uuid)
    try:
        with open(log.path_of(path), "rb") as file:
            found.begin(file.read())
    except FileNotFoundError:
        pass
    return found


def merged(tree: Tree, replay: Replay) -> Tree:
    """Give the datasets of a file together with the rows that its log adds.

    Raises
    ------
    CorruptFileError
        Where the log does not continue what the file has.
    """
    result = dict(tree)
    for path, tail in replay.tails.items():
        stored = result.get(path)
        if tail.start == 0:
            for other in (path, *schema.instead_of(path)):
                result.pop(other, None)
            stored = Extent(
                path, tail.dtype, (0, *tail.inner), 1, tail.is_bool, b"", is_open=tail.is_open
            )
        kind = tail.dtype, tail.is_bool, tail.start, *tail.inner
        if stored is None or kind != (stored.dtype, stored.is_bool, *stored.shape):
            raise CorruptFileError(
                f"{replay.where}: continues /{path} with {tail.dtype} of rows {tail.inner} from "
                f"row {tail.start} on; the file has "
                f"{'none' if stored is None else f'{stored.dtype} of {stored.shape}'}"
            )
        result[path] = replace(stored, shape=(tail.stop, *tail.inner), tail=tail)
    return result
