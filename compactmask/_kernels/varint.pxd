"""Numbers of 7 bits a byte, lowest first (unsigned LEB128), at most 5 bytes."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from compactmask._kernels.status cimport BAD_VARINT, TRUNCATED, Status


cdef inline Py_ssize_t varint_length(uint32_t value) noexcept nogil:
    if value < 128:
        return 1
    if value < 16384:
        return 2
    if value < 2097152:
        return 3
    return 4 if value < 268435456 else 5


cdef inline uint8_t* put_varint(uint8_t* to, uint32_t value) noexcept nogil:
    """Write a number; return the place behind it."""
    while value >= 128:
        to[0] = <uint8_t>(value & 127 | 128)
        value >>= 7
        to += 1
    to[0] = <uint8_t>value
    return to + 1


cdef inline bint get_varint(
    const uint8_t** at, const uint8_t* end, uint32_t limit, uint32_t* value, Status* status
) noexcept nogil:
    """Read a number of at most `limit` and step behind it; on failure leave `at` alone."""
    cdef const uint8_t* p = at[0]
    cdef uint64_t result = 0
    cdef uint8_t byte
    cdef int shift = 0
    while True:
        if p == end:
            status[0] = TRUNCATED
            return False
        byte = p[0]
        result |= <uint64_t>(byte & 127) << shift
        p += 1
        if byte < 128:
            break
        shift += 7
        if shift > 28:
            status[0] = BAD_VARINT
            return False
    if result > limit:
        status[0] = BAD_VARINT
        return False
    value[0] = <uint32_t>result
    at[0] = p
    return True
