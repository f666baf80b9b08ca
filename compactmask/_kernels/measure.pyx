"""How many True pixels packed masks have in each row and column, and where their middle is."""

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


def centroid(block):
    """Average the True pixels' columns and rows, an (n, 2) array of float64; NaN without any."""
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, k
        int32_t x
        # pixels in all times twice a side is below 2**54
        int64_t in_column, area, sum_x, twice_sum_y
        double[:, ::1] out
    look(block, &view)
    result = np.full((view.n, 2), np.nan)
    out = result
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status != OK:
                break
            area = sum_x = twice_sum_y = 0
            for x in range(mask.w):
                in_column = 0
                for k in range(mask.start[x], mask.start[x + 1], 2):
                    in_column += mask.at[k + 1] - mask.at[k]
                    twice_sum_y += (
                        <int64_t>(mask.at[k + 1] - mask.at[k])
                        * (mask.at[k] + mask.at[k + 1] - 1)
                    )
                area += in_column
                sum_x += in_column * x
            if area > 0:
                out[i, 0] = mask.x + <double>sum_x / <double>area
                out[i, 1] = mask.y + <double>twice_sum_y / <double>(2 * area)
    fail(fault)
    return result
