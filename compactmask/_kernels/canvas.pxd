"""An image in which masks gather: the sorted edges of each column that has any."""

cimport cython
from libc.stdint cimport int32_t

from compactmask._kernels.block cimport View
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Status


cdef struct Column:
    Py_ssize_t start                # of its rows
    int32_t n, capacity


@cython.final
cdef class Canvas:
    """Rows are those of the image. A column whose edges no longer fit moves behind all others.

    Its room doubles when it moves, so what it leaves behind is less than what it has.
    """

    cdef:
        int32_t x1, x2              # columns that it may have, x2 exclusive
        Column* columns             # x2 - x1
        int32_t* rows
        Py_ssize_t n_rows, capacity
        int32_t* merged             # scratch for one column
        Py_ssize_t merged_capacity

    cdef Status begin(self, View* view) noexcept nogil
    cdef Status join(self, Edges mask) noexcept nogil
    cdef Status cut(self, Edges mask, Edges out) noexcept nogil
    cdef Status read(self, Edges out, int32_t height) noexcept nogil
    cdef Status merge(
        self, Column* column, const int32_t* rows, int32_t n, int32_t down
    ) noexcept nogil
    cdef Status move(self, Column* column, int32_t n) noexcept nogil
