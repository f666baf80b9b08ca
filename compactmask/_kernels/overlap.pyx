"""How many pixels each mask of one set shares with each of another, and in what proportion.

Masks are unpacked a tile at a time, in the order of their left sides, so that memory does not
grow with their number and tiles that lie apart are never compared.
"""

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


cdef struct Sheet:
    # where results go; of `counts` and `ratios` one is NULL
    int64_t* counts
    double* ratios
    Py_ssize_t columns
    Measure measure
    const uint8_t* is_crowd         # of each column, or NULL


cdef void put(
    Sheet* sheet, const Figure* one, const Figure* other, int64_t intersection
) noexcept nogil:
    """Write the result of two masks that share a pixel, so no divisor is 0."""
    cdef Py_ssize_t at = one.index * sheet.columns + other.index
    cdef int64_t whole = one.area
    if sheet.measure == INTERSECTION:
        sheet.counts[at] = intersection
        return
    if sheet.measure == IOU and (sheet.is_crowd == NULL or not sheet.is_crowd[other.index]):
        whole += other.area - intersection
    sheet.ratios[at] = <double>intersection / <double>whole


cdef void compare(Tile a, Tile b, Sheet* sheet, bint is_same) noexcept nogil:
    """Compare every mask of `a` with every one of `b`; in a set with itself, both ways at once."""
    cdef:
        Py_ssize_t i, j
        int64_t intersection
        const Figure* one
        const Figure* other
    for i in range(a.n):
        one = a.figures + i
        if is_same and a is b:
            put(sheet, one, one, one.area)
            j = i + 1
        else:
            j = b.first_near(one.x1)
        while j < b.n and b.figures[j].x1 < one.x2:
            other = b.figures + j
            j += 1
            if other.x2 <= one.x1 or other.y2 <= one.y1 or one.y2 <= other.y1:
                continue
            intersection = shared(a, one, b, other)
            if intersection == 0:
                continue
            put(sheet, one, other, intersection)
            if is_same:
                put(sheet, other, one, intersection)


def fill(
    block,
    other,
    const int64_t[::1] order,
    const int64_t[::1] other_order,
    Py_ssize_t first,
    Py_ssize_t last,
    int64_t[:, ::1] counts,
    double[:, ::1] ratios,
    str measure,
    const uint8_t[::1] is_crowd,
):
    """Write the entries of some rows that are not 0 into a matrix of zeros.

    Parameters
    ----------
    block, other : bytes
        Blocks of n and of m masks. Where they are the same object, an entry and its mirror
        image are written together, and only by the earlier of the two rows.
    order, other_order : ndarray of int64, shape (n,) and (m,)
        The masks by the left sides of their crops; the same object where the blocks are.
    first, last : int
        The rows are those of ``order[first:last]``.
    counts : ndarray of int64, shape (n, m), or None
        The matrix of measure "intersection".
    ratios : ndarray of float64, shape (n, m), or None
        The matrix of the other measures.
    measure : str
        One of `MEASURES`: shared pixels, those over the union, those over the mask of the row.
    is_crowd : ndarray of uint8, shape (m,), or None
        For "iou": columns whose union is the mask of the row alone.
    """
    cdef:
        View a, b
        Sheet sheet
        Tile tile = Tile()
        Tile beside = Tile()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t p = first, q, n
        bint is_same = block is other
    look(block, &a)
    look(other, &b)
    if first == last or b.n == 0:
        return
    sheet.columns = b.n
    sheet.measure = <Measure><int>MEASURES.index(measure)
    sheet.counts, sheet.ratios, sheet.is_crowd = NULL, NULL, NULL
    if counts is not None:
        sheet.counts = &counts[0, 0]
    if ratios is not None:
        sheet.ratios = &ratios[0, 0]
    if is_crowd is not None:
        sheet.is_crowd = &is_crowd[0]
    with nogil:
        while p < last and fault.status == OK:
            tile.clear()
            while p < last and fault.status == OK and not tile.is_full():
                fault = tile.add(&a, order[p], order[p])
                p += 1
            tile.sort()
            q = 0
            if is_same:
                compare(tile, tile, &sheet, True)
                q = p
            while q < b.n and fault.status == OK:
                beside.clear()
                while q < b.n and fault.status == OK and not beside.is_full():
                    n = other_order[q]
                    if b.offsets[2 * n] >= tile.x2:
                        q = b.n
                    else:
                        if meets(tile, &b, n):
                            fault = beside.add(&b, n, n)
                        q += 1
                beside.sort()
                compare(tile, beside, &sheet, is_same)
    fail(fault)


cdef bint meets(Tile tile, View* view, Py_ssize_t i) noexcept nogil:
    """Tell whether the crop of mask `i` meets the box around a tile."""
    return (
        view.offsets[2 * i] < tile.x2
        and view.offsets[2 * i] + view.crop_shapes[2 * i + 1] > tile.x1
        and view.offsets[2 * i + 1] < tile.y2
        and view.offsets[2 * i + 1] + view.crop_shapes[2 * i] > tile.y1
    )
