"""Polygons to masks as OpenCV fills them, pixel for pixel.

The rule is that of cv2.fillPoly and, for a part of two points, of cv2.line in OpenCV 5.0
(modules/imgproc/src/drawing.cpp): points are whole pixels, and a part is the union of

- its outline, one 8-connected line for each edge. An edge that leaves the image is first cut to
  it, with whole coordinates as the result, and the line is drawn between those;
- its inside by the even-odd rule on rows: at row y an edge is at x + (y - top) * dx, a number
  with 16 binary digits behind the point whose step dx is cut to these, and pixels between the
  1st and the 2nd, the 3rd and the 4th ... are filled, those that are met exactly too. x and dx
  come from the edge as it was cut, even where it missed the image, its rows from what it was.
"""

from libc.stdint cimport int32_t, int64_t

from compactmask._kernels.block cimport Builder
from compactmask._kernels.crossings cimport Crossings
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.spans cimport MAX_SPANS, Spans
from compactmask._kernels.status cimport OK, Fault, Status, fail, fault_of

cdef enum:
    ONE = 65536             # the fixed-point numbers' 1
    LEFT = 1
    RIGHT = 2
    ABOVE = 4
    BELOW = 8


cdef struct Line:
    int64_t x1, y1, x2, y2


cdef inline int beside(int64_t x, int32_t w) noexcept nogil:
    return (LEFT if x < 0 else 0) | (RIGHT if x >= w else 0)


cdef inline int outside(int64_t x, int64_t y, int32_t h, int32_t w) noexcept nogil:
    """Tell on which sides of the image a point lies."""
    return beside(x, w) | (ABOVE if y < 0 else 0) | (BELOW if y >= h else 0)


cdef bint cut(Line* line, int32_t h, int32_t w) noexcept nogil:
    """Cut a line to the image as cv2.clipLine does; return False where it misses the image.

    Ends move one after the other, each along the line as the moves before left it, rounded
    towards where they were. A line that misses the image may have been moved too.
    """
    cdef int a = outside(line.x1, line.y1, h, w), b = outside(line.x2, line.y2, h, w)
    cdef int64_t to
    if a & b or not a | b:
        return not a | b
    if a & (ABOVE | BELOW):
        to = 0 if a < BELOW else h - 1
        line.x1 += (to - line.y1) * (line.x2 - line.x1) // (line.y2 - line.y1)
        line.y1 = to
        a = beside(line.x1, w)
    if b & (ABOVE | BELOW):
        to = 0 if b < BELOW else h - 1
        line.x2 += (to - line.y2) * (line.x2 - line.x1) // (line.y2 - line.y1)
        line.y2 = to
        b = beside(line.x2, w)
    if a & b or not a | b:
        return not a | b
    if a:
        to = 0 if a == LEFT else w - 1
        line.y1 += (to - line.x1) * (line.y2 - line.y1) // (line.x2 - line.x1)
        line.x1 = to
    if b:
        to = 0 if b == LEFT else w - 1
        line.y2 += (to - line.x2) * (line.y2 - line.y1) // (line.x2 - line.x1)
        line.x2 = to
    return True


cdef Status stroke(const Line* line, Spans spans) noexcept nogil:
    """Draw a line that lies in the image, both ends included.

    After k steps along its longer side it has made ceil(k * dy / dx - 1/2) along the other.
    """
    cdef:
        bint turned = line.x2 < line.x1
        int64_t x = line.x2 if turned else line.x1, y = line.y2 if turned else line.y1
        int64_t dx = (line.x1 if turned else line.x2) - x
        int64_t dy = (line.y1 if turned else line.y2) - y
        int64_t down = -1 if dy < 0 else 1, step, begin = 0, end
        Status status
    dy *= down
    status = spans.reserve(dy + 1)
    if status != OK:
        return status
    for step in range(dy + 1):
        if dy > dx:
            begin = (2 * step * dx + dy - 1) // (2 * dy)
            end = begin + 1
        elif step == dy:
            end = dx + 1
        else:
            end = (2 * step + 1) * dx // (2 * dy) + 1
        spans.add(<int32_t>(y + down * step), <int32_t>(x + begin), <int32_t>(x + end))
        begin = end
    return OK


cdef inline Line edge_of(const double* a, const double* b) noexcept nogil:
    """Take an edge from a to b, fractions cut off."""
    return Line(<int64_t>a[0], <int64_t>a[1], <int64_t>b[0], <int64_t>b[1])


cdef inline bint rows_of(const Line* edge, int32_t h, int32_t* first, int32_t* last) noexcept nogil:
    """Find the rows of the image that an edge counts in; False where there is none."""
    first[0] = <int32_t>max(0, min(edge.y1, edge.y2))
    last[0] = <int32_t>min(h, max(edge.y1, edge.y2)) - 1
    return first[0] <= last[0]


cdef void cross(const Line* edge, int32_t h, int32_t w, Crossings crossings) noexcept nogil:
    """Put where an edge is at each of its rows, in half pixels: odd ones lie between two."""
    cdef:
        Line inner = edge[0]
        int64_t x, y, dx, column
        int32_t first, last, row
    if not rows_of(edge, h, &first, &last):
        return
    cut(&inner, h, w)
    if inner.y1 == inner.y2:
        inner.y1, inner.y2 = edge.y1, edge.y2
    dx = (inner.x2 - inner.x1) * ONE // (inner.y2 - inner.y1)
    if edge.y1 < edge.y2:
        x, y = inner.x1, inner.y1
    else:
        x, y = inner.x2, inner.y2
    x = x * ONE + (first - y) * dx
    for row in range(first, last + 1):
        column = x >> 16
        if column < 0:
            column = -1
        elif column >= w:
            column = w
        crossings.put(row, <int32_t>(2 * column + ((x & (ONE - 1)) != 0)), 0)
        x += dx


cdef Fault fill(
    const double[:, ::1] xy,
    Py_ssize_t begin,
    Py_ssize_t end,
    int32_t h,
    int32_t w,
    Crossings crossings,
    Spans spans,
) noexcept nogil:
    """Draw a part, the points `begin` to `end`; one of two points is one line."""
    cdef:
        Fault fault = fault_of(OK, -1)
        Line edge
        double top = xy[begin, 1], bottom = top
        int32_t first, last, row
        bint is_line = end - begin == 2
        Py_ssize_t k, before = begin if is_line else end - 1
    for k in range(begin, end):
        top, bottom = min(top, xy[k, 1]), max(bottom, xy[k, 1])
    first, last = max(0, <int32_t>top), min(h, <int32_t>bottom) - 1
    fault.status = crossings.begin(first, last)
    for k in range(begin + is_line, end):
        edge = edge_of(&xy[before, 0], &xy[k, 0])
        before = k
        if fault.status == OK and rows_of(&edge, h, &first, &last):
            crossings.expect(first, last)
        if fault.status == OK and cut(&edge, h, w):
            fault.status = stroke(&edge, spans)
    if fault.status != OK:          # in drawing the outline
        fault.found, fault.expected = spans.wanted, MAX_SPANS
        return fault
    fault = crossings.arrange()
    if fault.status != OK or is_line:
        return fault
    before = end - 1
    for k in range(begin, end):
        edge = edge_of(&xy[before, 0], &xy[k, 0])
        before = k
        cross(&edge, h, w, crossings)
    crossings.sort()
    for row in range(crossings.first, crossings.last + 1):
        for k in range(
            crossings.start[row - crossings.first], crossings.start[row - crossings.first + 1], 2
        ):
            first = max(0, (crossings.at[k].place + 1) >> 1)
            last = min(w - 1, crossings.at[k + 1].place >> 1)
            if first <= last and fault.status == OK:
                fault.status = spans.add(row, first, last + 1)
    fault.found, fault.expected = spans.wanted, MAX_SPANS
    return fault


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
        The points of all parts in pixels, up to 2**22 from zero; fractions are cut off.
    parts : ndarray of int64
        Where the points of each part start and the last's end. No points: no pixel.
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
        If the edges of one part cross more than 33,554,432 pixel rows in all, or a polygon is
        drawn in more than 16,777,216 pieces of rows.

    Notes
    -----
    Time and memory grow with the points, with the pixel rows that the edges cross inside the
    image, and with the edges of the mask that is the result.
    """
    cdef:
        Crossings crossings = Crossings()
        Spans spans = Spans()
        Builder builder = Builder()
        Edges mask = Edges()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, part
    with nogil:
        for i in range(masks.shape[0] - 1):
            spans.begin()
            for part in range(masks[i], masks[i + 1]):
                if fault.status == OK and parts[part] < parts[part + 1]:
                    fault = fill(
                        xy, parts[part], parts[part + 1], height, width, crossings, spans
                    )
            if fault.status == OK:
                fault = spans.finish(mask)
            if fault.status == OK:
                fault = builder.add(mask)
            fault.mask = i
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(height, width)
