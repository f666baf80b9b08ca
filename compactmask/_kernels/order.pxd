"""The crossings of a line and the spans of a row sorted: mostly a few, mostly almost in order."""

from libc.stdlib cimport qsort

from compactmask._kernels.crossings cimport Crossing
from compactmask._kernels.spans cimport Span


cdef enum:
    SHORT = 24                  # items that insertion sorts fastest


ctypedef fused Item:
    Crossing
    Span


cdef inline void sort(
    Item* at, Py_ssize_t n, int (*compare)(const void*, const void*) noexcept nogil
) noexcept nogil:
    """Sort `n` items as `qsort` does."""
    cdef Py_ssize_t k, hole
    cdef Item moved
    if n > SHORT:
        qsort(at, n, sizeof(Item), compare)
        return
    for k in range(1, n):
        moved = at[k]
        hole = k
        while hole > 0 and compare(at + hole - 1, &moved) > 0:
            at[hole] = at[hole - 1]
            hole -= 1
        at[hole] = moved
