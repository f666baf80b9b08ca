"""An HDF5 file of this format as a Source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask.packed import LazyPacked

from ..dataset import Columns, Instance
from . import schema
from .column import AnyColumn
from .contents import Contents
from .handle import Handle
from .layout import read_layout


class Hdf5Source:
    """A file of this format, open for reading by position; a :class:`~..dataset.Source`.

    No HDF5 handle stays open: the structure is parsed once, and from then on bytes are read.

    Parameters
    ----------
    path : str
        Absolute path of the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._contents: Contents | None = None
        self._classes: list[str] | None = None
        self._open()

    def __reduce__(self) -> tuple[Callable[[str], Hdf5Source], tuple[str]]:
        return Hdf5Source, (self.path,)

    @property
    def classes(self) -> list[str]:
        """Class names."""
        if self._classes is None:
            self._classes = self._opened().classes()
        return self._classes

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself."""
        return self._opened().metadata()

    @property
    def about(self) -> dict[str, str | None]:
        """How it is stored."""
        return {
            "format": f"HDF5, {schema.FORMAT} {'.'.join(map(str, self._opened().version))}",
            "encoding": f"{schema.ENCODING} {schema.ENCODING_VERSION}",
            "compression": self._opened().compression,
        }

    @property
    def bytes_read(self) -> int:
        """Bytes read by position since it was opened."""
        return self._opened().handle.bytes_read

    @property
    def n_images(self) -> int:
        """Number of images."""
        return (self._contents or self._opened()).n_images

    @property
    def n_detections(self) -> int:
        """Number of instances."""
        return (self._contents or self._opened()).n_detections

    @property
    def images(self) -> Columns:
        """Columns of the images."""
        return _columns(self._opened().images)

    @property
    def detections(self) -> Columns:
        """Columns of the instances."""
        return _columns(self._opened().detections)

    def detection_range(self, i: int) -> tuple[int, int]:
        """Give the first instance of image ``i`` and the one after its last."""
        return self._opened().detection_range(i)

    def fields(self, i: int) -> dict[str, Any]:
        """Give the keyword arguments of image ``i``'s ``sv.Detections``, all but mask."""
        return self._opened().fields(i)

    def masks(self, i: int) -> LazyPacked | None:
        """Give the masks of image ``i``, lazily."""
        return self._opened().masks(i)

    def instance(self, k: int) -> Instance:
        """Read instance ``k``."""
        return self._opened().instance(k)

    def crop(self, k: int) -> npt.NDArray[np.bool_]:
        """Read the crop of instance ``k``."""
        contents = self._contents or self._opened()
        masks = contents.mask_store or contents.existing_masks()
        return masks.crop(k)

    def crops(self, ks: list[int]) -> list[npt.NDArray[np.bool_]]:
        """Read the crops of several instances."""
        return self._opened().crops(ks)

    def refresh(self) -> None:
        """Open the file at the path again."""
        self._opened()
        self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._contents = None

    def _open(self) -> None:
        self._contents, self._classes = open_contents(self.path), None

    def _opened(self) -> Contents:
        if self._contents is None:
            raise ValueError(f"{self.path}: the dataset is closed")
        return self._contents


def _columns(columns: Mapping[str, AnyColumn]) -> Columns:
    return Columns({name: column.all for name, column in columns.items()})


def open_contents(path: str) -> Contents:
    """Open the file at a path."""
    while True:
        handle = Handle(path)
        contents = Contents(handle, *read_layout(handle))
        # HDF5 opens by path too: it must have been the same file.
        if handle.is_still_at_path():
            return contents
