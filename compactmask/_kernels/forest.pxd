"""Union-find: every node names itself, being a root, or one before it."""

cimport cython
from libc.stdint cimport uint32_t

from compactmask._kernels.status cimport Status


@cython.final
cdef class Forest:
    cdef uint32_t* parent
    cdef Py_ssize_t capacity

    cdef Status begin(self, Py_ssize_t n) noexcept nogil

    cdef inline uint32_t root(self, uint32_t i) noexcept nogil:
        """Go to a node's root, and halve the path for the next time."""
        cdef uint32_t* parent = self.parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    cdef inline void join(self, uint32_t i, uint32_t j) noexcept nogil:
        """Give two nodes one root, the first of theirs."""
        i, j = self.root(i), self.root(j)
        self.parent[max(i, j)] = min(i, j)
