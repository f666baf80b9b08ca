"""The edges of a mask's columns to its packed form."""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Status
from compactmask._kernels.words cimport Tables


cdef enum Change:
    KEEP
    CUT
    ADD


@cython.final
cdef class Encoder:
    """Gathers packed masks; its scratch serves them in turn.

    The line is the last column written: where its edges are, their last move and the one before.
    """

    cdef:
        const Tables* tables
        int32_t* line
        int32_t* last
        int32_t* before_last
        int32_t* changed            # the same three while operations change the line
        int32_t* changed_last
        int32_t* changed_before_last
        Change* changes             # that one column needs
        Py_ssize_t line_capacity
        int32_t* d                  # moves of one stretch of columns
        int32_t* kept               # the same as remembered, behind two columns from before
        int32_t* symbols
        Py_ssize_t stretch_capacity
        uint8_t* out                # packed bytes written so far
        Py_ssize_t n_out, out_capacity

    cdef Status encode(self, Edges mask) noexcept nogil
    cdef Status change_line(self, const int32_t* rows, Py_ssize_t n, Py_ssize_t m) noexcept nogil
    cdef void reset(self, const int32_t* rows, Py_ssize_t n) noexcept nogil
    cdef Status put_stretch(
        self, const int32_t* rows, Py_ssize_t columns, Py_ssize_t m
    ) noexcept nogil
    cdef void put_words(self, const int32_t* symbols, Py_ssize_t n) noexcept nogil
    cdef void put_number(self, uint32_t value) noexcept nogil
    cdef void put_count(self, uint8_t op, uint32_t count) noexcept nogil
    cdef void put_indexed(self, uint8_t op, Py_ssize_t k) noexcept nogil
    cdef void prefer_runs(self, Edges mask, Py_ssize_t begin) noexcept nogil
    cdef Status reserve_line(self, Py_ssize_t n) noexcept nogil
    cdef Status reserve_stretch(self, Py_ssize_t n) noexcept nogil
    cdef Status reserve_out(self, Py_ssize_t more) noexcept nogil
