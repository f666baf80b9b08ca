"""How a loop without the GIL says what went wrong, and the one place that turns it into an error."""

from libc.stdint cimport int64_t


cdef enum Status:
    OK
    NO_MEMORY
    # packed bytes
    TRUNCATED
    UNFINISHED_COLUMN
    RESERVED_BYTE
    INSIDE_COLUMN
    NO_EDGES
    BACKWARDS
    BAD_INDEX
    TOO_MANY_EDGES
    BAD_ORDER
    TOO_MANY_COLUMNS
    TOO_FEW_COLUMNS
    BAD_VARINT
    ZERO_COUNT
    BAD_RUNS
    # COCO strings and run lengths
    BAD_CHARACTER
    LONG_NUMBER
    NEGATIVE_RUN
    WRONG_SUM
    # sets
    WRONG_AREA
    LARGE_CROP
    TOO_LARGE
    # polygons
    TOO_MANY_CROSSINGS


cdef struct Fault:
    # what `fail` needs to write a message
    Status status
    Py_ssize_t mask     # -1: there is only one
    Py_ssize_t at       # byte or item in the input
    int64_t found
    int64_t expected


cdef inline Fault fault_of(Status status, Py_ssize_t mask) noexcept nogil:
    cdef Fault fault
    fault.status, fault.mask, fault.at = status, mask, 0
    fault.found = fault.expected = 0
    return fault


cdef int fail(Fault fault) except -1
