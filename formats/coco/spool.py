"""What a writer of a COCO document leaves beside it until it is complete, image by image."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from compactmask.errors import BusyError, CorruptFileError, FormatError

from .. import disk
from .parse import loads
from .values import is_integer, short

try:
    import fcntl
except ImportError:  # Windows, which has no record locks
    fcntl = None  # type: ignore[assignment]

VERSION = 2
ANNOTATIONS = ".annotations.partial"
IMAGES = ".images.partial"
READ_BYTES = 1 << 20
_HELD: dict[str, tuple[int, object]] = {}
"""The process that writes each, and its lock: record locks keep no process from itself."""


Stamp = tuple[int, int]
"""The size of a file and the time of its change in nanoseconds."""


class Record(NamedTuple):
    """What is noted of an image: its entry as JSON text, and what else a writer must know."""

    note: dict[str, Any]
    entry: str


class Spool:
    """Two files: lines of annotations, and a record for each image that says where these end.

    A record is written after the annotations that it counts, so the last whole record says how
    much of both files is good, whenever the process was killed. The checksum tells that also
    after a power failure.

    Parameters
    ----------
    base : str
        The two names without their ends.
    """

    def __init__(self, base: str) -> None:
        self.annotations_path, self.images_path = base + ANNOTATIONS, base + IMAGES
        self._images = -1
        self._annotations = -1
        self._lock_of_process = object()
        self.ends = 0, 0
        """Bytes of records and of lines that are good; whole images, whatever interrupts."""
        self.found: Stamp | None = None
        """What was at the document's place when this was begun."""

    @property
    def exists(self) -> bool:
        """Whether a writer left its records here, or is at work here."""
        try:
            return os.path.getsize(self.images_path) > 0
        except FileNotFoundError:
            return False

    @property
    def is_begun(self) -> bool:
        """Whether the one who made the open files was killed only after its first record."""
        with self._reader(self._images) as records:
            return _record(records.readline()) is not None

    def open(self) -> bool:
        """Open and lock what a writer left; tell whether there is anything.

        Raises
        ------
        BusyError
            Where another writer is at work here.
        """
        self._claim()
        try:
            while True:
                self._images = disk.open_to_write(self.images_path)
                self._lock()
                if _is_at(self._images, self.images_path):
                    return True
                os.close(self._images)  # Its writer is done, and has removed it.
        except FileNotFoundError:
            self._images = -1
            self.close()
            return False
        except BaseException:
            self.close()
            raise

    def create(self, note: dict[str, Any], found: Stamp | None) -> None:
        """Begin two new files where there are none.

        Parameters
        ----------
        note : dict
            What :meth:`resume` compares.
        found : Stamp, optional
            What is at the document's place.

        Raises
        ------
        BusyError
            Where another writer is at work here.
        """
        self._claim()
        try:
            try:
                self._images = disk.create(self.images_path)
            except FileExistsError:
                raise self._busy() from None
            self._lock()
            if not _is_at(self._images, self.images_path):
                raise self._busy()
            with contextlib.suppress(FileNotFoundError):
                disk.remove(self.annotations_path)
            self._annotations = disk.create(self.annotations_path)
            first = _line({"version": VERSION, **note, "found": found}, "")
            disk.write(self._images, first, 0)
            self.ends, self.found = (len(first), 0), found
        except BaseException:
            self.close()
            raise

    def resume(self, note: dict[str, Any]) -> Iterator[tuple[Record, list[bytes]]]:
        """Give each whole record of what is open and begun with its lines; the rest is cut off.

        Parameters
        ----------
        note : dict
            What the one who began wrote.

        Raises
        ------
        FormatError
            Where it was begun with another note.
        CorruptFileError
            Where a whole line is no record.
        """
        try:
            self._annotations = disk.open_to_write(self.annotations_path)
        except FileNotFoundError:
            self._annotations = disk.create(self.annotations_path)
        with self._reader(self._images) as records, self._reader(self._annotations) as lines:
            first = records.readline()
            self._check_begun(first, note)
            self.ends = len(first), 0
            for line in records:
                record = _record(line)
                own = None if record is None else self._read_lines(lines, record.note)
                if record is None or own is None:
                    break
                self.ends = self.ends[0] + len(line), record.note["end"]
                yield record, own
        disk.truncate(self._images, self.ends[0])
        disk.truncate(self._annotations, self.ends[1])

    def append(self, lines: list[bytes], note: dict[str, Any], entry: str) -> None:
        """Add an image: its annotations, what to note of it, and its entry. Or only a note."""
        data = b"".join(lines)
        images_end, annotations_end = self.ends
        end = annotations_end + len(data)
        record = _line({"end": end, "crc": zlib.crc32(data), **note}, entry)
        disk.write(self._annotations, data, annotations_end)
        disk.write(self._images, record, images_end)
        self.ends = images_end + len(record), end

    def records(self) -> Iterator[Record]:
        """Read what was noted."""
        with self._reader(self._images) as file:
            at = len(file.readline())
            while at < self.ends[0]:
                line = file.readline()
                at += len(line)
                record = _record(line)
                if record is None:
                    raise FormatError(f"{self.images_path}: changed while it was written")
                yield record

    def lines(self) -> Iterator[bytes]:
        """Read the lines of all annotations."""
        with self._reader(self._annotations) as file:
            at = 0
            while at < self.ends[1]:
                line = file.readline()
                at += len(line)
                yield line

    def close(self) -> None:
        """Let go of both files, which stay."""
        for fd in (self._annotations, self._images):
            if fd >= 0:
                os.close(fd)
        self._annotations = self._images = -1
        if _HELD.get(self.images_path) == (os.getpid(), self._lock_of_process):
            del _HELD[self.images_path]

    def remove(self) -> None:
        """Remove both files, where they are still those of this writer.

        The records go first: without them nothing is taken for what waits.
        """
        try:
            for path, fd in (
                (self.images_path, self._images),
                (self.annotations_path, self._annotations),
            ):
                with contextlib.suppress(FileNotFoundError):
                    if fd < 0 or _is_at(fd, path):
                        disk.remove(path)
        finally:
            self.close()

    def _claim(self) -> None:
        """Keep other writers of this process out."""
        mine = os.getpid(), self._lock_of_process
        held = _HELD.setdefault(self.images_path, mine)
        if held != mine:
            if held[0] == mine[0]:
                raise self._busy()
            _HELD[self.images_path] = mine  # What the parent of this process holds, it does not.

    def _busy(self) -> BusyError:
        return BusyError(f"{self.images_path}: another writer is at work on it")

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.lockf(self._images, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise self._busy() from None

    def _check_begun(self, first: bytes, note: dict[str, Any]) -> None:
        """Compare the first line, and take from it what was found."""
        record = _record(first)
        begun = None if record is None else record.note
        if not isinstance(begun, dict):
            raise CorruptFileError(
                f"{self.images_path}: begun with {short(begun)}, expected an object"
            )
        found, expected = begun.pop("found", None), {"version": VERSION, **note}
        if begun != expected:
            raise FormatError(f"{self.images_path}: begun with {begun}, expected {expected}")
        if found is not None and not (isinstance(found, list) and len(found) == 2):
            raise CorruptFileError(
                f"{self.images_path}: found is {short(found)}, expected a size and a time"
            )
        self.found = None if found is None else (found[0], found[1])

    def _read_lines(self, file: Any, note: Any) -> list[bytes] | None:
        """Read the annotations of a record; None where they are not those that it counted."""
        if not isinstance(note, dict) or not is_integer(note.get("end")) or "crc" not in note:
            raise CorruptFileError(
                f"{self.images_path}: the record at byte {self.ends[0]} is {short(note)}, expected "
                "an object with 'end' and 'crc'"
            )
        size = note["end"] - self.ends[1]
        left = os.fstat(self._annotations).st_size - self.ends[1]
        data = file.read(size) if 0 <= size <= left else b""
        if len(data) != size or zlib.crc32(data) != note["crc"]:
            return None
        return list(data.splitlines(keepends=True))

    @staticmethod
    def _reader(fd: int) -> Any:
        """Give a buffered reader from the start of a file; closing it lets no lock go."""
        os.lseek(fd, 0, os.SEEK_SET)
        return os.fdopen(fd, "rb", READ_BYTES, closefd=False)


def stamp_of(path: str) -> Stamp | None:
    """Give what tells a file from another one or a later state of it; None where there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime_ns


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _line(note: dict[str, Any], entry: str) -> bytes:
    text = json.dumps(note, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{text}\t{entry}\n".encode()


def _record(line: bytes) -> Record | None:
    """Read a line; None where it is torn."""
    note, _, entry = line.partition(b"\t")
    if not entry.endswith(b"\n"):
        return None
    try:
        return Record(loads(note), entry[:-1].decode())
    except ValueError:
        return None
