"""Greedy non-maximum suppression of masks, without a matrix of their overlaps."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

from compactmask._kernels.block cimport View, look
from compactmask._kernels.status cimport OK, Fault, fail, fault_of
from compactmask._kernels.tile cimport Figure, Tile, shared


cdef struct Rule:
    double threshold
    bint of_smaller             # the overlap is a part of the smaller mask, not of the union
    bint is_single              # it is computed in single precision


cdef bint exceeds(Rule* rule, int64_t shared, int64_t area, int64_t other_area) noexcept nogil:
    """Tell whether masks overlap too much; more shared pixels never turn a yes into a no."""
    cdef:
        float single = <float>area + <float>other_area - <float>shared
        double whole = <double>area + <double>other_area - <double>shared
    if shared == 0:
        return False
    if rule.of_smaller:
        whole = <double>min(area, other_area)
        single = <float>whole
    if rule.is_single:
        return <double>(<float>shared / single) > rule.threshold
    return <double>shared / whole > rule.threshold


cdef bint overlap(Rule* rule, Tile a, const Figure* one, Tile b, const Figure* other) noexcept nogil:
    """Tell whether two masks overlap too much; their pixels are compared only if their boxes may."""
    cdef:
        int64_t w = min(one.x2, other.x2) - max(one.x1, other.x1)
        int64_t h = min(one.y2, other.y2) - max(one.y1, other.y1)
    return (
        w > 0
        and h > 0
        and exceeds(rule, min(w * h, min(one.area, other.area)), one.area, other.area)
        and exceeds(rule, shared(a, one, b, other), one.area, other.area)
    )


@cython.final
cdef class Suppression:
    """Masks of which each drops those after it that overlap it by more than a threshold.

    Parameters
    ----------
    block : bytes
        A block.
    order : ndarray of int64, shape (n,)
        Every mask once, the most certain first.
    group : ndarray of int64, shape (n,)
        Masks of different groups do not drop each other.
    threshold : float
        From 0 to 1; an overlap has to be above it.
    of_smaller : bool
        Overlap is intersection over the smaller mask, instead of over the union.
    is_single : bool
        Compute it in single precision.

    Attributes
    ----------
    result : ndarray of uint8, shape (n,)
        Which masks are kept, once all are settled.
    """

    cdef:
        readonly object result
        object block                # what the view looks at
        View view
        Rule rule
        Tile tile
        const int64_t[::1] order
        const int64_t[::1] group
        uint8_t[::1] kept
        int64_t[::1] place          # in the tile, of each rank in it that has a True pixel
        Py_ssize_t last             # ranks that are settled

    def __init__(
        self,
        block,
        const int64_t[::1] order,
        const int64_t[::1] group,
        double threshold,
        bint of_smaller,
        bint is_single,
    ):
        self.block = block
        look(block, &self.view)
        self.rule.threshold = threshold
        self.rule.of_smaller, self.rule.is_single = of_smaller, is_single
        self.tile = Tile()
        self.order, self.group = order, group
        self.kept = self.result = np.ones(order.shape[0], np.uint8)
        self.place = np.empty(order.shape[0], np.int64)
        self.last = 0

    def settle(self):
        """Unpack a tile of the masks that are next and let them drop each other.

        Returns
        -------
        int
            The rank of the first mask behind the tile, n where it was the last.
        """
        cdef:
            Fault fault = fault_of(OK, -1)
            Py_ssize_t n = self.order.shape[0], rank, first = self.last, q
            Tile tile = self.tile
        with nogil:
            tile.clear()
            while self.last < n and fault.status == OK and not tile.is_full():
                self.place[self.last] = -1
                if self.kept[self.order[self.last]]:
                    fault = tile.add(&self.view, self.order[self.last], self.last)
                self.last += 1
            tile.sort()
            for q in range(tile.n):
                self.place[tile.figures[q].index] = q
            for rank in range(first, self.last):
                if self.place[rank] >= 0 and self.kept[self.order[rank]]:
                    drop_later(
                        &self.rule, tile, tile.figures + self.place[rank], self.order, self.group,
                        self.kept,
                    )
        fail(fault)
        return self.last

    def drop(self, Py_ssize_t first, Py_ssize_t last):
        """Let the masks that `settle` kept drop some behind the tile.

        Parameters
        ----------
        first, last : int
            Which ranks; calls for different ones may run at once.
        """
        cdef:
            Fault fault = fault_of(OK, -1)
            Py_ssize_t rank
            Tile late = Tile()
        with nogil:
            for rank in range(first, last):
                if fault.status == OK and self.kept[self.order[rank]]:
                    fault = hold_against(
                        &self.rule, &self.view, rank, self.tile, late, self.order, self.group,
                        self.kept,
                    )
        fail(fault)


cdef void drop_later(
    Rule* rule,
    Tile tile,
    const Figure* one,
    const int64_t[::1] order,
    const int64_t[::1] group,
    uint8_t[::1] kept,
) noexcept nogil:
    """Drop the masks of the tile that come after one that is kept and overlap it."""
    cdef Py_ssize_t q = tile.first_near(one.x1)
    cdef const Figure* other
    while q < tile.n and tile.figures[q].x1 < one.x2:
        other = tile.figures + q
        if (
            other.index > one.index
            and kept[order[other.index]]
            and group[order[other.index]] == group[order[one.index]]
            and overlap(rule, tile, one, tile, other)
        ):
            kept[order[other.index]] = False
        q += 1


cdef Fault hold_against(
    Rule* rule,
    View* view,
    Py_ssize_t rank,
    Tile tile,
    Tile late,
    const int64_t[::1] order,
    const int64_t[::1] group,
    uint8_t[::1] kept,
) noexcept nogil:
    """Drop a mask behind the tile that overlaps a kept one in it, unpacked only if crops meet."""
    cdef:
        Py_ssize_t i = order[rank], q
        int32_t x1 = view.offsets[2 * i], y1 = view.offsets[2 * i + 1]
        int32_t x2 = x1 + view.crop_shapes[2 * i + 1], y2 = y1 + view.crop_shapes[2 * i]
        Fault fault = fault_of(OK, -1)
        const Figure* one
    late.clear()
    q = tile.first_near(x1)
    while q < tile.n and tile.figures[q].x1 < x2:
        one = tile.figures + q
        q += 1
        if (
            one.x2 <= x1 or one.y2 <= y1 or y2 <= one.y1
            or not kept[order[one.index]]
            or group[order[one.index]] != group[i]
        ):
            continue
        if late.n == 0:
            fault = late.add(view, i, rank)
            if fault.status != OK or late.n == 0:
                return fault
        if overlap(rule, tile, one, late, late.figures):
            kept[i] = False
            return fault
    return fault
