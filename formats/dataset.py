"""The dataset that every format gives back when it is opened.

A format implements :class:`~.source.Source`; :class:`SegmentationDataset` is the public face over
any of them. It keeps no Python object per image or instance, and what reads a crop loads no
supervision.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsIndex

from compactmask.errors import CompactMaskError

from .source import Array, BoolMask, Instance, Record, Source

if TYPE_CHECKING:
    from supervision import Detections


class SegmentationDataset:
    """A dataset of detections in a file, read when it is used.

    It is a sequence of images: ``ds[i]`` is image ``i`` as an ``sv.Detections`` whose mask is a
    :class:`compactmask.CompactMask` that reads its bytes when it is used, and stays valid after
    :meth:`close`. Instances are counted over the whole dataset, in the order of the images:
    image ``i`` holds those of ``range(*ds.detection_range(i))``.

    It may be pickled, inherited by a forked process and read from several threads.

    Parameters
    ----------
    source : Source
        What a format made of the file.

    Examples
    --------
    >>> import numpy as np, supervision as sv, compactmask as cm
    >>> path = getfixture("tmp_path") / "one.h5"
    >>> mask = np.zeros((1, 6, 8), dtype=bool)
    >>> mask[0, 2:4, 3:7] = True
    >>> cm.save(sv.Detections(xyxy=np.array([[3.0, 2, 7, 4]]), mask=mask), path)
    >>> with cm.open(path) as ds:
    ...     print(len(ds), ds.detections["area"], ds.crop(0).shape)
    1 [8] (2, 4)
    """

    __slots__ = ("__weakref__", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def path(self) -> str:
        """Absolute path of the file."""
        return self._source.path

    @property
    def classes(self) -> list[str]:
        """Class names; ``class_id`` is the index into them."""
        return list(self._source.classes)

    @property
    def bytes_read(self) -> int:
        """Bytes read from the file since it was opened, its structure not counted."""
        return self._source.bytes_read

    @property
    def file_bytes(self) -> int:
        """Size of the file, and of the log that belongs to it while it is written."""
        return self._source.file_bytes

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself (licences, a description, ...), as JSON has it."""
        return self._source.metadata

    @property
    def images(self) -> Mapping[str, Array]:
        """Read-only mapping of columns with a row for each image, read when they are taken.

        ``id``, ``file_name`` ("" where there is none), ``height`` and ``width`` (0 where they are
        not known), and whatever further columns the file has. Text is an array of Python str.
        """
        return self._source.images

    @property
    def detections(self) -> Mapping[str, Array]:
        """Read-only mapping of columns with a row for each instance, read when they are taken.

        ``xyxy``, and those that exist of ``class_id``, ``confidence``, ``tracker_id``, ``area``
        (pixels), ``offsets`` (x, y) and ``crop_shapes`` (h, w); then every column of
        ``Detections.data`` by its name, or as ``data/<name>`` where one of the former has that
        name. Rows of images that lack a column hold zeros or "".
        """
        return self._source.detections

    def __len__(self) -> int:
        return self._source.n_images

    def __getitem__(self, index: SupportsIndex) -> Detections:
        return self._detections(_position(index, self._source.n_images, "image"))

    def __iter__(self) -> Iterator[Detections]:
        i = 0
        while i < self._source.n_images:  # It may change meanwhile.
            yield self._detections(i)
            i += 1

    def _detections(self, i: int) -> Detections:
        from supervision import Detections

        from compactmask.mask import CompactMask

        masks = self._source.masks(i)
        mask = None if masks is None else CompactMask._wrap(masks)
        return Detections(mask=mask, **self._source.fields(i))

    def detection_range(self, index: SupportsIndex) -> tuple[int, int]:
        """Give the instances of one image.

        Parameters
        ----------
        index : int
            Position of the image; negative ones count from the end.

        Returns
        -------
        tuple of int
            Its first instance and the one after its last.
        """
        return self._source.detection_range(_position(index, self._source.n_images, "image"))

    def crop(self, index: SupportsIndex) -> BoolMask:
        """Read the crop of one instance. Supervision is not loaded.

        Parameters
        ----------
        index : int
            The instance, counted over the whole dataset; negative ones count from the end.

        Returns
        -------
        ndarray of bool, shape (h, w)
            The pixels of its crop, a new array.

        Raises
        ------
        IndexError
            Where there is no such instance.
        InvalidMaskError
            Where its image has no masks.
        CorruptFileError
            Where the bytes in the file are not those that were written.
        """
        return self._source.crop(_position(index, self._source.n_detections, "instance"))

    def crops(self, indices: Iterable[SupportsIndex]) -> list[BoolMask]:
        """Read the crops of several instances; those that follow each other are read at once.

        Parameters
        ----------
        indices : iterable of int
            Instances as for :meth:`crop`, in any order.

        Returns
        -------
        list of ndarray of bool
            A crop for each, in the given order.
        """
        n = self._source.n_detections
        return self._source.crops([_position(index, n, "instance") for index in indices])

    def instance(self, index: SupportsIndex) -> Instance:
        """Read one instance: its image, box, class and crop. Supervision is not loaded.

        Parameters
        ----------
        index : int
            The instance as for :meth:`crop`.

        Returns
        -------
        Instance
            A named tuple (image, xyxy, class_id, offset, crop).
        """
        return self._source.instance(_position(index, self._source.n_detections, "instance"))

    def refresh(self) -> None:
        """Look at the file again and show what was committed since it was opened.

        Masks that were given out before stay valid. Where nothing has changed it costs some
        system calls; where there are new records in the log, only these are read.

        Raises
        ------
        FileNotFoundError
            Where the file is not there any more.
        BusyError
            Where the file changed whenever it was looked at, for many seconds.
        """
        self._source.refresh()

    def follow(
        self, start: int | None = None, timeout: float | None = None, poll: float = 0.05
    ) -> Iterator[Record]:
        """Give images as they are committed, by this or any other process.

        Parameters
        ----------
        start : int, optional
            Give the images from this position on first. By default only those that this dataset
            does not show yet.
        timeout : float, optional
            End after so many seconds without a new image; never by default.
        poll : float
            Seconds between two looks at the file.

        Yields
        ------
        Record
            A named tuple (image, id, file_name, image_shape, detections).

        Raises
        ------
        CompactMaskError
            Where another file has taken the place of this one, such as a repacked one.

        Examples
        --------
        >>> import supervision as sv, compactmask as cm
        >>> path = getfixture("tmp_path") / "run.h5"
        >>> with cm.create(path) as out, cm.open(path) as ds:
        ...     out.append(sv.Detections.empty(), file_name="a.jpg")
        ...     for record in ds.follow(timeout=0):
        ...         print(record.image, record.file_name, len(record.detections))
        0 a.jpg 0
        """
        source = self._source
        first = source.n_images if start is None else operator.index(start)
        if not 0 <= first <= source.n_images:
            raise IndexError(f"start {start} is out of range: there are {source.n_images} images")
        place = source.place(first)
        identity, last = source.identity, time.monotonic()
        while True:
            self.refresh()
            # Whoever takes an image may refresh too: places stay what they are, positions do not.
            while place < source.place(source.n_images):
                self._check_identity(identity)
                i = source.at(place)
                place += 1
                if i is not None:
                    yield Record(i, *source.image(i), self._detections(i))
                last = time.monotonic()
            self._check_identity(identity)
            if timeout is not None and time.monotonic() - last >= timeout:
                return
            time.sleep(poll)

    def _check_identity(self, identity: str) -> None:
        if self._source.identity != identity:
            raise CompactMaskError(
                f"{self.path}: another file has taken its place while it was followed"
            )

    def close(self) -> None:
        """Let go of the file. Masks that were given out stay valid."""
        self._source.close()

    def __enter__(self) -> SegmentationDataset:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        source = self._source
        try:
            counts = (
                f"{source.n_images} images, {source.n_detections} instances, "
                f"{len(source.classes)} classes"
            )
        except ValueError:
            counts = "closed"
        return f"{type(self).__name__}({source.path!r}: {counts})"


def _position(index: SupportsIndex, length: int, noun: str) -> int:
    if type(index) is int and 0 <= index < length:
        return index
    position = operator.index(index)
    if position < 0:
        position += length
    if not 0 <= position < length:
        raise IndexError(f"{noun} {operator.index(index)} is out of range: there are {length}")
    return position
