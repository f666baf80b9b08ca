"""A `CompactMask` moved, cut, padded, turned and scaled, without pixels."""

from __future__ import annotations

from functools import partial
from typing import Literal, TypeVar

import numpy.typing as npt

from compactmask import _check
from compactmask._kernels import block, geometry, turn
from compactmask._nearest import nearest_axis
from compactmask._storage import StoredMask
from compactmask._threads import map_blocks

Self = TypeVar("Self", bound="Geometry")


class Geometry(StoredMask):
    """The methods that change where masks and their crops are."""

    __slots__ = ()

    def repack(self: Self, *, num_threads: int = 1) -> Self:
        """Shrink every crop to its True pixels.

        Parameters
        ----------
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            The same pixels; a mask without any has a 1x1 crop at its old origin.

        Raises
        ------
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:5, 3:4] = True
        >>> CompactMask.from_dense(frame, [[0, 0, 8, 8]]).repack().bbox_xyxy.tolist()
        [[3, 2, 3, 4]]
        """
        return self._wrap(map_blocks(geometry.tighten, [self._packed], num_threads))

    def with_offset(
        self: Self, dx: int, dy: int, new_image_shape: tuple[int, int], *, num_threads: int = 1
    ) -> Self:
        """Move every mask into another image.

        Parameters
        ----------
        dx, dy : int, or float without a fraction
            Pixels to the right and down; negative ones are allowed.
        new_image_shape : tuple of int
            ``(H, W)`` of the other image.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            Crops are cut at the image's sides; a mask wholly outside has an empty 1x1 crop.

        Raises
        ------
        TypeError
            If `dx` or `dy` is no number.
        InvalidMaskError
            If `dx` or `dy` has a fraction or is not finite, or a side of the new image is not 1
            to 1,048,576.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((1, 2, 2), bool))
        >>> mask.with_offset(10, 20, (40, 40)).bbox_xyxy.tolist()
        [[10, 20, 11, 21]]
        """
        return self._moved(
            _check.pixels(dx, "dx"), _check.pixels(dy, "dy"), new_image_shape, num_threads
        )

    def window(self: Self, xyxy: npt.ArrayLike, *, num_threads: int = 1) -> Self:
        """Cut a box out of the image.

        Parameters
        ----------
        xyxy : array_like of int, shape (4,)
            ``x1, y1, x2, y2``, inclusive; whole numbers. The box may reach outside the image:
            what lies there is False.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            As many masks, in an image of ``(y2 - y1 + 1, x2 - x1 + 1)``. Crops move along and
            are cut at its sides; a mask wholly outside has an empty 1x1 crop at the nearest
            pixel.

        Raises
        ------
        InvalidMaskError
            If the box is inverted, has a fraction or NaN, or a side above 1,048,576.
        ShapeMismatchError
            If it is not four numbers.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.eye(5, dtype=bool)[None])
        >>> mask.window([1, 1, 2, 2])[0].tolist()
        [[True, False], [False, True]]
        >>> mask.window([4, 4, 6, 5])[0].tolist()
        [[True, False, False], [False, False, False]]
        """
        x1, y1, x2, y2 = _check.window(xyxy)
        return self._moved(-x1, -y1, (y2 - y1 + 1, x2 - x1 + 1), num_threads)

    def pad(
        self: Self,
        pad_width: int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]],
        *,
        num_threads: int = 1,
    ) -> Self:
        """Add False pixels around the image.

        Parameters
        ----------
        pad_width : int, (before, after), or ((top, bottom), (left, right))
            How many, 0 or more; what `numpy.pad` calls so for an ``(H, W)`` array. One pair
            stands for both axes.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            In an image of ``(top + H + bottom, left + W + right)``. Crops move along; no mask
            is unpacked.

        Raises
        ------
        InvalidMaskError
            If a width is negative or the image gets a side above 1,048,576.
        ShapeMismatchError
            If `pad_width` has another form.
        TypeError
            If it is not of integers.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((1, 2, 2), bool))
        >>> padded = mask.pad(((1, 0), (3, 4)))
        >>> padded.shape, padded.offsets.tolist()
        ((1, 3, 9), [[3, 1]])
        """
        top, bottom, left, right = _check.pad_width(pad_width)
        height, width = self.image_shape
        shape = (top + height + bottom, left + width + right)
        return self._moved(left, top, shape, num_threads)

    def _moved(
        self: Self, dx: int, dy: int, image_shape: tuple[int, int], num_threads: int
    ) -> Self:
        height, width = _check.image_shape(image_shape)
        far = 2 * block.max_side  # moves every mask out of every image
        x, y = max(-far, min(far, dx)), max(-far, min(far, dy))
        kernel = partial(geometry.move, dx=x, dy=y, height=height, width=width)
        return self._wrap(map_blocks(kernel, [self._packed], num_threads))

    def flip(
        self: Self, direction: Literal["horizontal", "vertical"], *, num_threads: int = 1
    ) -> Self:
        """Mirror the image.

        Parameters
        ----------
        direction : "horizontal" or "vertical"
            Left to right, as `numpy.fliplr` of each frame, or top to bottom, as `numpy.flipud`.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            Crops move along.

        Notes
        -----
        Masks stay packed as they are, and the set notes that they are mirrored, as a NumPy view
        has negative strides. Whatever unpacks one reverses it, which adds a tenth to the time.

        Raises
        ------
        ValueError
            If `direction` is something else, or `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.array([[[True, True, False], [True, False, False]]]))
        >>> mask.flip("horizontal")[0].astype(int).tolist()
        [[0, 1, 1], [0, 0, 1]]
        >>> mask.flip("vertical")[0].astype(int).tolist()
        [[1, 0, 0], [1, 1, 0]]
        """
        is_horizontal = _check.choice(direction, "direction", ("horizontal", "vertical")) == 0
        return self._mirrored(is_horizontal, not is_horizontal, num_threads)

    def rot90(self: Self, k: int = 1, *, num_threads: int = 1) -> Self:
        """Turn the image counter-clockwise, as `numpy.rot90` does with each frame.

        Parameters
        ----------
        k : int
            How many times by 90 degrees; negative ones turn clockwise.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            In an image of ``(W, H)`` where `k` is odd. Crops move along.

        Raises
        ------
        TypeError
            If `k` is no integer.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.array([[[True, True, False], [True, False, False]]]))
        >>> mask.rot90()[0].astype(int).tolist()
        [[0, 0], [1, 0], [1, 1]]
        """
        turns = _check.integer(k, "k") % 4
        if turns % 2 == 0:
            return self._mirrored(turns == 2, turns == 2, num_threads)
        return self._turned(turns == 3, turns == 1, num_threads)

    def transpose(self: Self, *, num_threads: int = 1) -> Self:
        """Exchange rows and columns of the image, as ``frame.T``.

        Parameters
        ----------
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            In an image of ``(W, H)``. Crops move along.

        Raises
        ------
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.array([[[True, True, False], [True, False, False]]]))
        >>> mask.transpose()[0].astype(int).tolist()
        [[1, 1], [1, 0], [0, 0]]
        """
        return self._turned(False, False, num_threads)

    def _mirrored(self: Self, flip_x: bool, flip_y: bool, num_threads: int) -> Self:
        kernel = partial(block.mirror, flip_x=flip_x, flip_y=flip_y)
        return self._wrap(map_blocks(kernel, [self._packed], num_threads))

    def _turned(self: Self, flip_x: bool, flip_y: bool, num_threads: int) -> Self:
        kernel = partial(turn.turn, flip_x=flip_x, flip_y=flip_y)
        return self._wrap(map_blocks(kernel, [self._packed], num_threads))

    def resize(self: Self, new_image_shape: tuple[int, int], *, num_threads: int = 1) -> Self:
        """Scale image and masks to another resolution.

        Parameters
        ----------
        new_image_shape : tuple of int
            ``(H, W)``.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            Pixel for pixel ``cv2.resize(frame, (W, H), interpolation=cv2.INTER_NEAREST)``. A
            crop that no new pixel looks into becomes an empty 1x1 crop.

        Raises
        ------
        InvalidMaskError
            If a side of the new image is not 1 to 1,048,576, or a crop gets 2**32 pixels or more.
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> mask = CompactMask.from_dense(np.ones((1, 2, 2), bool))
        >>> mask.resize((4, 6)).bbox_xyxy.tolist()
        [[0, 0, 5, 3]]
        """
        shape = _check.image_shape(new_image_shape)
        if shape == self.image_shape:
            return self._wrap(self._storage)
        rows, columns = map(nearest_axis, self.image_shape, shape)
        kernel = partial(
            geometry.resample,
            first_row=rows.first,
            first_column=columns.first,
            source_column=columns.source,
        )
        return self._wrap(map_blocks(kernel, [self._packed], num_threads))
