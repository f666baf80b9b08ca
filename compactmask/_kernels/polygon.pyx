"""Polygons to runs by COCO's rule, bit for bit what pycocotools draws.

The rule works on a grid five times finer than the pixels. Vertices are rounded to it, and an edge
visits one grid point for each step along its longer side. Pixel column c is crossed where the
edge steps between the fine columns 5c + 2 and 5c + 3::

        pixel column 0        pixel column 1
      |  0  1  2 : 3  4  |  5  6  7 : 8  9  |      fine columns, crossed at the colons

Of the two fine rows of that step the smaller one, r, counts: from pixel row ceil((r - 2) / 5) on,
cut to the image, the rest of the image in column-major order is toggled. Pixels toggled an odd
number of times belong to the part, and a polygon is the union of its parts.

Only the crossings are computed here, a few for each edge however far it reaches, not the points
between them. They are sorted by column while they are written (count, then fill), by row within
a column, and swept once for all parts together.
"""

from cython cimport final
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy

import numpy as np

from compactmask.errors import InvalidMaskError

cdef enum:
    MAX_SIDE = 1_048_576
    # A steep edge moves less than one fine column a step, by at least 1 / dy > 2**-26 less.
    # Rounding errors stay below that up to here, so no step skips a column: every edge crosses
    # each column between its ends exactly once.
    MAX_COORDINATE = 4_194_304
    MAX_CROSSINGS = 33_554_432  # half a GiB in all
    SHORT = 24              # crossings of one column that insertion sorts fastest


cdef struct Point:
    int32_t x, y


cdef struct Edge:
    Point origin            # the end from which the faster coordinate grows
    double slope            # steps of the slower coordinate for each step of the faster one
    int32_t first, last     # pixel columns that it crosses, both inclusive
    uint32_t part
    bint steep              # y is the faster coordinate


cdef struct Crossing:
    int32_t row             # pixel row, 0 to h
    uint32_t part


@final
cdef class Outline:
    """Scratch for one polygon: the edges that cross columns, then their crossings.

    Column c has crossings[start[c - first] : start[c - first + 1]].
    """

    cdef:
        int32_t h, w
        Edge* edges
        Py_ssize_t n_edges, capacity
        int32_t first, last     # the columns that are crossed
        int32_t* start
        Crossing* crossings
        int64_t n_crossings
        uint8_t* inside         # for each part, whether the sweep is in it
        uint32_t* runs

    def __cinit__(self, int32_t h, int32_t w):
        self.h = h
        self.w = w
        self.first = w
        self.last = -1

    def __dealloc__(self):
        free(self.edges)
        free(self.start)
        free(self.crossings)
        free(self.inside)
        free(self.runs)

    cdef int reserve(self, Py_ssize_t more) except -1:
        """Make room for `more` edges."""
        cdef Py_ssize_t capacity
        cdef Edge* edges
        if self.n_edges + more > self.capacity:
            capacity = max(2 * self.capacity, self.n_edges + more)
            edges = <Edge*>realloc(self.edges, capacity * sizeof(Edge))
            if edges == NULL:
                raise MemoryError(f"no memory for a polygon of {capacity} edges")
            self.edges = edges
            self.capacity = capacity
        return 0

    cdef Py_ssize_t add_part(self, const double[::1] xy, uint32_t part) noexcept nogil:
        """Take the edges of a closed part; return the coordinate that is not valid, or -1."""
        cdef Py_ssize_t k
        cdef Point a, b
        for k in range(xy.shape[0]):
            if not -MAX_COORDINATE <= xy[k] <= MAX_COORDINATE:
                return k
        a = _fine_point(xy[xy.shape[0] - 2], xy[xy.shape[0] - 1])
        for k in range(0, xy.shape[0], 2):
            b = _fine_point(xy[k], xy[k + 1])
            self.add_edge(a, b, part)
            a = b
        return -1

    cdef inline void add_edge(self, Point a, Point b, uint32_t part) noexcept nogil:
        """Take the edge if it crosses a column of the image; there is room for it."""
        cdef Edge* edge = self.edges + self.n_edges
        cdef int32_t left = min(a.x, b.x), right = max(a.x, b.x)
        cdef int32_t dx = right - left, dy = max(a.y, b.y) - min(a.y, b.y)
        cdef Point end
        cdef bint backwards
        if right < 3:
            return
        edge.first = 0 if left < 3 else (left + 2) // 5
        edge.last = min((right - 3) // 5, self.w - 1)
        if edge.first > edge.last:
            return
        edge.part = part
        edge.steep = dx < dy
        backwards = b.y < a.y if edge.steep else b.x < a.x
        edge.origin = b if backwards else a
        end = a if backwards else b
        if edge.steep:
            edge.slope = <double>(end.x - edge.origin.x) / dy
        else:
            edge.slope = <double>(end.y - edge.origin.y) / dx
        self.first = min(self.first, edge.first)
        self.last = max(self.last, edge.last)
        self.n_crossings += edge.last - edge.first + 1
        self.n_edges += 1

    cdef bint sort_crossings(self) noexcept nogil:
        """Fill the crossings, sorted by column and row; return False when memory is short."""
        cdef Py_ssize_t k, c, n = max(0, self.last - self.first + 1)
        cdef int32_t deep = 0, total = 0
        cdef int32_t* start = <int32_t*>calloc(n + 3, sizeof(int32_t))
        self.start = start
        self.crossings = <Crossing*>malloc((self.n_crossings + 1) * sizeof(Crossing))
        if start == NULL or self.crossings == NULL:
            return False
        # start[c + 2] first says how many more edges cross column c than column c - 1. Then
        # start[c + 1] is where column c begins; filling moves it to where column c + 1 does.
        for k in range(self.n_edges):
            start[self.edges[k].first - self.first + 2] += 1
            start[self.edges[k].last - self.first + 3] -= 1
        for c in range(n):
            deep += start[c + 2]
            start[c + 1] = total
            total += deep
        for k in range(self.n_edges):
            self.add_crossings(self.edges + k)
        for c in range(n):
            _sort(self.crossings + start[c], start[c + 1] - start[c])
        return True

    cdef inline void add_crossings(self, const Edge* edge) noexcept nogil:
        """Put the crossings of an edge where their columns go on; there is room for them."""
        cdef:
            int32_t* end = self.start + 1 - self.first
            Crossing* crossings = self.crossings
            int32_t x = edge.origin.x, y = edge.origin.y, c, column, step, row
            double slope = edge.slope, steps_per_column
            bint rising = slope > 0
        if edge.steep:
            # The crossing is the last step on the near side, estimated and then corrected.
            steps_per_column = 1 / slope
            for c in range(edge.first, edge.last + 1):
                column = 5 * c + 2
                step = <int32_t>((column + 0.5 - x) * steps_per_column)
                while (_slower(x, slope, step + 1) <= column) == rising:
                    step += 1
                while (_slower(x, slope, step) <= column) != rising:
                    step -= 1
                crossings[end[c]] = Crossing(self.pixel_row(y + step), edge.part)
                end[c] += 1
        else:
            for c in range(edge.first, edge.last + 1):
                row = _slower(y, slope, 5 * c + 2 - x + (slope < 0))
                crossings[end[c]] = Crossing(self.pixel_row(row), edge.part)
                end[c] += 1

    cdef inline int32_t pixel_row(self, int32_t fine) noexcept nogil:
        """Tell from which pixel row on a crossing at a fine row toggles."""
        return 0 if fine < 3 else min((fine + 2) // 5, self.h)

    cdef Py_ssize_t sweep(self, Py_ssize_t n_parts) noexcept nogil:
        """Fill the run lengths of the union of all parts; return how many, 0: memory is short.

        What is written first is where the mask changes; a change at the place of the one
        before undoes it.
        """
        cdef:
            Py_ssize_t c, k, n = 0
            int64_t depth = 0
            uint32_t part, at, before = 0
            bint covered
            const int32_t* start = self.start
            const Crossing* crossing = self.crossings
            uint32_t* runs = <uint32_t*>malloc((self.n_crossings + 1) * sizeof(uint32_t))
        self.runs = runs
        self.inside = <uint8_t*>calloc(n_parts + 1, 1)
        if runs == NULL or self.inside == NULL:
            return 0
        for c in range(max(0, self.last - self.first + 1)):
            for k in range(start[c], start[c + 1]):
                part = crossing[k].part
                covered = depth > 0
                depth += -1 if self.inside[part] else 1
                self.inside[part] ^= 1
                if covered == (depth > 0):
                    continue
                at = <uint32_t>((c + self.first) * <int64_t>self.h + crossing[k].row)
                if n > 0 and runs[n - 1] == at:
                    n -= 1
                else:
                    runs[n] = at
                    n += 1
        at = <uint32_t>(<int64_t>self.h * self.w)
        if n == 0 or runs[n - 1] != at:
            runs[n] = at
            n += 1
        for k in range(n):
            at = runs[k]
            runs[k] = at - before
            before = at
        return n


cdef inline Point _fine_point(double x, double y) noexcept nogil:
    # A cast cuts towards zero, so negative values come out up to one too large. They lie
    # left of every crossing or above row 0, where this changes nothing that is drawn.
    cdef Point point
    point.x = <int32_t>(5 * x + 0.5)
    point.y = <int32_t>(5 * y + 0.5)
    return point


cdef inline int32_t _slower(int32_t origin, double slope, int32_t step) noexcept nogil:
    """Tell the slower coordinate after `step` steps of the faster one, rounded as COCO does."""
    return <int32_t>(origin + slope * step + 0.5)


cdef inline void _sort(Crossing* crossings, Py_ssize_t n) noexcept nogil:
    """Sort the crossings of one column by row."""
    cdef Py_ssize_t k, hole
    cdef Crossing moved
    if n > SHORT:
        qsort(crossings, n, sizeof(Crossing), _compare)
        return
    for k in range(1, n):
        moved = crossings[k]
        hole = k
        while hole > 0 and crossings[hole - 1].row > moved.row:
            crossings[hole] = crossings[hole - 1]
            hole -= 1
        crossings[hole] = moved


cdef int _compare(const void* a, const void* b) noexcept nogil:
    return (<const Crossing*>a).row - (<const Crossing*>b).row


def rasterize(parts, Py_ssize_t h, Py_ssize_t w):
    """Draw the union of polygons by COCO's rule.

    Equal to the runs of ``pycocotools.mask.merge(pycocotools.mask.frPyObjects(parts, h, w))``.

    Parameters
    ----------
    parts : iterable of ndarray, shape (2 * points,), dtype float64, C order
        ``x, y, x, y, ...`` of each part in pixels, at least three points; closed by itself.
        Coordinates may lie outside the image, up to 4,194,304 from zero. No parts: no pixel.
    h, w : int
        Image size in pixels, sides of 1 to 1,048,576 and fewer than 2**32 pixels.

    Returns
    -------
    ndarray, shape (runs,), dtype uint32
        Run lengths of the whole image, column-major, background first. Only the first may be 0.

    Raises
    ------
    InvalidMaskError
        If a part has fewer than three points or an odd length, a coordinate is not finite or
        too far out, the edges cross more than 33,554,432 pixel columns in all, or the image is
        too large.

    Notes
    -----
    Time and memory grow with the points and with the pixel columns that the edges cross inside
    the image. The rule is that of rleFrPoly in cocodataset/cocoapi.

    Examples
    --------
    >>> rasterize([np.array([1.0, 1, 3, 1, 3, 3, 1, 3])], 4, 5)
    array([5, 2, 2, 2, 9], dtype=uint32)
    """
    cdef:
        Outline outline
        const double[::1] xy
        uint32_t[::1] runs
        Py_ssize_t n, bad, part = 0
    if not (1 <= h <= MAX_SIDE and 1 <= w <= MAX_SIDE and <int64_t>h * w < 1 << 32):
        raise InvalidMaskError(
            f"image is ({h}, {w}), expected sides of 1 to {MAX_SIDE} and fewer than 2**32 pixels"
        )
    outline = Outline(h, w)
    for xy in parts:
        n = xy.shape[0]
        if n < 6 or n % 2:
            raise InvalidMaskError(
                f"part {part}: found {n} numbers, expected x, y of at least 3 points"
            )
        outline.reserve(n // 2)
        with nogil:
            bad = outline.add_part(xy, <uint32_t>part)
        if bad >= 0:
            raise InvalidMaskError(
                f"part {part}: {'xy'[bad % 2]} of point {bad // 2} is {xy[bad]}, "
                f"expected {-MAX_COORDINATE} to {MAX_COORDINATE}"
            )
        if outline.n_crossings > MAX_CROSSINGS:
            raise InvalidMaskError(
                f"part {part}: edges cross {outline.n_crossings} pixel columns so far, "
                f"expected at most {MAX_CROSSINGS}"
            )
        part += 1
    with nogil:
        n = outline.sweep(part) if outline.sort_crossings() else 0
    if n == 0:
        raise MemoryError(f"no memory for {outline.n_crossings} crossings of a polygon")
    result = np.empty(n, np.uint32)
    runs = result
    memcpy(&runs[0], outline.runs, n * sizeof(uint32_t))
    return result
