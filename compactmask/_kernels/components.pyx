"""The connected components of packed masks.

Segments of neighbouring columns that touch are joined: all nodes of a component lead to the
first of them, its root.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free, qsort

import numpy as np

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.forest cimport Forest
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of


cdef struct Component:
    int32_t top, x              # its first pixel in row-major order
    int32_t bottom              # exclusive
    int64_t area
    Py_ssize_t n, end           # its segments among the gathered ones


cdef struct Segment:
    int32_t x, top, bottom


def split(block, int connectivity):
    """Make every connected component a mask.

    Parameters
    ----------
    block : bytes
        A block.
    connectivity : int
        4 or 8.

    Returns
    -------
    block : bytes
        The components of the first mask, then of the next, each in row-major order of their
        first pixels; crops are tight.
    counts : ndarray of int64, shape (n,)
        How many come from each mask.
    """
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Edges part = Edges()
        Decoder decoder = Decoder()
        Labels labels = Labels()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, c
        int64_t[::1] out
    look(block, &view)
    counts = np.empty(view.n, np.int64)
    out = counts
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = labels.find(mask, connectivity)
            if fault.status == OK:
                out[i] = labels.n
                if labels.n == 1:
                    mask.tighten()
                    fault = builder.add_changed(&view, i, mask)
                elif labels.n > 1:
                    fault = add_parts(labels, mask, part, builder)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width), counts


def keep_large(block, int connectivity, int64_t min_area):
    """Keep of every mask its larger components.

    Parameters
    ----------
    block, connectivity
        As for `split`.
    min_area : int
        The fewest pixels of a component that stays.

    Returns
    -------
    bytes
        A block; crops are tight, and 1x1 at the old origin where nothing is left.
    """
    return keep(block, connectivity, min_area, False)


def keep_largest(block, int connectivity):
    """Keep of every mask its largest component.

    Parameters
    ----------
    block, connectivity
        As for `split`.

    Returns
    -------
    bytes
        A block; crops are tight. Of several largest ones that one stays whose first pixel in
        row-major order comes first.
    """
    return keep(block, connectivity, 0, True)


cdef keep(block, int connectivity, int64_t min_area, bint is_one):
    """Keep components of `min_area` pixels, or one of each mask."""
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Labels labels = Labels()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
    look(block, &view)
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = labels.find(mask, connectivity)
            if fault.status == OK and (labels.n > 1 or view.area[i] < min_area):
                fault.status = labels.measure(mask)
                if fault.status == OK and is_one:
                    labels.drop_all_but_largest()
                elif fault.status == OK:
                    labels.drop_small(min_area)
                if fault.status == OK:
                    labels.keep(mask)
            if fault.status == OK:
                mask.tighten()
                fault = builder.add_changed(&view, i, mask)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


cdef Fault add_parts(Labels labels, Edges mask, Edges part, Builder builder) noexcept nogil:
    """Add the components of a mask."""
    cdef Fault fault = fault_of(labels.gather(mask), builder.n)
    cdef Py_ssize_t c
    for c in range(labels.n):
        if fault.status == OK:
            fault.status = labels.take(c, mask, part)
        if fault.status == OK:
            fault = builder.add(part)
    return fault


@cython.final
cdef class Labels:
    """The components of one mask, and which one each segment belongs to."""

    cdef:
        Forest forest               # of the segments, column by column
        Component* at
        Py_ssize_t n, capacity
        Segment* segments           # component by component
        Py_ssize_t segments_capacity

    def __cinit__(self):
        self.forest = Forest()

    def __dealloc__(self):
        free(self.at)
        free(self.segments)

    cdef Status find(self, Edges mask, int connectivity) noexcept nogil:
        """Join the segments that touch, and count the components."""
        cdef:
            int32_t x, slack = connectivity == 8
            Py_ssize_t k
            const int32_t* at
            uint32_t* parent
        if self.forest.begin(mask.n // 2) != OK:
            return NO_MEMORY
        parent = self.forest.parent
        for x in range(1, mask.w):
            k = mask.start[x]
            if k - mask.start[x - 1] == 2 and mask.start[x + 1] - k == 2:     # mostly so
                at = mask.at + (k - 2)
                if at[0] < at[3] + slack and at[2] < at[1] + slack:
                    parent[k // 2] = parent[k // 2 - 1]
            else:
                self.join_columns(mask, x, slack)
        self.n = 0
        for k in range(mask.n // 2):
            self.n += parent[k] == <uint32_t>k
        return OK

    cdef inline void join_columns(self, Edges mask, int32_t x, int32_t slack) noexcept nogil:
        """Join segments of column `x` with those of the one before that they touch.

        They may lie `slack` rows apart: 1 where a corner is enough.
        """
        cdef:
            Py_ssize_t i = mask.start[x - 1], j = mask.start[x]
            Py_ssize_t i_stop = j, j_stop = mask.start[x + 1]
            Py_ssize_t k, n = i_stop - i
            const int32_t* at = mask.at
            uint32_t* parent = self.forest.parent
        if j_stop - j == n and are_twins(at + i, at + j, n, slack):
            for k in range(n // 2):
                parent[j // 2 + k] = parent[i // 2 + k]
            return
        while i < i_stop and j < j_stop:
            if at[i] < at[j + 1] + slack and at[j] < at[i + 1] + slack:
                if parent[j // 2] == <uint32_t>(j // 2):
                    parent[j // 2] = parent[i // 2]
                else:
                    self.forest.join(<uint32_t>(i // 2), <uint32_t>(j // 2))
            if at[i + 1] < at[j + 1]:
                i += 2
            else:
                j += 2

    cdef Status measure(self, Edges mask) noexcept nogil:
        """Measure the components; from here on a segment's parent is its component's index."""
        cdef:
            int32_t x, top, bottom
            Py_ssize_t k, n = 0, c, last = -1
            uint32_t* of = self.forest.parent
            Component one               # component `last`: segments mostly belong to the one before's
            bint is_first
        if make_room(<void**>&self.at, &self.capacity, self.n, sizeof(Component)) != OK:
            return NO_MEMORY
        for x in range(mask.w):
            for k in range(mask.start[x] // 2, mask.start[x + 1] // 2):
                top, bottom = mask.at[2 * k], mask.at[2 * k + 1]
                is_first = of[k] == <uint32_t>k
                c = n if is_first else of[of[k]]        # the parent stands before and is done
                of[k] = <uint32_t>c
                if c != last:
                    if last >= 0:
                        self.at[last] = one
                    if is_first:
                        one.top, one.x, one.bottom, one.area, one.n = top, x, bottom, 0, 0
                        n += 1
                    else:
                        one = self.at[c]
                    last = c
                if top < one.top:
                    one.top, one.x = top, x
                one.bottom = max(one.bottom, bottom)
                one.area += bottom - top
                one.n += 1
        if last >= 0:
            self.at[last] = one
        return OK

    cdef Status gather(self, Edges mask) noexcept nogil:
        """Measure the components, put the segments of each together, and all in order."""
        cdef:
            int32_t x
            Py_ssize_t k, c, n = mask.n // 2
            Segment* segments
            Component* one
        if self.measure(mask) != OK or make_room(
            <void**>&self.segments, &self.segments_capacity, n, sizeof(Segment)
        ) != OK:
            return NO_MEMORY
        n = 0
        for c in range(self.n):
            self.at[c].end = n
            n += self.at[c].n
        for x in range(mask.w):
            for k in range(mask.start[x] // 2, mask.start[x + 1] // 2):
                one = self.at + self.forest.parent[k]
                segments = self.segments + one.end
                segments.x, segments.top, segments.bottom = x, mask.at[2 * k], mask.at[2 * k + 1]
                one.end += 1
        qsort(self.at, self.n, sizeof(Component), by_first_pixel)
        return OK

    cdef Status take(self, Py_ssize_t c, Edges mask, Edges part) noexcept nogil:
        """Make `part` component `c` of the gathered ones."""
        cdef:
            Component* one = self.at + c
            Segment* segment = self.segments + one.end - one.n
            int32_t x = segment.x, w = self.segments[one.end - 1].x - x + 1
            Py_ssize_t k
        if (
            part.begin(mask.x + x, mask.y + one.top, one.bottom - one.top, w) != OK
            or part.reserve(2 * one.n) != OK
        ):
            return NO_MEMORY
        for k in range(one.n):
            # every column of a component has a segment
            part.at[2 * k] = segment[k].top - one.top
            part.at[2 * k + 1] = segment[k].bottom - one.top
            part.start[segment[k].x - x + 1] = 2 * (k + 1)
        part.n = 2 * one.n
        return OK

    cdef void drop_small(self, int64_t min_area) noexcept nogil:
        """Mark the measured components that have fewer pixels, with an area of 0."""
        cdef Py_ssize_t c
        for c in range(self.n):
            if self.at[c].area < min_area:
                self.at[c].area = 0

    cdef void drop_all_but_largest(self) noexcept nogil:
        cdef:
            Py_ssize_t c
            int64_t area
            Component* best = self.at
            Component* one
        for c in range(self.n):
            one = self.at + c
            if one.area > best.area or (one.area == best.area and by_first_pixel(one, best) < 0):
                best = one
        area = best.area
        for c in range(self.n):
            self.at[c].area = 0
        best.area = area

    cdef void keep(self, Edges mask) noexcept nogil:
        """Take the segments of marked components out."""
        cdef int32_t x
        cdef Py_ssize_t k = 0, kept = 0
        for x in range(mask.w):
            while k < mask.start[x + 1]:
                if self.at[self.forest.parent[k // 2]].area > 0:
                    mask.at[kept] = mask.at[k]
                    mask.at[kept + 1] = mask.at[k + 1]
                    kept += 2
                k += 2
            mask.start[x + 1] = kept
        mask.n = kept


cdef inline bint are_twins(
    const int32_t* before, const int32_t* rows, Py_ssize_t n, int32_t slack
) noexcept nogil:
    """Tell whether each segment of a column touches the one with its place in the column before.

    And no other one: so it mostly is, and tested without branches.
    """
    cdef bint result = True
    cdef Py_ssize_t k
    for k in range(0, n, 2):
        result &= (before[k] < rows[k + 1] + slack) & (rows[k] < before[k + 1] + slack)
    for k in range(1, n - 1, 2):
        result &= (rows[k + 1] >= before[k] + slack) & (before[k + 1] >= rows[k] + slack)
    return result


cdef int by_first_pixel(const void* a, const void* b) noexcept nogil:
    cdef const Component* one = <const Component*>a
    cdef const Component* other = <const Component*>b
    if one.top != other.top:
        return -1 if one.top < other.top else 1
    return -1 if one.x < other.x else one.x > other.x
