"""The runs of some lines of a label image, by their ids."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from compactmask._kernels.status cimport Status


cdef struct Run:
    int32_t line, begin, end


@cython.final
cdef class Register:
    """Ids in order of appearance, and how many runs each has."""

    cdef:
        uint64_t* ids
        Py_ssize_t* lengths
        uint32_t n
        Py_ssize_t capacity
        uint32_t* table         # id + 1 where its value's place is, 0: free; at most half full
        int bits

    cdef uint32_t find(self, uint64_t value) noexcept nogil
    cdef size_t last_place(self) noexcept nogil
    cdef Status add(self, uint64_t value) noexcept nogil
    cdef void enter(self, uint32_t i) noexcept nogil
    cdef Status grow_table(self) noexcept nogil
    cdef object values(self)


@cython.final
cdef class Scan:
    cdef:
        readonly object ids
        const uint64_t[::1] bits    # of the ids
        int64_t[::1] ends           # behind the runs of each id
        Run* runs                   # those of an id side by side, in order of lines
        uint32_t* owner             # which id each run has, while they are in order of lines
        Py_ssize_t n, capacity

    cdef Status read(self, const Py_buffer* lines, int32_t first, Register register) noexcept nogil
    cdef Status add_line(
        self,
        const void* line,
        int32_t y,
        Py_ssize_t length,
        int size,
        const uint8_t* changed,
        Register register,
    ) noexcept nogil
    cdef Status grow(self) noexcept nogil
    cdef Status sort(self, Register register) noexcept nogil
