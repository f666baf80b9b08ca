"""Pixels from and to the edges of columns.

Runs are column-major and pixels mostly row-major, so neither direction goes pixel by pixel.
Encoding packs 64 rows into one word per column; a column's edges are then the set bits of the
word XOR itself shifted by one row::

      rows 0..7 of a column   . . # # # . . .
      shifted by one row      . . . # # # . .      (the last row of the word before comes in)
      XOR                     . . 2 . . 5 . .      edges at rows 2 and 5

Decoding does the same backwards with 8 rows in a byte per column: an edge flips the rows of its
byte from its own on, an odd number of flips in a byte flips the ones below, and the bits of a
row are then spread to pixels, many columns at a time.
"""

from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport NO_MEMORY, OK, Status

cdef extern from "pixels.h":
    void choose_pixels() noexcept
    int lowest_bit(uint64_t word) noexcept nogil
    void pack_eight(const uint8_t* row, Py_ssize_t step, int w, uint8_t* out) noexcept nogil
    void prefetch(const uint8_t* corner, Py_ssize_t step, int h, int w) noexcept nogil
    void pack_row(const uint8_t* row, uint8_t bit, int w, uint8_t* out) noexcept nogil
    void transpose(const uint8_t* rows, Py_ssize_t step, int w, uint64_t* words) noexcept nogil
    Py_ssize_t word_at(Py_ssize_t x) noexcept nogil
    void paint_bits(
        uint8_t* bits, Py_ssize_t pitch, int h, int w, uint8_t* at, Py_ssize_t step
    ) noexcept nogil
    void find_extent(
        const uint8_t* frame, Py_ssize_t step, Py_ssize_t lines, Py_ssize_t length, Extent* found
    ) noexcept nogil
    ctypedef struct Extent "struct extent":
        Py_ssize_t first_line, last_line, first, last
    enum:
        GROUP
        WIDE

choose_pixels()

cdef enum:
    STRIPE = 1024               # columns that are worked on at a time

cdef uint64_t ALL_TRUE = 0x0101010101010101


cdef bint find_tight(
    const uint8_t* frame,
    Py_ssize_t row_step,
    Py_ssize_t column_step,
    int32_t height,
    int32_t width,
    Box* box,
) noexcept nogil:
    """Find the tight box of a frame, one of whose steps is 1; False where it is empty."""
    cdef Extent found
    if column_step == 1:
        find_extent(frame, row_step, height, width, &found)
        box.y1, box.y2 = <int32_t>found.first_line, <int32_t>found.last_line
        box.x1, box.x2 = <int32_t>found.first, <int32_t>found.last
    else:
        find_extent(frame, column_step, width, height, &found)
        box.x1, box.x2 = <int32_t>found.first_line, <int32_t>found.last_line
        box.y1, box.y2 = <int32_t>found.first, <int32_t>found.last
    # the other sides tell only of pixels that somebody else changes meanwhile
    return found.first_line <= found.last_line and found.first <= found.last


cdef void fetch(
    const uint8_t* frame, Py_ssize_t row_step, Py_ssize_t column_step, Box box
) noexcept nogil:
    """Ask the memory for a crop that is read soon."""
    cdef const uint8_t* corner = frame + box.y1 * row_step + box.x1 * column_step
    if column_step == 1:
        prefetch(corner, row_step, box.y2 - box.y1 + 1, box.x2 - box.x1 + 1)
    else:
        prefetch(corner, column_step, box.x2 - box.x1 + 1, box.y2 - box.y1 + 1)


cdef class Reader:
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
            Py_ssize_t pitch = (<Py_ssize_t>w + GROUP - 1) // GROUP * GROUP
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
            words = self.words + word_at(x)
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


cdef class Painter:
    def __dealloc__(self):
        free(self.bits)

    cdef Status paint(self, Edges mask, uint8_t* corner, Py_ssize_t row_step) noexcept nogil:
        """Write the crop, its top left pixel at `corner`; rows are contiguous."""
        cdef int32_t x = 0, w
        while x < mask.w:
            w = min(<int32_t>STRIPE, mask.w - x)
            if self.paint_stripe(mask, x, w, corner + x, row_step) != OK:
                return NO_MEMORY
            x += STRIPE
        return OK

    cdef Status paint_stripe(
        self, Edges mask, int32_t first, int32_t w, uint8_t* corner, Py_ssize_t row_step
    ) noexcept nogil:
        """Write `w` columns of the crop."""
        cdef:
            Py_ssize_t pitch = (<Py_ssize_t>w + WIDE - 1) // WIDE * WIDE, k
            Py_ssize_t size = (mask.h // 8 + 1) * pitch
            const int32_t* at = mask.at
            const Py_ssize_t* start = mask.start + first
            uint8_t* bits
            int32_t x, top, bottom
        if size + WIDE > self.capacity:
            free(self.bits)
            self.capacity = 0
            self.bits = <uint8_t*>malloc(size + WIDE)
            if self.bits == NULL:
                return NO_MEMORY
            self.capacity = size + WIDE
        bits = self.bits
        memset(bits, 0, size)
        for x in range(w):
            for k in range(start[x], start[x + 1], 2):
                top, bottom = at[k], at[k + 1]
                bits[(top >> 3) * pitch + x] ^= <uint8_t>(0xFF << (top & 7))
                bits[(bottom >> 3) * pitch + x] ^= <uint8_t>(0xFF << (bottom & 7))
        paint_bits(bits, pitch, mask.h, w, corner, row_step)
        return OK


cdef void gather_band(
    const uint8_t* pixels, Py_ssize_t row_step, int32_t h, int32_t w, uint64_t* words
) noexcept nogil:
    """Pack up to 64 rows into one word per column, the first row in the lowest bit."""
    cdef:
        uint8_t eights[8 * STRIPE]      # a byte per column for every 8 rows
        const uint8_t* row
        int32_t k, full = h // 8
    for k in range(full):
        pack_eight(pixels + 8 * k * row_step, row_step, w, eights + k * STRIPE)
    if full < 8:
        for k in range(full, 8):
            memset(eights + k * STRIPE, 0, w)
        for k in range(h - 8 * full):
            row = pixels + (8 * full + k) * row_step
            pack_row(row, <uint8_t>(1 << k), w, eights + full * STRIPE)
    transpose(eights, STRIPE, w, words)
