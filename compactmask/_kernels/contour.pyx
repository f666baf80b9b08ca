"""The outlines of masks as polygons, traced along the edges of columns.

An edge of a column is a piece of outline one pixel long: it goes right where a segment starts and
left where one ends, so that True pixels are on the right hand and outlines turn clockwise, those
of holes the other way. On the line between two columns, where the edges of both end and start,
pieces of outline go down where only the left one is True and up where only the right one is; each
joins the edge that arrives at it to the edge that leaves from it::

      left  right             left  right
        #     .                 #     .      at this corner two outlines' pieces meet: they
        #     .   |  down       #     .      are joined so that the True pixels that touch
        .     .   <-            .     #      there stay in one outline

One pass over each line finds for every edge the next one; then rings are followed. A corner lies
wherever the next edge is in another row. Cost is in proportion to the edges.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

import numpy as np

from compactmask._kernels.block cimport View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of


cdef class Ring:
    """Growing arrays: the corners of all outlines, where each outline ends, and scratch."""

    cdef:
        int32_t* xy
        int64_t* ends
        Py_ssize_t* after       # for each edge, the next one of its outline, -1 once followed
        Py_ssize_t n_points, n_ends
        Py_ssize_t xy_capacity, ends_capacity, after_capacity

    def __dealloc__(self):
        free(self.xy)
        free(self.ends)
        free(self.after)

    cdef Status reserve(self, Py_ssize_t n_edges) noexcept nogil:
        """Make room for a mask of so many edges: two corners each, and two edges an outline."""
        if (
            make_room(
                <void**>&self.after, &self.after_capacity, n_edges, sizeof(Py_ssize_t)
            ) != OK
            or make_room(
                <void**>&self.xy, &self.xy_capacity, self.n_points + 2 * n_edges,
                2 * sizeof(int32_t),
            ) != OK
            or make_room(
                <void**>&self.ends, &self.ends_capacity, self.n_ends + n_edges // 2,
                sizeof(int64_t),
            ) != OK
        ):
            return NO_MEMORY
        return OK

    cdef inline void add(self, int32_t x, int32_t y) noexcept nogil:
        self.xy[2 * self.n_points] = x
        self.xy[2 * self.n_points + 1] = y
        self.n_points += 1

    cdef void link(
        self, const int32_t* at, Py_ssize_t a, Py_ssize_t a_end, Py_ssize_t b, Py_ssize_t b_end
    ) noexcept nogil:
        """Find the edges after those that arrive at a line, between columns `a` and `b`."""
        cdef:
            Py_ssize_t* after = self.after
            Py_ssize_t pending = -1     # the edge at the upper end of the piece that is open
            Py_ssize_t here
            bint left = False, right = False    # whether the columns are True above this place
        while a < a_end or b < b_end:
            if a < a_end and b < b_end and at[a] == at[b]:
                if left == right:               # straight on
                    if left:
                        after[b] = a
                    else:
                        after[a] = b
                elif left:
                    after[pending], pending = b, a
                else:
                    after[a], pending = pending, b
                left, right = not left, not right
                a += 1
                b += 1
                continue
            if b == b_end or (a < a_end and at[a] < at[b]):
                here = a
            else:
                here = b
            if left == right:
                pending = here
            elif left:
                after[pending] = here
            else:
                after[here] = pending
            if here == a and a < a_end:
                left = not left
                a += 1
            else:
                right = not right
                b += 1

    cdef Status trace(self, Edges mask) noexcept nogil:
        """Append the outlines of a mask."""
        cdef:
            Py_ssize_t first, k, following
            Py_ssize_t* start = mask.start
            int32_t column, x, turn
        if self.reserve(mask.n) != OK:
            return NO_MEMORY
        for column in range(mask.w + 1):
            self.link(
                mask.at,
                start[max(0, column - 1)],
                start[column],
                start[column],
                start[min(mask.w, column + 1)],
            )
        for column in range(mask.w):
            for first in range(start[column], start[column + 1]):
                if self.after[first] < 0:
                    continue
                x = mask.x + column
                if first % 2 == 0:
                    self.add(x, mask.y + mask.at[first])
                    x += 1
                k = first
                while True:
                    following = self.after[k]
                    self.after[k] = -1
                    if mask.at[following] != mask.at[k]:
                        self.add(x, mask.y + mask.at[k])
                        if following != first or first % 2:
                            self.add(x, mask.y + mask.at[following])
                    if following == first:
                        break
                    k = following
                    x += 1 if k % 2 == 0 else -1
                self.ends[self.n_ends] = self.n_points
                self.n_ends += 1
        return OK


def trace(block):
    """Trace the outlines of every mask.

    Parameters
    ----------
    block : bytes
        A block.

    Returns
    -------
    xy : ndarray of int32, shape (corners, 2)
        The corners of all outlines, x and y.
    parts : ndarray of int64
        Where the corners of each outline start, and the last's end.
    masks : ndarray of int64, shape (n + 1,)
        Where the outlines of each mask start, and the last's end.
    """
    cdef:
        View view
        Ring ring = Ring()
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        int64_t[::1] masks, parts
        int32_t[:, ::1] xy
    look(block, &view)
    mask_starts = np.zeros(view.n + 1, np.int64)
    masks = mask_starts
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = ring.trace(mask)
            fault.mask = i
            if fault.status != OK:
                break
            masks[i + 1] = ring.n_ends
    fail(fault)
    part_starts = np.zeros(ring.n_ends + 1, np.int64)
    points = np.empty((ring.n_points, 2), np.int32)
    if ring.n_ends > 0:
        parts, xy = part_starts, points
        memcpy(&parts[1], ring.ends, ring.n_ends * sizeof(int64_t))
        memcpy(&xy[0, 0], ring.xy, 2 * ring.n_points * sizeof(int32_t))
    return points, part_starts, mask_starts
