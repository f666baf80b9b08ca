"""Masks of polygons, and the polygons of masks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from compactmask import _check
from compactmask._kernels import contour, evenodd, fill, polygon
from compactmask._outlines import outlines
from compactmask._storage import StoredMask
from compactmask._threads import each_part, each_range, join

Self = TypeVar("Self", bound="Polygons")

# the kernel of each rule, and the points that a part must have
RULES = {"coco": (polygon.pack, 3), "fill": (fill.pack, 0), "evenodd": (evenodd.pack, 0)}


class Polygons(StoredMask):
    """The constructor from polygons and the export to them."""

    __slots__ = ()

    @classmethod
    def from_polygons(
        cls: type[Self],
        polygons: Sequence[Sequence[npt.ArrayLike]],
        image_shape: tuple[int, int],
        rule: Literal["coco", "fill", "evenodd"] = "coco",
        *,
        num_threads: int = 1,
    ) -> Self:
        """Draw polygons.

        Parameters
        ----------
        polygons : sequence of sequence of array_like
            Of each mask its parts. A part is ``[x, y, x, y, ...]`` or an array of shape
            ``(k, 2)``, in pixels, closed by itself; at most 4,194,304 from zero, outside the
            image as well.
        image_shape : tuple of int
            ``(H, W)``.
        rule : str
            Which pixels are in.

            - ``"coco"``: bit for bit ``pycocotools.mask.frPyObjects`` and ``merge``. A pixel's
              centre is at its whole coordinates and half a pixel; parts are united. Each has at
              least three points, and a mask at least one part.
            - ``"fill"``: bit for bit what ``supervision.Detections.from_sam3`` makes of polygons
              (0.31.2, with OpenCV 5.0). Fractions are cut off, a pixel's centre
              is at its whole coordinates, and the outline is drawn too; parts are united. A part
              of one point is that pixel, of two a line, without any nothing.
            - ``"evenodd"``: the pixels whose centres lie inside an odd number of the parts'
              turns, so that a part inside another is a hole. Pixel (0, 0) covers 0 to 1, its
              centre is at (0.5, 0.5), and one on an outline belongs to what is below it, or right
              of it where the outline is vertical. Exact for whole coordinates. Parts of fewer than
              three points enclose nothing. `to_polygons` gives such parts.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        CompactMask
            Tight crops; a mask without pixels has a 1x1 crop at the origin. Time and memory grow
            with the points and with the columns (``"fill"``: rows) of pixels that edges cross in
            the image, not with its area.

        Raises
        ------
        InvalidMaskError
            If polygons are nested otherwise, a part is not x, y pairs of finite numbers, or too
            short, or the edges of one mask cross more than 33,554,432 columns of pixels
            (``"fill"``: 16,777,216 rows); the message names mask and part. If a side of the image
            is not 1 to 1,048,576, or a crop gets 2**32 pixels or more.
        ValueError
            If there is no such rule, or `num_threads` is below 1.

        See Also
        --------
        to_polygons

        Examples
        --------
        >>> from compactmask import CompactMask
        >>> square, middle = [0, 0, 4, 0, 4, 4, 0, 4], [[1, 1], [3, 1], [3, 3], [1, 3]]
        >>> CompactMask.from_polygons([[square], [middle]], (6, 6)).area.tolist()
        [16, 4]
        >>> CompactMask.from_polygons([[square], [middle]], (6, 6), rule="fill").area.tolist()
        [25, 9]
        >>> CompactMask.from_polygons([[square, middle]], (6, 6), rule="evenodd").area.tolist()
        [12]
        """
        _check.choice(rule, "rule", tuple(RULES))
        kernel, fewest_points = RULES[rule]
        shape = _check.image_shape(image_shape)
        xy, parts, masks = outlines(polygons, fewest_points)

        def draw(first: int, last: int) -> bytes:
            return kernel(xy, parts, masks[first : last + 1], *shape)

        return cls._wrap(join(each_range(draw, len(masks) - 1, num_threads)))

    def to_polygons(self, *, num_threads: int = 1) -> list[list[npt.NDArray[np.int32]]]:
        """Trace the outlines of every mask along the sides of its pixels.

        Parameters
        ----------
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        list of list of ndarray of int32, shape (k, 2)
            Of each mask its outlines, of each outline its corners, x and y. Pixel (0, 0) covers
            0 to 1, and ``from_polygons(..., rule="evenodd")`` gives the mask back exactly. An
            outline is closed by itself, and every point of it is a corner. On the screen outer
            outlines turn clockwise and those of holes the other way, so that the signed areas
            of a mask's outlines add up to its area. True pixels that touch at a corner share an
            outline (8-connected), holes that do so have one each (4-connected). Outlines are
            sorted by their leftmost, then topmost corner and start there. A mask without pixels
            has none.

        Raises
        ------
        ValueError
            If `num_threads` is below 1.

        See Also
        --------
        from_polygons

        Notes
        -----
        Time and memory grow with the number of corners and of columns, not of pixels.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.ones((1, 3, 4), bool)
        >>> frame[0, 1, 1] = False
        >>> [part.tolist() for part in CompactMask.from_dense(frame).to_polygons()[0]]
        [[[0, 0], [4, 0], [4, 3], [0, 3]], [[1, 1], [1, 2], [2, 2], [2, 1]]]
        """
        result: list[list[npt.NDArray[np.int32]]] = []
        for xy, parts, masks in each_part(contour.trace, [self._packed], num_threads):
            ends = parts.tolist()
            for first, last in pairwise(masks.tolist()):
                own = xy[ends[first] : ends[last]].copy()
                origin = ends[first]
                result.append(
                    [own[a - origin : b - origin] for a, b in pairwise(ends[first : last + 1])]
                )
        return result
