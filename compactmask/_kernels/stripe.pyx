"""Masks painted into some rows of a label image."""

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBUF_STRIDED_RO,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport int32_t, uint64_t

from compactmask._kernels.block cimport View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport OK, Fault, Status, fail, fault_of
from compactmask._kernels.turn cimport Transposer

cdef extern from "labels.h":
    uint64_t pixel_at(const void* line, Py_ssize_t x, int size) noexcept nogil
    void fill_pixels(
        void* line, Py_ssize_t begin, Py_ssize_t end, int size, uint64_t value
    ) noexcept nogil
    Py_ssize_t first_taken(
        const void* line, Py_ssize_t begin, Py_ssize_t end, int size
    ) noexcept nogil


cdef struct Pixel:
    int32_t x, y


cdef bint meets(const View* view, Py_ssize_t i, int32_t top, int32_t bottom) noexcept nogil:
    """Tell whether the crop of mask `i` has rows from `top` to `bottom`, exclusive."""
    cdef int32_t y = view.offsets[2 * i + 1]
    return y < bottom and y + view.crop_shapes[2 * i] > top


cdef Status cut(Edges mask, int32_t top, int32_t bottom) noexcept nogil:
    """Keep the rows of a mask that lie from `top` to `bottom`, of which there are some."""
    if top <= mask.y and mask.y + mask.h <= bottom:
        return OK
    return mask.clip(
        mask.x, max(mask.y, top), mask.x + mask.w - 1, min(mask.y + mask.h, bottom) - 1
    )


cdef bint fill(
    const Py_buffer* image, int32_t top, Edges rows, uint64_t value, bint is_strict, Pixel* taken
) noexcept nogil:
    """Write a value into the pixels of a mask, and tell whether no pixel stopped it."""
    cdef:
        int size = <int>image.itemsize
        int32_t y
        Py_ssize_t k, begin, end, found
        char* line
    for y in range(rows.w):
        line = <char*>image.buf + (rows.x + y - top) * image.strides[0] + rows.y * size
        for k in range(rows.start[y], rows.start[y + 1], 2):
            begin, end = rows.at[k], rows.at[k + 1]
            if is_strict:
                found = first_taken(line, begin, end, size)
                if found < end:
                    taken.x, taken.y = rows.y + <int32_t>found, rows.x + y
                    return False
            fill_pixels(line, begin, end, size, value)
    return True


def paint(block, out, int32_t top, values, bint is_strict):
    """Write the value of each mask into its pixels, later masks over earlier ones.

    Parameters
    ----------
    block : bytes
        A block.
    out : ndarray of integers, shape (h, W)
        Rows of the image, C-contiguous, in native byte order. What lies in others is left out.
    top : int
        Which row of the image is the first of `out`.
    values : ndarray, shape (n,)
        One for each mask, in the dtype of `out`, contiguous.
    is_strict : bool
        Whether to stop where a pixel is not 0 already.

    Returns
    -------
    tuple of int or None
        The mask that stopped it, with x and y of its first such pixel in row-major order.
    """
    cdef:
        View view
        Edges mask = Edges()
        Edges rows = Edges()
        Transposer transposer = Transposer()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_buffer image, numbers
        Pixel taken
        uint64_t value
        Py_ssize_t i
        int32_t bottom
        bint is_done = True
    look(block, &view)
    PyObject_GetBuffer(out, &image, PyBUF_STRIDED_RO | PyBUF_WRITABLE)
    PyObject_GetBuffer(values, &numbers, PyBUF_SIMPLE)
    bottom = top + <int32_t>image.shape[0]
    with nogil:
        for i in range(view.n):
            if not meets(&view, i, top, bottom):
                continue
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = cut(mask, top, bottom)
            if fault.status == OK:
                fault.status = transposer.transpose(mask, rows)
            if fault.status != OK:
                break
            value = pixel_at(numbers.buf, i, <int>image.itemsize)
            is_done = fill(&image, top, rows, value, is_strict, &taken)
            if not is_done:
                break
    PyBuffer_Release(&numbers)
    PyBuffer_Release(&image)
    fail(fault)
    return None if is_done else (i, taken.x, taken.y)
