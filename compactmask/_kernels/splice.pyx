"""Packed masks joined without being unpacked.

Behind empty columns a packed mask starts anew, so two masks that have some between them are
their packed forms one after the other. Only rows that count from the top of the crop change:
those behind a RESET, and behind an ADD of the first edge.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from compactmask._kernels.block cimport Builder, View
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fault_of
from compactmask._kernels.varint cimport get_varint, put_varint
from compactmask._kernels.words cimport (
    ADD_ANY_OP,
    ADD_OP,
    CUT_ANY_OP,
    CUT_OP,
    EMPTY_OP,
    RESET_OP,
    STILL_OP,
    SYMBOL_OP,
    WORDS,
)

cdef int64_t MAX_PIXELS = 0xFFFFFFFF


cdef bint put_beside(
    Builder builder, View* a, Py_ssize_t i, View* b, Py_ssize_t j, Fault* fault
) noexcept nogil:
    """Pack the union of two masks with columns between them, in the box around both crops.

    The bytes are those that an encoder gives. Return False, and add nothing, where that takes
    the edges: other masks, and those that are or may become run lengths.
    """
    cdef:
        View* t
        Py_ssize_t k, before, size
        int32_t x, y, h, w, gap
        int64_t runs, others
    if b.offsets[2 * j] < a.offsets[2 * i]:
        t, k = a, i
        a, i = b, j
        b, j = t, k
    x = a.offsets[2 * i]
    gap = b.offsets[2 * j] - x - a.crop_shapes[2 * i + 1]
    if gap <= 0:
        return False
    y = min(a.offsets[2 * i + 1], b.offsets[2 * j + 1])
    h = max(bottom(a, i), bottom(b, j)) - y
    w = b.offsets[2 * j] + b.crop_shapes[2 * j + 1] - x
    if <int64_t>h * w > MAX_PIXELS:
        return False
    before = builder.encoder.n_out
    # no number takes more than twice its bytes when it is moved
    size = 2 * (packed_size(a, i) + packed_size(b, j)) + 6
    if builder.encoder.reserve_out(size) != OK:
        fault[0] = fault_of(NO_MEMORY, builder.n)
        return True
    runs = put_lower(builder, a, i, y, h)
    if runs > 0:
        builder.encoder.put_count(EMPTY_OP, <uint32_t>gap)
        others = put_lower(builder, b, j, y, h)
        # run lengths take a byte at least for every run and every gap before one
        if others > 0 and builder.encoder.n_out - before <= 1 + 2 * (runs + others):
            fault[0] = builder.put(x, y, h, w, a.area[i] + b.area[j])
            return True
    builder.encoder.n_out = before
    return False


cdef inline int32_t bottom(View* view, Py_ssize_t i) noexcept nogil:
    return view.offsets[2 * i + 1] + view.crop_shapes[2 * i]


cdef inline Py_ssize_t packed_size(View* view, Py_ssize_t i) noexcept nogil:
    return view.indptr[i + 1] - view.indptr[i]


cdef int64_t put_lower(Builder builder, View* view, Py_ssize_t i, int32_t y, int32_t h) noexcept nogil:
    """Write mask `i` for a crop that starts at row y of the image and is `h` high.

    Return how many runs of True pixels it has at least; 0 where its first or last column is
    empty, its bytes are run lengths, or they are not valid.
    """
    cdef:
        const uint8_t* p = view.data + view.indptr[i]
        const uint8_t* end = view.data + view.indptr[i + 1]
        const uint8_t* copied = p
        uint8_t* out = builder.encoder.out + builder.encoder.n_out
        uint32_t down = <uint32_t>(view.offsets[2 * i + 1] - y), value = 0
        int64_t edges = 0, m = 0, numbers
        uint8_t byte
        bint is_absolute
        Status status = OK
    while p < end:
        byte = p[0]
        p += 1
        if byte < WORDS:
            edges += builder.encoder.tables.length[byte]
            continue
        numbers, is_absolute = 1, False
        if byte == SYMBOL_OP:
            edges += 1
        elif byte == STILL_OP or byte == EMPTY_OP or byte == RESET_OP:
            if not get_varint(&p, end, 0xFFFFFFFF, &value, &status):
                return 0
            numbers = 0
            if byte == STILL_OP:
                edges += value * m
            elif byte == EMPTY_OP:
                if m == 0:
                    return 0
                m = 0
            else:
                m = numbers = 2 * <int64_t>value
                is_absolute = True
        elif CUT_OP <= byte < ADD_OP:
            numbers = 0
            m -= 2
        elif byte == CUT_ANY_OP:
            m -= 2
        elif ADD_OP <= byte <= ADD_ANY_OP:
            numbers = 3 if byte == ADD_ANY_OP else 2
            is_absolute = byte == ADD_OP
            m += 2
        else:
            return 0
        if is_absolute and numbers > 0:
            memcpy(out, copied, p - copied)
            out += p - copied
            if not get_varint(&p, end, <uint32_t>h, &value, &status):
                return 0
            out = put_varint(out, value + down)
            copied = p
            numbers -= 1
        while numbers > 0:
            if not get_varint(&p, end, 0xFFFFFFFF, &value, &status):
                return 0
            numbers -= 1
    if m <= 0:
        return 0
    memcpy(out, copied, p - copied)
    builder.encoder.n_out = out + (p - copied) - builder.encoder.out
    edges //= 2
    # only a segment that is as high as the crop goes on in the next column
    if view.crop_shapes[2 * i] == h:
        edges -= view.crop_shapes[2 * i + 1] - 1
    return max(0, edges)
