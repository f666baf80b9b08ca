"""Scratch for one polygon: where its outlines cross each of a range of lines.

A line is a column of pixel centres or a row of them, and a place says where on it. Crossings are
counted first, then put, so that each line has its own behind one another::

    crossings.begin(first, last)        lines first to last
    crossings.expect(first, last)       for each edge: it crosses these lines, once each
    crossings.arrange()
    crossings.put(line, place, part)    as many as were expected of each line
    crossings.sort()                    line k has at[start[k - first]:start[k - first + 1]]
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Fault, Status


cdef struct Crossing:
    int32_t place
    uint32_t part


@cython.final
cdef class Crossings:
    cdef:
        int32_t first, last         # no lines where last < first
        int32_t* start
        Crossing* at
        int64_t n
        uint8_t* inside             # for each part, whether the sweep is in it
        Py_ssize_t start_capacity, capacity, inside_capacity

    cdef Status begin(self, int32_t first, int32_t last) noexcept nogil
    cdef Fault arrange(self) noexcept nogil
    cdef void sort(self) noexcept nogil
    cdef Status unite(self, Py_ssize_t n_parts, int32_t h, Edges mask) noexcept nogil

    cdef inline void expect(self, int32_t first, int32_t last) noexcept nogil:
        # start[k + 2] first says how many more edges cross line k than line k - 1
        self.start[first - self.first + 2] += 1
        self.start[last - self.first + 3] -= 1
        self.n += last - first + 1

    cdef inline void put(self, int32_t line, int32_t place, uint32_t part) noexcept nogil:
        cdef int32_t* end = self.start + (line - self.first + 1)
        self.at[end[0]].place, self.at[end[0]].part = place, part
        end[0] += 1
