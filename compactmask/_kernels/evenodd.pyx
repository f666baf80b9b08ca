"""Polygons to masks by the even-odd rule at pixel centres.

Pixel (column c, row r) covers c to c + 1 and r to r + 1, and its centre is at (c + 1/2, r + 1/2).
An edge from (x1, y1) right to (x2, y2) crosses the centres of the columns with
x1 <= c + 1/2 < x2, and there it toggles the rows whose centres are on it or below::

    r >= ((2c + 1 - 2 x1) (y2 - y1) + (2 y1 - 1) (x2 - x1)) / (2 (x2 - x1))

With whole coordinates up to 2**22 from zero both products are below 2**48 and exact in a double,
and a quotient that is not whole is at least 2**-24 from a whole number: the division does not
round it to one. So the row is exact. Edges are always read from left to right, so neighbours
that share one agree on every pixel, whatever their coordinates.
"""

from libc.math cimport ceil
from libc.stdint cimport int32_t, int64_t

from compactmask._kernels.block cimport Builder
from compactmask._kernels.crossings cimport Crossings
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport OK, Fault, fail, fault_of


cdef inline bint columns_of(
    double x1, double x2, int32_t w, int32_t* first, int32_t* last
) noexcept nogil:
    """Find the columns of the image whose centres lie between; False where there is none."""
    first[0] = max(0, <int32_t>ceil(min(x1, x2) - 0.5))
    last[0] = min(w, <int32_t>ceil(max(x1, x2) - 0.5)) - 1
    return first[0] <= last[0]


cdef inline void cross(
    const double* a, const double* b, int32_t h, int32_t w, Crossings crossings
) noexcept nogil:
    """Put the crossings of an edge."""
    cdef:
        const double* left = a if a[0] < b[0] else b
        const double* right = b if a[0] < b[0] else a
        double dx = right[0] - left[0], dy = right[1] - left[1], row
        double base = (2 * left[1] - 1) * dx
        int32_t first, last, column
    if not columns_of(a[0], b[0], w, &first, &last):
        return
    for column in range(first, last + 1):
        row = ceil(((2 * column + 1 - 2 * left[0]) * dy + base) / (2 * dx))
        crossings.put(column, <int32_t>max(0.0, min(<double>h, row)), 0)


cdef Fault draw(
    const double[:, ::1] xy,
    const int64_t[::1] parts,
    Py_ssize_t begin,
    Py_ssize_t end,
    int32_t h,
    int32_t w,
    Crossings crossings,
    Edges mask,
) noexcept nogil:
    """Fill the polygon whose parts are `begin` to `end`."""
    cdef:
        Fault fault
        Py_ssize_t part, k, before
        double left = 0, right = 0
        int32_t first = 0, last = 0
    if parts[begin] < parts[end]:
        left = right = xy[parts[begin], 0]
    for k in range(parts[begin], parts[end]):
        left, right = min(left, xy[k, 0]), max(right, xy[k, 0])
    columns_of(left, right, w, &first, &last)
    fault = fault_of(crossings.begin(first, last), -1)
    if fault.status != OK:
        return fault
    for part in range(begin, end):
        before = parts[part + 1] - 1
        for k in range(parts[part], parts[part + 1]):
            if columns_of(xy[before, 0], xy[k, 0], w, &first, &last):
                crossings.expect(first, last)
            before = k
    fault = crossings.arrange()
    if fault.status != OK:
        return fault
    for part in range(begin, end):
        before = parts[part + 1] - 1
        for k in range(parts[part], parts[part + 1]):
            cross(&xy[before, 0], &xy[k, 0], h, w, crossings)
            before = k
    crossings.sort()
    fault.status = crossings.unite(1, h, mask)
    return fault


def pack(
    const double[:, ::1] xy,
    const int64_t[::1] parts,
    const int64_t[::1] masks,
    int32_t height,
    int32_t width,
):
    """Fill every polygon where an odd number of its parts' turns lies around.

    Parameters
    ----------
    xy : ndarray of float64, shape (points, 2)
        The points of all parts in pixels, up to 2**22 from zero.
    parts : ndarray of int64
        Where the points of each part start and the last's end.
    masks : ndarray of int64, shape (n + 1,)
        Where the parts of each polygon start and the last's end.
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
        Crossings crossings = Crossings()
        Builder builder = Builder()
        Edges mask = Edges()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
    with nogil:
        for i in range(masks.shape[0] - 1):
            fault = draw(xy, parts, masks[i], masks[i + 1], height, width, crossings, mask)
            if fault.status == OK:
                fault = builder.add(mask)
            fault.mask = i
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(height, width)
