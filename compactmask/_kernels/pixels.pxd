"""Pixels from and to the edges of columns."""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint64_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Status


cdef struct Box:
    # inclusive
    int32_t x1, y1, x2, y2


cdef bint find_tight(
    const uint8_t* frame,
    Py_ssize_t row_step,
    Py_ssize_t column_step,
    int32_t height,
    int32_t width,
    Box* box,
) noexcept nogil
cdef void fetch(
    const uint8_t* frame, Py_ssize_t row_step, Py_ssize_t column_step, Box box
) noexcept nogil


@cython.final
cdef class Reader:
    """Reads the edges of crops out of frames; holds the words of one stripe."""

    cdef:
        uint64_t* words
        Py_ssize_t capacity

    cdef Status read(
        self, const uint8_t* frame, Py_ssize_t row_step, Py_ssize_t column_step, Edges mask
    ) noexcept nogil
    cdef Status read_column(self, const uint8_t* pixels, Edges mask) noexcept nogil
    cdef Status read_stripe(
        self, const uint8_t* pixels, Py_ssize_t row_step, int32_t w, Edges mask
    ) noexcept nogil


@cython.final
cdef class Painter:
    """Writes the pixels of crops; holds the bits of one stripe."""

    cdef:
        uint8_t* bits
        Py_ssize_t capacity

    cdef Status paint(self, Edges mask, uint8_t* corner, Py_ssize_t row_step) noexcept nogil
    cdef Status paint_stripe(
        self, Edges mask, int32_t first, int32_t w, uint8_t* corner, Py_ssize_t row_step
    ) noexcept nogil
