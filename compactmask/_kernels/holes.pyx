"""The holes of packed masks: gaps between segments that no path leads out of.

Gaps of neighbouring columns that have a row in common are joined, and the outside is one of them.
"""

from libc.stdint cimport INT32_MAX, int32_t, uint32_t

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.forest cimport Forest
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of


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
                mask.tighten()
                fault = builder.add_changed(&view, i, mask)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


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
