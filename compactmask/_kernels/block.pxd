"""A set of packed masks as one block of bytes: reading it, and building one."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.encoder cimport Encoder
from compactmask._kernels.status cimport Fault, Status, fault_of


cdef struct View:
    # pointers into a block that somebody else keeps alive
    Py_ssize_t n
    int32_t height, width
    bint flip_x, flip_y             # crops are seen reversed, left to right or top to bottom
    const int32_t* offsets          # x, y
    const int32_t* crop_shapes      # h, w
    const uint32_t* area
    const uint32_t* indptr
    const uint8_t* data


cdef int look(object block, View* view) except -1


cdef inline bint is_mirrored(View* view) noexcept nogil:
    """Tell whether masks are seen otherwise than they are packed."""
    return view.flip_x or view.flip_y


cdef inline Fault unpack(View* view, Py_ssize_t i, Decoder decoder, Edges mask) noexcept nogil:
    """Unpack mask `i` and hold it against its area."""
    cdef int64_t area
    cdef Fault fault = fault_of(
        mask.begin(
            view.offsets[2 * i],
            view.offsets[2 * i + 1],
            view.crop_shapes[2 * i],
            view.crop_shapes[2 * i + 1],
        ),
        i,
    )
    if fault.status == Status.OK:
        fault = decoder.decode(
            view.data + view.indptr[i], view.indptr[i + 1] - view.indptr[i], mask
        )
    if fault.status == Status.OK:
        area = mask.area()
        if area != view.area[i]:
            fault.status = Status.WRONG_AREA
            fault.found = area
            fault.expected = view.area[i]
        elif is_mirrored(view):
            mask.mirror(view.flip_x, view.flip_y)
    fault.mask = i
    return fault


@cython.final
cdef class Builder:
    """Gathers masks one after the other and gives them back as a block."""

    cdef:
        Encoder encoder
        Py_ssize_t n, capacity
        int32_t* columns            # x, y, h, w, area, end of each mask

    cdef Fault add(self, Edges mask) noexcept nogil
    cdef Fault add_changed(self, View* view, Py_ssize_t i, Edges mask) noexcept nogil
    cdef Fault copy(self, View* view, Py_ssize_t i, int32_t x, int32_t y) noexcept nogil
    cdef Fault put_empty(self, int32_t x, int32_t y) noexcept nogil
    cdef Fault put(self, int32_t x, int32_t y, int32_t h, int32_t w, uint32_t area) noexcept nogil
    cpdef bytes finish(self, int32_t height, int32_t width)
