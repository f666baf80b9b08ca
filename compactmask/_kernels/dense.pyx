"""Pixels from and to packed masks.

Runs are column-major and pixels mostly row-major, so neither direction goes pixel by pixel.
Encoding packs 64 rows into one word per column; a column's edges are then the set bits of the
word XOR itself shifted by one row::

      rows 0..7 of a column   . . # # # . . .
      shifted by one row      . . . # # # . .      (the last row of the word before comes in)
      XOR                     . . 2 . . 5 . .      edges at rows 2 and 5

Decoding toggles one pixel per edge and then XORs each row into the next, whole rows at a time.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import numpy as np

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.block import check_crop_shape
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of

cdef extern from "pixels.h":
    void choose_pixels() noexcept
    int lowest_bit(uint64_t word) noexcept nogil
    void pack_eight(const uint8_t* row, Py_ssize_t step, int w, uint8_t* out) noexcept nogil
    void pack_row(const uint8_t* row, uint8_t bit, int w, uint8_t* out) noexcept nogil
    void transpose_block(const uint8_t* rows, Py_ssize_t step, uint64_t* words) noexcept nogil
    void sweep(uint8_t* corner, Py_ssize_t step, int h, int w) noexcept nogil

choose_pixels()

cdef enum:
    MAX_IDLE = 1048576          # edges of scratch worth keeping
    STRIPE = 1024               # columns whose bits are gathered at a time
    SCAN = 128                  # bytes looked at before branching

cdef uint64_t ALL_TRUE = 0x0101010101010101


@cython.final
cdef class _Pixels:
    """Reads the edges of crops out of frames; holds the words of one stripe."""

    cdef:
        uint64_t* words
        Py_ssize_t capacity

    def __dealloc__(self):
        free(self.words)

    cdef Status read(
        self, const uint8_t* frame, Py_ssize_t row_step, Py_ssize_t column_step, Edges mask
    ) noexcept nogil:
        """Read the crop that has begun in `mask`; one of the steps is 1."""
        cdef const uint8_t* corner = frame + mask.y * row_step + mask.x * column_step
        cdef int32_t x = 0
        if column_step != 1:
            for x in range(mask.w):
                if self.read_column(corner + x * column_step, mask) != OK:
                    return NO_MEMORY
            return OK
        while x < mask.w:
            if self.read_stripe(corner + x, row_step, min(<int32_t>STRIPE, mask.w - x), mask) != OK:
                return NO_MEMORY
            x += STRIPE
        return OK

    cdef Status read_column(self, const uint8_t* pixels, Edges mask) noexcept nogil:
        """Append a column whose pixels lie one behind the other."""
        cdef:
            int32_t i = 0
            bint value = False
            uint64_t eight, same = 0
        if mask.reserve(<Py_ssize_t>mask.h + 1) != OK:
            return NO_MEMORY
        while i < mask.h:
            if i + 8 <= mask.h:
                memcpy(&eight, pixels + i, 8)
                if eight == same:
                    i += 8
                    continue
            if (pixels[i] != 0) != value:
                value = not value
                same = ALL_TRUE if value else 0
                mask.at[mask.n] = i
                mask.n += 1
            i += 1
        if value:
            mask.at[mask.n] = mask.h
            mask.n += 1
        mask.column += 1
        mask.start[mask.column] = mask.n
        return OK

    cdef Status read_stripe(
        self, const uint8_t* pixels, Py_ssize_t row_step, int32_t w, Edges mask
    ) noexcept nogil:
        """Append `w` columns of row-major pixels."""
        cdef:
            Py_ssize_t bands = (mask.h + 63) // 64, g, n
            Py_ssize_t pitch = (w + 7) // 8 * 8
            int32_t* at
            uint64_t word, changes, above
            int32_t x
            uint64_t* words
        if bands * pitch > self.capacity:
            free(self.words)
            self.capacity = 0
            self.words = <uint64_t*>malloc(bands * pitch * sizeof(uint64_t))
            if self.words == NULL:
                return NO_MEMORY
            self.capacity = bands * pitch
        for g in range(bands):
            gather_band(
                pixels + 64 * g * row_step, row_step, min(64, mask.h - 64 * <int32_t>g), w,
                self.words + g * pitch,
            )
        for x in range(w):
            n = mask.n
            if n + mask.h + 1 > mask.at_capacity and mask.reserve(<Py_ssize_t>mask.h + 1) != OK:
                return NO_MEMORY
            at = mask.at
            words = self.words + x
            above = 0
            for g in range(bands):
                word = words[g * pitch]
                changes = word ^ ((word & 0x7FFFFFFFFFFFFFFFULL) << 1 | above)
                above = word >> 63
                while changes != 0:
                    at[n] = <int32_t>(64 * g) + lowest_bit(changes)
                    n += 1
                    changes &= changes - 1
            if above != 0:      # the crop ends with its last word, inside a segment
                at[n] = mask.h
                n += 1
            mask.n = n
            mask.column += 1
            mask.start[mask.column] = n
        return OK


cdef void gather_band(
    const uint8_t* pixels, Py_ssize_t row_step, int32_t h, int32_t w, uint64_t* words
) noexcept nogil:
    """Pack up to 64 rows into one word per column, the first row in the lowest bit."""
    cdef:
        uint8_t eights[8 * STRIPE]      # a byte per column for every 8 rows
        const uint8_t* row
        int32_t k, x, full = h // 8
    for k in range(full):
        pack_eight(pixels + 8 * k * row_step, row_step, w, eights + k * STRIPE)
    if full < 8:
        for k in range(full, 8):
            memset(eights + k * STRIPE, 0, w)
        for k in range(h - 8 * full):
            row = pixels + (8 * full + k) * row_step
            pack_row(row, <uint8_t>(1 << k), w, eights + full * STRIPE)
    x = 0
    while x < w:
        transpose_block(eights + x, STRIPE, words + x)
        x += 8


cdef inline Py_ssize_t first_true(const uint8_t* pixels, Py_ssize_t n) noexcept nogil:
    """Return the place of the first pixel that is not 0, or `n`."""
    cdef Py_ssize_t i = 0, k
    cdef uint8_t any_true
    while i + SCAN <= n:
        any_true = 0
        for k in range(SCAN):
            any_true |= pixels[i + k]
        if any_true:
            break
        i += SCAN
    while i < n and pixels[i] == 0:
        i += 1
    return i


cdef inline Py_ssize_t after_last_true(const uint8_t* pixels, Py_ssize_t n) noexcept nogil:
    """Return the place behind the last pixel that is not 0, or 0."""
    cdef Py_ssize_t k
    cdef uint8_t any_true
    while n >= SCAN:
        any_true = 0
        for k in range(SCAN):
            any_true |= pixels[n - SCAN + k]
        if any_true:
            break
        n -= SCAN
    while n > 0 and pixels[n - 1] == 0:
        n -= 1
    return n


cdef struct Box:
    # inclusive, in the order of the memory: lines, and places in a line
    Py_ssize_t first_line, last_line, first, last


cdef bint find_box(
    const uint8_t* frame, Py_ssize_t step, Py_ssize_t lines, Py_ssize_t length, Box* box
) noexcept nogil:
    """Find the tight box of a frame of contiguous lines; False where it is empty.

    No pixel outside the box is read twice, and none between its sides.
    """
    cdef Py_ssize_t line = 0, begin = length, end = 0
    while line < lines:
        begin = first_true(frame + line * step, length)
        if begin < length:
            break
        line += 1
    if line == lines:
        return False
    box.first_line = line
    line = lines - 1
    while line > box.first_line:
        end = after_last_true(frame + line * step, length)
        if end > 0:
            break
        line -= 1
    box.last_line = line
    for line in range(box.first_line, box.last_line + 1):
        begin = first_true(frame + line * step, begin)
        end += after_last_true(frame + line * step + end, length - end)
    box.first = begin
    box.last = end - 1
    return True


def pack(const uint8_t[:, :, :] stack, const int32_t[:, ::1] boxes):
    """Pack crops of a stack of frames.

    Parameters
    ----------
    stack : ndarray of uint8, shape (n, H, W)
        Frames whose rows or columns are contiguous; everything but 0 is True.
    boxes : ndarray of int32, shape (n, 4), or None
        Inclusive ``x1, y1, x2, y2`` inside the image. ``x2 < x1`` stands for an empty 1x1 crop
        at ``x1, y1``. None: tight boxes, an empty mask gets a 1x1 crop at the origin.

    Returns
    -------
    bytes
        A block.
    """
    cdef:
        Builder builder = Builder()
        Edges mask = Edges()
        _Pixels pixels = _Pixels()
        Py_ssize_t n = stack.shape[0], i
        int32_t height = <int32_t>stack.shape[1], width = <int32_t>stack.shape[2]
        Py_ssize_t row_step = stack.strides[1], column_step = stack.strides[2]
        bint by_rows = column_step == 1, is_tight = boxes is None, is_empty
        const uint8_t* frame
        int32_t x1 = 0, y1 = 0, x2 = 0, y2 = 0
        Box box
        Fault fault = fault_of(OK, -1)
    with nogil:
        for i in range(n):
            frame = &stack[i, 0, 0]
            if not is_tight:
                x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
                is_empty = x2 < x1
            elif by_rows:
                is_empty = not find_box(frame, row_step, height, width, &box)
                y1, y2 = <int32_t>box.first_line, <int32_t>box.last_line
                x1, x2 = <int32_t>box.first, <int32_t>box.last
            else:
                is_empty = not find_box(frame, column_step, width, height, &box)
                x1, x2 = <int32_t>box.first_line, <int32_t>box.last_line
                y1, y2 = <int32_t>box.first, <int32_t>box.last
            if is_empty:
                if is_tight:
                    x1 = y1 = 0
                fault.status = mask.make_empty(x1, y1)
            else:
                fault.status = mask.begin(x1, y1, y2 - y1 + 1, x2 - x1 + 1)
                if fault.status == OK:
                    fault.status = pixels.read(
                        frame, row_step, 1 if by_rows else column_step, mask
                    )
            if fault.status == OK:
                fault = builder.add(mask)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(height, width)


cdef void paint(Edges mask, uint8_t* corner, Py_ssize_t row_step) noexcept nogil:
    """Set the True pixels of a crop that is 0; `corner` is its top left pixel, rows are contiguous."""
    cdef int32_t x, h = mask.h
    cdef Py_ssize_t k
    for x in range(mask.w):
        for k in range(mask.start[x], mask.start[x + 1]):
            if mask.at[k] < h:
                corner[mask.at[k] * row_step + x] = 1
    sweep(corner, row_step, h, mask.w)


@cython.final
cdef class _Scratch:
    """What unpacking one mask needs."""

    cdef Edges mask
    cdef Decoder decoder

    def __cinit__(self):
        self.mask = Edges()
        self.decoder = Decoder()


# Calls for one mask come by the million: they take scratch from here and bring it back.
cdef list _idle = []
cdef object _zeros = np.zeros
cdef object _bool = np.bool_


cdef _Scratch take_scratch():
    try:
        return _idle.pop()
    except IndexError:
        return _Scratch()


cdef int give_back(_Scratch scratch) except -1:
    if scratch.mask.at_capacity <= MAX_IDLE and len(_idle) < 8:
        _idle.append(scratch)
    return 0


def decode_crop(const uint8_t[::1] data, int32_t h, int32_t w):
    """Decode one packed mask.

    Parameters
    ----------
    data : bytes-like
        The packed mask.
    h, w : int
        Sides of its crop in pixels, 1 at least.

    Returns
    -------
    ndarray of bool, shape (h, w)
        Its pixels.

    Raises
    ------
    InvalidMaskError
        If the bytes are not a packed mask of that crop.
    """
    cdef:
        _Scratch scratch
        Edges mask
        Decoder decoder
        Fault fault
    check_crop_shape(h, w)
    scratch = take_scratch()
    mask, decoder = scratch.mask, scratch.decoder
    fault = fault_of(mask.begin(0, 0, h, w), -1)
    if fault.status == OK:
        fault = decoder.decode(&data[0] if data.shape[0] else NULL, data.shape[0], mask)
    fail(fault)
    result = painted(mask)
    give_back(scratch)
    return result


def crop(block, Py_ssize_t i):
    """Decode one mask.

    Parameters
    ----------
    block : bytes
        A block.
    i : int
        Which mask; negative ones count from the end.

    Returns
    -------
    ndarray of bool, shape (h, w)
        Its pixels.

    Raises
    ------
    IndexError
        If there is no such mask.
    """
    cdef:
        View view
        _Scratch scratch
    look(block, &view)
    if not -view.n <= i < view.n:
        raise IndexError(f"index {i} is out of range for {view.n} masks")
    scratch = take_scratch()
    fail(unpack(&view, i + view.n if i < 0 else i, scratch.decoder, scratch.mask))
    result = painted(scratch.mask)
    give_back(scratch)
    return result


def crops(block, const int64_t[::1] indices):
    """Decode masks, all in ``0..n - 1``, into a list of (h, w) arrays of bool."""
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Py_ssize_t i
        list result = []
    look(block, &view)
    for i in range(indices.shape[0]):
        fail(unpack(&view, indices[i], decoder, mask))
        result.append(painted(mask))
    return result


cdef object painted(Edges mask):
    """Return the pixels of a crop as a new array."""
    cdef Py_buffer pixels
    result = _zeros((mask.h, mask.w), _bool)
    PyObject_GetBuffer(result, &pixels, PyBUF_WRITABLE)
    paint(mask, <uint8_t*>pixels.buf, mask.w)
    PyBuffer_Release(&pixels)
    return result


def frame(block, Py_ssize_t i):
    """Decode one mask into a full (H, W) array of bool; `i` as in `crop`."""
    cdef:
        View view
        _Scratch scratch
        Py_buffer pixels
        Edges mask
    look(block, &view)
    if not -view.n <= i < view.n:
        raise IndexError(f"index {i} is out of range for {view.n} masks")
    scratch = take_scratch()
    mask = scratch.mask
    fail(unpack(&view, i + view.n if i < 0 else i, scratch.decoder, mask))
    result = _zeros((view.height, view.width), _bool)
    PyObject_GetBuffer(result, &pixels, PyBUF_WRITABLE)
    with nogil:
        paint(mask, <uint8_t*>pixels.buf + mask.y * <Py_ssize_t>view.width + mask.x, view.width)
    PyBuffer_Release(&pixels)
    give_back(scratch)
    return result


def decode(block, const int64_t[::1] indices, uint8_t[:, :, ::1] out):
    """Decode masks into full frames.

    Parameters
    ----------
    block : bytes
        A block.
    indices : ndarray of int64
        Which masks, all in ``0..n - 1``.
    out : ndarray of uint8, shape (len(indices), H, W)
        Frames of 0.
    """
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Py_ssize_t i, width = out.shape[2]
        Fault fault = fault_of(OK, -1)
    look(block, &view)
    with nogil:
        for i in range(indices.shape[0]):
            fault = unpack(&view, indices[i], decoder, mask)
            if fault.status != OK:
                break
            paint(mask, &out[i, mask.y, mask.x], width)
    fail(fault)
