"""The packed form of one mask (formats/ENCODING.md) from and to the edges of its columns."""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Fault, Status


cdef enum Change:
    KEEP
    CUT
    ADD


@cython.final
cdef class Coder:
    """Scratch of the codec; one serves many masks in turn.

    The line is the column that the next symbols move: where its edges are, and for each of
    them the last two moves as one index into the tables of predictions.
    """

    cdef:
        int32_t* line
        uint16_t* moves
        Py_ssize_t line_capacity
        int32_t* symbols
        Py_ssize_t n_symbols, symbol_capacity
        uint8_t* out                # packed bytes written so far
        Py_ssize_t n_out, out_capacity

    cdef Status encode(self, Edges mask) noexcept nogil
    cdef bint follows(self, const int32_t* rows, Py_ssize_t n) noexcept nogil
    cdef Status change_line(self, const int32_t* rows, Py_ssize_t n, Py_ssize_t m) noexcept nogil
    cdef Change choose(
        self, const int32_t* rows, Py_ssize_t n, const int32_t* line, Py_ssize_t m
    ) noexcept nogil
    cdef void reset_line(self, const int32_t* rows, Py_ssize_t n) noexcept nogil
    cdef void put_count(self, uint8_t op, uint32_t count) noexcept nogil
    cdef void put_indexed(self, uint8_t op, Py_ssize_t k) noexcept nogil
    cdef Status put_words(self, Py_ssize_t n, Py_ssize_t still) noexcept nogil
    cdef Status prefer_runs(self, Edges mask, Py_ssize_t begin) noexcept nogil
    cdef Fault decode(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil
    cdef Status finish_column(self, Py_ssize_t m, Edges mask) noexcept nogil
    cdef Fault decode_runs(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil
    cdef Status reserve_line(self, Py_ssize_t n) noexcept nogil
    cdef Status reserve_out(self, Py_ssize_t more) noexcept nogil
    cdef Status reserve_symbols(self, Py_ssize_t more) noexcept nogil
