"""The packed form of one mask to the edges of its columns."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Fault, Status
from compactmask._kernels.words cimport Edge, Tables


@cython.final
cdef class Decoder:
    """Scratch of the decoder; one serves many masks in turn.

    The line is the column that the next symbols move: where its edges are, and for each of
    them the last two moves as an index into the table of steps.
    """

    cdef:
        const Tables* tables
        Edge* line
        Edge* changed               # the line as CUT and ADD make it, while they do
        Py_ssize_t capacity
        int64_t* counts             # of a mask that is packed as run lengths

    cdef Fault decode(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil
    cdef Fault decode_runs(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil
    cdef Fault edit_line(
        self,
        const uint8_t** at,
        const uint8_t* end,
        const uint8_t* data,
        Py_ssize_t* m,
        Edges mask,
    ) noexcept nogil
    cdef Status move_edges(
        self, const uint8_t* symbols, Py_ssize_t n, Py_ssize_t m, Py_ssize_t* place, Edges mask
    ) noexcept nogil
    cdef Status move_columns(
        self, const uint8_t* symbols, Py_ssize_t columns, Py_ssize_t m, Edges mask
    ) noexcept nogil
    cdef Status reserve(self, Py_ssize_t n) noexcept nogil
