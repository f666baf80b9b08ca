"""Scratch for one mask that is drawn as spans of rows, in any order and overlapping as they like."""

cimport cython
from libc.stdint cimport int32_t, int64_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Fault, Status


cdef enum:
    MAX_SPANS = 16_777_216          # half a GiB in all


cdef struct Span:
    int32_t row, begin, end         # columns begin to end, end exclusive


@cython.final
cdef class Spans:
    cdef:
        Span* at
        Py_ssize_t n, capacity
        Py_ssize_t wanted           # of the last reserve, spans in all
        int32_t top, bottom         # rows that have spans, both inclusive
        int32_t left, right         # columns, right exclusive

    cdef void begin(self) noexcept nogil
    cdef Status reserve(self, Py_ssize_t more) noexcept nogil
    cdef Fault finish(self, Edges mask) noexcept nogil
    cdef Py_ssize_t arrange(
        self, Span* sorted, Py_ssize_t* start, Py_ssize_t rows
    ) noexcept nogil
    cdef void toggle(
        self, const Span* sorted, const Py_ssize_t* start, Py_ssize_t rows, int32_t* sides,
        Py_ssize_t most,
    ) noexcept nogil
    cdef Fault fill(self, Edges mask) noexcept nogil

    cdef inline Status add(self, int32_t row, int32_t begin, int32_t end) noexcept nogil:
        """Take a span that is not empty."""
        cdef Status status
        if self.n == self.capacity:
            status = self.reserve(1)
            if status != Status.OK:
                return status
        self.at[self.n].row, self.at[self.n].begin, self.at[self.n].end = row, begin, end
        self.n += 1
        self.top, self.bottom = min(self.top, row), max(self.bottom, row)
        self.left, self.right = min(self.left, begin), max(self.right, end)
        return Status.OK
