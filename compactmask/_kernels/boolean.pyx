"""Or, and, minus and xor of packed masks, pair by pair, their complement, and what all share."""

from libc.stdint cimport int32_t

from compactmask._kernels.block cimport Builder, View, is_mirrored, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of

from compactmask.errors import ShapeMismatchError


def union(block, other):
    """Give the pixels of either mask; blocks are equally long, or one of them has one mask."""
    return combine_blocks(OR, block, other)


def intersection(block, other):
    """Give the pixels of both masks."""
    return combine_blocks(AND, block, other)


def difference(block, other):
    """Give the pixels of the first mask alone."""
    return combine_blocks(MINUS, block, other)


def symmetric_difference(block, other):
    """Give the pixels of one mask, but not of both."""
    return combine_blocks(XOR, block, other)


def complement(block):
    """Give the pixels of the image that no mask has, mask by mask."""
    cdef:
        View view
        Builder builder = Builder()
        Edges whole = Edges()
        Edges mask = Edges()
        Edges out = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        int32_t edges[2]
    look(block, &view)
    edges[0], edges[1] = 0, view.height
    with nogil:
        fault.status = whole.begin(0, 0, view.height, view.width)
        while fault.status == OK and whole.column < view.width:
            fault.status = whole.add_column(edges, 2)
        for i in range(view.n):
            if fault.status == OK:
                fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = combine(MINUS, whole, mask, out)
            if fault.status == OK and out.n == 0:
                fault.status = out.make_empty(mask.x, mask.y)
            if fault.status == OK:
                fault = builder.add(out)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


def common(block):
    """Give the pixels that all masks have, one mask at least, as a block of one."""
    cdef:
        View view
        Builder builder = Builder()
        Edges kept = Edges()
        Edges mask = Edges()
        Edges out = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        int32_t x, y
    look(block, &view)
    x, y = view.offsets[0], view.offsets[1]
    with nogil:
        fault = unpack(&view, 0, decoder, kept)
        kept.tighten()
        for i in range(1, view.n):
            if fault.status != OK or kept.n == 0:
                break
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = combine(AND, kept, mask, out)
            kept.swap(out)
        if fault.status == OK and kept.n == 0:
            fault.status = kept.make_empty(x, y)
        if fault.status == OK:
            fault = builder.add(kept)
    fail(fault)
    return builder.finish(view.height, view.width)


cdef combine_blocks(Operation operation, block, other):
    """Combine the masks of two blocks; the only one of a block is unpacked once."""
    cdef:
        View a, b
        Builder builder = Builder()
        Edges mask_a = Edges()
        Edges mask_b = Edges()
        Edges out = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, k, j, have_a = -1, have_b = -1
    look(block, &a)
    look(other, &b)
    if a.height != b.height or a.width != b.width:
        raise ShapeMismatchError(
            f"masks of image shapes ({a.height}, {a.width}) and ({b.height}, {b.width}): "
            "equal ones expected"
        )
    if a.n != b.n and a.n != 1 and b.n != 1:
        raise ShapeMismatchError(
            f"{a.n} masks and {b.n} masks: equally many expected, or one on either side"
        )
    with nogil:
        for i in range(b.n if a.n == 1 else a.n):
            k, j = i if a.n > 1 else 0, i if b.n > 1 else 0
            if not keeps_b(operation) and are_apart(&a, k, &b, j):
                if keeps_a(operation) and is_mirrored(&a):
                    fault = unpack(&a, k, decoder, mask_a)
                    have_a = k
                    if fault.status == OK:
                        fault = builder.add(mask_a)
                elif keeps_a(operation):
                    fault = builder.copy(&a, k, a.offsets[2 * k], a.offsets[2 * k + 1])
                else:
                    fault = builder.put_empty(a.offsets[2 * k], a.offsets[2 * k + 1])
            else:
                if k != have_a:
                    fault = unpack(&a, k, decoder, mask_a)
                    have_a = k
                if fault.status == OK and j != have_b:
                    fault = unpack(&b, j, decoder, mask_b)
                    have_b = j
                if fault.status == OK:
                    fault.status = combine(operation, mask_a, mask_b, out)
                if fault.status == OK:
                    fault = builder.add(out)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(a.height, a.width)


cdef inline bint are_apart(View* a, Py_ssize_t i, View* b, Py_ssize_t j) noexcept nogil:
    """Tell whether the crops of two masks share no pixel."""
    cdef const int32_t* p = a.offsets + 2 * i
    cdef const int32_t* q = b.offsets + 2 * j
    cdef const int32_t* s = a.crop_shapes + 2 * i
    cdef const int32_t* t = b.crop_shapes + 2 * j
    return (
        p[0] + s[1] <= q[0] or q[0] + t[1] <= p[0] or p[1] + s[0] <= q[1] or q[1] + t[0] <= p[1]
    )


cdef Status combine(Operation operation, Edges a, Edges b, Edges out) noexcept nogil:
    """Combine two masks; the crop becomes tight, 1x1 at the origin of a's where it is empty.

    ::

        a        |--------------|
        b               |------------|
        columns  x1     meet    part x2      x1 to x2 are those of the result
    """
    cdef:
        int32_t x1 = a.x, x2 = a.x + a.w, y1 = a.y, y2 = a.y + a.h
        int32_t meet = max(a.x, b.x), part = min(a.x + a.w, b.x + b.w), x
        bint is_a_first = not keeps_b(operation) or a.x <= b.x
        bint is_a_last = not keeps_b(operation) or a.x + a.w >= b.x + b.w
        Py_ssize_t k, n, m, i, j
    if keeps_b(operation):
        x1, x2 = min(x1, b.x), max(x2, b.x + b.w)
        y1, y2 = min(y1, b.y), max(y2, b.y + b.h)
    elif not keeps_a(operation):
        x1, x2 = meet, max(meet, part)
    meet = min(meet, x2)
    part = max(meet, part)
    if out.begin(x1, y1, y2 - y1, x2 - x1) != OK or out.reserve(a.n + b.n) != OK:
        return NO_MEMORY
    if is_a_first:
        take(a, x1, meet, out)
    else:
        take(b, x1, meet, out)
    k = out.n
    for x in range(meet, part):
        i, j = a.start[x - a.x], b.start[x - b.x]
        n, m = a.start[x - a.x + 1] - i, b.start[x - b.x + 1] - j
        k += combine_rows(
            operation, a.at + i, n, a.y - y1, b.at + j, m, b.y - y1, out.at + k
        )
        out.start[x - x1 + 1] = k
    out.n = k
    if is_a_last:
        take(a, part, x2, out)
    else:
        take(b, part, x2, out)
    out.column = out.w
    if out.n == 0:
        return out.make_empty(a.x, a.y)
    out.tighten()
    return OK


cdef void take(Edges mask, int32_t x1, int32_t x2, Edges out) noexcept nogil:
    """Copy columns x1 to x2 (exclusive) of the image; those behind the crop are empty."""
    cdef:
        int32_t end = max(x1, min(x2, mask.x + mask.w)), column, down = mask.y - out.y
        Py_ssize_t begin, n, k
        Py_ssize_t* start = out.start + (x1 - out.x) + 1
        const Py_ssize_t* source
        const int32_t* rows
        int32_t* at = out.at + out.n
    if end > x1:
        source = mask.start + (x1 - mask.x)
        begin = source[0]
        n = source[end - x1] - begin
        rows = mask.at + begin
        for k in range(n):
            at[k] = rows[k] + down
        begin -= out.n
        for column in range(end - x1):
            start[column] = source[column + 1] - begin
        out.n += n
    for column in range(end - x1, x2 - x1):
        start[column] = out.n
