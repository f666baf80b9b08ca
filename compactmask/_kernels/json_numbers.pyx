"""JSON numbers that were found in a text, as columns."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from compactmask._kernels.json_scan cimport (
    ABSENT,
    ARRAY,
    FLOAT,
    INTEGER,
    NULL_VALUE,
    Step,
    after_spaces,
    after_value,
)


cdef enum:
    EXACT_DIGITS = 19       # fit into 64 bits
    LONG = 400              # characters of a number that is left to Python

cdef double[23] POWERS = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]


def integers(
    const uint8_t[::1] text,
    const int64_t[:, ::1] spans,
    const uint8_t[::1] kinds,
    int64_t[::1] out,
    uint8_t[::1] odd,
):
    """Read integers of 64 bits.

    Parameters
    ----------
    text : bytes-like
        A piece of a document.
    spans : ndarray of int64, shape (n, 2)
        Where the values begin and end, as `json_objects` found them.
    kinds : ndarray of uint8, shape (n,)
        What they are.
    out : ndarray of int64, shape (n,)
        Where they go; left as it is where there is none, or null.
    odd : ndarray of uint8, shape (n,)
        Set to 1 where a value is neither, nor an integer that fits.
    """
    cdef:
        Py_ssize_t i
        int64_t value = 0
        bint is_read
    check(text, spans, kinds, odd)
    if out.shape[0] != kinds.shape[0]:
        raise ValueError("out and kinds differ")
    with nogil:
        for i in range(kinds.shape[0]):
            if kinds[i] == ABSENT or kinds[i] == NULL_VALUE:
                continue
            is_read = kinds[i] == INTEGER
            is_read = is_read and to_integer(&text[spans[i, 0]], spans[i, 1] - spans[i, 0], &value)
            if is_read:
                out[i] = value
            else:
                odd[i] = 1


def floats(
    const uint8_t[::1] text,
    const int64_t[:, ::1] spans,
    const uint8_t[::1] kinds,
    double[::1] out,
    uint8_t[::1] odd,
):
    """Read numbers, correctly rounded; parameters as of `integers`, `out` of float64."""
    cdef:
        Py_ssize_t i
        double value = 0
        bint is_read
    check(text, spans, kinds, odd)
    if out.shape[0] != kinds.shape[0]:
        raise ValueError("out and kinds differ")
    with nogil:
        for i in range(kinds.shape[0]):
            if kinds[i] == ABSENT or kinds[i] == NULL_VALUE:
                continue
            is_read = kinds[i] == INTEGER or kinds[i] == FLOAT
            is_read = is_read and to_float(&text[spans[i, 0]], spans[i, 1] - spans[i, 0], &value)
            if is_read:
                out[i] = value
            else:
                odd[i] = 1


def quadruples(
    const uint8_t[::1] text,
    const int64_t[:, ::1] spans,
    const uint8_t[::1] kinds,
    double[:, ::1] out,
    uint8_t[::1] odd,
):
    """Read arrays of four numbers; parameters as of `integers`, `out` of float64, shape (n, 4)."""
    cdef:
        Py_ssize_t i
        bint is_read
    check(text, spans, kinds, odd)
    if out.shape[0] != kinds.shape[0] or out.shape[1] != 4:
        raise ValueError("out and kinds differ")
    with nogil:
        for i in range(kinds.shape[0]):
            if kinds[i] == ABSENT or kinds[i] == NULL_VALUE:
                continue
            is_read = kinds[i] == ARRAY
            is_read = is_read and to_four(&text[spans[i, 0]], &text[spans[i, 1] - 1], &out[i, 0])
            if not is_read:
                odd[i] = 1


cdef int check(
    const uint8_t[::1] text,
    const int64_t[:, ::1] spans,
    const uint8_t[::1] kinds,
    const uint8_t[::1] odd,
) except -1:
    """Hold the spans to the text, so that no loop has to."""
    cdef Py_ssize_t i
    if spans.shape[0] != kinds.shape[0] or spans.shape[1] != 2 or odd.shape[0] != kinds.shape[0]:
        raise ValueError("spans, kinds and odd differ")
    for i in range(kinds.shape[0]):
        if kinds[i] != ABSENT and not 0 <= spans[i, 0] < spans[i, 1] <= text.shape[0]:
            raise IndexError(f"span {i} leaves the {text.shape[0]} bytes")
    return 0


cdef bint to_integer(const uint8_t* p, Py_ssize_t n, int64_t* value) noexcept nogil:
    """Read `-?[0-9]+`; False where 64 bits do not hold it."""
    cdef:
        bint is_negative = p[0] == b"-"
        uint64_t result = 0
        Py_ssize_t i
    if is_negative:
        p += 1
        n -= 1
    if n > EXACT_DIGITS:
        return False
    for i in range(n):
        result = 10 * result + (p[i] - 48)
    if result > (<uint64_t>1 << 63) - (not is_negative):
        return False
    if is_negative and result:
        value[0] = -<int64_t>(result - 1) - 1
    else:
        value[0] = <int64_t>result
    return True


cdef bint to_float(const uint8_t* p, Py_ssize_t n, double* value) noexcept nogil:
    """Read a number that follows the grammar.

    Up to 2**53 with a power of ten up to 10**22 both are exact, so that one operation rounds
    correctly (Clinger 1990, "How to read floating point numbers accurately").
    """
    cdef:
        const uint8_t* start = p
        const uint8_t* end = p + n
        bint is_negative = p[0] == b"-", is_small = True, exponent_is_negative = False
        uint64_t digits = 0
        int power = 0, exponent = 0
    if is_negative:
        p += 1
    if n > LONG or p[0] == b"N" or p[0] == b"I":
        return slow_float(start, n, value)
    while p < end and p[0] != b"e" and p[0] != b"E":
        if p[0] == b".":
            power = 1
        else:
            if digits >= <uint64_t>1 << 53:
                is_small = False
                break
            digits = 10 * digits + (p[0] - 48)
            exponent -= power
        p += 1
    if not is_small or digits > <uint64_t>1 << 53:
        return slow_float(start, n, value)
    if p < end:
        power = 0
        p += 1
        exponent_is_negative = p[0] == b"-"
        if p[0] == b"-" or p[0] == b"+":
            p += 1
        while p < end:
            power = 10 * power + (p[0] - 48)
            if power > LONG:
                return slow_float(start, n, value)
            p += 1
        exponent += -power if exponent_is_negative else power
    if exponent < -22 or exponent > 22:
        return slow_float(start, n, value)
    value[0] = <double>digits
    if exponent < 0:
        value[0] /= POWERS[-exponent]
    else:
        value[0] *= POWERS[exponent]
    if is_negative:
        value[0] = -value[0]
    return True


cdef bint slow_float(const uint8_t* p, Py_ssize_t n, double* value) noexcept with gil:
    try:
        value[0] = float(p[:n])
    except Exception:
        return False
    return True


cdef bint to_four(const uint8_t* p, const uint8_t* last, double* out) noexcept nogil:
    """Read an array whose brackets are at `p` and `last`; False where it is not four numbers."""
    cdef:
        Step step
        Py_ssize_t i
    for i in range(4):
        p = after_spaces(p + 1, last)
        if p == last:
            return False
        step = after_value(p, last + 1)
        if step.kind != INTEGER and step.kind != FLOAT:
            return False
        if not to_float(p, step.stop - p, &out[i]):
            return False
        p = after_spaces(step.stop, last)
        if (p == last) != (i == 3) or (i < 3 and p[0] != b","):
            return False
    return True
