"""Masks grown, shrunk and rid of holes and specks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from compactmask import _check
from compactmask._kernels import components, holes, morphology
from compactmask._kernels.spread import ELEMENTS
from compactmask._storage import StoredMask
from compactmask._threads import map_blocks

Self = TypeVar("Self", bound="Morphology")


class Morphology(StoredMask):
    """The methods that change the outline of masks.

    An element has ``2 * radius + 1`` pixels to the side: ``"square"`` has all of them,
    ``"cross"`` the middle row and column, ``"disk"`` those with ``x**2 + y**2 <= radius**2``.
    OpenCV calls the first two ``cv2.MORPH_RECT`` and ``cv2.MORPH_CROSS``; the third is
    ``skimage.morphology.disk(radius)``. Crops of results are tight, and a mask without a pixel
    has a 1x1 crop at its old origin.

    The cost of a square or a cross is that of the columns and their edges, whatever the radius
    (M. van Herk, A fast algorithm for local minimum and maximum filters on rectangular and
    octagonal kernels, 1992); a disk looks from each column at all those within its radius.
    """

    __slots__ = ()

    def dilate(
        self: Self, radius: int = 1, element: str = "square", *, num_threads: int = 1
    ) -> Self:
        """Add every pixel that an element around a True pixel covers.

        Parameters
        ----------
        radius : int
            How far the element reaches, in pixels; 0 changes nothing.
        element : {"square", "cross", "disk"}
            Its shape, ``2 * radius + 1`` pixels to the side: all of them; the middle row and
            column; or those with ``x**2 + y**2 <= radius**2``.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            The masks, inside the image, equal to ``cv2.dilate``.

        Raises
        ------
        TypeError
            If `radius` is no integer.
        ValueError
            If `radius` is negative, `element` unknown or `num_threads` below 1.
        InvalidMaskError
            If a crop grows to more than 4,294,967,295 pixels.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 4, 4] = True
        >>> mask = CompactMask.from_dense(frame)
        >>> [int(mask.dilate(2, element).area[0]) for element in ("square", "cross", "disk")]
        [25, 9, 13]
        """
        reach, shape = _reach(radius, self.image_shape), _check.choice(element, "element", ELEMENTS)
        return self._mapped(lambda block: morphology.dilate(block, reach, shape), num_threads)

    def erode(
        self: Self, radius: int = 1, element: str = "square", *, num_threads: int = 1
    ) -> Self:
        """Keep the pixels around which an element covers True pixels only.

        Parameters
        ----------
        radius, element, num_threads
            As for `dilate`.

        Returns
        -------
        CompactMask
            The masks, equal to ``cv2.erode``: pixels outside the image count as True, so a mask
            does not shrink at the image's sides.

        Raises
        ------
        TypeError, ValueError, InvalidMaskError
            As `dilate`.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:7, 2:9] = True
        >>> CompactMask.from_dense(frame).erode().bbox_xyxy.tolist()
        [[3, 3, 8, 5]]
        """
        reach, shape = _reach(radius, self.image_shape), _check.choice(element, "element", ELEMENTS)
        return self._mapped(lambda block: morphology.erode(block, reach, shape, True), num_threads)

    def opening(
        self: Self, radius: int = 1, element: str = "square", *, num_threads: int = 1
    ) -> Self:
        """Erode, then dilate: what is too thin for the element goes.

        Parameters
        ----------
        radius, element, num_threads
            As for `dilate`.

        Returns
        -------
        CompactMask
            The masks, equal to ``cv2.morphologyEx`` with ``cv2.MORPH_OPEN``.

        Raises
        ------
        TypeError, ValueError, InvalidMaskError
            As `dilate`.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:7, 2:7] = frame[0, 0, 8] = True
        >>> CompactMask.from_dense(frame).opening().area.tolist()
        [25]
        """
        reach, shape = _reach(radius, self.image_shape), _check.choice(element, "element", ELEMENTS)

        def kernel(block: bytes) -> bytes:
            return morphology.dilate(morphology.erode(block, reach, shape, True), reach, shape)

        return self._mapped(kernel, num_threads)

    def closing(
        self: Self, radius: int = 1, element: str = "square", *, num_threads: int = 1
    ) -> Self:
        """Dilate, then erode: gaps too thin for the element are filled.

        Parameters
        ----------
        radius, element, num_threads
            As for `dilate`.

        Returns
        -------
        CompactMask
            The masks, equal to ``cv2.morphologyEx`` with ``cv2.MORPH_CLOSE``: gaps between a
            mask and the image's side are filled too.

        Raises
        ------
        TypeError, ValueError, InvalidMaskError
            As `dilate`.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:7, [2, 3, 5, 6]] = True
        >>> CompactMask.from_dense(frame).closing().area.tolist()
        [25]
        """
        reach, shape = _reach(radius, self.image_shape), _check.choice(element, "element", ELEMENTS)

        def kernel(block: bytes) -> bytes:
            return morphology.erode(morphology.dilate(block, reach, shape), reach, shape, True)

        return self._mapped(kernel, num_threads)

    def fill_holes(self: Self, *, num_threads: int = 1) -> Self:
        """Fill the background that a mask encloses.

        Parameters
        ----------
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            The masks, equal to ``scipy.ndimage.binary_fill_holes``: background stays if a path
            of pixels that share sides (connectivity 4) leads from it to the image's side.

        Raises
        ------
        ValueError
            If `num_threads` is below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:7, 2:7] = True
        >>> frame[0, 3:5, 4] = False
        >>> CompactMask.from_dense(frame).fill_holes().area.tolist()
        [25]
        """
        return self._mapped(holes.fill_holes, num_threads)

    def remove_small(
        self: Self, min_area: int, connectivity: int = 8, *, num_threads: int = 1
    ) -> Self:
        """Drop connected components of few pixels.

        Parameters
        ----------
        min_area : int
            The fewest pixels of a component that stays; 0 and 1 change nothing.
        connectivity : {8, 4}
            Whether pixels that share a corner are connected, or only those that share a side.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            As many masks, maybe empty ones.

        Raises
        ------
        TypeError
            If `min_area` is no integer.
        ValueError
            If `min_area` is negative, `connectivity` neither 8 nor 4 or `num_threads` below 1.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:7, 2:7] = frame[0, 0, 8] = True
        >>> CompactMask.from_dense(frame).remove_small(2).area.tolist()
        [25]
        """
        least = _check.whole(min_area, "min_area", 2**32)
        _check.choice(connectivity, "connectivity", (8, 4))
        return self._mapped(
            lambda block: components.keep_large(block, connectivity, least), num_threads
        )

    def _mapped(self: Self, kernel: Callable[[bytes], bytes], num_threads: int) -> Self:
        return self._wrap(map_blocks(kernel, [self._packed], num_threads))


def _reach(radius: int, image_shape: tuple[int, int]) -> int:
    """Check a radius; one as long as the image's sides together already covers all of it."""
    return _check.whole(radius, "radius", sum(image_shape))
