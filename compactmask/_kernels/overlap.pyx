"""How many pixels each mask of one set shares with each of another, and in what proportion.

Masks are unpacked a tile at a time, in the order of their left sides, so that memory does not
grow with their number, and tiles that lie apart are never compared.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from compactmask._kernels.block cimport View, look
from compactmask._kernels.status cimport OK, Fault, fail, fault_of
from compactmask._kernels.tile cimport Figure, Tile, shared

cdef enum Measure:
    # in the order of MEASURES
    INTERSECTION
    IOU
    IOA

MEASURES = ("intersection", "iou", "ioa")


def load(block, const int64_t[::1] order, Py_ssize_t first, Tile beside):
    """Unpack as many masks as a tile should hold.

    Parameters
    ----------
    block : bytes
        A block.
    order : ndarray of int64
        Its masks by the left sides of their crops.
    first : int
        Where in `order` to start.
    beside : Tile or None
        Masks whose crops lie apart from all of this tile are left out.

    Returns
    -------
    tile : Tile
        The masks that have a True pixel.
    first : int
        Where in `order` to go on.
    """
    cdef:
        View view
        Tile tile = Tile()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, n = order.shape[0]
        bint is_any = beside is None
    look(block, &view)
    with nogil:
        while first < n and fault.status == OK and not tile.is_full():
            i = order[first]
            if is_any or meets(beside, &view, i):
                fault = tile.add(&view, i, i)
            elif view.offsets[2 * i] >= beside.x2:
                first = n - 1           # and so do all behind it
            first += 1
        tile.sort()
    fail(fault)
    return tile, first


cdef bint meets(Tile tile, View* view, Py_ssize_t i) noexcept nogil:
    """Tell whether the crop of mask `i` meets the box around a tile."""
    return (
        view.offsets[2 * i] < tile.x2
        and view.offsets[2 * i] + view.crop_shapes[2 * i + 1] > tile.x1
        and view.offsets[2 * i + 1] < tile.y2
        and view.offsets[2 * i + 1] + view.crop_shapes[2 * i] > tile.y1
    )


@cython.final
cdef class Sheet:
    """The matrix that results are written to.

    Parameters
    ----------
    out : ndarray, shape (n, m)
        Zeros; entries that stay zero are not written. Of int64 for "intersection", of float64
        for other measures.
    measure : str
        One of `MEASURES`: shared pixels, those over the union, those over the mask of the row.
    is_crowd : ndarray of uint8, shape (m,), or None
        For "iou": columns whose union is the mask of the row alone.
    """

    cdef:
        int64_t[:, ::1] counts
        double[:, ::1] ratios
        const uint8_t[::1] is_crowd
        Measure measure
        bint has_crowds

    def __init__(self, out, str measure, const uint8_t[::1] is_crowd):
        self.measure = <Measure><int>MEASURES.index(measure)
        if self.measure == INTERSECTION:
            self.counts = out
        else:
            self.ratios = out
        self.is_crowd = is_crowd
        self.has_crowds = is_crowd is not None

    def compare(self, Tile a, Tile b, Py_ssize_t first, Py_ssize_t last, bint is_mirrored):
        """Compare some masks of a tile with those of another, or with those behind in the same.

        Parameters
        ----------
        a, b : Tile
            The masks of rows and of columns.
        first, last : int
            Which of the n in `a`; calls for different ones may run at once.
        is_mirrored : bool
            Write each entry and its mirror image: both tiles are of the same set.
        """
        cdef:
            Py_ssize_t i, j
            int64_t intersection
            const Figure* one
            const Figure* other
        with nogil:
            for i in range(first, last):
                one = a.figures + i
                j = b.first_near(one.x1)
                if a is b:
                    self.put(one, one, one.area)
                    j = i + 1
                while j < b.n and b.figures[j].x1 < one.x2:
                    other = b.figures + j
                    j += 1
                    if other.x2 <= one.x1 or other.y2 <= one.y1 or one.y2 <= other.y1:
                        continue
                    intersection = shared(a, one, b, other)
                    if intersection == 0:
                        continue
                    self.put(one, other, intersection)
                    if is_mirrored:
                        self.put(other, one, intersection)

    cdef void put(
        self, const Figure* one, const Figure* other, int64_t intersection
    ) noexcept nogil:
        """Write the result of two masks that share a pixel, so no divisor is 0."""
        cdef Py_ssize_t i = one.index, j = other.index
        cdef int64_t whole = one.area
        if self.measure == INTERSECTION:
            self.counts[i, j] = intersection
            return
        if self.measure == IOU and not (self.has_crowds and self.is_crowd[j]):
            whole += other.area - intersection
        self.ratios[i, j] = <double>intersection / <double>whole
