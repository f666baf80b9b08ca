"""Walking over JSON text without parsing it."""

from libc.stdint cimport uint8_t


cdef enum Kind:
    # bits, so that a set of kinds is one number
    ABSENT = 0
    NULL_VALUE = 1
    BOOLEAN = 2
    INTEGER = 4
    FLOAT = 8
    TEXT = 16
    ARRAY = 32
    OBJECT = 64
    LARGE_INTEGER = 128     # that 64 bits do not hold
    BEYOND_FLOAT = 256      # in sets only, beside INTEGER: one of them is beyond 2**53


cdef struct Step:
    # one value: where it ends, and what it is; `kind` ABSENT where the text ends before it does
    const uint8_t* stop
    Kind kind
    bint is_bad         # `stop` is then the first wrong byte


cdef const uint8_t* after_spaces(const uint8_t* p, const uint8_t* end) noexcept nogil
cdef const uint8_t* after_string(const uint8_t* p, const uint8_t* end) noexcept nogil
cdef bint is_beyond_float(const uint8_t* p, Py_ssize_t n) noexcept nogil
cdef Step after_value(const uint8_t* p, const uint8_t* end) noexcept nogil
