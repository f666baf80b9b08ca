"""Rows and columns of one unpacked mask exchanged, for other kernels too."""

cimport cython
from libc.stdint cimport int32_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Status


cdef struct Span:
    # rows begin to end, exclusive, in which column x is not as the one before
    int32_t x, begin, end


@cython.final
cdef class Transposer:
    """Scratch for exchanging rows and columns; one serves many masks in turn."""

    cdef:
        Span* spans
        Py_ssize_t capacity

    cdef Status transpose(self, Edges mask, Edges out) noexcept nogil
    cdef Py_ssize_t find_spans(self, Edges mask) noexcept nogil
