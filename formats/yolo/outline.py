"""A mask as one polygon through the centres of its outermost pixels.

Its outlines run along the sides of pixels; each gives a ring that runs through the pixels on its
right hand, which are the mask's::

    ->  ->  |          * - *
    # # # # v              |
    # # # #                *

A hole's ring is joined to the next ring on its left by a seam: along the row of the hole's first
pixel, over the mask's own pixels, there and back. So drawing the polygon with its outline, and
filling it by the even-odd rule, gives the pixels back exactly. Only parts that do not touch are
joined over pixels that are not the mask's: a part at the pixels that lie nearest.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.int64]

FEWEST = 3
"""Points of a polygon."""


def outline(parts: list[npt.NDArray[np.int32]]) -> Points:
    """Join the outlines of a mask to one polygon.

    Parameters
    ----------
    parts : list of ndarray of int32, shape (k, 2)
        What :meth:`compactmask.CompactMask.to_polygons` gives for a mask with pixels.

    Returns
    -------
    ndarray of int64, shape (k, 2)
        Pixels, x and y, at least 3; the polygon is closed by itself.
    """
    ends = list(accumulate(map(len, parts), initial=0))
    begin = np.concatenate(parts).astype(np.int64)
    following = np.arange(1, len(begin) + 1)
    following[np.array(ends[1:]) - 1] = ends[:-1]
    end = begin[following]
    first, last = _pixels(begin, end)
    rings = _Rings(first, last, following)
    # An outline leaves its leftmost, topmost corner to the right, that of a hole downwards.
    holes = [start for start in ends[:-1] if end[start, 1] > begin[start, 1]]
    outer = [(a, b) for a, b in pairwise(ends) if end[a, 1] == begin[a, 1]]
    _join_holes(rings, begin, end, holes)
    _join_parts(rings, first, outer)
    points = _simplified(rings.points(2 * outer[0][0]))
    return np.pad(points, ((0, max(0, FEWEST - len(points))), (0, 0)), mode="edge")


class _Rings:
    """Closed chains of pixels; two of them are joined by going from one to the other and back.

    Vertex ``2 * k`` is the first pixel beside edge ``k`` of all outlines, the next one its last.
    """

    def __init__(self, first: Points, last: Points, following: npt.NDArray[np.int64]) -> None:
        self._xy = np.stack((first, last), axis=1).reshape(-1, 2).tolist()
        edges = np.arange(len(following))
        self._next = np.stack((2 * edges + 1, 2 * following), axis=1).ravel().tolist()

    def insert(self, xy: list[int], after: int) -> int:
        """Put a further vertex after one."""
        self._xy.append(xy)
        self._next.append(self._next[after])
        self._next[after] = len(self._xy) - 1
        return self._next[after]

    def join(self, one: int, other: int) -> int:
        """Go from a vertex to one of another ring, round that, and back; give where it is back."""
        back = self.insert(self._xy[one], one)
        begin = self.insert(self._xy[other], other)
        self._next[one], self._next[other] = begin, back
        return back

    def points(self, start: int) -> Points:
        """Give the ring of a vertex."""
        found, at = [self._xy[start]], self._next[start]
        while at != start:
            found.append(self._xy[at])
            at = self._next[at]
        return np.array(found, np.int64)


class _Seen:
    """Points that are joined already: sets of them that at least halve in size, a tree each."""

    def __init__(self) -> None:
        self._sets: list[tuple[Points, npt.NDArray[np.int64], Any]] = []

    def add(self, xy: Points, vertices: npt.NDArray[np.int64]) -> None:
        from scipy.spatial import cKDTree

        while self._sets and len(self._sets[-1][0]) < 2 * len(xy):
            more_xy, more_vertices, _ = self._sets.pop()
            xy = np.concatenate((more_xy, xy))
            vertices = np.concatenate((more_vertices, vertices))
        self._sets.append((xy, vertices, cKDTree(xy)))

    def nearest(self, xy: Points) -> tuple[int, int]:
        """Give the vertex that is nearest to one of some points, and which of these that is."""
        best, found = np.inf, (-1, -1)
        for _, vertices, tree in self._sets:
            distances, places = tree.query(xy)
            at = int(np.argmin(distances))
            if distances[at] < best:
                best, found = distances[at], (int(vertices[places[at]]), at)
        return found


def _pixels(begin: Points, end: Points) -> tuple[Points, Points]:
    """Give the first and the last pixel on the right hand of every edge.

    A corner has the coordinates of the pixel that is right of it and below.
    """
    step = np.sign(end - begin)
    side = np.minimum(np.column_stack((-step[:, 1], step[:, 0])), 0)
    return begin + side + np.minimum(step, 0), end + side - np.maximum(step, 0)


def _join_holes(rings: _Rings, begin: Points, end: Points, holes: list[int]) -> None:
    """Join each hole, given by its first edge, to what is left of it in the row where it begins."""
    if not holes:
        return
    up = np.flatnonzero(end[:, 1] < begin[:, 1])
    lengths = begin[up, 1] - end[up, 1]
    edges = np.repeat(up, lengths)  # each as often as it is pixels long
    rows = end[edges, 1] + np.arange(len(edges)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    width = int(begin[:, 0].max()) + 1
    keys = rows * width + begin[edges, 0]
    order = np.argsort(keys)
    starts = begin[holes]
    found = np.searchsorted(keys, starts[:, 1] * width + starts[:, 0], sorter=order) - 1
    left = edges[order[found]]
    targets = zip(left.tolist(), (-starts[:, 1]).tolist(), holes, strict=True)
    after: dict[int, int] = {}
    for edge, row, hole in sorted(targets):  # An edge goes up.
        vertex = rings.insert([int(begin[edge, 0]), -row], after.get(edge, 2 * edge))
        after[edge] = rings.join(vertex, 2 * hole)


def _join_parts(rings: _Rings, first: Points, outer: list[tuple[int, int]]) -> None:
    """Join each part, given by the range of its edges, to the nearest pixel of those before."""
    if len(outer) == 1:
        return
    seen = _Seen()
    for begin, end in outer:
        own = first[begin:end]
        if begin != outer[0][0]:
            one, at = seen.nearest(own)
            rings.join(one, 2 * (begin + at))
        seen.add(own, 2 * np.arange(begin, end))


def _simplified(points: Points) -> Points:
    """Leave out points that are passed in one of the eight directions, and what stands twice."""
    is_other = (points != np.roll(points, -1, axis=0)).any(axis=1)
    is_other[0] |= not is_other.any()
    points = points[is_other]
    if len(points) > 1:
        step = np.roll(points, -1, axis=0) - points
        is_straight = (step == 0).any(axis=1) | (np.abs(step[:, 0]) == np.abs(step[:, 1]))
        direction = np.sign(step)
        passed = (direction == np.roll(direction, 1, axis=0)).all(axis=1)
        points = points[~(passed & is_straight & np.roll(is_straight, 1))]
    return points
