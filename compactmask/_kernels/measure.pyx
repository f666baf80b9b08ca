"""How many True pixels packed masks have in each row, in each column, and one over the other."""

from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

from compactmask._kernels.block cimport View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport OK, Fault, fail, fault_of


def depth(block):
    """Count at every pixel how many masks are True there, an (H, W) array of int64."""
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, k
        int32_t x, y
        int64_t[:, ::1] out
    look(block, &view)
    result = np.zeros((view.height, view.width), np.int64)
    out = result
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status != OK:
                break
            for x in range(mask.w):
                for k in range(mask.start[x], mask.start[x + 1], 2):
                    for y in range(mask.at[k], mask.at[k + 1]):
                        out[mask.y + y, mask.x + x] += 1
    fail(fault)
    return result


def in_columns(block):
    """Count the True pixels of each mask in every column, an (n, W) array of int64."""
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, k
        int32_t x
        int64_t[:, ::1] out
    look(block, &view)
    result = np.zeros((view.n, view.width), np.int64)
    out = result
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status != OK:
                break
            for x in range(mask.w):
                for k in range(mask.start[x], mask.start[x + 1], 2):
                    out[i, mask.x + x] += mask.at[k + 1] - mask.at[k]
    fail(fault)
    return result


def in_rows(block):
    """Count the True pixels of each mask in every row, an (n, H) array of int64."""
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, k
        int32_t y
        int64_t[:, ::1] out
    look(block, &view)
    # a segment adds 1 from its first row on and takes it away behind its last
    result = np.zeros((view.n, view.height + 1), np.int64)
    out = result
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status != OK:
                break
            for k in range(0, mask.n, 2):
                out[i, mask.y + mask.at[k]] += 1
                out[i, mask.y + mask.at[k + 1]] -= 1
            for y in range(1, view.height):
                out[i, y] += out[i, y - 1]
    fail(fault)
    return result[:, :-1]
