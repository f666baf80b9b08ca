"""COCO counts strings from and to run lengths.

A counts string writes each run, less the run two before it from the fourth on, as base-32 digits,
lowest first, in the characters 48 to 111: bit 5 says that more digits follow, and bit 4 of the
last digit is the sign (cocodataset/cocoapi, maskApi.c).
"""

from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc, realloc

from compactmask._kernels.edges cimport Runs
from compactmask._kernels.status cimport (
    BAD_CHARACTER,
    LONG_NUMBER,
    NEGATIVE_RUN,
    NO_MEMORY,
    OK,
    Fault,
    Status,
    fault_of,
)

from compactmask.errors import InvalidMaskError

cdef enum:
    MAX_DIGITS = 12         # of a number, 5 bits each


cdef const char* characters(object text, Py_ssize_t mask, Py_ssize_t* n) except NULL:
    """Point at the characters of a str or bytes."""
    if isinstance(text, bytes):
        n[0] = len(<bytes>text)
        return <const char*><bytes>text
    if not (<str?>text).isascii():
        raise InvalidMaskError(f"mask {mask}: the counts string is not ASCII")
    return PyUnicode_AsUTF8AndSize(text, n)


cdef int fail_text(Fault fault) except -1:
    """Raise what only a counts string has wrong."""
    if fault.status == BAD_CHARACTER and fault.found < 0:
        raise InvalidMaskError(
            f"mask {fault.mask}: the counts string ends at character {fault.at} inside a number"
        )
    return 0


cdef Fault read_text(const char* text, Py_ssize_t n, int64_t pixels, Runs runs) noexcept nogil:
    """Append the runs of a counts string; each is held against `pixels`."""
    cdef:
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i = 0, k = 0
        int64_t* at
        int64_t run
        int shift
        unsigned int digit
    if runs.reserve(n) != OK:
        fault.status = NO_MEMORY
        return fault
    at = runs.at + runs.n
    while i < n:
        digit = <unsigned int><uint8_t>text[i] - 48
        run = digit & 31
        shift = 5
        i += 1
        while digit & 32 and digit < 64 and i < n and shift < 5 * MAX_DIGITS:
            digit = <unsigned int><uint8_t>text[i] - 48
            run |= <int64_t>(digit & 31) << shift
            shift += 5
            i += 1
        if digit > 31:      # also what was below 48
            if digit > 63:
                fault.status, fault.at, fault.found = BAD_CHARACTER, i - 1, <uint8_t>text[i - 1]
            elif i == n:
                fault.status, fault.at, fault.found = BAD_CHARACTER, n, -1
            else:
                fault.status, fault.at = LONG_NUMBER, i
                fault.found, fault.expected = MAX_DIGITS + 1, MAX_DIGITS
            return fault
        run -= <int64_t>(digit >> 4) << shift       # the sign
        if k > 2:
            run += at[k - 2]
        if run < 0 or run > pixels:
            fault.status, fault.at = NEGATIVE_RUN, k
            fault.found, fault.expected = run, pixels
            return fault
        at[k] = run
        k += 1
    runs.n += k
    return fault


cdef class Texts:
    def __cinit__(self, Py_ssize_t n):
        self.ends = <Py_ssize_t*>malloc(max(n, 1) * sizeof(Py_ssize_t))
        if self.ends == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.ends)
        free(self.text)

    cdef Status add(self, const int64_t* runs, Py_ssize_t n) noexcept nogil:
        """Write the runs of the next mask."""
        cdef Py_ssize_t capacity
        cdef char* text
        if self.used + 9 * n > self.capacity:
            capacity = max(2 * self.capacity, self.used + 9 * n)
            text = <char*>realloc(self.text, capacity)
            if text == NULL:
                return NO_MEMORY
            self.text = text
            self.capacity = capacity
        self.used += put_runs(runs, n, self.text + self.used)
        self.ends[self.n] = self.used
        self.n += 1
        return OK

    cdef list finish(self):
        """Return the strings."""
        cdef Py_ssize_t begin = 0, i
        cdef list result = [None] * self.n
        for i in range(self.n):
            result[i] = self.text[begin : self.ends[i]].decode("ascii")
            begin = self.ends[i]
        return result


cdef Py_ssize_t put_runs(const int64_t* runs, Py_ssize_t n, char* text) noexcept nogil:
    """Write runs as a counts string of at most 9 characters a run; return its length.

    Nearly all numbers have one or two digits, at random: those are written without a branch.
    """
    cdef:
        char* to = text
        Py_ssize_t k
        int64_t value
        int digit
        bint is_more
    for k in range(n):
        value = runs[k]
        if k > 2:
            value -= runs[k - 2]
        if -512 <= value < 512:
            is_more = value < -16 or value > 15
            to[0] = <char>((value & 31 | <int>is_more << 5) + 48)
            to[1] = <char>((value >> 5 & 31) + 48)
            to += 1 + is_more
            continue
        is_more = True
        while is_more:
            digit = <int>(value & 31)
            value >>= 5
            is_more = value != -1 if digit & 16 else value != 0
            to[0] = <char>((digit | 32 if is_more else digit) + 48)
            to += 1
    return to - text
