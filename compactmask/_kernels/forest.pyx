"""Union-find: every node names itself, being a root, or one before it."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free

from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Status


cdef class Forest:
    def __dealloc__(self):
        free(self.parent)

    cdef Status begin(self, Py_ssize_t n) noexcept nogil:
        """Make `n` roots."""
        cdef Py_ssize_t i
        if make_room(<void**>&self.parent, &self.capacity, n, sizeof(uint32_t)) != OK:
            return NO_MEMORY
        for i in range(n):
            self.parent[i] = <uint32_t>i
        return OK
