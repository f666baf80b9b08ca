"""What a format implements, and what it gives: columns, instances, records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from compactmask.errors import CompactMaskError

if TYPE_CHECKING:
    from supervision import Detections

    from compactmask.packed import Masks

OnFault = Callable[[CompactMaskError], None]
"""Is called with the error of what is bad in a document, which is then left out."""
BoolMask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]


class Columns(Mapping[str, Array]):
    """Columns by name; each is read when it is taken, and read-only.

    Parameters
    ----------
    read : mapping
        Gives each column when it is called.
    """

    __slots__ = ("_read",)

    def __init__(self, read: Mapping[str, Callable[[], Array]]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> Array:
        column = self._read[name]()
        column.flags.writeable = False
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._read)})"


class Instance(NamedTuple):
    """One instance: where it is, what it is, and its crop."""

    image: int
    """Position of its image in the dataset."""
    xyxy: npt.NDArray[Any]
    """Its box as it was stored, shape (4,)."""
    class_id: int | None
    """Index into ``classes``; None where its image has no class ids."""
    offset: tuple[int, int]
    """``(x, y)`` of the crop's top left pixel in the image."""
    crop: BoolMask
    """``(h, w)`` pixels."""


class Record(NamedTuple):
    """One image of a dataset that is followed."""

    image: int
    """Its position when it arrived; images that are deleted later move those behind them."""
    id: int
    """Its id."""
    file_name: str
    """Its file name; "" where it has none."""
    image_shape: tuple[int, int]
    """``(H, W)``; zeros where it is not known."""
    detections: Detections
    """As ``ds[image]`` gives them."""


class Source(Protocol):
    """What a format implements.

    Positions are checked before they come here: ``0 <= i < n_images``, ``0 <= k < n_detections``.
    A source pickles as its path and opens it again. Reading from one that was closed raises
    ValueError; masks that it gave out before stay valid.
    """

    @property
    def path(self) -> str:
        """Absolute path of the file."""

    @property
    def classes(self) -> list[str]:
        """Class names; ``class_id`` is the index into them."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says about itself, as JSON has it; empty where it says nothing."""

    @property
    def about(self) -> dict[str, str | None]:
        """How it is stored: ``format``, ``encoding`` of the masks, and their ``compression``."""

    @property
    def bytes_read(self) -> int:
        """Bytes read from the file since it was opened, its structure not counted."""

    @property
    def file_bytes(self) -> int:
        """Size of the file, and of the log that belongs to it."""

    @property
    def n_images(self) -> int:
        """Number of images."""

    @property
    def n_detections(self) -> int:
        """Number of instances."""

    @property
    def images(self) -> Mapping[str, Array]:
        """Columns of length ``n_images``: id, file_name, height, width and further ones."""

    @property
    def detections(self) -> Mapping[str, Array]:
        """Columns of length ``n_detections``.

        xyxy, and those that exist of class_id, confidence, tracker_id, area (pixels), offsets,
        crop_shapes; then every data column by its name, or as ``data/<name>`` where one of the
        former has that name.
        """

    def detection_range(self, i: int) -> tuple[int, int]:
        """Give the first instance of image ``i`` and the one after its last."""

    def fields(self, i: int) -> dict[str, Any]:
        """Give the keyword arguments of image ``i``'s ``sv.Detections``, fresh, all but mask."""

    def having(self, name: str) -> BoolMask:
        """Tell which images have what others may lack.

        ``name`` is "mask", "confidence", "class_id", "tracker_id" or a column of
        ``Detections.data`` that some image has.
        """

    def masks(self, i: int) -> Masks | None:
        """Give the masks of image ``i``, lazily; None where the image has none."""

    def instance(self, k: int) -> Instance:
        """Read instance ``k``."""

    def crop(self, k: int) -> BoolMask:
        """Read the crop of instance ``k``."""

    def crops(self, ks: list[int]) -> list[BoolMask]:
        """Read the crops of several instances, in the given order."""

    def image(self, i: int) -> tuple[int, str, tuple[int, int]]:
        """Give the id, file name ("" where there is none) and ``(H, W)`` of image ``i``."""

    def place(self, i: int) -> int:
        """Give the place in the file of image ``i``, or its end for ``n_images``.

        Places count all images that were ever appended: deletions do not move them.
        """

    def at(self, place: int) -> int | None:
        """Give the position of the image at a place of the file; None where it is deleted."""

    @property
    def identity(self) -> str:
        """What tells the file from another one that takes its place."""

    @property
    def state(self) -> str:
        """What is another text whenever images or instances that it shows are others.

        It is the same for all who show the same, also in other processes.
        """

    def refresh(self) -> None:
        """Look at the file again and show what was added to it."""

    def close(self) -> None:
        """Let go of the file. Closing twice is allowed."""
