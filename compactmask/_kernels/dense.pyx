"""Pixels from and to packed masks."""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.pixels cimport Box, Painter, Reader, fetch, find_tight
from compactmask._kernels.status cimport OK, Fault, Status, fail, fault_of

from compactmask._kernels.block import check_crop_shape

cdef enum:
    MAX_IDLE = 1048576          # items of scratch worth keeping
    MANY = 256                  # crops that are decoded without the interpreter in between
    SMALL = 1048576             # pixels that they have in all


def pack(const uint8_t[:, :, :] stack, const int32_t[:, ::1] boxes):
    """Pack crops of a stack of frames.

    Parameters
    ----------
    stack : ndarray of uint8, shape (n, H, W)
        Frames whose rows or columns are contiguous; everything but 0 is True.
    boxes : ndarray of int32, shape (n, 4), or None
        Inclusive ``x1, y1, x2, y2`` inside the image. ``x2 < x1`` stands for an empty 1x1 crop
        at ``x1, y1``. None: tight boxes, an empty mask gets a 1x1 crop at the origin.

    Returns
    -------
    bytes
        A block.
    """
    cdef:
        Builder builder = Builder()
        Edges mask = Edges()
        Reader reader = Reader()
        Py_ssize_t n = stack.shape[0], i
        int32_t height = <int32_t>stack.shape[1], width = <int32_t>stack.shape[2]
        Py_ssize_t row_step = stack.strides[1], column_step = stack.strides[2]
        bint is_tight = boxes is None, is_empty
        const uint8_t* frame
        Box box
        Fault fault = fault_of(OK, -1)
    with nogil:
        for i in range(n):
            frame = &stack[i, 0, 0]
            if is_tight:
                is_empty = not find_tight(frame, row_step, column_step, height, width, &box)
                if is_empty:
                    box.x1 = box.y1 = 0
            else:
                box = box_at(boxes, i)
                is_empty = box.x2 < box.x1
            if is_empty:
                fault.status = mask.make_empty(box.x1, box.y1)
            else:
                fault.status = mask.begin(
                    box.x1, box.y1, box.y2 - box.y1 + 1, box.x2 - box.x1 + 1
                )
                if fault.status == OK:
                    fault.status = reader.read(frame, row_step, column_step, mask)
            if not is_tight and i + 1 < n:      # comes while this mask is packed
                fetch(&stack[i + 1, 0, 0], row_step, column_step, box_at(boxes, i + 1))
            if fault.status == OK:
                fault = builder.add(mask)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(height, width)


cdef inline Box box_at(const int32_t[:, ::1] boxes, Py_ssize_t i) noexcept nogil:
    cdef Box box
    box.x1, box.y1, box.x2, box.y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
    return box


@cython.final
cdef class _Scratch:
    """What unpacking one mask needs."""

    cdef Edges mask
    cdef Decoder decoder
    cdef Painter painter

    def __cinit__(self):
        self.mask = Edges()
        self.decoder = Decoder()
        self.painter = Painter()


# Calls for one mask come by the million: they take scratch from here and bring it back.
cdef list _idle = []
cdef object _empty = np.empty
cdef object _zeros = np.zeros
cdef object _bool = np.dtype(np.bool_)


cdef _Scratch take_scratch():
    try:
        return _idle.pop()
    except IndexError:
        return _Scratch()


cdef int give_back(_Scratch scratch) except -1:
    cdef Py_ssize_t kept = scratch.mask.at_capacity + scratch.mask.start_capacity
    kept += scratch.decoder.capacity + scratch.painter.capacity
    if kept <= MAX_IDLE and len(_idle) < 8:
        _idle.append(scratch)
    return 0


def decode_crop(const uint8_t[::1] data, int32_t h, int32_t w):
    """Decode one packed mask.

    Parameters
    ----------
    data : bytes-like
        The packed mask.
    h, w : int
        Sides of its crop in pixels, 1 at least.

    Returns
    -------
    ndarray of bool, shape (h, w)
        Its pixels.

    Raises
    ------
    InvalidMaskError
        If the bytes are not a packed mask of that crop.
    """
    cdef:
        _Scratch scratch
        Edges mask
        Decoder decoder
        Fault fault
    check_crop_shape(h, w)
    scratch = take_scratch()
    mask, decoder = scratch.mask, scratch.decoder
    fault = fault_of(mask.begin(0, 0, h, w), -1)
    if fault.status == OK:
        fault = decoder.decode(&data[0] if data.shape[0] else NULL, data.shape[0], mask)
    fail(fault)
    result = painted(scratch)
    give_back(scratch)
    return result


def crop(block, Py_ssize_t i):
    """Decode one mask.

    Parameters
    ----------
    block : bytes
        A block.
    i : int
        Which mask; negative ones count from the end.

    Returns
    -------
    ndarray of bool, shape (h, w)
        Its pixels.

    Raises
    ------
    IndexError
        If there is no such mask.
    """
    cdef:
        View view
        _Scratch scratch
    look(block, &view)
    if not -view.n <= i < view.n:
        raise IndexError(f"index {i} is out of range for {view.n} masks")
    scratch = take_scratch()
    fail(unpack(&view, i + view.n if i < 0 else i, scratch.decoder, scratch.mask))
    result = painted(scratch)
    give_back(scratch)
    return result


def crops(block, const int64_t[::1] indices):
    """Decode masks, all in ``0..n - 1``, into a list of (h, w) arrays of bool."""
    cdef:
        View view
        _Scratch scratch = _Scratch()
        Edges mask = scratch.mask
        Decoder decoder = scratch.decoder
        Painter painter = scratch.painter
        Fault fault = fault_of(OK, -1)
        Py_ssize_t first = 0, last, i, k, n = indices.shape[0]
        int64_t pixels
        uint8_t* at[MANY]
        list result = []
    look(block, &view)
    while first < n:
        # memory is taken for a few small crops at once, for a large one once its bytes are good
        last, pixels = first, 0
        while last < n and last - first < MANY:
            k = 2 * indices[last]
            pixels += <int64_t>view.crop_shapes[k] * view.crop_shapes[k + 1]
            if pixels > SMALL:
                break
            result.append(_empty((view.crop_shapes[k], view.crop_shapes[k + 1]), _bool))
            at[last - first] = pixels_of(result[last])
            last += 1
        if last == first:
            with nogil:
                fault = unpack(&view, indices[first], decoder, mask)
            fail(fault)
            result.append(_empty((mask.h, mask.w), _bool))
            at[0] = pixels_of(result[first])
            with nogil:
                fault.status = painter.paint(mask, at[0], mask.w)
            last = first + 1
        else:
            with nogil:
                for i in range(first, last):
                    fault = unpack(&view, indices[i], decoder, mask)
                    if fault.status == OK:
                        fault.status = painter.paint(mask, at[i - first], mask.w)
                    if fault.status != OK:
                        break
        fail(fault)
        first = last
    return result


cdef uint8_t* pixels_of(array) except NULL:
    """Return where the pixels of an array are, which somebody keeps."""
    cdef Py_buffer pixels
    PyObject_GetBuffer(array, &pixels, PyBUF_WRITABLE)
    PyBuffer_Release(&pixels)
    return <uint8_t*>pixels.buf


cdef object painted(_Scratch scratch):
    """Return the pixels of a crop as a new array."""
    cdef Edges mask = scratch.mask
    result = _empty((mask.h, mask.w), _bool)
    fail(fault_of(scratch.painter.paint(mask, pixels_of(result), mask.w), -1))
    return result


def frame(block, Py_ssize_t i):
    """Decode one mask into a full (H, W) array of bool; `i` as in `crop`."""
    cdef:
        View view
        _Scratch scratch
        Edges mask
        uint8_t* corner
        Status status
    look(block, &view)
    if not -view.n <= i < view.n:
        raise IndexError(f"index {i} is out of range for {view.n} masks")
    scratch = take_scratch()
    mask = scratch.mask
    fail(unpack(&view, i + view.n if i < 0 else i, scratch.decoder, mask))
    result = _zeros((view.height, view.width), _bool)
    corner = pixels_of(result) + mask.y * <Py_ssize_t>view.width + mask.x
    with nogil:
        status = scratch.painter.paint(mask, corner, view.width)
    fail(fault_of(status, -1))
    give_back(scratch)
    return result


def decode(block, const int64_t[::1] indices, uint8_t[:, :, ::1] out):
    """Decode masks into full frames.

    Parameters
    ----------
    block : bytes
        A block.
    indices : ndarray of int64
        Which masks, all in ``0..n - 1``.
    out : ndarray of uint8, shape (len(indices), H, W)
        Frames of 0.
    """
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Painter painter = Painter()
        Py_ssize_t i, width = out.shape[2]
        Fault fault = fault_of(OK, -1)
    look(block, &view)
    with nogil:
        for i in range(indices.shape[0]):
            fault = unpack(&view, indices[i], decoder, mask)
            if fault.status == OK:
                fault.status = painter.paint(mask, &out[i, mask.y, mask.x], width)
            if fault.status != OK:
                break
    fail(fault)
