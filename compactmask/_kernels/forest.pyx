"""Union-find: every node names itself, being a root, or one before it."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport free, realloc

from compactmask._kernels.status cimport NO_MEMORY, OK, Status


cdef class Forest:
    def __dealloc__(self):
        free(self.parent)

    cdef Status begin(self, Py_ssize_t n) noexcept nogil:
        """Make `n` roots."""
        cdef Py_ssize_t i
        cdef uint32_t* parent
        if n > self.capacity:
            parent = <uint32_t*>realloc(self.parent, n * sizeof(uint32_t))
            if parent == NULL:
                return NO_MEMORY
            self.parent = parent
            self.capacity = n
        for i in range(n):
            self.parent[i] = <uint32_t>i
        return OK
