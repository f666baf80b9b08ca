"""Scratch for one unpacked mask: the sorted edges of every column of its crop.

Column i holds ``at[start[i]:start[i + 1]]``, an even number of strictly increasing rows in
``0..h``: even places start a segment of True pixels, odd places end it (exclusive)::

      row 0  .        at = 1 3
          1  #
          2  #
          3  .

One Edges serves many masks in turn, so its memory is allocated once for the largest of them.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t

from compactmask._kernels.status cimport Status


@cython.final
cdef class Edges:
    cdef:
        int32_t x, y, h, w          # the crop in the image; x, y of its top left pixel
        int32_t* at
        Py_ssize_t* start           # w + 1
        Py_ssize_t n                # edges in all, start[w] when complete
        Py_ssize_t at_capacity, start_capacity
        int32_t column              # columns that are complete

    cdef Status begin(self, int32_t x, int32_t y, int32_t h, int32_t w) noexcept nogil
    cdef Status make_empty(self, int32_t x, int32_t y) noexcept nogil
    cdef Status reserve(self, Py_ssize_t more) noexcept nogil
    cdef Status add_column(self, const int32_t* rows, Py_ssize_t n) noexcept nogil
    cdef Status fill(self, const int64_t* counts, Py_ssize_t n) noexcept nogil
    cdef int64_t area(self) noexcept nogil
    cdef Status clip(self, int32_t x1, int32_t y1, int32_t x2, int32_t y2) noexcept nogil
    cdef void tighten(self) noexcept nogil
    cdef void mirror(self, bint x, bint y) noexcept nogil
    cdef void _turn_around(self) noexcept nogil
    cdef void _flip_columns(self) noexcept nogil
    cdef void swap(self, Edges other) noexcept nogil


@cython.final
cdef class Runs:
    """Scratch for run lengths, background first, column-major."""

    cdef:
        int64_t* at
        Py_ssize_t n, capacity

    cdef Status reserve(self, Py_ssize_t more) noexcept nogil
    cdef Status read(self, Edges mask, int64_t height, int64_t width) noexcept nogil
