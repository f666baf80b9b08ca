"""Packed masks turned and transposed, without pixels.

A row of the transposed mask is a column here: its edges are the columns x at which the row
changes. Row y changes at x where it is True in one of the columns x - 1 and x, and False in the
other; between two neighbours those rows are a few spans::

      x        0 1 2         at 0: rows 1 to 2
      row 0    . # #         at 1: row 0
      row 1    # # .         at 2: row 1
      row 2    # # #         at 3: rows 0 and 2

The edges of both columns, sorted together, are the ends of the spans: a row below an odd number
of them differs. So the work is in proportion to the edges of the mask and of its transposition.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport free
from libc.string cimport memmove, memset

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of


def turn(block, bint flip_x, bint flip_y):
    """Exchange rows and columns of every frame, then reverse them.

    Parameters
    ----------
    block : bytes
        A block.
    flip_x, flip_y : bool
        Whether each row is reversed, left to right; whether each column is.

    Returns
    -------
    bytes
        A block; crops move with their masks.
    """
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Edges turned = Edges()
        Transposer transposer = Transposer()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        int32_t height, width
        Py_ssize_t i
    look(block, &view)
    height, width = view.width, view.height
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = transposer.transpose(mask, turned)
            if fault.status == OK:
                turned.mirror(flip_x, flip_y)
                if flip_x:
                    turned.x = width - turned.x - turned.w
                if flip_y:
                    turned.y = height - turned.y - turned.h
                fault = builder.add(turned)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(height, width)


cdef class Transposer:
    def __dealloc__(self):
        free(self.spans)

    cdef Status transpose(self, Edges mask, Edges out) noexcept nogil:
        """Fill `out` with the mask, its crop and their place, rows and columns exchanged."""
        cdef:
            Py_ssize_t n, i, place = 0, length = 0
            Span* spans
            Span span
            Py_ssize_t* start
            int32_t* at
            int32_t* target
            int32_t y, spare
            bint is_longer
        if (
            make_room(<void**>&self.spans, &self.capacity, mask.n, sizeof(Span)) != OK
            or out.begin(mask.y, mask.x, mask.w, mask.h) != OK
        ):
            return NO_MEMORY
        n = self.find_spans(mask)
        spans = self.spans
        # first start[y] is by how much row y has more edges than the row above, then where its
        # next edge goes, which is where row y + 1 starts in the end
        start = out.start
        memset(start, 0, (<size_t>out.w + 1) * sizeof(Py_ssize_t))
        for i in range(n):
            start[spans[i].begin] += 1
            start[spans[i].end] -= 1
        for y in range(out.w):
            length += start[y]
            start[y] = place
            place += length
        if out.reserve(place) != OK:
            return NO_MEMORY
        at = out.at
        for i in range(n):
            span = spans[i]
            y = span.begin
            at[start[y]] = span.x
            start[y] += 1
            y += 1
            is_longer = y < span.end    # mostly or mostly not: no branch
            target = &at[start[y]] if is_longer else &spare
            target[0] = span.x
            start[y] += is_longer
            for y in range(span.begin + 2, span.end):
                at[start[y]] = span.x
                start[y] += 1
        memmove(start + 1, start, <size_t>out.w * sizeof(Py_ssize_t))
        start[0] = 0
        out.n = place
        out.column = out.w
        return OK

    cdef Py_ssize_t find_spans(self, Edges mask) noexcept nogil:
        """Note where each column differs from the one before; there is room for `mask.n` spans."""
        cdef:
            const int32_t* before       # the column before, of m edges
            const int32_t* rows         # this one, of n
            Span* spans = self.spans
            Py_ssize_t m = 0, n, i, done = 0, count
            int32_t x, top, bottom, above
        for x in range(mask.w + 1):
            rows = mask.at + mask.start[x]
            n = mask.start[x + 1] - mask.start[x] if x < mask.w else 0
            before = rows - m
            if m == n:
                # mostly each edge moves a little, and is still between its neighbours
                above = 0
                count = done
                for i in range(n):
                    top, bottom = min(before[i], rows[i]), max(before[i], rows[i])
                    if top < above:
                        break
                    above = bottom
                    spans[count].x, spans[count].begin, spans[count].end = x, top, bottom
                    count += top < bottom
                else:
                    done = count
                    continue
            done += merge(before, m, rows, n, x, spans + done)
            m = n
        return done


cdef inline Py_ssize_t merge(
    const int32_t* before, Py_ssize_t m, const int32_t* rows, Py_ssize_t n, int32_t x, Span* spans
) noexcept nogil:
    """Note the spans between two sorted columns, and return how many they are."""
    cdef:
        Py_ssize_t i = 0, j = 0, count = 0
        int32_t row
        bint is_inside = False
    while i < m or j < n:
        if j == n or (i < m and before[i] <= rows[j]):
            row = before[i]
            i += 1
        else:
            row = rows[j]
            j += 1
        if is_inside:
            spans[count].end = row
            count += spans[count].begin < row
        else:
            spans[count].x = x
            spans[count].begin = row
        is_inside = not is_inside
    return count
