"""Two masks to one, pixel by pixel."""

from libc.stdint cimport int32_t

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport Status


cdef enum Operation:
    # bit `in_a + 2 * in_b` says whether such a pixel is in the result
    MINUS = 0b0010
    XOR = 0b0110
    AND = 0b1000
    OR = 0b1110


cdef inline bint keeps_a(Operation operation) noexcept nogil:
    """Tell whether pixels of the first mask alone stay."""
    return operation >> 1 & 1


cdef inline bint keeps_b(Operation operation) noexcept nogil:
    return operation >> 2 & 1


cdef inline Py_ssize_t combine_rows(
    Operation operation,
    const int32_t* a,
    Py_ssize_t n,
    int32_t down_a,
    const int32_t* b,
    Py_ssize_t m,
    int32_t down_b,
    int32_t* out,
) noexcept nogil:
    """Write the edges of one column, `n` of a and `m` of b moved down, and return how many.

    The cursors i and j go to the next row where either mask changes. There is room for
    ``n + m`` edges; every row is written, and kept where the result changes, too.
    """
    cdef:
        Py_ssize_t i = 0, j = 0, k = 0
        int32_t row_a, row_b
        int is_a, is_b, inside = 0, value = 0, before
    if n > 0 and m > 0:
        if b[m - 1] + down_b < a[0] + down_a:       # all of b lies above
            if keeps_b(operation):
                k = copy_rows(b, 0, m, down_b, out)
            j = m
        elif a[n - 1] + down_a < b[0] + down_b:
            if keeps_a(operation):
                k = copy_rows(a, 0, n, down_a, out)
            i = n
    while i < n and j < m:
        row_a, row_b = a[i] + down_a, b[j] + down_b
        is_a, is_b = row_a <= row_b, row_b <= row_a
        i += is_a
        j += is_b
        inside ^= is_a + 2 * is_b
        before = value
        value = <int>operation >> inside & 1
        out[k] = row_a if is_a else row_b
        k += value != before
    # one of them has ended: nothing but the other
    if keeps_a(operation):
        k += copy_rows(a, i, n, down_a, out + k)
    if keeps_b(operation):
        k += copy_rows(b, j, m, down_b, out + k)
    return k


cdef inline Py_ssize_t copy_rows(
    const int32_t* rows, Py_ssize_t first, Py_ssize_t beyond, int32_t down, int32_t* out
) noexcept nogil:
    """Write edges moved down and return how many."""
    cdef Py_ssize_t k
    for k in range(first, beyond):
        out[k - first] = rows[k] + down
    return beyond - first


cdef Status combine(Operation operation, Edges a, Edges b, Edges out) noexcept nogil
