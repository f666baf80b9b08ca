"""Walking over JSON text without parsing it (RFC 8259, with the NaN and Infinity of Python's json).

Strings, numbers and literals are told apart and numbers are held to the grammar. Of arrays and
objects only the end is looked for: brackets are counted, strings are passed over. More of them
inside each other than MOST_BRACKETS are no value: whatever follows the text may then recurse.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp, strlen

MOST_BRACKETS = DEEPEST

cdef enum:
    DEEPEST = 256
    MOST_DIGITS = 19        # of an integer that fits into 64 bits
    FLOAT_DIGITS = 16       # of 2**53

KINDS = {
    "null": NULL_VALUE,
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "float": FLOAT,
    "text": TEXT,
    "array": ARRAY,
    "object": OBJECT,
    "large integer": LARGE_INTEGER,
    "beyond float": BEYOND_FLOAT,
}


def value_at(const uint8_t[::1] text, Py_ssize_t start):
    """Find the end of a value.

    Parameters
    ----------
    text : bytes-like
        A piece of a document.
    start : int
        Where the value begins.

    Returns
    -------
    stop : int
        The position after it; of the first wrong byte where it is bad.
    kind : int
        Which of KINDS; 0 where the piece ends before it does.
    is_bad : bool
        Whether it is no value.
    """
    cdef:
        const uint8_t* base = &text[0] if text.shape[0] else NULL
        Step step
    if not 0 <= start < text.shape[0]:
        return start, 0, False
    with nogil:
        step = after_value(base + start, base + text.shape[0])
    return step.stop - base, <int>step.kind, step.is_bad


cdef const uint8_t* after_spaces(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Pass over white space."""
    while p < end and (p[0] == b" " or p[0] == b"\n" or p[0] == b"\r" or p[0] == b"\t"):
        p += 1
    return p


cdef const uint8_t* after_string(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Pass over the rest of a string and its quote; NULL where the text ends before."""
    cdef:
        const uint8_t* quote
        const uint8_t* slash
    while True:
        quote = <const uint8_t*>memchr(p, b'"', end - p)
        if quote == NULL:
            return NULL
        while p <= quote:
            slash = <const uint8_t*>memchr(p, b"\\", quote - p)
            if slash == NULL:
                return quote + 1
            p = slash + 2   # quote + 1 where the quote is the escaped character


cdef Step after_value(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Pass over the value that begins at `p`, where `p < end`."""
    cdef Step step
    step.is_bad = False
    step.kind = ABSENT
    if p[0] == b'"':
        step.stop = after_string(p + 1, end)
        if step.stop == NULL:
            step.stop = end
        else:
            step.kind = TEXT
    elif p[0] == b"[" or p[0] == b"{":
        step.stop = after_brackets(p, end, &step.is_bad)
        if step.stop == NULL:
            step.stop = end
        elif step.is_bad:
            return step
        else:
            step.kind = ARRAY if p[0] == b"[" else OBJECT
    elif p[0] == b"n":
        step = after_word(p, end, b"null", NULL_VALUE)
    elif p[0] == b"t":
        step = after_word(p, end, b"true", BOOLEAN)
    elif p[0] == b"f":
        step = after_word(p, end, b"false", BOOLEAN)
    elif p[0] == b"N":
        step = after_word(p, end, b"NaN", FLOAT)
    elif p[0] == b"I":
        step = after_word(p, end, b"Infinity", FLOAT)
    elif p[0] == b"-" and p + 1 < end and p[1] == b"I":
        step = after_word(p, end, b"-Infinity", FLOAT)
    else:
        step = after_number(p, end)
    return step


cdef Step after_word(
    const uint8_t* p, const uint8_t* end, const char* word, Kind kind
) noexcept nogil:
    cdef:
        Step step
        Py_ssize_t i, n = strlen(word)
    step.is_bad = False
    step.kind = ABSENT
    for i in range(n):
        step.stop = p + i
        if step.stop == end:
            return step
        if step.stop[0] != <uint8_t>word[i]:
            step.is_bad = True
            return step
    step.stop = p + n
    step.kind = kind
    return step


cdef Step after_number(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Pass over a number; one at the very end of the text may go on."""
    cdef:
        Step step
        Kind kind = INTEGER
        const uint8_t* digits
        bint is_negative = p[0] == b"-"
    step.kind = ABSENT
    step.is_bad = False
    if is_negative:
        p += 1
    digits = p
    p = after_digits(p, end)
    step.is_bad = p < end and (p == digits or (digits[0] == b"0" and p - digits > 1))
    if p - digits >= MOST_DIGITS and not fits(digits, p - digits, is_negative):
        kind = LARGE_INTEGER
    if p < end and p[0] == b"." and not step.is_bad:
        kind = FLOAT
        digits = p + 1
        p = after_digits(digits, end)
        step.is_bad = p < end and p == digits
    if p < end and (p[0] == b"e" or p[0] == b"E") and not step.is_bad:
        kind = FLOAT
        digits = p + 1
        if digits < end and (digits[0] == b"+" or digits[0] == b"-"):
            digits += 1
        p = after_digits(digits, end)
        step.is_bad = p < end and p == digits
    step.stop = p
    if p < end and not step.is_bad:
        step.kind = kind
    return step


cdef bint fits(const uint8_t* digits, Py_ssize_t n, bint is_negative) noexcept nogil:
    """Tell whether an integer of MOST_DIGITS or more, the first of which is not 0, fits 64 bits."""
    cdef const char* last = b"9223372036854775808" if is_negative else b"9223372036854775807"
    return n == MOST_DIGITS and memcmp(digits, last, MOST_DIGITS) <= 0


cdef bint is_beyond_float(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Tell whether an integer is beyond 2**53 or -2**53, where float64 does not hold all."""
    if p[0] == b"-":
        p += 1
        n -= 1
    if n != FLOAT_DIGITS:
        return n > FLOAT_DIGITS
    return memcmp(p, <const char*>b"9007199254740992", FLOAT_DIGITS) > 0


cdef inline const uint8_t* after_digits(const uint8_t* p, const uint8_t* end) noexcept nogil:
    while p < end and b"0" <= p[0] <= b"9":
        p += 1
    return p


cdef const uint8_t* after_brackets(
    const uint8_t* p, const uint8_t* end, bint* is_bad
) noexcept nogil:
    """Pass over an array or object; NULL where the text ends before.

    Where too many are inside each other it gives the first bracket too much, and sets `is_bad`.
    """
    cdef Py_ssize_t depth = 0
    while p < end:
        # Between these five characters are digits, most of the time.
        if p[0] < b'"' or (b'"' < p[0] < b"[") or b"]" < p[0] < b"{":
            p += 1
            continue
        if p[0] == b'"':
            p = after_string(p + 1, end)
            if p == NULL:
                return NULL
            continue
        if p[0] == b"[" or p[0] == b"{":
            depth += 1
            if depth > DEEPEST:
                is_bad[0] = True
                return p
        elif p[0] == b"]" or p[0] == b"}":
            depth -= 1
            if depth == 0:
                return p + 1
        p += 1
    return NULL
