"""An HDF5 file of this format as a Source."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from compactmask.packed import LazyPacked

from ..source import Columns, Instance
from . import log, schema, snapshot
from .column import AnyColumn
from .contents import Contents
from .living import Living
from .snapshot import Snapshot


class Hdf5Source:
    """A file of this format, open for reading by position; a :class:`~..source.Source`.

    No HDF5 handle stays open: the structure is parsed once, and from then on bytes are read.
    Images that were deleted are not counted.

    Parameters
    ----------
    path : str
        Absolute path of the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._state: _State | None = None
        self._snapshot: Snapshot | None = None
        self._refreshing = threading.Lock()
        self._pid = os.getpid()
        self._show(snapshot.take(path))

    def __reduce__(self) -> tuple[Callable[[str], Hdf5Source], tuple[str]]:
        return Hdf5Source, (self.path,)

    @property
    def classes(self) -> list[str]:
        """Class names."""
        return self._opened().contents.class_names

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself."""
        return self._opened().contents.metadata()

    @property
    def about(self) -> dict[str, str | None]:
        """How it is stored."""
        contents = self._opened().contents
        return {
            "format": f"HDF5, {schema.FORMAT} {'.'.join(map(str, contents.version))}",
            "encoding": f"{schema.ENCODING} {schema.ENCODING_VERSION}",
            "compression": contents.compression,
        }

    @property
    def bytes_read(self) -> int:
        """Bytes read by position since it was opened."""
        return self._opened().contents.handle.bytes_read

    @property
    def file_bytes(self) -> int:
        """Size of the file and its log."""
        return log.size_with_log(self.path)

    @property
    def n_images(self) -> int:
        """Number of images."""
        state = self._state or self._opened()
        return state.contents.n_images if state.images is None else state.images.count

    @property
    def n_detections(self) -> int:
        """Number of instances."""
        state = self._state or self._opened()
        if state.detections is None:
            return state.contents.n_detections
        return state.detections.count

    @property
    def images(self) -> Columns:
        """Columns of the images."""
        state = self._opened()
        return _columns(state.contents.images, state.images)

    @property
    def detections(self) -> Columns:
        """Columns of the instances."""
        state = self._opened()
        return _columns(state.contents.detections, state.detections)

    def detection_range(self, i: int) -> tuple[int, int]:
        """Give the first instance of image ``i`` and the one after its last."""
        state = self._opened()
        start, stop = state.contents.detection_range(state.stored_image(i))
        if state.detections is None:
            return start, stop
        first = state.detections.shown(start)
        return first, first + stop - start

    def fields(self, i: int) -> dict[str, Any]:
        """Give the keyword arguments of image ``i``'s ``sv.Detections``, all but mask."""
        state = self._opened()
        return state.contents.fields(state.stored_image(i))

    def having(self, name: str) -> npt.NDArray[np.bool_]:
        """Tell which images have what others may lack.

        Parameters
        ----------
        name : str
            "mask", "confidence", "class_id", "tracker_id" or a column of ``Detections.data``
            that some image has.
        """
        state = self._opened()
        images = state.contents.having(name)
        return images if state.images is None else state.images.of(images)

    def masks(self, i: int) -> LazyPacked | None:
        """Give the masks of image ``i``, lazily."""
        state = self._opened()
        return state.contents.masks(state.stored_image(i))

    def instance(self, k: int) -> Instance:
        """Read instance ``k``."""
        state = self._opened()
        if state.detections is None or state.images is None:
            return state.contents.instance(k)
        found = state.contents.instance(state.detections.stored(k))
        return found._replace(image=state.images.shown(found.image))

    def crop(self, k: int) -> npt.NDArray[np.bool_]:
        """Read the crop of instance ``k``."""
        state = self._state or self._opened()
        contents = state.contents
        masks = contents.mask_store or contents.existing_masks()
        return masks.crop(k if state.detections is None else state.detections.stored(k))

    def crops(self, ks: list[int]) -> list[npt.NDArray[np.bool_]]:
        """Read the crops of several instances."""
        state = self._opened()
        if state.detections is not None:
            ks = [state.detections.stored(k) for k in ks]
        return state.contents.crops(ks)

    def image(self, i: int) -> tuple[int, str, tuple[int, int]]:
        """Give the id, file name ("" where there is none) and shape of image ``i``."""
        state = self._opened()
        return state.contents.image(state.stored_image(i))

    def place(self, i: int) -> int:
        """Give the place in the file of image ``i``, or its end."""
        state = self._opened()
        return state.stored_image(i) if i < self.n_images else state.contents.n_images

    def at(self, place: int) -> int | None:
        """Give the position of the image at a place; None where it is deleted."""
        living = self._opened().images
        if living is None:
            return place
        return None if living.is_gone(place) else living.shown(place)

    @property
    def identity(self) -> str:
        """What tells the file from another one."""
        return self._opened().contents.layout.uuid.hex()

    @property
    def state(self) -> str:
        """Which file it is, and how much of it is shown: nothing in it is changed in its place."""
        contents = self._opened().contents
        return f"{self.identity}:{contents.n_images}:{self.n_images}:{self.n_detections}"

    def check(self) -> None:
        """Read every chunk of every column, and images that are deleted.

        Raises
        ------
        CorruptFileError
            Where something is damaged.
        """
        contents = self._opened().contents
        contents.check()
        for i in np.unique(contents.deleted).tolist():
            contents.fields(i)
            masks = contents.masks(i)
            if masks is not None:
                masks.load()

    def refresh(self) -> None:
        """Show what was committed since the file was looked at."""
        self._opened()
        with self._one_at_a_time():
            found = self._snapshot
            changed = None if found is None else found.advance()
            if found is not None and changed:
                self._show(found)
            elif changed is None:
                self._show(snapshot.take(self.path))

    def close(self) -> None:
        """Let go of the file."""
        self._state = self._snapshot = None

    def _one_at_a_time(self) -> threading.Lock:
        """Give a lock that a fork of the process does not inherit."""
        if os.getpid() != self._pid:
            self._refreshing, self._pid = threading.Lock(), os.getpid()
        return self._refreshing

    def _show(self, found: Snapshot) -> None:
        self._snapshot = found
        self._state = _State.of(found.contents())

    def _opened(self) -> _State:
        if self._state is None:
            raise ValueError(f"{self.path}: the dataset is closed")
        return self._state


class _State(NamedTuple):
    """What a file holds, and where deleted images are, if any."""

    contents: Contents
    images: Living | None
    detections: Living | None

    @classmethod
    def of(cls, contents: Contents) -> _State:
        deleted = np.unique(contents.deleted)
        if not len(deleted):
            return cls(contents, None, None)
        bounds = [contents.detection_range(i) for i in deleted.tolist()]
        starts, stops = np.array(bounds, np.int64).T
        return cls(
            contents,
            Living(contents.n_images, deleted, deleted + 1),
            Living(contents.n_detections, starts, stops),
        )

    def stored_image(self, i: int) -> int:
        """Give the position in the file of an image."""
        return i if self.images is None else self.images.stored(i)


def _columns(columns: Mapping[str, AnyColumn], living: Living | None) -> Columns:
    if living is None:
        return Columns({name: column.all for name, column in columns.items()})
    return Columns({name: partial(_kept, column, living) for name, column in columns.items()})


def _kept(column: AnyColumn, living: Living) -> npt.NDArray[Any]:
    """Read the rows of a column that are not deleted."""
    return living.of(column.all())
