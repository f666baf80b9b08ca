"""A set of packed masks as one block of bytes: reading it, and building one.

The layout is described in compactmask/packed.py.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

import numpy as np

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.encoder cimport Encoder
from compactmask._kernels.status cimport (
    LARGE_CROP,
    NO_MEMORY,
    OK,
    TOO_LARGE,
    Fault,
    fail,
    fault_of,
)
from compactmask._kernels.words cimport EMPTY_OP

from compactmask.errors import InvalidMaskError

cdef enum:
    MAGIC = 0x304B4D43          # "CMK0" where the low byte comes first
    FLIP_X = 0x1000000          # and the "0" a "1", "2" or "3" where masks are mirrored
    FLIP_Y = 0x2000000
    HEADER = 16
    MAX_SIDE = 1048576
    COLUMNS = 6

cdef int64_t MAX_BYTES = 0xFFFFFFFF
cdef int64_t MAX_PIXELS = 0xFFFFFFFF

max_side = MAX_SIDE


cdef inline Py_ssize_t data_at(Py_ssize_t n) noexcept nogil:
    """Where the packed masks of a block of `n` start."""
    return HEADER + 4 * COLUMNS * n + 4


cdef int look(object block, View* view) except -1:
    """Point into a block that `build`, `check` or a Builder vouches for."""
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AsString(block)
    cdef const int32_t* header = <const int32_t*>at
    cdef Py_ssize_t n = header[1]
    at += HEADER
    view.n = n
    view.height = header[2]
    view.width = header[3]
    view.flip_x = (header[0] & FLIP_X) != 0
    view.flip_y = (header[0] & FLIP_Y) != 0
    view.offsets = <const int32_t*>at
    view.crop_shapes = <const int32_t*>(at + 8 * n)
    view.area = <const uint32_t*>(at + 16 * n)
    view.indptr = <const uint32_t*>(at + 20 * n)
    view.data = at + 24 * n + 4
    return 0


def count(block):
    """Return the number of masks."""
    return (<const int32_t*>PyBytes_AsString(block))[1]


def image_shape(block):
    """Return ``(H, W)``."""
    cdef const int32_t* header = <const int32_t*>PyBytes_AsString(block)
    return header[2], header[3]


def check(block):
    """Refuse bytes from outside that are not a block; the packed masks in it stay unchecked.

    Raises
    ------
    InvalidMaskError
        If a length, a crop or an area is not possible.
    """
    cdef View view
    cdef const int32_t* header
    cdef Py_ssize_t size = len(block), n, i
    cdef int32_t x, y, h, w
    if size < data_at(0):
        raise InvalidMaskError(f"a block of packed masks has {size} bytes, expected {data_at(0)} at least")
    header = <const int32_t*>PyBytes_AsString(block)
    n = header[1]
    if header[0] & ~(FLIP_X | FLIP_Y) != MAGIC or n < 0:
        raise InvalidMaskError("these bytes are not a block of packed masks of this byte order")
    if data_at(n) > size:
        raise InvalidMaskError(f"a block of {n} packed masks ends at byte {size}, its columns at {data_at(n)}")
    look(block, &view)
    check_image_shape(view.height, view.width)
    if view.indptr[0] != 0 or view.indptr[n] != size - data_at(n):
        raise InvalidMaskError(
            f"packed masks run from byte {view.indptr[0]} to {view.indptr[n]}, "
            f"expected 0 to {size - data_at(n)}"
        )
    with nogil:
        i = 0
        while i < n and is_possible(&view, i):
            i += 1
    if i == n:
        return
    if view.indptr[i] > view.indptr[i + 1]:
        raise InvalidMaskError(
            f"mask {i}: packed bytes end at {view.indptr[i + 1]} before they start at {view.indptr[i]}"
        )
    x, y = view.offsets[2 * i], view.offsets[2 * i + 1]
    h, w = view.crop_shapes[2 * i], view.crop_shapes[2 * i + 1]
    if not is_inside(&view, i):
        raise InvalidMaskError(
            f"mask {i}: crop ({h}, {w}) at x={x}, y={y} is not inside "
            f"the image ({view.height}, {view.width})"
        )
    check_crop_shape(h, w)
    raise InvalidMaskError(
        f"mask {i}: area {view.area[i]} is more than crop ({h}, {w}) has pixels"
    )


cdef inline bint is_possible(View* view, Py_ssize_t i) noexcept nogil:
    """Tell whether the columns of mask `i` fit together."""
    cdef int64_t pixels = <int64_t>view.crop_shapes[2 * i] * view.crop_shapes[2 * i + 1]
    return (
        view.indptr[i] <= view.indptr[i + 1]
        and is_inside(view, i)
        and pixels <= MAX_PIXELS
        and view.area[i] <= pixels
    )


cdef inline bint is_inside(View* view, Py_ssize_t i) noexcept nogil:
    """Tell whether the crop of mask `i` has a pixel and is in the image."""
    cdef:
        int32_t x = view.offsets[2 * i], y = view.offsets[2 * i + 1]
        int32_t h = view.crop_shapes[2 * i], w = view.crop_shapes[2 * i + 1]
    return x >= 0 and y >= 0 and h >= 1 and w >= 1 and h <= view.height - y and w <= view.width - x


cpdef check_image_shape(height, width):
    """Refuse an image that is empty or too large.

    Raises
    ------
    InvalidMaskError
        If a side is not 1 to 1,048,576.
    """
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise InvalidMaskError(
            f"image_shape ({height}, {width}): sides of 1 to {MAX_SIDE} expected"
        )


cpdef check_crop_shape(int64_t h, int64_t w):
    """Refuse a crop that is empty or has more than 4,294,967,295 pixels."""
    if not (1 <= h <= MAX_SIDE and 1 <= w <= MAX_SIDE and h * w <= MAX_PIXELS):
        raise InvalidMaskError(
            f"crop ({h}, {w}): sides of 1 to {MAX_SIDE} and at most {MAX_PIXELS} pixels expected"
        )


def build(image_shape, offsets, crop_shapes, area, indptr, data):
    """Lay columns and packed bytes out as a block, which is checked when it is used.

    Parameters
    ----------
    image_shape : tuple of int
        ``(H, W)``.
    offsets, crop_shapes : array_like, shape (n, 2)
        ``(x, y)`` and ``(h, w)``.
    area : array_like, shape (n,)
        True pixels.
    indptr : array_like, shape (n + 1,)
        Starts in `data`.
    data : bytes-like
        Packed masks.

    Returns
    -------
    bytes
        The block.

    Raises
    ------
    InvalidMaskError
        If they do not fit together.
    """
    height, width = image_shape
    check_image_shape(height, width)
    n = len(area)
    columns = (
        _column("offsets", offsets, (n, 2), np.int32),
        _column("crop_shapes", crop_shapes, (n, 2), np.int32),
        _column("area", area, (n,), np.uint32),
        _column("indptr", indptr, (n + 1,), np.uint32),
    )
    header = np.array([MAGIC, n, height, width], np.int32)
    return b"".join((header, *columns, data))


def _column(name, values, shape, dtype):
    values = np.asarray(values)
    result = np.ascontiguousarray(values, dtype)
    if result.shape != shape:
        raise InvalidMaskError(f"{name} has shape {result.shape}, expected {shape}")
    if values.dtype != result.dtype and not np.array_equal(values, result):
        raise InvalidMaskError(f"{name} of dtype {values.dtype} has values outside {np.dtype(dtype)}")
    return result


cdef class Builder:
    def __cinit__(self):
        self.encoder = Encoder()

    def __dealloc__(self):
        free(self.columns)

    cdef Fault add(self, Edges mask) noexcept nogil:
        """Pack `mask` as the next one."""
        cdef Fault fault = fault_of(LARGE_CROP, self.n)
        fault.found, fault.expected = <int64_t>mask.h * mask.w, MAX_PIXELS
        if fault.found > MAX_PIXELS:
            return fault
        fault.status = self.encoder.encode(mask)
        if fault.status != OK:
            return fault
        return self.put(mask.x, mask.y, mask.h, mask.w, <uint32_t>mask.area())

    cdef Fault add_changed(self, View* view, Py_ssize_t i, Edges mask) noexcept nogil:
        """Pack what is left of mask `i`, or more: as it is packed where nothing has changed.

        No pixel may have been exchanged for another one, so that area and crop tell.
        """
        if (
            not is_mirrored(view)
            and mask.h == view.crop_shapes[2 * i]
            and mask.w == view.crop_shapes[2 * i + 1]
            and mask.area() == view.area[i]
        ):
            return self.copy(view, i, mask.x, mask.y)
        return self.add(mask)

    cdef Fault copy(self, View* view, Py_ssize_t i, int32_t x, int32_t y) noexcept nogil:
        """Take a mask as it is packed, with its crop at (x, y); it is not mirrored."""
        cdef Py_ssize_t size = view.indptr[i + 1] - view.indptr[i]
        if self.encoder.reserve_out(size) != OK:
            return fault_of(NO_MEMORY, self.n)
        memcpy(self.encoder.out + self.encoder.n_out, view.data + view.indptr[i], size)
        self.encoder.n_out += size
        return self.put(
            x, y, view.crop_shapes[2 * i], view.crop_shapes[2 * i + 1], view.area[i]
        )

    cdef Fault put_empty(self, int32_t x, int32_t y) noexcept nogil:
        """Pack a 1x1 crop at (x, y) without a True pixel."""
        if self.encoder.reserve_out(6) != OK:
            return fault_of(NO_MEMORY, self.n)
        self.encoder.put_count(EMPTY_OP, 1)
        return self.put(x, y, 1, 1, 0)

    cdef Fault put(
        self, int32_t x, int32_t y, int32_t h, int32_t w, uint32_t area
    ) noexcept nogil:
        """Note the columns of the mask whose bytes were just written."""
        cdef Fault fault = fault_of(OK, self.n)
        cdef Py_ssize_t capacity = max(2 * self.capacity, 16)
        cdef int32_t* columns = self.columns
        if self.encoder.n_out > MAX_BYTES:
            fault.status, fault.found, fault.expected = TOO_LARGE, self.encoder.n_out, MAX_BYTES
            return fault
        if self.n == self.capacity:
            columns = <int32_t*>realloc(columns, capacity * COLUMNS * sizeof(int32_t))
            if columns == NULL:
                fault.status = NO_MEMORY
                return fault
            self.columns = columns
            self.capacity = capacity
        columns += COLUMNS * self.n
        columns[0], columns[1], columns[2], columns[3] = x, y, h, w
        columns[4] = <int32_t>area
        columns[5] = <int32_t>self.encoder.n_out
        self.n += 1
        return fault

    cpdef bytes finish(self, int32_t height, int32_t width):
        """Return the block of all masks added."""
        cdef:
            Py_ssize_t n = self.n, i
            bytes block = PyBytes_FromStringAndSize(NULL, data_at(n) + self.encoder.n_out)
            uint8_t* at = <uint8_t*>PyBytes_AsString(block)
            int32_t* header = <int32_t*>at
            int32_t* offsets = <int32_t*>(at + HEADER)
            int32_t* crop_shapes = offsets + 2 * n
            int32_t* area = crop_shapes + 2 * n
            int32_t* indptr = area + n
            const int32_t* columns = self.columns
        header[0], header[1], header[2], header[3] = MAGIC, <int32_t>n, height, width
        indptr[0] = 0
        for i in range(n):
            offsets[2 * i], offsets[2 * i + 1] = columns[0], columns[1]
            crop_shapes[2 * i], crop_shapes[2 * i + 1] = columns[2], columns[3]
            area[i] = columns[4]
            indptr[i + 1] = columns[5]
            columns += COLUMNS
        memcpy(at + data_at(n), self.encoder.out, self.encoder.n_out)
        return block


def mirror(block, bint flip_x, bint flip_y):
    """Reverse every frame left to right, top to bottom or both; masks are copied as they are packed.

    The header says how they are seen, and unpacking reverses them in a fraction of its time.
    """
    cdef:
        View view
        Py_ssize_t i
        bytes result = PyBytes_FromStringAndSize(PyBytes_AsString(block), len(block))
        int32_t* header = <int32_t*>PyBytes_AsString(result)
        int32_t* offsets = header + HEADER // 4
    look(block, &view)
    header[0] ^= (FLIP_X if flip_x else 0) | (FLIP_Y if flip_y else 0)
    with nogil:
        for i in range(view.n):
            if flip_x:
                offsets[2 * i] = view.width - offsets[2 * i] - view.crop_shapes[2 * i + 1]
            if flip_y:
                offsets[2 * i + 1] = view.height - offsets[2 * i + 1] - view.crop_shapes[2 * i]
    return result


def straighten(block):
    """Pack the masks of a block as they are seen; one that is not mirrored is given back."""
    cdef:
        View view
        Builder builder
        Edges mask
        Decoder decoder
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
    look(block, &view)
    if not is_mirrored(&view):
        return block
    builder, mask, decoder = Builder(), Edges(), Decoder()
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault = builder.add(mask)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


def gather(block, const int64_t[::1] indices):
    """Copy masks into a block of their own.

    Parameters
    ----------
    block : bytes
        A block.
    indices : ndarray of int64
        Which masks, in what order; all in ``0..n - 1``.

    Returns
    -------
    bytes
        A block of ``len(indices)`` masks.
    """
    cdef:
        View view
        Py_ssize_t n = indices.shape[0], i
        int64_t k, size = 0, length
        bytes result
        uint8_t* at
        int32_t* header
        int64_t* offsets
        int64_t* crop_shapes
        uint32_t* area
        uint32_t* indptr
        uint8_t* data
    look(block, &view)
    with nogil:
        for i in range(n):
            size += view.indptr[indices[i] + 1] - view.indptr[indices[i]]
    check_size(size)
    result = PyBytes_FromStringAndSize(NULL, data_at(n) + size)
    at = <uint8_t*>PyBytes_AsString(result)
    header = <int32_t*>at
    header[0] = (<const int32_t*>PyBytes_AsString(block))[0]
    header[1], header[2], header[3] = <int32_t>n, view.height, view.width
    offsets = <int64_t*>(at + HEADER)
    crop_shapes = offsets + n
    area = <uint32_t*>(crop_shapes + n)
    indptr = area + n
    data = at + data_at(n)
    indptr[0] = 0
    with nogil:
        for i in range(n):
            k = indices[i]
            offsets[i] = (<const int64_t*>view.offsets)[k]
            crop_shapes[i] = (<const int64_t*>view.crop_shapes)[k]
            area[i] = view.area[k]
            length = view.indptr[k + 1] - view.indptr[k]
            indptr[i + 1] = indptr[i] + <uint32_t>length
            memcpy(data + indptr[i], view.data + view.indptr[k], length)
    return result


def concat(blocks):
    """Join blocks of images of the same shape, in order.

    Parameters
    ----------
    blocks : sequence of bytes
        At least one; the image shape is the first one's.

    Returns
    -------
    bytes
        One block.
    """
    if len({block[:4] for block in blocks}) > 1:
        blocks = [straighten(block) for block in blocks]
    counts = [count(block) for block in blocks]
    sizes = [len(block) - data_at(n) for block, n in zip(blocks, counts)]
    check_size(sum(sizes))

    def column(start, width, dtype):
        """Take one column of every block; `start` is in bytes a mask behind the header."""
        return [
            np.frombuffer(block, dtype, width * n, HEADER + start * n)
            for block, n in zip(blocks, counts)
        ]

    starts = np.cumsum([0, *sizes])
    ends = [
        np.frombuffer(block, np.uint32, n, HEADER + 20 * n + 4) + np.uint32(start)
        for block, n, start in zip(blocks, counts, starts)
    ]
    header = np.array([sum(counts), *image_shape(blocks[0])], np.int32)
    return b"".join(
        (
            blocks[0][:4],
            header,
            *column(0, 2, np.int32),
            *column(8, 2, np.int32),
            *column(16, 1, np.uint32),
            np.zeros(1, np.uint32),
            *ends,
            *(memoryview(block)[data_at(n) :] for block, n in zip(blocks, counts)),
        )
    )


cdef int check_size(int64_t size) except -1:
    if size > MAX_BYTES:
        raise InvalidMaskError(
            f"{size} bytes of packed masks, one set holds at most {MAX_BYTES}"
        )
    return 0
