"""What a writer of a COCO document leaves beside it until it is complete, image by image."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from compactmask.errors import BusyError, FormatError

from .. import disk

try:
    import fcntl
except ImportError:  # Windows, which has no record locks
    fcntl = None  # type: ignore[assignment]

VERSION = 1
ANNOTATIONS = ".annotations.partial"
IMAGES = ".images.partial"
READ_BYTES = 1 << 20


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
        self._images_end = 0
        self.annotations_end = 0

    @property
    def exists(self) -> bool:
        """Whether a writer left its records here."""
        return os.path.lexists(self.images_path)

    def create(self, note: dict[str, Any]) -> None:
        """Begin two new files; what another writer left is removed.

        Parameters
        ----------
        note : dict
            What :meth:`resume` compares.

        Raises
        ------
        BusyError
            Where another writer is at work here.
        """
        if self.exists:
            self._open_images()
            self.remove()
        self._images = disk.create(self.images_path)
        self._lock()
        with contextlib.suppress(FileNotFoundError):
            disk.remove(self.annotations_path)
        self._annotations = disk.create(self.annotations_path)
        self._write_record(_line({"version": VERSION, **note}, ""))

    def resume(self, note: dict[str, Any]) -> Iterator[tuple[Record, list[bytes]]]:
        """Open what is there, and give each whole image with its lines; the rest is cut off.

        Parameters
        ----------
        note : dict
            What the one who began wrote.

        Raises
        ------
        BusyError
            Where another writer is at work here.
        FormatError
            Where it was begun with another note.
        """
        self._open_images()
        try:
            self._annotations = disk.open_to_write(self.annotations_path)
        except FileNotFoundError:
            self._annotations = disk.create(self.annotations_path)
        with self._reader(self._images) as records, self._reader(self._annotations) as lines:
            first = records.readline()
            begun = _record(first)
            if begun is None:  # Killed before anything was there.
                disk.truncate(self._images, 0)
                self._write_record(_line({"version": VERSION, **note}, ""))
            elif begun.note != {"version": VERSION, **note}:
                raise FormatError(
                    f"{self.images_path}: begun with {begun.note}, "
                    f"expected { ({'version': VERSION, **note}) }"
                )
            else:
                self._images_end = len(first)
                for line in records:
                    record = _record(line)
                    own = None if record is None else self._read_lines(lines, record.note)
                    if record is None or own is None:
                        break
                    self._images_end += len(line)
                    self.annotations_end = record.note["end"]
                    yield record, own
        disk.truncate(self._images, self._images_end)
        disk.truncate(self._annotations, self.annotations_end)

    def append(self, lines: list[bytes], note: dict[str, Any], entry: str) -> None:
        """Add an image: its annotations, what to note of it, and its entry."""
        data = b"".join(lines)
        end = self.annotations_end + len(data)
        disk.write(self._annotations, data, self.annotations_end)
        self._write_record(_line({"end": end, "crc": zlib.crc32(data), **note}, entry))
        self.annotations_end = end

    def records(self) -> Iterator[Record]:
        """Read what was noted, image by image."""
        with self._reader(self._images) as file:
            at = len(file.readline())
            while at < self._images_end:
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
            while at < self.annotations_end:
                line = file.readline()
                at += len(line)
                yield line

    def close(self) -> None:
        """Let go of both files, which stay."""
        for fd in (self._annotations, self._images):
            if fd >= 0:
                os.close(fd)
        self._annotations = self._images = -1

    def remove(self) -> None:
        """Remove both files, where they are still those of this writer.

        The records go first: without them nothing is taken for what waits.
        """
        for path, fd in (
            (self.images_path, self._images),
            (self.annotations_path, self._annotations),
        ):
            with contextlib.suppress(FileNotFoundError):
                if fd < 0 or os.path.samestat(os.fstat(fd), os.stat(path)):
                    disk.remove(path)
        self.close()

    def _open_images(self) -> None:
        self._images = disk.open_to_write(self.images_path)
        self._lock()

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.lockf(self._images, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                os.close(self._images)
                self._images = -1
                raise BusyError(f"{self.images_path}: another writer is at work on it") from None

    def _write_record(self, line: bytes) -> None:
        disk.write(self._images, line, self._images_end)
        self._images_end += len(line)

    def _read_lines(self, file: Any, note: dict[str, Any]) -> list[bytes] | None:
        """Read the annotations of a record; None where they are not those that it counted."""
        size = note["end"] - self.annotations_end
        data = file.read(size)
        if len(data) != size or zlib.crc32(data) != note["crc"]:
            return None
        return list(data.splitlines(keepends=True))

    @staticmethod
    def _reader(fd: int) -> Any:
        """Give a buffered reader from the start of a file; closing it lets no lock go."""
        os.lseek(fd, 0, os.SEEK_SET)
        return os.fdopen(fd, "rb", READ_BYTES, closefd=False)


def _line(note: dict[str, Any], entry: str) -> bytes:
    text = json.dumps(note, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{text}\t{entry}\n".encode()


def _record(line: bytes) -> Record | None:
    """Read a line; None where it is torn."""
    note, _, entry = line.partition(b"\t")
    if not entry.endswith(b"\n"):
        return None
    try:
        return Record(json.loads(note), entry[:-1].decode())
    except ValueError:
        return None
