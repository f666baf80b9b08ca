"""COCO's run lengths of full images, as strings or numbers, from and to packed masks.

A counts string writes each run, less the run two before it from the fourth on, as base-32 digits,
lowest first, in the characters 48 to 111: bit 5 says that more digits follow, and bit 4 of the
last digit is the sign (cocodataset/cocoapi, maskApi.c).
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc, realloc

import numpy as np

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges, Runs
from compactmask._kernels.status cimport (
    BAD_CHARACTER,
    LONG_NUMBER,
    NEGATIVE_RUN,
    NO_MEMORY,
    OK,
    WRONG_SUM,
    Fault,
    Status,
    fail,
    fault_of,
)

from compactmask._kernels.block import check_image_shape
from compactmask._kernels.runs import as_counts

from compactmask.errors import InvalidMaskError

cdef enum:
    MAX_DIGITS = 12         # of a number, 5 bits each


cdef struct Item:
    # one mask's counts: characters, or numbers where there are none
    const char* text
    const int64_t* counts
    Py_ssize_t n


cdef Fault parse(const char* text, Py_ssize_t n, int64_t pixels, Runs runs) noexcept nogil:
    """Read a counts string; every run is held against `pixels`."""
    cdef:
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i = 0
        int64_t run
        int shift
        unsigned int digit
    runs.n = 0
    if runs.reserve(n) != OK:
        fault.status = NO_MEMORY
        return fault
    while i < n:
        digit = <uint8_t>text[i] - 48
        run = digit & 31
        shift = 5
        i += 1
        while digit & 32 and digit < 64 and i < n and shift < 5 * MAX_DIGITS:
            digit = <uint8_t>text[i] - 48
            run |= <int64_t>(digit & 31) << shift
            shift += 5
            i += 1
        if digit > 31:      # also what was below 48
            if digit > 63:
                fault.status, fault.at, fault.found = BAD_CHARACTER, i - 1, <uint8_t>text[i - 1]
            elif i == n:
                fault.status, fault.at, fault.found = BAD_CHARACTER, n, -1
            else:
                fault.status, fault.at = LONG_NUMBER, i
                fault.found, fault.expected = MAX_DIGITS + 1, MAX_DIGITS
            return fault
        if digit & 16:
            run -= <int64_t>1 << shift
        if runs.n > 2:
            run += runs.at[runs.n - 2]
        if run < 0 or run > pixels:
            fault.status, fault.at = NEGATIVE_RUN, runs.n
            fault.found, fault.expected = run, pixels
            return fault
        runs.at[runs.n] = run
        runs.n += 1
    return fault


cdef Fault fill_frame(
    const int64_t* counts, Py_ssize_t n, int32_t height, int32_t width, Edges mask
) noexcept nogil:
    """Turn runs of a full image into edges."""
    cdef:
        Fault fault = fault_of(mask.begin(0, 0, height, width), -1)
        int64_t covered = 0, pixels = <int64_t>height * width
        Py_ssize_t k
    if fault.status != OK:
        return fault
    for k in range(n):
        if counts[k] < 0 or counts[k] > pixels:
            fault.status, fault.at = NEGATIVE_RUN, k
            fault.found, fault.expected = counts[k], pixels
            return fault
        covered += counts[k]
    if covered != pixels:
        fault.status, fault.found, fault.expected = WRONG_SUM, covered, pixels
        return fault
    fault.status = mask.fill(counts, n)
    return fault


def pack(image_shape, counts, const int32_t[:, ::1] boxes=None):
    """Pack full-image COCO counts.

    Parameters
    ----------
    image_shape : tuple of int
        ``(H, W)`` of every mask.
    counts : sequence of str, bytes or array_like of int
        A counts string, or run lengths, for each mask.
    boxes : ndarray of int32, shape (n, 4), optional
        The crops, as ``dense.pack`` has them. Without, they are tight and an empty mask gets
        a 1x1 crop at the origin.

    Returns
    -------
    bytes
        A block.

    Raises
    ------
    InvalidMaskError
        If a string or its runs are not a mask of that image; the message names the mask.
    """
    cdef:
        Builder builder = Builder()
        Edges mask = Edges()
        Runs runs = Runs()
        tuple held = tuple(counts)      # keeps what the items point to alive
        list arrays = []
        Py_ssize_t n = len(held), i
        int32_t height, width, x1, y1
        const int64_t[::1] numbers
        Item* items
        Item* item
        Fault fault = fault_of(OK, -1)
    check_image_shape(*image_shape)
    height, width = image_shape
    items = <Item*>malloc(max(n, 1) * sizeof(Item))
    if items == NULL:
        raise MemoryError
    try:
        for i in range(n):
            value = held[i]
            items[i].text, items[i].counts = NULL, NULL
            if isinstance(value, str):
                if not value.isascii():
                    raise InvalidMaskError(f"mask {i}: the counts string is not ASCII")
                items[i].text = PyUnicode_AsUTF8AndSize(value, &items[i].n)
            elif isinstance(value, bytes):
                items[i].text = <const char*><bytes>value
                items[i].n = len(<bytes>value)
            else:
                numbers = as_counts(value, i)
                arrays.append(numbers)
                items[i].n = numbers.shape[0]
                if items[i].n:
                    items[i].counts = &numbers[0]
        with nogil:
            for i in range(n):
                item = items + i
                if item.text != NULL:
                    fault = parse(item.text, item.n, <int64_t>height * width, runs)
                    if fault.status == OK:
                        fault = fill_frame(runs.at, runs.n, height, width, mask)
                else:
                    fault = fill_frame(item.counts, item.n, height, width, mask)
                if fault.status == OK and boxes is None:
                    mask.tighten()
                elif fault.status == OK:
                    x1, y1 = boxes[i, 0], boxes[i, 1]
                    if boxes[i, 2] < x1:
                        fault.status = mask.make_empty(x1, y1)
                    else:
                        fault.status = mask.clip(x1, y1, boxes[i, 2], boxes[i, 3])
                if fault.status == OK:
                    fault = builder.add(mask)
                fault.mask = i
                if fault.status != OK:
                    break
    finally:
        free(items)
    if fault.status == BAD_CHARACTER and fault.found < 0:
        raise InvalidMaskError(
            f"mask {fault.mask}: the counts string ends at character {fault.at} inside a number"
        )
    if fault.status == WRONG_SUM:
        raise InvalidMaskError(
            f"mask {fault.mask}: runs cover {fault.found} pixels, "
            f"image ({height}, {width}) has {fault.expected}"
        )
    fail(fault)
    return builder.finish(height, width)


def counts(block):
    """Unpack every mask into run lengths of the full image.

    Parameters
    ----------
    block : bytes
        A block.

    Returns
    -------
    list of ndarray of int64
        Background first, column-major, as pycocotools would have them.
    """
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Runs runs = Runs()
        Py_ssize_t i
        list result = []
    look(block, &view)
    for i in range(view.n):
        fail(unpack(&view, i, decoder, mask))
        if runs.read(mask, view.height, view.width) != OK:
            raise MemoryError
        result.append(np.array(<int64_t[: runs.n]>runs.at))
    return result


def strings(block):
    """Write every mask as a COCO counts string of the full image.

    Parameters
    ----------
    block : bytes
        A block.

    Returns
    -------
    list of str
        Byte for byte what pycocotools writes.
    """
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Runs runs = Runs()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, used = 0, capacity = 0
        char* text = NULL
        char* more
        Py_ssize_t* ends
        list result
    look(block, &view)
    ends = <Py_ssize_t*>malloc((view.n + 1) * sizeof(Py_ssize_t))
    if ends == NULL:
        raise MemoryError
    try:
        with nogil:
            for i in range(view.n):
                fault = unpack(&view, i, decoder, mask)
                if fault.status != OK:
                    break
                fault.status = runs.read(mask, view.height, view.width)
                if fault.status != OK:
                    break
                if used + 9 * runs.n > capacity:
                    capacity = max(2 * capacity, used + 9 * runs.n)
                    more = <char*>realloc(text, capacity)
                    if more == NULL:
                        fault.status = NO_MEMORY
                        break
                    text = more
                used += write(runs, text + used)
                ends[i] = used
        fail(fault)
        used = 0
        result = [None] * view.n
        for i in range(view.n):
            result[i] = text[used : ends[i]].decode("ascii")
            used = ends[i]
        return result
    finally:
        free(ends)
        free(text)


cdef Py_ssize_t write(Runs runs, char* text) noexcept nogil:
    """Write runs as a counts string of at most 9 characters a run; return its length."""
    cdef:
        char* to = text
        Py_ssize_t k
        int64_t value
        int digit
        bint is_more = True
    for k in range(runs.n):
        value = runs.at[k]
        if k > 2:
            value -= runs.at[k - 2]
        is_more = True
        while is_more:
            digit = <int>(value & 31)
            value >>= 5
            is_more = value != -1 if digit & 16 else value != 0
            to[0] = <char>((digit | 32 if is_more else digit) + 48)
            to += 1
    return to - text
