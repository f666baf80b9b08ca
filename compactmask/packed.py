"""The packed storage under a CompactMask: one immutable block of bytes per set of masks.

A block is a header, the columns and the packed masks back to back, in native byte order::

    int32   magic, n, H, W       magic: "CMK" and "0"; "1" left to right mirrored, "2" top to
                                 bottom, "3" both: crops are seen so, not packed so
    int32   offsets[n][2]        x, y of each crop's top left pixel
    int32   crop_shapes[n][2]    h, w
    uint32  area[n]              True pixels
    uint32  indptr[n + 1]        where each packed mask starts in data
    uint8   data[indptr[n]]      packed masks, as formats/ENCODING.md says

It is immutable and holds no Python object, so sets share it freely between copies, threads and
forked processes, and a mask costs 24 bytes beside its packed form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from compactmask._kernels import block
from compactmask._kernels.block import check

Int32Array = npt.NDArray[np.int32]


class Masks(Protocol):
    """What a set of masks tells without its packed bytes, and how to get at those."""

    @property
    def n(self) -> int:
        """Number of masks."""

    @property
    def image_shape(self) -> tuple[int, int]:
        """``(H, W)`` in pixels."""

    @property
    def offsets(self) -> Int32Array:
        """``(n, 2)`` int32, ``(x, y)`` of each crop's top left pixel."""

    @property
    def crop_shapes(self) -> Int32Array:
        """``(n, 2)`` int32, ``(h, w)`` of each crop."""

    @property
    def area(self) -> npt.NDArray[np.uint32]:
        """``(n,)`` uint32, True pixels of each mask."""

    def load(self) -> Packed:
        """Return the masks with their bytes."""


class Packed(bytes):
    """N packed masks of one image, as the block that the module describes.

    Parameters
    ----------
    block : bytes
        A whole block, from a kernel or from another Packed.
    """

    __slots__ = ()

    def __init__(self, block: bytes) -> None:
        """Check the columns of the block that was taken; bytes that are none are refused."""
        check(self)

    @classmethod
    def from_columns(
        cls,
        image_shape: tuple[int, int],
        offsets: npt.ArrayLike,
        crop_shapes: npt.ArrayLike,
        area: npt.ArrayLike,
        indptr: npt.ArrayLike,
        data: Any,
    ) -> Packed:
        """Build a block from columns and packed bytes, and check that they fit together.

        Parameters
        ----------
        image_shape : tuple of int
            ``(H, W)`` in pixels.
        offsets, crop_shapes : array_like, shape (n, 2)
            ``(x, y)`` and ``(h, w)`` of each crop, inside the image.
        area : array_like, shape (n,)
            True pixels of each mask.
        indptr : array_like, shape (n + 1,)
            Where each packed mask starts in ``data``, from 0.
        data : bytes-like
            Packed masks back to back. Their content is checked when a mask is decoded.

        Raises
        ------
        InvalidMaskError
            Where a crop leaves the image, an area its crop, or ``indptr`` goes backwards.
        """
        return cls(block.build(image_shape, offsets, crop_shapes, area, indptr, data))

    def __reduce__(self) -> tuple[Callable[[bytes], Packed], tuple[bytes]]:
        return Packed, (bytes(self),)

    def __copy__(self) -> Packed:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Packed:
        return self

    def straight(self) -> Packed:
        """Return the same masks packed as they are seen, none of them mirrored: for files."""
        result = block.straighten(self)
        return self if result is self else Packed(result)

    @property
    def n(self) -> int:
        """Number of masks."""
        return block.count(self)

    @property
    def image_shape(self) -> tuple[int, int]:
        """``(H, W)`` in pixels."""
        return block.image_shape(self)

    @property
    def offsets(self) -> Int32Array:
        """``(n, 2)`` int32, ``(x, y)`` of each crop's top left pixel; a read-only view."""
        return np.frombuffer(self, np.int32, 2 * self.n, 16).reshape(-1, 2)

    @property
    def crop_shapes(self) -> Int32Array:
        """``(n, 2)`` int32, ``(h, w)`` of each crop; a read-only view."""
        n = self.n
        return np.frombuffer(self, np.int32, 2 * n, 16 + 8 * n).reshape(-1, 2)

    @property
    def area(self) -> npt.NDArray[np.uint32]:
        """``(n,)`` uint32, True pixels of each mask; a read-only view."""
        n = self.n
        return np.frombuffer(self, np.uint32, n, 16 + 16 * n)

    @property
    def indptr(self) -> npt.NDArray[np.uint32]:
        """``(n + 1,)`` uint32, where each packed mask starts in ``data``; a read-only view."""
        n = self.n
        return np.frombuffer(self, np.uint32, n + 1, 16 + 20 * n)

    @property
    def data(self) -> memoryview:
        """The packed masks back to back, read-only."""
        return memoryview(self)[20 + 24 * self.n :]

    def load(self) -> Packed:
        """Return itself: its bytes are here."""
        return self


class LazyPacked:
    """Masks whose columns are known and whose packed bytes are read when they are used.

    Parameters
    ----------
    image_shape : tuple of int
        ``(H, W)`` in pixels.
    offsets, crop_shapes : ndarray of int32, shape (n, 2)
        ``(x, y)`` and ``(h, w)`` of each crop.
    area : ndarray of uint32, shape (n,)
        True pixels of each mask.
    fetch : callable
        Gives the whole set when it is called; it is called at most once by each user.
    """

    __slots__ = ("_fetch", "area", "crop_shapes", "image_shape", "offsets")

    def __init__(
        self,
        image_shape: tuple[int, int],
        offsets: Int32Array,
        crop_shapes: Int32Array,
        area: npt.NDArray[np.uint32],
        fetch: Callable[[], Packed],
    ) -> None:
        self.image_shape = image_shape
        self.offsets = offsets
        self.crop_shapes = crop_shapes
        self.area = area
        self._fetch = fetch

    @property
    def n(self) -> int:
        """Number of masks."""
        return len(self.area)

    def load(self) -> Packed:
        """Read the packed bytes."""
        return self._fetch()
