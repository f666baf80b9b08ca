"""A `CompactMask` moved, cut and scaled, without pixels."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from compactmask import _check
from compactmask._kernels import block, geometry
from compactmask._nearest import nearest_source
from compactmask._storage import StoredMask
from compactmask.packed import Packed

Self = TypeVar("Self", bound="Geometry")


class Geometry(StoredMask):
    """The methods that change where masks and their crops are."""

    __slots__ = ()

    def repack(self: Self) -> Self:
        """Shrink every crop to its True pixels.

        Returns
        -------
        CompactMask
            The same pixels; a mask without any has a 1x1 crop at its old origin.

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:5, 3:4] = True
        >>> CompactMask.from_dense(frame, [[0, 0, 8, 8]]).repack().bbox_xyxy.tolist()
        [[3, 2, 3, 4]]
        """
        return self._wrap(Packed(geometry.tighten(self._packed)))

    def with_offset(self: Self, dx: int, dy: int, new_image_shape: tuple[int, int]) -> Self:
        """Move every mask into another image.

        Parameters
        ----------
        dx, dy : int
            Pixels to the right and down; negative ones are allowed.
        new_image_shape : tuple of int
            ``(H, W)`` of the other image.

        Returns
        -------
        CompactMask
            Crops are cut at the image's sides; a mask wholly outside has an empty 1x1 crop.

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((1, 2, 2), bool))
        >>> mask.with_offset(10, 20, (40, 40)).bbox_xyxy.tolist()
        [[10, 20, 11, 21]]
        """
        shape = _check.image_shape(new_image_shape)
        far = 2 * block.max_side
        x, y = max(-far, min(far, int(dx))), max(-far, min(far, int(dy)))
        return self._wrap(Packed(geometry.move(self._packed, x, y, *shape)))

    def resize(self: Self, new_image_shape: tuple[int, int]) -> Self:
        """Scale image and masks to another resolution.

        Parameters
        ----------
        new_image_shape : tuple of int
            ``(H, W)``.

        Returns
        -------
        CompactMask
            Pixel for pixel ``cv2.resize(frame, (W, H), interpolation=cv2.INTER_NEAREST)``. A
            crop that no new pixel looks into becomes an empty 1x1 crop.

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((1, 2, 2), bool))
        >>> mask.resize((4, 6)).bbox_xyxy.tolist()
        [[0, 0, 5, 3]]
        """
        shape = _check.image_shape(new_image_shape)
        if shape == self.image_shape:
            return self._wrap(self._storage)
        rows, columns = (
            nearest_source(old, new) for old, new in zip(self.image_shape, shape, strict=True)
        )
        height, width = self.image_shape
        return self._wrap(
            Packed(
                geometry.resample(
                    self._packed, _first_at(rows, height), _first_at(columns, width), columns
                )
            )
        )


def _first_at(source: npt.NDArray[np.int32], size: int) -> npt.NDArray[np.int32]:
    """Return for 0 to `size` the first place in `source` that is not below it."""
    return np.searchsorted(source, np.arange(size + 1)).astype(np.int32)
