"""The writer: images in, one complete file out."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from compactmask import __version__
from compactmask.errors import CompactMaskError, FormatError, UnsupportedVersionError

from ..partial import resolve
from . import schema
from .contents import Contents
from .output import Output
from .resume import carry_over
from .rows import checked_text, json_text, make_rows
from .source import open_contents
from .store import Store
from .stream import Stream
from .table import Text

if TYPE_CHECKING:
    from supervision import Detections

Mode = Literal["x", "w", "a"]
FLUSH_BYTES = 1 << 23
"""Rows wait in memory up to this size."""


class Writer:
    """A dataset that grows image by image and is complete when it is closed.

    Use it in a ``with`` statement. If the body raises, what was appended until then is kept, and
    the file is complete too; only where it would replace a file (mode "w"), that one stays and
    the new one is abandoned. A process that is killed leaves a file that is refused as
    unfinished; a file that existed before under the same name is then still there, whole.

    Parameters
    ----------
    path, mode, classes, compression
        As of :func:`create`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: Mode = "x",
        classes: Iterable[str] | None = None,
        compression: Literal["gzip"] | None = None,
    ) -> None:
        if mode not in ("x", "w", "a"):
            raise ValueError(f"mode {mode!r}, expected 'x', 'w' or 'a'")
        if compression not in (None, "gzip"):
            raise ValueError(f"compression {compression!r}, expected None or 'gzip'")
        self.path = resolve(path)
        self.classes = [] if classes is None else classes
        self.metadata = {}
        before = None
        if mode == "a" and os.path.lexists(self.path):
            before = open_contents(self.path)
            if before.version > schema.FORMAT_VERSION:
                raise UnsupportedVersionError(
                    f"{self.path}: format_version {'.'.join(map(str, before.version))} may hold "
                    f"what would be lost, this release of compactmask continues "
                    f"{'.'.join(map(str, schema.FORMAT_VERSION))}: install a newer one"
                )
            compression = before.compression if compression is None else compression
            self._continue_classes(before)
            self.metadata = before.metadata()
        self._store = Store(compression)
        self._ids: set[int] = set()
        self._file_names: set[str] = set()
        self._next_id = 0
        self._closed = False
        self._broken: BaseException | None = None
        self._mode = mode
        self._output = Output(
            self.path,
            replace=mode != "x",
            writer=_writer_name(),
            before=None if before is None else before.handle,
        )
        if before is not None:
            try:
                self._ids, self._file_names = carry_over(before, self._store, self._flush)
            except BaseException:
                self._output.abandon()
                raise

    @property
    def classes(self) -> list[str]:
        """Class names, which may grow until the end; ``class_id`` is the index into them."""
        return self._classes

    @classes.setter
    def classes(self, names: Iterable[str]) -> None:
        if isinstance(names, str):
            raise TypeError(f"{self.path}: classes: {names!r}, expected an iterable of names")
        self._classes = [*names]
        self._good_classes = _checked_classes(self._classes, self.path)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself; must be JSON."""
        return self._metadata

    @metadata.setter
    def metadata(self, value: dict[str, Any]) -> None:
        self._good_metadata = _checked_metadata(value, self.path)
        self._metadata = value

    def __len__(self) -> int:
        """Give the number of images."""
        return self._store.images.rows

    def append(
        self,
        detections: Detections,
        file_name: str | None = None,
        image_shape: tuple[int, int] | None = None,
        image_id: SupportsIndex | None = None,
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one image. An image that is refused changes nothing.

        Where the disk is full, OSError is raised when the image is in memory already; writing it
        is tried again with the next image and at the end.

        Parameters
        ----------
        detections : sv.Detections
            What was found, maybe nothing. Its mask may be a CompactMask of this package or of
            supervision, or dense. ``data`` may hold numbers, bools and text: arrays with a row
            for each instance, or lists; ``metadata`` must be JSON.
        file_name : str, optional
            Name of the image, not empty, of which there must be no other.
        image_shape : tuple of int, optional
            ``(H, W)``; taken from the mask where there is one.
        image_id : int, optional
            Id of the image, of which there must be no other. Its position where it is not given,
            or the next free number.
        columns : mapping, optional
            Further values of the image by name: a number, a bool or a str each.

        Raises
        ------
        TypeError
            Where something is of a kind that the format does not hold.
        ShapeMismatchError
            Where lengths or image shapes disagree.
        InvalidMaskError
            Where a mask is not valid.
        FormatError
            Where the id or the file name exists, or a value does not convert exactly to the
            dtype of its column, which is that of its first values.
        """
        self._check_open()
        where = f"{self.path}: image {len(self)}"
        if file_name is not None:
            where += f" ({file_name!r})"
            checked_text(file_name, where, "file_name")
            if not file_name:
                raise FormatError(f"{where}: file_name is empty, None stands for no name")
        if file_name in self._file_names:
            raise FormatError(f"{where}: the file has an image of that name")
        try:
            number = self._free_id() if image_id is None else operator.index(image_id)
        except TypeError:
            raise TypeError(f"{where}: image_id {image_id!r}, an integer expected") from None
        if not -(1 << 63) <= number < 1 << 63:
            raise TypeError(f"{where}: image_id {number}, an integer of 64 bits expected")
        if number in self._ids:
            raise FormatError(f"{where}: the file has an image of id {number}")
        self._check_about()
        if columns is not None and not isinstance(columns, Mapping):
            raise TypeError(f"{where}: columns: {type(columns).__name__}, a mapping expected")
        rows = make_rows(
            detections,
            image_id=number,
            file_name=file_name,
            image_shape=image_shape,
            columns={} if columns is None else columns,
            where=where,
        )
        fitted = self._store.fit(rows, where)
        try:
            self._store.take(fitted)
            self._ids.add(number)
            if file_name is not None:
                self._file_names.add(file_name)
        except BaseException as error:
            self._broken = error
            raise
        self._flush()

    def close(self) -> None:
        """Write what is still in memory and make the file complete. Closing twice is allowed.

        Raises
        ------
        TypeError
            Where ``classes`` or ``metadata`` cannot be stored. The writer stays open.
        CompactMaskError
            Where another file has taken the place of this one.
        """
        if not self._closed:
            self._check_all_about()
            self._finish()

    def abandon(self) -> None:
        """Close without a file: what was written is removed, and what existed before stays."""
        if not self._closed:
            self._closed = True
            self._output.abandon()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self._mode == "w" and self._output.replaces:
            self.abandon()
            return
        try:
            try:
                self.close()
            finally:  # Where classes or metadata cannot be stored, the last ones that can.
                self._finish()
        except Exception:
            if error is None:  # Otherwise that one tells more.
                raise

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"Writer({self.path!r}: {len(self)} images, {state})"

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.path}: the writer is closed")

    def _check_about(self) -> None:
        """Check classes and metadata where they have changed."""
        try:
            same = self._classes == self._good_classes and self._metadata == self._good_metadata
        except ValueError:  # Arrays do not compare.
            same = False
        if not same:
            self._check_all_about()

    def _check_all_about(self) -> None:
        self._good_classes = _checked_classes(self._classes, self.path)
        self._good_metadata = _checked_metadata(self._metadata, self.path)

    def _finish(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._broken is not None:
            self._output.abandon()
            raise CompactMaskError(
                f"{self.path}: an append was interrupted half way: the file is not complete"
            ) from self._broken
        self._output.finish(self._closing_streams())

    def _continue_classes(self, before: Contents) -> None:
        existing = before.classes()
        if self.classes[: len(existing)] != existing and self.classes:
            raise FormatError(
                f"{self.path}: classes {self.classes}, expected to begin with those that "
                f"the file has: {existing}"
            )
        self.classes = self.classes or existing

    def _free_id(self) -> int:
        self._next_id = max(self._next_id, len(self))
        while self._next_id in self._ids:
            self._next_id += 1
        return self._next_id

    def _flush(self) -> None:
        """Write what fills chunks, once enough waits."""
        streams = [*self._store.streams()]
        if sum(stream.nbytes for stream in streams) >= FLUSH_BYTES:
            for stream in streams:
                self._output.flush(stream)

    def _closing_streams(self) -> Iterator[Stream]:
        self._store.settle()
        yield from self._store.streams()
        if self._good_classes:
            names = Text("classes")
            names.take(self._good_classes)
            yield from names.streams()
        if self._good_metadata:
            document = Stream("metadata", schema.U8, chunk_rows=schema.TEXT_CHUNK_BYTES)
            text = json_text(self._good_metadata, f"{self.path}: metadata")
            document.append_bytes(text.encode())
            yield document


def _checked_classes(names: list[str], path: str) -> list[str]:
    return [checked_text(name, path, f"classes[{i}]") for i, name in enumerate(names)]


def _checked_metadata(value: Any, path: str) -> dict[str, Any]:
    """Give a copy that changes no more."""
    copy: dict[str, Any] = json.loads(json_text(value, f"{path}: metadata"))
    return copy


def create(
    path: str | os.PathLike[str],
    mode: Mode = "x",
    classes: Iterable[str] | None = None,
    compression: Literal["gzip"] | None = None,
) -> Writer:
    """Create a dataset to append to.

    Parameters
    ----------
    path : path-like
        File to write.
    mode : {"x", "w", "a"}
        As h5py has it: "x" refuses a file that exists, "w" replaces it, "a" continues it. What
        exists is replaced when the new file is closed, and stays whole until then. Symbolic links
        are followed.
    classes : iterable of str, optional
        Class names; ``class_id`` is the index into them. With "a" they must begin with those
        that the file has.
    compression : {"gzip"}, optional
        Deflate the packed masks too: some percent smaller, and slower to read at random. With
        "a", the default is what the file has.

    Returns
    -------
    Writer
        To be used in a ``with`` statement.

    Raises
    ------
    FileExistsError
        Where the file exists, with "x".
    CorruptFileError
        Where the file to continue is damaged or unfinished.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> path = getfixture("tmp_path") / "people.h5"
    >>> mask = np.zeros((1, 6, 8), dtype=bool)
    >>> mask[0, 2:4, 3:7] = True
    >>> found = sv.Detections(
    ...     xyxy=np.array([[3.0, 2, 7, 4]]), mask=mask, class_id=np.array([0])
    ... )
    >>> with cm.create(path, classes=["person"]) as out:
    ...     out.append(found, file_name="a.jpg")
    ...     out.append(sv.Detections.empty(), file_name="b.jpg", image_shape=(6, 8))
    >>> with cm.open(path) as ds:
    ...     print(len(ds), ds.images["file_name"], len(ds[1]))
    2 ['a.jpg' 'b.jpg'] 0
    """
    return Writer(path, mode, classes, compression)


def _writer_name() -> str:
    return f"compactmask {__version__}"
