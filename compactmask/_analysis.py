"""What masks are made of and where they lie."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from compactmask import _check
from compactmask._kernels import block, components, measure
from compactmask._kernels import points as kernel_points
from compactmask._storage import StoredMask
from compactmask._threads import each_part, map_blocks
from compactmask.packed import Packed

Self = TypeVar("Self", bound="Analysis")


class Analysis(StoredMask):
    """The methods that take masks apart and measure them."""

    __slots__ = ()

    def connected_components(
        self: Self, connectivity: int = 8, *, num_threads: int = 1
    ) -> tuple[Self, npt.NDArray[np.int64]]:
        """Make a mask of every connected component.

        Parameters
        ----------
        connectivity : {8, 4}
            Whether pixels that share a corner are connected, or only those that share a side.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        components : CompactMask
            k masks with tight crops: the components of mask 0, then those of mask 1, and so on;
            within a mask in the order in which ``scipy.ndimage.label`` numbers them, that of
            their first pixels row by row. An empty mask has none.
        index : ndarray of int64, shape (k,)
            The mask that each comes from.

        Raises
        ------
        ValueError
            If `connectivity` is neither 8 nor 4 or `num_threads` below 1.

        Notes
        -----
        Union-find over the segments of columns: the cost is that of the edges, however many
        components there are.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:4, 2:4] = frame[0, 4:7, 4:7] = frame[0, 0, 8] = True
        >>> mask = CompactMask.from_dense(frame)
        >>> parts, index = mask.connected_components()
        >>> parts.area.tolist(), index.tolist()
        ([1, 13], [0, 0])
        >>> mask.connected_components(connectivity=4)[0].area.tolist()
        [1, 4, 9]
        """
        _check.choice(connectivity, "connectivity", (8, 4))
        results = each_part(
            lambda part: components.split(part, connectivity), [self._packed], num_threads
        )
        parts, counts = results[0]
        if len(results) > 1:
            parts = block.concat([part for part, _ in results])
            counts = np.concatenate([count for _, count in results])
        return self._wrap(Packed(parts)), np.repeat(np.arange(len(self)), counts)

    def largest_component(self: Self, connectivity: int = 8, *, num_threads: int = 1) -> Self:
        """Keep of each mask the connected component with the most pixels.

        Parameters
        ----------
        connectivity, num_threads
            As for `connected_components`.

        Returns
        -------
        CompactMask
            As many masks, with tight crops. Of equally large components the first one stays; an
            empty mask stays empty, with a 1x1 crop.

        Raises
        ------
        ValueError
            As `connected_components`.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:4, 2:4] = frame[0, 6:9, 6:9] = True
        >>> CompactMask.from_dense(frame).largest_component().bbox_xyxy.tolist()
        [[6, 6, 8, 8]]
        """
        _check.choice(connectivity, "connectivity", (8, 4))
        return self._wrap(
            map_blocks(
                lambda part: components.keep_largest(part, connectivity),
                [self._packed],
                num_threads,
            )
        )

    @property
    def centroid(self) -> npt.NDArray[np.float64]:
        """Mean of the True pixels of each mask, ``x, y``, ``(n, 2)`` float64.

        The pixel in row 0 and column 0 has its centre at (0, 0), as in
        ``scipy.ndimage.center_of_mass``, which gives ``y, x``. An empty mask has NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:7, 2:4] = True
        >>> CompactMask.from_dense(frame).centroid.tolist()
        [[2.5, 4.0]]
        """
        return measure.centroid(self._packed)

    def contains(self, points: npt.ArrayLike, *, num_threads: int = 1) -> npt.NDArray[np.bool_]:
        """Tell which points lie in which masks.

        Parameters
        ----------
        points : array_like of int or float, shape (p, 2)
            ``x, y``. A point lies in the pixel of column ``floor(x)`` and row ``floor(y)``; one
            outside the image lies in no mask.
        num_threads : int
            Threads that share the masks.

        Returns
        -------
        ndarray of bool, shape (n, p)
            Whether point j lies in mask i.

        Raises
        ------
        ShapeMismatchError
            If `points` has another shape.
        InvalidMaskError
            If a point is NaN or infinite, or no number.
        ValueError
            If `num_threads` is below 1.

        Notes
        -----
        Points are sorted once. A mask looks at those in the columns of its crop, unpacks only
        if one lies inside, and searches a column's edges by halves.

        Examples
        --------
        >>> import numpy as np
        >>> from compactmask import CompactMask
        >>> frame = np.zeros((1, 9, 9), bool)
        >>> frame[0, 2:7, 2:4] = True
        >>> CompactMask.from_dense(frame).contains([[2, 6], [3.9, 6.9], [4, 6], [-1, 2]]).tolist()
        [[True, True, False, False]]
        """
        x, y = _check.pixels_of(points)
        place = np.argsort(x, kind="stable")
        x, y = x[place], y[place]
        return np.concatenate(
            each_part(
                lambda part: kernel_points.contains(part, x, y, place), [self._packed], num_threads
            )
        )
