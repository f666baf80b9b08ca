"""Arrays that grow."""

from libc.stdlib cimport realloc

from compactmask._kernels.status cimport NO_MEMORY, OK, Status


cdef enum:
    LEAST = 1024                # items of an array, once it has any


cdef inline Status make_room(
    void** array, Py_ssize_t* capacity, Py_ssize_t needed, size_t size
) noexcept nogil:
    """Make room for `needed` items of `size` bytes, and at once for twice as many as before.

    Arrays side by side share a capacity: all but the last are given a copy of it.
    """
    cdef Py_ssize_t larger
    cdef void* at
    if needed <= capacity[0]:
        return OK
    larger = max(2 * capacity[0], needed, LEAST)
    at = realloc(array[0], <size_t>larger * size)
    if at == NULL:
        return NO_MEMORY
    array[0], capacity[0] = at, larger
    return OK
