"""The connected components of packed masks, and the holes in them.

Segments of neighbouring columns that touch are joined by union-find, and so are the gaps
between segments: all of a component's nodes lead to the first of them, its root.
"""

cimport cython
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint32_t
from libc.stdlib cimport free, qsort, realloc

import numpy as np

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
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
                    fault = add_tight(&view, i, mask, builder)
                elif labels.n > 1:
                    fault = add_parts(labels, mask, part, builder)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width), counts


def keep(block, int connectivity, int64_t min_area):
    """Keep of every mask its larger components.

    Parameters
    ----------
    block, connectivity
        As for `split`.
    min_area : int
        The fewest pixels of a component that stays. With -1 only the largest stays, and of
        several the one whose first pixel in row-major order comes first.

    Returns
    -------
    bytes
        A block; crops are tight, and 1x1 at the old origin where nothing is left.
    """
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
                fault.status = labels.keep(mask, min_area)
            if fault.status == OK:
                fault = add_tight(&view, i, mask, builder)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


def fill_holes(block):
    """Make the background True that no path of pixels side by side leads out of.

    Parameters
    ----------
    block : bytes
        A block.

    Returns
    -------
    bytes
        A block; crops are tight, and 1x1 at the old origin where a mask is empty.
    """
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Forest forest = Forest()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
    look(block, &view)
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = fill(mask, forest)
            if fault.status == OK:
                fault = add_tight(&view, i, mask, builder)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


cdef Fault add_tight(View* view, Py_ssize_t i, Edges mask, Builder builder) noexcept nogil:
    """Add what mask `i` has become, as it is packed where that is no change."""
    mask.tighten()
    if (
        mask.h == view.crop_shapes[2 * i]
        and mask.w == view.crop_shapes[2 * i + 1]
        and mask.area() == view.area[i]
    ):
        return builder.copy(view, i, mask.x, mask.y)
    return builder.add(mask)


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
cdef class Forest:
    """Union-find: every node names itself, being a root, or one before it."""

    cdef uint32_t* parent
    cdef Py_ssize_t capacity

    def __dealloc__(self):
        free(self.parent)

    cdef Status begin(self, Py_ssize_t n) noexcept nogil:
        """Make `n` roots."""
        cdef Py_ssize_t i
        cdef uint32_t* parent
        if n > self.capacity:
            parent = <uint32_t*>realloc(self.parent, n * sizeof(uint32_t))
            if parent == NULL:
                return NO_MEMORY
            self.parent = parent
            self.capacity = n
        for i in range(n):
            self.parent[i] = <uint32_t>i
        return OK

    cdef inline uint32_t root(self, uint32_t i) noexcept nogil:
        """Go to a node's root, and halve the path for the next time."""
        cdef uint32_t* parent = self.parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    cdef inline void join(self, uint32_t i, uint32_t j) noexcept nogil:
        i, j = self.root(i), self.root(j)
        self.parent[max(i, j)] = min(i, j)


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
        cdef int32_t x, slack = connectivity == 8
        cdef Py_ssize_t k
        if self.forest.begin(mask.n // 2) != OK:
            return NO_MEMORY
        for x in range(1, mask.w):
            self.join_columns(mask, x, slack)
        self.n = 0
        for k in range(mask.n // 2):
            self.n += self.forest.parent[k] == <uint32_t>k
        return OK

    cdef inline void join_columns(self, Edges mask, int32_t x, int32_t slack) noexcept nogil:
        """Join segments of column `x` with those of the one before that they touch.

        They may lie `slack` rows apart: 1 where a corner is enough.
        """
        cdef:
            Py_ssize_t i = mask.start[x - 1], j = mask.start[x]
            Py_ssize_t i_stop = j, j_stop = mask.start[x + 1]
            const int32_t* at = mask.at
            uint32_t* parent = self.forest.parent
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
            Py_ssize_t k, n = 0
            uint32_t* of = self.forest.parent
            Component* one
        if self.reserve(self.n) != OK:
            return NO_MEMORY
        for x in range(mask.w):
            for k in range(mask.start[x] // 2, mask.start[x + 1] // 2):
                top, bottom = mask.at[2 * k], mask.at[2 * k + 1]
                if of[k] == <uint32_t>k:
                    of[k] = <uint32_t>n
                    one = self.at + n
                    one.top, one.x, one.bottom = top, x, bottom
                    one.area = one.n = 0
                    n += 1
                else:
                    of[k] = of[of[k]]       # the parent stands before and is done
                    one = self.at + of[k]
                    if top < one.top:
                        one.top, one.x = top, x
                    one.bottom = max(one.bottom, bottom)
                one.area += bottom - top
                one.n += 1
        return OK

    cdef Status reserve(self, Py_ssize_t n) noexcept nogil:
        cdef Component* at
        if n > self.capacity:
            at = <Component*>realloc(self.at, n * sizeof(Component))
            if at == NULL:
                return NO_MEMORY
            self.at = at
            self.capacity = n
        return OK

    cdef Status gather(self, Edges mask) noexcept nogil:
        """Measure the components, put the segments of each together, and all in order."""
        cdef:
            int32_t x
            Py_ssize_t k, c, n = mask.n // 2
            Segment* segments
            Component* one
        if n > self.segments_capacity:
            segments = <Segment*>realloc(self.segments, n * sizeof(Segment))
            if segments == NULL:
                return NO_MEMORY
            self.segments = segments
            self.segments_capacity = n
        if self.measure(mask) != OK:
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

    cdef Status keep(self, Edges mask, int64_t min_area) noexcept nogil:
        """Take the segments of smaller components out, or with -1 of all but the largest."""
        cdef:
            int32_t x
            Py_ssize_t c, k = 0, kept = 0
            Component* best
            Component* one
        if self.measure(mask) != OK:
            return NO_MEMORY
        best = self.at
        for c in range(self.n):
            one = self.at + c
            if one.area > best.area or (one.area == best.area and by_first_pixel(one, best) < 0):
                best = one
        for c in range(self.n):
            one = self.at + c
            if one != best if min_area < 0 else one.area < min_area:
                one.area = 0
        for x in range(mask.w):
            while k < mask.start[x + 1]:
                if self.at[self.forest.parent[k // 2]].area > 0:
                    mask.at[kept] = mask.at[k]
                    mask.at[kept + 1] = mask.at[k + 1]
                    kept += 2
                k += 2
            mask.start[x + 1] = kept
        mask.n = kept
        return OK


cdef int by_first_pixel(const void* a, const void* b) noexcept nogil:
    cdef const Component* one = <const Component*>a
    cdef const Component* other = <const Component*>b
    if one.top != other.top:
        return -1 if one.top < other.top else 1
    return -1 if one.x < other.x else one.x > other.x


cdef Status fill(Edges mask, Forest forest) noexcept nogil:
    """Close the gaps between segments that do not lead out.

    A gap's node is the segment below it; what lies above a column's first segment and below
    its last is outside, node 0, and so are the columns beside the crop.
    """
    cdef int32_t x
    cdef Py_ssize_t k = 0, kept = 0, stop
    if forest.begin(max(1, mask.n // 2)) != OK:
        return NO_MEMORY
    for x in range(mask.w + 1):
        join_gaps(mask, x, forest)
    for x in range(mask.w):
        stop = mask.start[x + 1]
        mask.start[x] = kept
        while k < stop:
            if kept > mask.start[x] and forest.root(<uint32_t>(k // 2)) != 0:
                mask.at[kept - 1] = mask.at[k + 1]
            else:
                mask.at[kept] = mask.at[k]
                mask.at[kept + 1] = mask.at[k + 1]
                kept += 2
            k += 2
    mask.start[mask.w] = mask.n = kept
    return OK


cdef inline void join_gaps(Edges mask, int32_t x, Forest forest) noexcept nogil:
    """Join the gaps of column `x` with those of the one before that have a row in common."""
    cdef:
        # gap k ends where edge k is, the last one of a column beyond all rows
        Py_ssize_t i = mask.start[max(x - 1, 0)], i_first = i, i_stop = mask.start[x]
        Py_ssize_t j = i_stop, j_first = j, j_stop = mask.start[min(x + 1, mask.w)]
        int32_t i_top = -1, j_top = -1, i_bottom, j_bottom
    while True:
        i_bottom = mask.at[i] if i < i_stop else INT32_MAX
        j_bottom = mask.at[j] if j < j_stop else INT32_MAX
        if i_top < j_bottom and j_top < i_bottom:
            forest.join(
                <uint32_t>(i // 2) if i_first < i < i_stop else 0,
                <uint32_t>(j // 2) if j_first < j < j_stop else 0,
            )
        if i_bottom < j_bottom:
            i_top = mask.at[i + 1]
            i += 2
        elif j < j_stop:
            j_top = mask.at[j + 1]
            j += 2
        else:
            break
