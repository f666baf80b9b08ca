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
from .handle import open_beside
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
    tree : Tree
        Its datasets.
    """

    def __init__(self, path: str, uuid: bytes, tree: Tree) -> None:
        self.where = log.path_of(path)
        self._uuid = uuid
        self.end = -1
        """Where the file ends that the log continues; -1 where there is no log of this file."""
        self.size = 0
        """Bytes of the log up to the end of the last record."""
        self.last = 0
        """Where the last record begins; 0 where there is none."""
        self.sequence = 0
        """Records."""
        self.crc = 0
        """Checksum of the last one."""
        self.tails: dict[str, Tail] = {}
        """By the path of their dataset."""
        self.declared: list[str] = []
        """The paths in the order in which the log declared them; records name them by that."""
        self._numbered: list[Tail] = []
        self._most_rows = max((extent.shape[0] for extent in tree.values()), default=0)

    def read_header(self, head: bytes) -> bool:
        """Read the first bytes of a log; tell whether it is one of this file.

        Raises
        ------
        CorruptFileError
            Where they are damaged. Those that are too few or zeros were never on the disk.
        """
        if len(head) < log.HEADER.size or not any(head):
            return False
        magic, uuid, end, crc = log.HEADER.unpack(head)
        if magic != log.MAGIC or crc != zlib.crc32(head[:-4]):
            if magic == log.MAGIC or uuid == self._uuid:
                raise CorruptFileError(f"{self.where}: its first {len(head)} bytes are damaged")
            return False  # It has nothing of a log but the name.
        if uuid != self._uuid:
            return False
        self.end, self.size, self.crc = end, len(head), zlib.crc32(head)
        return True

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
            self.last = self.size
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
        declared = self._declare(text) if text else []
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
        self._check_zeros(declared)

    def _check_zeros(self, declared: list[Tail]) -> None:
        """Refuse more zeros than there are rows: a column has them where it begins late."""
        if any(tail.zeros for tail in declared):
            rows = max(tail.start + len(tail.data) // tail.row_bytes for tail in self._numbered)
            for tail in declared:
                if tail.zeros > max(rows, self._most_rows) + 1:
                    raise self._wrong(f"{tail.zeros} zeros, and no dataset has so many rows")

    def _unpack(self, kind: Any, payload: memoryview, at: int) -> Any:
        if at + kind.size > len(payload):
            raise self._wrong("it is too short")
        return kind.unpack_from(payload, at)

    def _declare(self, text: bytes) -> list[Tail]:
        declared: list[Tail] = []
        try:
            for found in json.loads(text):
                path = found["path"]
                inner = tuple(found["inner"])
                if len(inner) >= schema.MAX_DIMENSIONS or not schema.is_dataset(path):
                    raise ValueError(f"a dataset {path!r} of {len(inner)} inner dimensions")
                if not all(type(n) is int and 0 <= n < MAX_ROWS for n in inner):
                    raise ValueError(f"rows of shape {inner}")
                tail = Tail(
                    DTYPES[found["dtype"]],
                    inner,
                    bool(found["bool"]),
                    bool(found["open"]),
                    found["start"],
                    found["zeros"],
                )
                if not all(type(n) is int and 0 <= n < MAX_ROWS for n in (tail.start, tail.zeros)):
                    raise ValueError(f"start {tail.start!r}, zeros {tail.zeros!r}")
                if not 1 <= tail.row_bytes <= schema.MAX_CHUNK_BYTES:
                    raise ValueError(f"rows of {tail.row_bytes} bytes")
                for other in schema.instead_of(path):
                    self.tails.pop(other, None)
                self.tails[path] = tail
                self.declared.append(path)
                self._numbered.append(tail)
                declared.append(tail)
        except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
            raise self._wrong(f"a declaration cannot be: {error!r}") from None
        return declared

    def _wrong(self, what: str) -> CorruptFileError:
        return CorruptFileError(f"{self.where}: record {self.sequence}: {what}")


def read(path: str, uuid: bytes, end: int, tree: Tree) -> Replay:
    """Read the log of a file.

    Parameters
    ----------
    path : str
        The file.
    uuid : bytes
        Of it, 16 bytes.
    end : int
        Where it ends. A log that continues another state is not read.
    tree : Tree
        Its datasets.

    Raises
    ------
    CorruptFileError
        Where the log is damaged, or continues a later state of the file.
    """
    found = Replay(path, uuid, tree)
    file = open_beside(found.where)
    if file is not None:
        with file:
            if found.read_header(file.read(log.HEADER.size)) and found.end == end:
                found.go_on(file.read())
    if found.end > end:
        raise CorruptFileError(
            f"{path}: ends at {end}, and its log continues it from {found.end}: "
            "an older copy of the file has taken its place"
        )
    return found if found.end == end else Replay(path, uuid, tree)


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
