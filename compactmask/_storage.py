"""A set of masks over its packed storage, and what supervision reads of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import supervision as sv

from compactmask import _check
from compactmask._kernels import runs
from compactmask.packed import Masks, Packed

Self = TypeVar("Self", bound="StoredMask")


class StoredMask(sv.CompactMask):
    """The storage of a `CompactMask`; the classes over it know one kind of operation each."""

    __slots__ = ("_storage",)

    _storage: Masks

    def __init__(
        self,
        rles: Sequence[npt.ArrayLike],
        crop_shapes: npt.ArrayLike,
        offsets: npt.ArrayLike,
        image_shape: tuple[int, int],
    ) -> None:
        shape = _check.image_shape(image_shape)
        shapes = _check.pairs(crop_shapes, len(rles), "crop_shapes")
        origins = _check.pairs(offsets, len(rles), "offsets")
        _check.crops_inside(shapes, origins, shape)
        self._storage = Packed(runs.pack(rles, shapes, origins, shape))

    @classmethod
    def _wrap(cls: type[Self], storage: Masks) -> Self:
        """Make a set over a storage that exists."""
        result = cls.__new__(cls)
        result._storage = storage
        return result

    @property
    def _packed(self) -> Packed:
        """The storage with its bytes; a lazy one is loaded and replaced."""
        storage = self._storage
        if not isinstance(storage, Packed):
            storage = self._storage = storage.load()
        return storage

    # What supervision reads of its own class

    @property
    def _rles(self) -> list[npt.NDArray[np.int32]]:  # type: ignore[override]
        return runs.unpack_crops(self._packed)

    @property
    def _crop_shapes(self) -> npt.NDArray[np.int32]:  # type: ignore[override]
        return self._storage.crop_shapes

    @property
    def _offsets(self) -> npt.NDArray[np.int32]:  # type: ignore[override]
        return self._storage.offsets

    @property
    def _image_shape(self) -> tuple[int, int]:  # type: ignore[override]
        return self._storage.image_shape

    def __len__(self) -> int:
        """Return the number of masks."""
        return self._storage.n

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, H, W)``, as the frames would have it.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> CompactMask.from_dense(np.ones((2, 3, 4), bool)).shape
        (2, 3, 4)
        """
        return (len(self), *self._storage.image_shape)

    @property
    def dtype(self) -> np.dtype[np.bool_]:
        """``bool``, as the frames would have it.

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> CompactMask.empty((480, 640)).dtype
        dtype('bool')
        """
        return np.dtype(np.bool_)

    @property
    def image_shape(self) -> tuple[int, int]:
        """``(H, W)`` of the image.

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> CompactMask.empty((480, 640)).image_shape
        (480, 640)
        """
        return self._storage.image_shape

    @property
    def offsets(self) -> npt.NDArray[np.int32]:
        """``(x, y)`` of each crop's top left pixel, ``(n, 2)`` int32; read-only.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> CompactMask.from_dense(np.eye(5, dtype=bool)[None, 1:]).offsets.tolist()
        [[1, 0]]
        """
        return self._storage.offsets
