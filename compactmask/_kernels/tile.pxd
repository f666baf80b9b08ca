"""Some masks of a block side by side in memory, ready to be laid over each other."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from compactmask._kernels.block cimport View
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Fault, Status


cdef struct Figure:
    # a mask with a True pixel at least
    Py_ssize_t index            # which it is, as the user of the tile counts
    int64_t area
    int32_t x1, y1, x2, y2      # the tight box in the image, behind the last pixel
    Py_ssize_t plane            # where its bits are in `words`, -1 where it is held as edges
    Py_ssize_t start            # else where its columns are in `starts`, one more than it is wide


@cython.final
cdef class Tile:
    """Unpacked masks by the left side of their tight boxes, in memory that is used again."""

    cdef:
        Figure* figures
        int32_t* at                 # edges of all masks, as rows of the image
        Py_ssize_t* starts          # where each column of each mask starts in `at`
        uint64_t* words             # planes, as planes.h describes them
        readonly Py_ssize_t n
        Py_ssize_t n_at, n_starts, n_words
        Py_ssize_t capacity, at_capacity, starts_capacity, words_capacity
        int32_t x1, y1, x2, y2      # the box around them all, behind the last pixel
        int32_t width               # of the widest
        Edges mask
        Decoder decoder

    cdef void clear(self) noexcept nogil
    cdef bint is_full(self) noexcept nogil
    cdef Fault add(self, View* view, Py_ssize_t i, Py_ssize_t index) noexcept nogil
    cdef Status add_edges(self, Figure* figure) noexcept nogil
    cdef Status add_plane(self, Figure* figure, Py_ssize_t size) noexcept nogil
    cdef void sort(self) noexcept nogil
    cdef Py_ssize_t first_near(self, int32_t x) noexcept nogil


cdef int64_t shared(Tile a, const Figure* one, Tile b, const Figure* other) noexcept nogil
