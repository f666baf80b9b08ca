"""Polygons to masks by COCO's rule, bit for bit what pycocotools draws.

The rule works on a grid five times finer than the pixels. Vertices are rounded to it, and an edge
visits one grid point for each step along its longer side. Pixel column c is crossed where the
edge steps between the fine columns 5c + 2 and 5c + 3::

        pixel column 0        pixel column 1
      |  0  1  2 : 3  4  |  5  6  7 : 8  9  |      fine columns, crossed at the colons

Of the two fine rows of that step the smaller one, r, counts: from pixel row ceil((r - 2) / 5) on,
cut to the image, the rest of the image in column-major order is toggled. Pixels toggled an odd
number of times belong to the part, and a polygon is the union of its parts.

Only the crossings are computed here, a few for each edge however far it reaches, not the points
between them. The rule is that of rleFrPoly in cocodataset/cocoapi.
"""

from cython cimport final
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free

from compactmask._kernels.block cimport Builder
from compactmask._kernels.crossings cimport Crossings
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of

# Coordinates reach 2**22 from zero. A steep edge moves less than one fine column a step, by at
# least 1 / dy > 2**-26 less, and rounding errors stay below that: no step skips a column, every
# edge crosses each column between its ends exactly once.


cdef struct Point:
    int32_t x, y


cdef struct Edge:
    Point origin            # the end from which the faster coordinate grows
    double slope            # steps of the slower coordinate for each step of the faster one
    int32_t first, last     # pixel columns that it crosses, both inclusive
    uint32_t part
    bint steep              # y is the faster coordinate


@final
cdef class Outline:
    """Scratch for one polygon: the edges that cross columns of the image, then its crossings."""

    cdef:
        int32_t h, w
        Edge* edges
        Py_ssize_t n_edges, capacity
        int32_t first, last     # the columns that are crossed
        Crossings crossings

    def __cinit__(self, int32_t h, int32_t w):
        self.h = h
        self.w = w
        self.crossings = Crossings()

    def __dealloc__(self):
        free(self.edges)

    cdef Status begin(self, int64_t n) noexcept nogil:
        """Forget the polygon before and make room for `n` edges."""
        self.n_edges = 0
        self.first, self.last = self.w, -1
        return make_room(<void**>&self.edges, &self.capacity, n, sizeof(Edge))

    cdef void add_part(self, const double* xy, int64_t n, uint32_t part) noexcept nogil:
        """Take the edges of a closed part of `n` points."""
        cdef Py_ssize_t k
        cdef Point a, b
        a = fine_point(xy[2 * n - 2], xy[2 * n - 1])
        for k in range(n):
            b = fine_point(xy[2 * k], xy[2 * k + 1])
            self.add_edge(a, b, part)
            a = b

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
        self.n_edges += 1

    cdef inline void add_crossings(self, const Edge* edge) noexcept nogil:
        """Put the crossings of an edge."""
        cdef:
            int32_t x = edge.origin.x, y = edge.origin.y, c, column, step, row
            double slope = edge.slope, steps_per_column
            bint rising = slope > 0
        if edge.steep:
            # The crossing is the last step on the near side, estimated and then corrected.
            steps_per_column = 1 / slope
            for c in range(edge.first, edge.last + 1):
                column = 5 * c + 2
                step = <int32_t>((column + 0.5 - x) * steps_per_column)
                while (slower(x, slope, step + 1) <= column) == rising:
                    step += 1
                while (slower(x, slope, step) <= column) != rising:
                    step -= 1
                self.crossings.put(c, self.pixel_row(y + step), edge.part)
        else:
            for c in range(edge.first, edge.last + 1):
                row = slower(y, slope, 5 * c + 2 - x + (slope < 0))
                self.crossings.put(c, self.pixel_row(row), edge.part)

    cdef inline int32_t pixel_row(self, int32_t fine) noexcept nogil:
        """Tell from which pixel row on a crossing at a fine row toggles."""
        return 0 if fine < 3 else min((fine + 2) // 5, self.h)

    cdef Fault draw(self, Py_ssize_t n_parts, Edges mask) noexcept nogil:
        """Fill the union of the parts that were added."""
        cdef Fault fault = fault_of(self.crossings.begin(self.first, self.last), -1)
        cdef Py_ssize_t k
        if fault.status == OK:
            for k in range(self.n_edges):
                self.crossings.expect(self.edges[k].first, self.edges[k].last)
            fault = self.crossings.arrange()
        if fault.status == OK:
            for k in range(self.n_edges):
                self.add_crossings(self.edges + k)
            self.crossings.sort()
            fault.status = self.crossings.unite(n_parts, self.h, mask)
        return fault


cdef inline Point fine_point(double x, double y) noexcept nogil:
    # A cast cuts towards zero, so negative values come out up to one too large. They lie
    # left of every crossing or above row 0, where this changes nothing that is drawn.
    cdef Point point
    point.x = <int32_t>(5 * x + 0.5)
    point.y = <int32_t>(5 * y + 0.5)
    return point


cdef inline int32_t slower(int32_t origin, double slope, int32_t step) noexcept nogil:
    """Tell the slower coordinate after `step` steps of the faster one, rounded as COCO does."""
    return <int32_t>(origin + slope * step + 0.5)


def pack(
    const double[:, ::1] xy,
    const int64_t[::1] parts,
    const int64_t[::1] masks,
    int32_t height,
    int32_t width,
):
    """Draw every polygon as the union of its parts.

    Parameters
    ----------
    xy : ndarray of float64, shape (points, 2)
        The points of all parts in pixels, up to 2**22 from zero.
    parts : ndarray of int64
        Where the points of each part start and the last's end; three at least in each.
    masks : ndarray of int64, shape (n + 1,)
        Where the parts of each polygon start and the last's end. No parts: no pixel.
    height, width : int
        The image.

    Returns
    -------
    bytes
        A block of n masks, tightly cropped; an empty one has a 1x1 crop at the origin.

    Raises
    ------
    InvalidMaskError
        If the edges of one polygon cross more than 33,554,432 pixel columns in all.

    Notes
    -----
    Time and memory grow with the points and with the pixel columns that the edges cross inside
    the image.
    """
    cdef:
        Outline outline = Outline(height, width)
        Builder builder = Builder()
        Edges mask = Edges()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, part, begin, end
    with nogil:
        for i in range(masks.shape[0] - 1):
            begin, end = masks[i], masks[i + 1]
            fault.status = outline.begin(parts[end] - parts[begin])
            if fault.status == OK:
                for part in range(begin, end):
                    outline.add_part(
                        &xy[parts[part], 0],
                        parts[part + 1] - parts[part],
                        <uint32_t>(part - begin),
                    )
                fault = outline.draw(end - begin, mask)
            if fault.status == OK:
                fault = builder.add(mask)
            fault.mask = i
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(height, width)
