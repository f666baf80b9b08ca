"""COCO counts strings from and to run lengths."""

cimport cython
from libc.stdint cimport int64_t

from compactmask._kernels.edges cimport Runs
from compactmask._kernels.status cimport Fault, Status


cdef const char* characters(object text, Py_ssize_t mask, Py_ssize_t* n) except NULL
cdef Fault read_text(const char* text, Py_ssize_t n, int64_t pixels, Runs runs) noexcept nogil
cdef int fail_text(Fault fault) except -1


@cython.final
cdef class Texts:
    """Gathers the counts strings of `n` masks."""

    cdef:
        char* text
        Py_ssize_t used, capacity
        Py_ssize_t* ends
        Py_ssize_t n

    cdef Status add(self, const int64_t* runs, Py_ssize_t n) noexcept nogil
    cdef list finish(self)
