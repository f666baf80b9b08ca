"""Packed masks moved, cut, shrunk to their pixels, scaled and compared, without pixels."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcmp, memcpy

import numpy as np

from compactmask._kernels.block cimport Builder, View, is_mirrored, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of


def tighten(block):
    """Shrink every crop to its True pixels.

    Parameters
    ----------
    block : bytes
        A block.

    Returns
    -------
    bytes
        A block; a mask without True pixels has a 1x1 crop at its old origin.
    """
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
    look(block, &view)
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                mask.tighten()
                fault = builder.add(mask)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


def move(block, int32_t dx, int32_t dy, int32_t height, int32_t width):
    """Move every mask and cut what leaves the new image.

    Parameters
    ----------
    block : bytes
        A block.
    dx, dy : int
        Pixels to the right and down, within twice the largest image side.
    height, width : int
        The new image.

    Returns
    -------
    bytes
        A block; a mask wholly outside has an empty 1x1 crop at the nearest pixel of the image.
    """
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        int32_t x, y, h, w, x1, y1, x2, y2
    look(block, &view)
    with nogil:
        for i in range(view.n):
            x, y = view.offsets[2 * i] + dx, view.offsets[2 * i + 1] + dy
            h, w = view.crop_shapes[2 * i], view.crop_shapes[2 * i + 1]
            x1, x2 = max(0, x), min(width - 1, x + w - 1)
            y1, y2 = max(0, y), min(height - 1, y + h - 1)
            if x1 > x2 or y1 > y2:
                fault.status = mask.make_empty(min(x1, width - 1), min(y1, height - 1))
                if fault.status == OK:
                    fault = builder.add(mask)
            elif x2 - x1 + 1 == w and y2 - y1 + 1 == h and not is_mirrored(&view):
                fault = builder.copy(&view, i, x, y)
            else:
                fault = unpack(&view, i, decoder, mask)
                if fault.status == OK:
                    mask.x, mask.y = x, y
                    fault.status = mask.clip(x1, y1, x2, y2)
                if fault.status == OK:
                    fault = builder.add(mask)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(height, width)


def resample(
    block,
    const int32_t[::1] first_row,
    const int32_t[::1] first_column,
    const int32_t[::1] source_column,
):
    """Scale every mask by looking up the source of each new row and column.

    Parameters
    ----------
    block : bytes
        A block of masks of an (H, W) image.
    first_row : ndarray of int32, shape (H + 1,)
        The first new row whose source is not above each old row; the last is the new height.
    first_column : ndarray of int32, shape (W + 1,)
        The same for columns.
    source_column : ndarray of int32
        The old column of each new one, never decreasing.

    Returns
    -------
    bytes
        A block. Each crop spans the pixels that look into the old crop; one that none looks
        into becomes an empty 1x1 crop.
    """
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Edges scaled = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        int32_t height, width
    look(block, &view)
    height, width = first_row[view.height], first_column[view.width]
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = scale(
                    mask, scaled, &first_row[mask.y], &first_column[mask.x], &source_column[0],
                    height, width,
                )
            if fault.status == OK:
                fault = builder.add(scaled)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(height, width)


cdef Status scale(
    Edges mask,
    Edges scaled,
    const int32_t* first_row,
    const int32_t* first_column,
    const int32_t* source_column,
    int32_t height,
    int32_t width,
) noexcept nogil:
    """Fill `scaled`; the tables of first rows and columns start at the crop's origin."""
    cdef:
        int32_t x = first_column[0], y = first_row[0], column, top, bottom
        int32_t w = first_column[mask.w] - x, h = first_row[mask.h] - y
        int32_t source, before = -1
        Py_ssize_t k, n = 0, begin = 0, edges
        const Py_ssize_t* start = mask.start
        const int32_t* rows = mask.at
        int32_t* at
    if w == 0 or h == 0:
        return scaled.make_empty(min(x, width - 1), min(y, height - 1))
    if scaled.begin(x, y, h, w) != OK or scaled.reserve(mask.n) != OK:
        return NO_MEMORY
    at = scaled.at
    for column in range(w):
        source = source_column[x + column] - mask.x
        edges = n - begin if source == before else start[source + 1] - start[source]
        if n + edges > scaled.at_capacity:
            scaled.n = n
            if scaled.reserve(edges) != OK:
                return NO_MEMORY
            at = scaled.at
        if source == before:        # the same column again
            memcpy(at + n, at + begin, edges * sizeof(int32_t))
            begin = n
            n += edges
        else:
            before, begin = source, n
            for k in range(start[source], start[source + 1], 2):
                top, bottom = first_row[rows[k]] - y, first_row[rows[k + 1]] - y
                if n > begin and at[n - 1] == top:
                    at[n - 1] = bottom
                elif top < bottom:
                    at[n], at[n + 1] = top, bottom
                    n += 2
        scaled.start[column + 1] = n
    scaled.n = n
    scaled.column = w
    return OK


def equal(block, other):
    """Tell whether two blocks hold the same pixels in the same order, whatever their crops."""
    cdef:
        View a, b
        Edges mask = Edges()
        Edges wanted = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, size
        bint is_equal = True, is_alike
    look(block, &a)
    look(other, &b)
    if a.n != b.n or a.height != b.height or a.width != b.width:
        return False
    is_alike = a.flip_x == b.flip_x and a.flip_y == b.flip_y
    with nogil:
        for i in range(a.n):
            if a.area[i] != b.area[i]:
                is_equal = False
                break
            size = a.indptr[i + 1] - a.indptr[i]
            if (
                is_alike
                and size == b.indptr[i + 1] - b.indptr[i]
                and memcmp(a.offsets + 2 * i, b.offsets + 2 * i, 8) == 0
                and memcmp(a.crop_shapes + 2 * i, b.crop_shapes + 2 * i, 8) == 0
                and memcmp(a.data + a.indptr[i], b.data + b.indptr[i], size) == 0
            ):
                continue
            fault = unpack(&a, i, decoder, mask)
            if fault.status == OK:
                fault = unpack(&b, i, decoder, wanted)
            if fault.status != OK:
                break
            mask.tighten()
            wanted.tighten()
            is_equal = mask.n == 0 or (
                mask.x == wanted.x
                and mask.y == wanted.y
                and mask.h == wanted.h
                and mask.w == wanted.w
                and mask.n == wanted.n
                and memcmp(mask.start, wanted.start, (mask.w + 1) * sizeof(Py_ssize_t)) == 0
                and memcmp(mask.at, wanted.at, mask.n * sizeof(int32_t)) == 0
            )
            if not is_equal:
                break
    fail(fault)
    return is_equal
