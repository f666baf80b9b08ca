"""A folder with a file for each image as a Source: what its formats have in common.

A format lists its files and reads one of them; the columns of all instances are gathered here, in
one pass, as plain arrays. No file stays open, and no Python object is kept per image or instance.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO, ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from compactmask._kernels import dense
from compactmask.errors import CompactMaskError, CorruptFileError, FormatError, InvalidMaskError
from compactmask.packed import Packed

from .listing import Texts, looking_at
from .source import Array, BoolMask, Columns, Instance, OnFault

Self = TypeVar("Self", bound="FolderSource")


class Entry(NamedTuple):
    """One image: its name in the dataset, and its files relative to the folder."""

    name: str
    file: str
    """What tells its instances; "" where there is none, and so no instance."""
    image: str = ""
    """The image itself, where its size is read from it."""


class Scanned(NamedTuple):
    """What a format reads of one image when the folder is opened."""

    image_shape: tuple[int, int]
    rows: dict[str, Array]
    """A row for each instance, of the columns of the format's schema."""


@dataclass(frozen=True)
class Index:
    """The images of a folder, and the columns of their instances."""

    names: Texts
    files: Texts
    images: Texts
    stamps: npt.NDArray[np.int64]
    """``(n, 4)``: size and time of each image's two files, zeros for one that it has not."""
    shapes: npt.NDArray[np.int32]
    indptr: npt.NDArray[np.int64]
    rows: dict[str, Array]
    places: npt.NDArray[np.int64]
    """The place of each image: those that arrive later have places behind all others."""
    end: int
    """The place of the next image that arrives."""
    digest: bytes
    """Of all names and stamps: tells whether anything has changed."""

    def entry(self, i: int) -> Entry:
        """Give the name and the files of image ``i``."""
        return Entry(self.names[i], self.files[i], self.images[i])


class FolderSource(ABC):
    """A folder with a file for each image; a :class:`~.source.Source`.

    Parameters
    ----------
    path : path-like
        The folder.
    on_fault : callable, optional
        Called with the error of each bad image or instance, which is left out. By default the
        first error is raised.
    """

    SCHEMA: ClassVar[dict[str, np.dtype[Any]]]
    """The dtype of each column that is gathered."""

    def __init__(self, path: str | os.PathLike[str], on_fault: OnFault | None = None) -> None:
        self.path = os.path.abspath(os.fsdecode(path))
        self._on_fault = on_fault
        self._bytes_read = 0
        self._index: Index | None = None
        self._last: tuple[int, Packed] | None = None
        self._show()

    def __reduce__(self: Self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.path,)

    @abstractmethod
    def _entries(self) -> Iterable[Entry]:
        """List the images, in order. Called before anything is read."""

    @abstractmethod
    def _scan(self, entry: Entry) -> Scanned:
        """Read the size and the instances of an image."""

    @abstractmethod
    def _pack(self, i: int, start: int, stop: int) -> Packed:
        """Read the masks of some instances of image ``i``, counted over the whole dataset."""

    def _side_files(self) -> list[str]:
        """Give the paths of further files that tell about all images."""
        return []

    @property
    @abstractmethod
    def classes(self) -> list[str]:
        """Class names."""

    @property
    @abstractmethod
    def about(self) -> dict[str, str | None]:
        """How it is stored."""

    @property
    @abstractmethod
    def detections(self) -> Mapping[str, Array]:
        """Columns of the instances."""

    @abstractmethod
    def fields(self, i: int) -> dict[str, Any]:
        """Give the keyword arguments of image ``i``'s ``sv.Detections``, all but mask."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself: nothing."""
        self._opened()
        return {}

    @property
    def bytes_read(self) -> int:
        """Bytes read since it was opened."""
        self._opened()
        return self._bytes_read

    @property
    def file_bytes(self) -> int:
        """Size of all files that tell the instances, as they were when they were looked at."""
        return int(self._opened().stamps[:, 0].sum()) + sum(
            map(os.path.getsize, self._side_files())
        )

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self._opened().names)

    @property
    def n_detections(self) -> int:
        """Number of instances."""
        return int(self._opened().indptr[-1])

    @property
    def images(self) -> Columns:
        """Columns of the images."""
        index = self._opened()
        return Columns(
            {
                "id": lambda: np.arange(len(index.names), dtype=np.int64),
                "file_name": index.names.column,
                "height": index.shapes[:, 0].copy,
                "width": index.shapes[:, 1].copy,
            }
        )

    def detection_range(self, i: int) -> tuple[int, int]:
        """Give the first instance of image ``i`` and the one after its last."""
        indptr = self._opened().indptr
        return int(indptr[i]), int(indptr[i + 1])

    def having(self, name: str) -> BoolMask:
        """Tell which images have masks; columns are of all of them."""
        if name != "mask":
            return np.ones(self.n_images, np.bool_)
        return np.array([self._has_masks(i) for i in range(self.n_images)], np.bool_)

    def masks(self, i: int) -> Packed | None:
        """Read the masks of image ``i``; those of the last image are kept."""
        self._opened()
        if not self._has_masks(i):
            return None
        last = self._last
        if last is None or last[0] != i:
            last = self._last = i, self._pack(i, *self.detection_range(i))
        return last[1]

    def instance(self, k: int) -> Instance:
        """Read instance ``k``."""
        i, mask, place = self._mask(k)
        fields = self.fields(i)
        row = k - self.detection_range(i)[0]
        x, y = mask.offsets[place].tolist()
        class_id = fields["class_id"]
        return Instance(
            image=i,
            xyxy=fields["xyxy"][row],
            class_id=None if class_id is None else int(class_id[row]),
            offset=(x, y),
            crop=dense.crop(mask, place),
        )

    def crop(self, k: int) -> BoolMask:
        """Read the crop of instance ``k``."""
        _, mask, place = self._mask(k)
        return dense.crop(mask, place)

    def crops(self, ks: list[int]) -> list[BoolMask]:
        """Read the crops of several instances, in the given order."""
        found: list[BoolMask | None] = [None] * len(ks)
        for at in sorted(range(len(ks)), key=ks.__getitem__):  # each image once
            found[at] = self.crop(ks[at])
        return [crop for crop in found if crop is not None]

    def image(self, i: int) -> tuple[int, str, tuple[int, int]]:
        """Give the id, file name and shape of image ``i``."""
        index = self._opened()
        height, width = index.shapes[i].tolist()
        return i, index.names[i], (height, width)

    def place(self, i: int) -> int:
        """Give the place of image ``i``: the order in which images were first seen."""
        index = self._opened()
        return int(index.places[i]) if i < len(index.names) else index.end

    def at(self, place: int) -> int | None:
        """Give the position of the image at a place; None where its file is gone."""
        found = np.flatnonzero(self._opened().places == place)
        return int(found[0]) if len(found) else None

    @property
    def identity(self) -> str:
        """What tells the folder from another one that takes its place."""
        self._opened()
        return self._identity

    @property
    def state(self) -> str:
        """The digest of all names, sizes and times of change."""
        return self._opened().digest.hex()

    def refresh(self) -> None:
        """List the folder again, and read what is new in it or has changed."""
        self._opened()
        self._show()

    def close(self) -> None:
        """Let go of the folder."""
        self._index = self._last = None

    def _opened(self) -> Index:
        if self._index is None:
            raise ValueError(f"{self.path}: the dataset is closed")
        return self._index

    def _has_masks(self, i: int) -> bool:
        return True

    def _mask(self, k: int) -> tuple[int, Packed, int]:
        """Give the image of an instance, a set that has its mask, and where in it."""
        i = int(np.searchsorted(self._opened().indptr, k, side="right")) - 1
        if not self._has_masks(i):
            raise InvalidMaskError(f"{self.path}: image {i} has no masks")
        last = self._last
        start, stop = self.detection_range(i)
        if last is not None and last[0] == i:
            return i, last[1], k - start
        return i, *self._one(i, k, start, stop)

    def _one(self, i: int, k: int, start: int, stop: int) -> tuple[Packed, int]:
        """Read a set of masks of image ``i`` that has that of instance ``k``, and where in it."""
        return self._pack(i, k, k + 1), 0

    def _fault(self, error: CompactMaskError) -> None:
        if self._on_fault is None:
            raise error
        self._on_fault(error)

    @contextlib.contextmanager
    def _file(self, name: str, stamp: npt.NDArray[np.int64] | None = None) -> Iterator[BinaryIO]:
        """Open a file of the folder, which must be what it was when it was looked at."""
        path = os.path.join(self.path, name)
        with looking_at(path):
            if not stat.S_ISREG(os.stat(path).st_mode):  # before it is opened: a pipe would wait
                raise FormatError(f"{path}: not a regular file")
            opened = open(path, "rb")  # noqa: SIM115
        with opened as file:
            found = os.fstat(file.fileno())
            if stamp is not None and (found.st_size, found.st_mtime_ns) != tuple(stamp.tolist()):
                raise CorruptFileError(
                    f"{path}: it has changed since it was looked at: {found.st_size} bytes, "
                    f"expected {stamp[0]} and the same time of change; refresh() reads it again"
                )
            yield file

    def _show(self) -> None:
        status = os.stat(self.path)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(f"{self.path}: a file, expected a folder")
        self._identity = f"{status.st_dev}:{status.st_ino}"
        index = self._read(self._index)
        if index is not self._index:
            self._index = index
            self._last = None

    def _read(self, before: Index | None) -> Index:
        listed, stamps = [], []
        for entry in self._entries():
            try:
                stamps.append(self._stamps(entry))
            except CompactMaskError as error:
                self._fault(error)
            else:
                listed.append(entry)
        sides = [_stamp("", path) for path in self._side_files()]
        digest = hashlib.sha256(repr((listed, stamps, sides)).encode()).digest()
        if before is not None and before.digest == digest:
            return before
        known = {} if before is None else {before.entry(i): i for i in range(len(before.names))}
        rows = {name: bytearray() for name in self.SCHEMA}
        kept, counts, shapes, places = [], [], [], []
        end = 0 if before is None else before.end
        for at, entry in enumerate(listed):
            i = known.get(entry)
            try:
                if before is None or i is None or stamps[at] != tuple(before.stamps[i].tolist()):
                    found = self._scan(entry)
                else:
                    found = _again(before, i)
            except CompactMaskError as error:
                self._fault(error)
                continue
            for name, dtype in self.SCHEMA.items():
                rows[name] += found.rows[name].astype(dtype.base, copy=False).tobytes()
            kept.append(at)
            counts.append(len(found.rows[next(iter(self.SCHEMA))]))
            shapes.append(found.image_shape)
            if before is None or i is None:
                places.append(end)
                end += 1
            else:
                places.append(int(before.places[i]))
        return Index(
            names=Texts(listed[at].name for at in kept),
            files=Texts(listed[at].file for at in kept),
            images=Texts(listed[at].image for at in kept),
            stamps=np.array([stamps[at] for at in kept], np.int64).reshape(-1, 4),
            shapes=np.array(shapes, np.int32).reshape(-1, 2),
            indptr=np.fromiter(accumulate(counts, initial=0), np.int64),
            rows={name: np.frombuffer(rows[name], dtype) for name, dtype in self.SCHEMA.items()},
            places=np.array(places, np.int64),
            end=end,
            digest=digest,
        )

    def _stamps(self, entry: Entry) -> tuple[int, int, int, int]:
        """Give the sizes and times of an image's files, which must have names that are text."""
        try:
            "".join(entry).encode()
        except UnicodeEncodeError:
            raise FormatError(f"{self.path}: {entry.name!r}: a name that is no text") from None
        return _stamp(self.path, entry.file) + _stamp(self.path, entry.image)


def _stamp(folder: str, name: str) -> tuple[int, int]:
    if not name:
        return 0, 0
    path = os.path.join(folder, name)
    with looking_at(path):
        status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _again(index: Index, i: int) -> Scanned:
    """Give what was read of an image before."""
    rows = slice(index.indptr[i], index.indptr[i + 1])
    height, width = index.shapes[i].tolist()
    return Scanned((height, width), {name: column[rows] for name, column in index.rows.items()})
