"""Which points lie in packed masks."""

from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

from compactmask._kernels.block cimport View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport OK, Fault, fail, fault_of


def contains(block, const int32_t[::1] x, const int32_t[::1] y, const int64_t[::1] place):
    """Look pixels up in every mask; a mask whose crop holds none is not unpacked.

    Parameters
    ----------
    block : bytes
        A block.
    x, y : ndarray of int32, shape (p,)
        Columns and rows, sorted by column; any may lie outside the image.
    place : ndarray of int64, shape (p,)
        Where in the result each of them goes, all of ``0..p - 1``.

    Returns
    -------
    ndarray of bool, shape (n, p)
        Whether the pixel is True.
    """
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t n_points = x.shape[0], i, k
        int32_t left, right, top, bottom
        bint is_unpacked
        uint8_t[:, ::1] out
    look(block, &view)
    result = np.zeros((view.n, n_points), np.bool_)
    out = result.view(np.uint8)
    with nogil:
        for i in range(view.n):
            left, top = view.offsets[2 * i], view.offsets[2 * i + 1]
            right, bottom = left + view.crop_shapes[2 * i + 1], top + view.crop_shapes[2 * i]
            is_unpacked = False
            for k in range(first_from(x, left), n_points):
                if x[k] >= right:
                    break
                if not top <= y[k] < bottom:
                    continue
                if not is_unpacked:
                    fault = unpack(&view, i, decoder, mask)
                    if fault.status != OK:
                        break
                    is_unpacked = True
                out[i, place[k]] = is_true(mask, x[k] - left, y[k] - top)
            if fault.status != OK:
                break
    fail(fault)
    return result


cdef inline Py_ssize_t first_from(const int32_t[::1] x, int32_t least) noexcept nogil:
    """Find the first of sorted numbers that is not below `least`."""
    cdef Py_ssize_t low = 0, high = x.shape[0], middle
    while low < high:
        middle = (low + high) // 2
        if x[middle] < least:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline bint is_true(Edges mask, int32_t x, int32_t y) noexcept nogil:
    """Tell whether an odd number of the column's edges is at the row or above it."""
    cdef Py_ssize_t low = mask.start[x], high = mask.start[x + 1], middle
    while low < high:
        middle = (low + high) // 2
        if mask.at[middle] <= y:
            low = middle + 1
        else:
            high = middle
    return (low - mask.start[x]) % 2 == 1
