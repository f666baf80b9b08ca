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
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import numpy as np

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.codec cimport Coder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of

cdef extern from *:
    """
    #if defined(_MSC_VER)
    #include <intrin.h>
    static __inline int lowest_bit(unsigned long long word) {
        unsigned long at;
    #if defined(_M_X64) || defined(_M_ARM64)
        _BitScanForward64(&at, word);
        return (int)at;
    #else
        if (_BitScanForward(&at, (unsigned long)word)) return (int)at;
        _BitScanForward(&at, (unsigned long)(word >> 32));
        return (int)at + 32;
    #endif
    }
    #else
    static inline int lowest_bit(unsigned long long word) { return __builtin_ctzll(word); }
    #endif
    """
    int lowest_bit(uint64_t word) noexcept nogil

cdef enum:
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
            Py_ssize_t bands = (mask.h + 63) // 64, g
            uint64_t word, changes, above
            int32_t x
            uint64_t* words
        if bands * w > self.capacity:
            free(self.words)
            self.capacity = 0
            self.words = <uint64_t*>malloc(bands * w * sizeof(uint64_t))
            if self.words == NULL:
                return NO_MEMORY
            self.capacity = bands * w
        for g in range(bands):
            gather_band(
                pixels + 64 * g * row_step, row_step, min(64, mask.h - 64 * <int32_t>g), w,
                self.words + g * w,
            )
        for x in range(w):
            if mask.reserve(<Py_ssize_t>mask.h + 1) != OK:
                return NO_MEMORY
            words = self.words + x
            above = 0
            for g in range(bands):
                word = words[g * w]
                changes = word ^ (word << 1 | above)
                above = word >> 63
                while changes != 0:
                    mask.at[mask.n] = <int32_t>(64 * g) + lowest_bit(changes)
                    mask.n += 1
                    changes &= changes - 1
            if above != 0:      # the crop ends with its last word, inside a segment
                mask.at[mask.n] = mask.h
                mask.n += 1
            mask.column += 1
            mask.start[mask.column] = mask.n
        return OK


cdef void gather_band(
    const uint8_t* pixels, Py_ssize_t row_step, int32_t h, int32_t w, uint64_t* words
) noexcept nogil:
    """Pack up to 64 rows into one word per column, the first row in the lowest bit."""
    cdef:
        uint8_t eight[STRIPE]
        const uint8_t* row
        int32_t first, k, x
    memset(words, 0, w * sizeof(uint64_t))
    for first in range(0, h, 8):
        row = pixels + first * row_step
        if first + 8 <= h:
            gather_eight(row, row_step, w, eight)
        else:
            memset(eight, 0, w)
            for k in range(h - first):
                for x in range(w):
                    eight[x] |= <uint8_t>((row[x] != 0) << k)
                row += row_step
        for x in range(w):
            words[x] |= <uint64_t>eight[x] << first


cdef inline void gather_eight(
    const uint8_t* row, Py_ssize_t step, int32_t w, uint8_t* eight
) noexcept nogil:
    cdef:
        const uint8_t* r1 = row + step
        const uint8_t* r2 = r1 + step
        const uint8_t* r3 = r2 + step
        const uint8_t* r4 = r3 + step
        const uint8_t* r5 = r4 + step
        const uint8_t* r6 = r5 + step
        const uint8_t* r7 = r6 + step
        int32_t x
    for x in range(w):
        eight[x] = <uint8_t>(
            (row[x] != 0)
            | (r1[x] != 0) << 1
            | (r2[x] != 0) << 2
            | (r3[x] != 0) << 3
            | (r4[x] != 0) << 4
            | (r5[x] != 0) << 5
            | (r6[x] != 0) << 6
            | (r7[x] != 0) << 7
        )


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
    cdef:
        int32_t x, y, h = mask.h, w = mask.w
        Py_ssize_t k
        uint8_t* row
        const uint8_t* above
    for x in range(w):
        for k in range(mask.start[x], mask.start[x + 1]):
            if mask.at[k] < h:
                corner[mask.at[k] * row_step + x] ^= 1
    for y in range(1, h):
        above = corner + (y - 1) * row_step
        row = corner + y * row_step
        for x in range(w):
            row[x] ^= above[x]


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
        Edges mask = Edges()
        Coder coder = Coder()
        Fault fault = fault_of(mask.begin(0, 0, h, w), -1)
    if fault.status == OK:
        fault = coder.decode(&data[0] if data.shape[0] else NULL, data.shape[0], mask)
    fail(fault)
    return painted(mask)


def crop(const uint8_t[::1] block, Py_ssize_t i):
    """Decode mask ``i``, ``0 <= i < n``, into an (h, w) array of bool."""
    cdef:
        View view
        Edges mask = Edges()
        Coder coder = Coder()
    look(block, &view)
    fail(unpack(&view, i, coder, mask))
    return painted(mask)


def crops(const uint8_t[::1] block, const int64_t[::1] indices):
    """Decode masks, all in ``0..n - 1``, into a list of (h, w) arrays of bool."""
    cdef:
        View view
        Edges mask = Edges()
        Coder coder = Coder()
        Py_ssize_t i
        list result = []
    look(block, &view)
    for i in range(indices.shape[0]):
        fail(unpack(&view, indices[i], coder, mask))
        result.append(painted(mask))
    return result


cdef object painted(Edges mask):
    """Return the pixels of a crop as a new array."""
    cdef uint8_t[:, ::1] pixels
    result = np.zeros((mask.h, mask.w), np.uint8)
    pixels = result
    with nogil:
        paint(mask, &pixels[0, 0], mask.w)
    return result.view(np.bool_)


def decode(const uint8_t[::1] block, const int64_t[::1] indices, uint8_t[:, :, ::1] out):
    """Decode masks into full frames.

    Parameters
    ----------
    block : bytes-like
        A block.
    indices : ndarray of int64
        Which masks, all in ``0..n - 1``.
    out : ndarray of uint8, shape (len(indices), H, W)
        Frames of 0.
    """
    cdef:
        View view
        Edges mask = Edges()
        Coder coder = Coder()
        Py_ssize_t i, width = out.shape[2]
        Fault fault = fault_of(OK, -1)
    look(block, &view)
    with nogil:
        for i in range(indices.shape[0]):
            fault = unpack(&view, indices[i], coder, mask)
            if fault.status != OK:
                break
            paint(mask, &out[i, mask.y, mask.x], width)
    fail(fault)
