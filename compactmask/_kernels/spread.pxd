"""One mask grown by a square, a cross or a disk, on the edges of its columns."""

cimport cython
from libc.stdint cimport int32_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Status


cdef struct Place:
    # the box in which a result is wanted
    int32_t x, y, h, w


@cython.final
cdef class Sides:
    """The columns of a mask that have pixels without a True neighbour on one side."""

    cdef:
        Edges edges                 # of those pixels, in columns without gaps
        int32_t* column             # where each of them is in the mask
        Py_ssize_t n, capacity

    cdef Status cut(self, Edges mask, int32_t step) noexcept nogil


@cython.final
cdef class Spread:
    """A dilation by one element, and scratch for it."""

    cdef:
        int32_t radius
        int element
        int32_t* reach              # of the disk up and down, at each distance to the side
        Edges tall, level, wide     # columns grown by the radius, by 0, and joined
        Edges head, tail            # joined from their block's first column on, and to its last
        Sides left, right
        Edges piece, total, sum     # one column at work

    cdef Status run(self, Edges mask, Place box, Edges out) noexcept nogil
    cdef Status join(self, Edges mask, Place box, Edges out) noexcept nogil
    cdef Status join_disk(self, Edges mask, Place box, Edges out) noexcept nogil
    cdef Status absorb(
        self, Sides sides, Py_ssize_t i, int32_t distance, int32_t shift, int32_t h
    ) noexcept nogil
