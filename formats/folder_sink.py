"""A folder that a file for each image is written to: what its formats have in common."""

from __future__ import annotations

import contextlib
import errno
import operator
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeVar

import numpy as np
import numpy.typing as npt

from compactmask._kernels.block import max_side
from compactmask.errors import CompactMaskError, FormatError, ShapeMismatchError

from . import disk, listing, partial
from .sink import Loss

if TYPE_CHECKING:
    from supervision import Detections

    from compactmask.mask import CompactMask

Mode = Literal["x", "w", "a"]
Self = TypeVar("Self", bound="FolderSink")

UNFINISHED = re.compile(r"\.[0-9a-f]{8}\.partial$")


class FolderSink(ABC):
    """Writes a file for each image; a :class:`~.sink.Sink`.

    A file is written beside its place, and renamed when it is complete and on the disk. So a
    process that is killed leaves whole files, and one ``*.partial`` at most.

    Parameters
    ----------
    folder : path-like
        Where to; made where it is not there, its parent must be.
    mode : {"x", "w", "a"}
        "x" refuses a folder that holds anything; "w" replaces what the format itself would write,
        and removes what is left of it at the end; "a" goes on.
    """

    SUFFIXES: tuple[str, ...]
    """Of the files that the format writes."""
    INNER = ""
    """The sub-folder that they are written to."""
    NAMES_IMAGES = False
    """Whether the name of an image that is read back is that of the file."""

    def __init__(self, folder: str | os.PathLike[str], mode: Mode) -> None:
        if mode not in ("x", "w", "a"):
            raise ValueError(f"mode {mode!r}, expected 'x', 'w' or 'a'")
        self.path = os.path.realpath(os.fsdecode(folder))
        self.classes: list[str] = []
        self.metadata: dict[str, Any] = {}
        self._masks = self._pixels = 0
        self._fields: set[str] = set()
        self._next = 0
        self._latest = ""
        self._closed = False
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise NotADirectoryError(errno.ENOTDIR, "a file, expected a folder", self.path)
        if mode == "x" and os.path.isdir(self.path) and os.listdir(self.path):
            raise FileExistsError(errno.EEXIST, "a folder that is not empty", self.path)
        self._inner = os.path.join(self.path, self.INNER) if self.INNER else self.path
        self._check_inside(self._inner, self._inner)
        for place in dict.fromkeys((self.path, self._inner)):
            if not os.path.isdir(place):
                os.mkdir(place)
                disk.sync_folder(place)
        self._own: set[str] | None = set() if mode == "w" else None
        """The files that were written, where those that were there before are to go."""
        self._spelled: dict[str, str] = {}
        """The files whose suffixes are not in lower case, by their names if these were."""
        if mode == "a":
            names = listing.walk(self._inner, self.SUFFIXES)
            self._spelled = {
                plain: name
                for name in names
                if (plain := _with_plain_suffix(name, self.SUFFIXES)) != name
            }
            self._next, self._latest = len(names), names[-1] if names else ""

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    @property
    def loss(self) -> Loss:
        """What could not be held so far, of what this writer was given."""
        lost = {"metadata"} if self._loses_metadata() else set()
        return Loss(self._masks, self._pixels, frozenset(self._fields | lost))

    def has(self, *, file_name: str | None = None, id: SupportsIndex | None = None) -> bool:
        """Tell whether the file of an image is there.

        Parameters
        ----------
        file_name : str, optional
            Its name.
        id : int, optional
            Its id, which counts only where no name is given.
        """
        if file_name is None and id is None:
            raise TypeError("has() needs a file_name or an id")
        path = self._existing(self._stem(file_name, id))
        return path is not None and self._is_written(path)

    def append(
        self,
        detections: Detections,
        file_name: str | None = None,
        image_shape: tuple[int, int] | None = None,
        image_id: SupportsIndex | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one image. One that is refused changes nothing.

        Parameters
        ----------
        detections : sv.Detections
            What was found, maybe nothing.
        file_name : str, optional
            Name of the image, relative, with "/" between its parts. Its suffix is replaced.
        image_shape : tuple of int, optional
            ``(H, W)``; taken from the mask where there is one.
        image_id : int, optional
            Its id, which names the file where there is no name.
        columns : mapping, optional
            Further values of the image, which are lost.

        Raises
        ------
        FormatError
            Where the name leaves the folder or is that of another image, or the image cannot be
            written in this format.
        ShapeMismatchError, InvalidMaskError
            Where masks and image do not fit together, or a mask is not valid.
        """
        if self._closed:
            raise ValueError(f"{self.path}: the writer is closed")
        has_id = image_id is not None
        stem = self._stem(file_name, self._free() if image_id is None else image_id)
        existing = self._existing(stem)
        if existing is not None:
            raise FormatError(f"{existing}: it exists, where image {stem!r} would be written")
        where = f"{self.path}: image {stem!r}"
        try:
            mask = _compact(detections)
            shape = _shape(image_shape, mask)
            data, suffix, loss = self._encode(detections, mask, shape)
        except (CompactMaskError, TypeError) as error:
            raise type(error)(f"{where}: {error}") from None
        self._write(os.path.join(self._inner, *f"{stem}{suffix}".split("/")), data)
        self._masks += loss.masks
        self._pixels += loss.pixels
        self._fields |= loss.fields | frozenset(columns or ())
        if detections.metadata:
            self._fields.add("metadata")
        name = stem + suffix if self.NAMES_IMAGES or file_name is None else file_name
        if name != (file_name or name):
            self._fields.add("file_name")
        if has_id and not (image_id == self._next and name > self._latest):
            self._fields.add("id")
        self._next += 1
        self._latest = name

    def close(self) -> None:
        """End writing; with mode "w" remove what was there before. Closing twice is allowed."""
        if not self._closed and self._own is not None:
            for path in self._all():
                if path not in self._own:
                    disk.remove(path)
        self._closed = True

    def abandon(self) -> None:
        """End writing; the images that were appended stay."""
        self._closed = True

    @abstractmethod
    def _encode(
        self, detections: Detections, mask: CompactMask | None, shape: tuple[int, int] | None
    ) -> tuple[bytes, str, Loss]:
        """Give the content of an image's file, its suffix, and what it does not hold."""

    def _is_written(self, path: str) -> bool:
        """Tell whether a file of the right name is what the format writes."""
        return True

    def _loses_metadata(self) -> bool:
        """Tell whether there is something in the metadata that the format does not hold."""
        return bool(self.metadata)

    def _stem(self, file_name: str | None, image_id: SupportsIndex | None) -> str:
        """Give the name of an image's file, without its suffix."""
        if file_name is None:
            assert image_id is not None
            return f"{operator.index(image_id):012d}"
        if not isinstance(file_name, str):
            kind = type(file_name).__name__
            raise TypeError(f"{self.path}: file_name: str expected, not {kind}")
        parts = file_name.split("/")
        if "\0" in file_name or "\\" in file_name or any(part.startswith(".") for part in parts):
            problem = "expected parts that do not begin with a point, without \\ and null"
        elif not all(parts) or os.path.isabs(file_name) or os.path.splitdrive(file_name)[0]:
            problem = "expected a relative name of parts that are not empty"
        elif UNFINISHED.search(file_name):
            problem = "a name of what is not finished"
        else:
            return os.path.splitext(file_name)[0]
        raise FormatError(f"{self.path}: file_name {file_name!r}: {problem}")

    def _existing(self, stem: str) -> str | None:
        """Give the path of a file that an image of this name has."""
        for suffix in self.SUFFIXES:
            name = self._spelled.get(stem + suffix, stem + suffix)
            path = os.path.join(self._inner, *name.split("/"))
            if path in self._own if self._own is not None else os.path.lexists(path):
                return path
        return None

    def _free(self) -> int:
        """Give the first number from here on that names no file."""
        number = self._next
        while self._existing(self._stem(None, number)) is not None:
            number += 1
        return number

    def _write(self, path: str, data: bytes, overwrite: bool = False) -> None:
        folder = os.path.dirname(path)
        self._check_inside(folder, path)
        os.makedirs(folder, exist_ok=True)
        temporary = partial.beside(path)
        fd = disk.create(temporary)
        try:
            try:
                disk.write_all(fd, [data])
            finally:
                os.close(fd)
            partial.put_in_place(temporary, path, overwrite or self._own is not None)
        except BaseException:
            with contextlib.suppress(OSError):
                disk.remove(temporary)
            raise
        if self._own is not None:
            self._own.add(path)

    def _check_inside(self, folder: str, where: str) -> None:
        """Refuse a folder to which a link leads out of the one that is written."""
        real = os.path.realpath(folder)
        if os.path.commonpath((real, self.path)) != self.path:
            raise FormatError(f"{where}: a link leads out of the folder, to {real}")

    def _all(self) -> list[str]:
        """Give the paths of what the format itself would write, and of what it did not finish."""
        return [
            os.path.join(self._inner, *name.split("/"))
            for name in listing.walk(self._inner, (*self.SUFFIXES, ".partial"))
            if UNFINISHED.sub("", name).lower().endswith(self.SUFFIXES)
        ]


def _with_plain_suffix(name: str, suffixes: tuple[str, ...]) -> str:
    own = listing.stem(name, suffixes)
    return own + name[len(own) :].lower()


def _compact(detections: Detections) -> CompactMask | None:
    """Give the masks of detections as a CompactMask."""
    import supervision

    from compactmask.mask import CompactMask

    mask: Any = detections.mask
    if mask is None:
        return None
    if isinstance(mask, supervision.CompactMask):
        compact = CompactMask.from_supervision(mask)
    else:
        compact = CompactMask.from_dense(mask)
    if len(compact) != len(detections):
        raise ShapeMismatchError(f"{len(compact)} masks for {len(detections)} boxes")
    return compact


def _shape(given: tuple[int, int] | None, mask: CompactMask | None) -> tuple[int, int] | None:
    if given is None:
        return None if mask is None else mask.image_shape
    height, width = map(operator.index, given)
    if not (1 <= height <= max_side and 1 <= width <= max_side):
        raise ShapeMismatchError(
            f"image_shape {(height, width)}, expected sides of 1 to {max_side:,}"
        )
    if mask is not None and len(mask) and mask.image_shape != (height, width):
        raise ShapeMismatchError(
            f"image_shape {(height, width)}, its masks have {mask.image_shape}"
        )
    return height, width


def lost_columns(detections: Detections, held: Iterable[str]) -> frozenset[str]:
    """Give the names of the columns of detections that a format has no place for."""
    if not len(detections):
        return frozenset()
    names = {
        name
        for name in ("confidence", "tracker_id", "class_id")
        if getattr(detections, name) is not None
    }
    return frozenset(names | set(detections.data)) - frozenset(held)


def is_far(boxes: npt.NDArray[Any], others: npt.NDArray[Any]) -> bool:
    """Tell whether a box is more than a pixel from the one that will stand for it."""
    return not bool((np.abs(boxes - others) <= 1).all())
