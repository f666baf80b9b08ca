"""COCO's run lengths of full images, as strings or numbers, from and to packed masks."""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import numpy as np

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges, Runs
from compactmask._kernels.status cimport (
    NEGATIVE_RUN,
    OK,
    WRONG_SUM,
    Fault,
    fail,
    fault_of,
)
from compactmask._kernels.texts cimport Texts, characters, fail_text, read_text

from compactmask._kernels.block import check_image_shape
from compactmask._kernels.runs import as_counts

from compactmask.errors import InvalidMaskError

cdef object _empty = np.empty
cdef object _int64 = np.dtype(np.int64)
cdef int64_t MAX_RUN = 1099511627776        # pixels of the largest image

cdef int64_t MAX_COVERED = 0x3FFFFFFFFFFFFFFF


cdef struct Item:
    # one mask's counts: characters, or numbers where there are none
    const char* text
    const int64_t* counts
    Py_ssize_t n


cdef object array_of(Runs runs):
    """Copy numbers into a new array of int64."""
    cdef Py_buffer view
    result = _empty(runs.n, _int64)
    PyObject_GetBuffer(result, &view, PyBUF_WRITABLE)
    memcpy(view.buf, runs.at, runs.n * sizeof(int64_t))
    PyBuffer_Release(&view)
    return result


cdef Fault fill_frame(
    const int64_t* counts, Py_ssize_t n, int32_t height, int32_t width, Edges mask
) noexcept nogil:
    """Turn runs of a full image into edges."""
    cdef:
        Fault fault = fault_of(mask.begin(0, 0, height, width), -1)
        int64_t covered = 0, pixels = <int64_t>height * width
        Py_ssize_t k
    if fault.status != OK:
        return fault
    for k in range(n):
        if counts[k] < 0 or counts[k] > pixels:
            fault.status, fault.at = NEGATIVE_RUN, k
            fault.found, fault.expected = counts[k], pixels
            return fault
        covered += counts[k]
        if covered > MAX_COVERED:       # far from an overflow
            break
    if covered != pixels:
        fault.status, fault.found, fault.expected = WRONG_SUM, covered, pixels
        return fault
    fault.status = mask.fill(counts, n)
    return fault


def pack(image_shape, counts, const int32_t[:, ::1] boxes=None):
    """Pack full-image COCO counts.

    Parameters
    ----------
    image_shape : tuple of int
        ``(H, W)`` of every mask.
    counts : sequence of str, bytes or array_like of int
        A counts string, or run lengths, for each mask.
    boxes : ndarray of int32, shape (n, 4), optional
        The crops, as ``dense.pack`` has them. Without, they are tight and an empty mask gets
        a 1x1 crop at the origin.

    Returns
    -------
    bytes
        A block.

    Raises
    ------
    InvalidMaskError
        If a string or its runs are not a mask of that image; the message names the mask.
    """
    cdef:
        Builder builder = Builder()
        Edges mask = Edges()
        Runs runs = Runs()
        tuple held = tuple(counts)      # keeps what the items point to alive
        list arrays = []
        Py_ssize_t n = len(held), i
        int32_t height, width, x1, y1
        const int64_t[::1] numbers
        Item* items
        Item* item
        Fault fault = fault_of(OK, -1)
    check_image_shape(*image_shape)
    height, width = image_shape
    items = <Item*>malloc(max(n, 1) * sizeof(Item))
    if items == NULL:
        raise MemoryError
    try:
        for i in range(n):
            value = held[i]
            items[i].text, items[i].counts = NULL, NULL
            if isinstance(value, (str, bytes)):
                items[i].text = characters(value, i, &items[i].n)
            else:
                numbers = as_counts(value, i)
                arrays.append(numbers)
                items[i].n = numbers.shape[0]
                if items[i].n:
                    items[i].counts = &numbers[0]
        with nogil:
            for i in range(n):
                item = items + i
                if item.text != NULL:
                    runs.n = 0
                    fault = read_text(item.text, item.n, <int64_t>height * width, runs)
                    if fault.status == OK:
                        fault = fill_frame(runs.at, runs.n, height, width, mask)
                else:
                    fault = fill_frame(item.counts, item.n, height, width, mask)
                if fault.status == OK and boxes is None:
                    mask.tighten()
                elif fault.status == OK:
                    x1, y1 = boxes[i, 0], boxes[i, 1]
                    if boxes[i, 2] < x1:
                        fault.status = mask.make_empty(x1, y1)
                    else:
                        fault.status = mask.clip(x1, y1, boxes[i, 2], boxes[i, 3])
                if fault.status == OK:
                    fault = builder.add(mask)
                fault.mask = i
                if fault.status != OK:
                    break
    finally:
        free(items)
    fail_text(fault)
    if fault.status == WRONG_SUM:
        raise InvalidMaskError(
            f"mask {fault.mask}: runs cover {fault.found} pixels, "
            f"image ({height}, {width}) has {fault.expected}"
        )
    fail(fault)
    return builder.finish(height, width)


def parse(texts, image_shape):
    """Parse COCO counts strings of one image size.

    Parameters
    ----------
    texts : sequence of str or bytes
        Counts strings.
    image_shape : tuple of int
        ``(H, W)``; no run may be longer than the image. That they cover it is not checked.

    Returns
    -------
    counts : ndarray of int64
        The run lengths of all masks, background first, column-major.
    indptr : ndarray of int64, shape (n + 1,)
        Where each mask's start.

    Raises
    ------
    InvalidMaskError
        If a string is malformed; the message names the mask.
    """
    cdef:
        Runs runs = Runs()
        list held = list(texts)
        Runs starts = Runs()
        const char* text
        Py_ssize_t n = 0, i
        int64_t height, width
        Fault fault
    check_image_shape(*image_shape)
    height, width = image_shape
    if starts.reserve(len(held) + 1) != OK:
        raise MemoryError
    starts.at[0] = 0
    for i in range(len(held)):
        text = characters(held[i], i, &n)
        fault = read_text(text, n, height * width, runs)
        fault.mask = i
        fail_text(fault)
        fail(fault)
        starts.at[i + 1] = runs.n
    starts.n = len(held) + 1
    return array_of(runs), array_of(starts)


def counts(block):
    """Unpack every mask into run lengths of the full image.

    Parameters
    ----------
    block : bytes
        A block.

    Returns
    -------
    list of ndarray of int64
        Background first, column-major, as pycocotools would have them.
    """
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Runs runs = Runs()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        int64_t[::1] end
    look(block, &view)
    ends = np.empty(view.n, np.int64)
    end = ends
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = runs.read(mask, view.height, view.width)
            if fault.status != OK:
                break
            end[i] = runs.n
    fail(fault)
    return np.split(array_of(runs), ends)[: view.n]


def strings(block):
    """Write every mask as a COCO counts string of the full image.

    Parameters
    ----------
    block : bytes
        A block.

    Returns
    -------
    list of str
        Byte for byte what pycocotools writes.
    """
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Runs runs = Runs()
        Texts texts
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
    look(block, &view)
    texts = Texts(view.n)
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                runs.n = 0
                fault.status = runs.read(mask, view.height, view.width)
            if fault.status == OK:
                fault.status = texts.add(runs.at, runs.n)
            if fault.status != OK:
                break
    fail(fault)
    return texts.finish()


def write(const int64_t[::1] counts, const int64_t[::1] indptr):
    """Write run lengths as COCO counts strings.

    Parameters
    ----------
    counts : ndarray of int64
        The run lengths of all masks, each 0 to 1,099,511,627,776.
    indptr : ndarray of int64, shape (n + 1,)
        Where each mask's start, as `parse` returns it.

    Returns
    -------
    list of str
        Byte for byte what pycocotools writes.

    Raises
    ------
    InvalidMaskError
        If `indptr` leaves `counts` or a run is out of range; the message names the mask.
    """
    cdef:
        Py_ssize_t n = indptr.shape[0] - 1, i, k
        Texts texts
        Fault fault = fault_of(OK, -1)
    if n < 0:
        raise InvalidMaskError("indptr is empty, expected a start for each mask and the end")
    for i in range(n):
        if not 0 <= indptr[i] <= indptr[i + 1] <= counts.shape[0]:
            raise InvalidMaskError(
                f"mask {i}: counts run from {indptr[i]} to {indptr[i + 1]} of {counts.shape[0]}"
            )
    texts = Texts(n)
    with nogil:
        for i in range(n):
            fault.mask = i
            for k in range(indptr[i], indptr[i + 1]):
                if counts[k] < 0 or counts[k] > MAX_RUN:
                    fault.status, fault.at = NEGATIVE_RUN, k - indptr[i]
                    fault.found, fault.expected = counts[k], MAX_RUN
                    break
            if fault.status == OK and indptr[i] < indptr[i + 1]:
                fault.status = texts.add(&counts[indptr[i]], indptr[i + 1] - indptr[i])
            elif fault.status == OK:
                fault.status = texts.add(NULL, 0)
            if fault.status != OK:
                break
    fail(fault)
    return texts.finish()
