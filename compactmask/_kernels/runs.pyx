"""Run lengths of crops, the form in which supervision holds masks, from and to packed masks."""

from libc.stdint cimport int32_t, int64_t, uint8_t

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

from compactmask.errors import InvalidMaskError

cdef int64_t MAX_RUN = 0x7FFFFFFF

cdef int64_t MAX_COVERED = 0x3FFFFFFFFFFFFFFF


cdef Fault fill_crop(const int64_t* counts, Py_ssize_t n, Edges mask) noexcept nogil:
    """Turn `n` run lengths of the crop that has begun into edges."""
    cdef:
        Fault fault = fault_of(OK, -1)
        Py_ssize_t k
        int64_t covered = 0, pixels = <int64_t>mask.h * mask.w
        int32_t x = mask.x, y = mask.y, h = mask.h, w = mask.w
    for k in range(n):
        if not 0 <= counts[k] <= pixels:
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
    if fault.status == OK:
        fault.status = mask.clip(x, y, x + w - 1, y + h - 1)
    return fault


def pack(rles, const int32_t[:, ::1] crop_shapes, const int32_t[:, ::1] offsets, image_shape):
    """Pack the run lengths of crops.

    Parameters
    ----------
    rles : sequence of array_like of int
        Run lengths of each crop, background first, column-major.
    crop_shapes, offsets : ndarray of int32, shape (n, 2)
        ``(h, w)`` and ``(x, y)`` of each crop, inside the image.
    image_shape : tuple of int
        ``(H, W)``.

    Returns
    -------
    bytes
        A block.

    Raises
    ------
    InvalidMaskError
        If runs are negative or do not cover their crop.
    """
    cdef:
        Builder builder = Builder()
        Edges mask = Edges()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        const int64_t[::1] counts
        const int64_t[::1] end
    held = [as_counts(one, i) for i, one in enumerate(rles)]
    # copies: they are read twice, and others may write to theirs
    counts = np.concatenate([*held, np.zeros(1, np.int64)])
    end = np.cumsum([0, *(one.size for one in held)])
    with nogil:
        for i in range(end.shape[0] - 1):
            fault.status = mask.begin(
                offsets[i, 0], offsets[i, 1], crop_shapes[i, 0], crop_shapes[i, 1]
            )
            if fault.status == OK:
                fault = fill_crop(&counts[end[i]], end[i + 1] - end[i], mask)
            if fault.status == OK:
                fault = builder.add(mask)
            fault.mask = i
            if fault.status != OK:
                break
    if fault.status == WRONG_SUM:
        raise InvalidMaskError(
            f"mask {fault.mask}: runs cover {fault.found} pixels, "
            f"crop ({mask.h}, {mask.w}) has {fault.expected}"
        )
    fail(fault)
    return builder.finish(image_shape[0], image_shape[1])


def as_counts(counts, i):
    """Return the run lengths of mask ``i`` as one contiguous array of int64, or refuse them."""
    try:
        result = np.asarray(counts)
    except ValueError:
        raise InvalidMaskError(f"mask {i}: run lengths are nested unevenly") from None
    if result.shape == (0,):
        return np.zeros(0, np.int64)
    if result.ndim != 1 or result.dtype.kind not in "iu":
        raise InvalidMaskError(
            f"mask {i}: run lengths of shape {result.shape} and dtype {result.dtype}, "
            "expected one dimension of integers"
        )
    if result.dtype == np.uint64 and result.size and result.max() > np.iinfo(np.int64).max:
        raise InvalidMaskError(f"mask {i}: a run is {result.max()} pixels long")
    return result.astype(np.int64, copy=False)


def unpack_crops(block):
    """Unpack every mask into the run lengths of its crop.

    Parameters
    ----------
    block : bytes
        A block.

    Returns
    -------
    list of ndarray of int32
        Background first, column-major. A run above 2**31 - 1 is split by a run of 0.
    """
    cdef:
        View view
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Runs runs = Runs()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, first = 0
        int64_t[::1] end
        list result = []
    look(block, &view)
    end = np.empty(view.n, np.int64)
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            mask.x = mask.y = 0
            if fault.status == OK:
                fault.status = runs.read(mask, mask.h, mask.w)
            if fault.status != OK:
                break
            end[i] = runs.n
    fail(fault)
    for i in range(view.n):
        result.append(_int32(np.asarray(<int64_t[: end[i] - first]>(runs.at + first))))
        first = end[i]
    return result


def _int32(counts):
    if counts.max() <= MAX_RUN:
        return counts.astype(np.int32)
    parts = []
    for count in counts.tolist():
        while count > MAX_RUN:
            parts += [MAX_RUN, 0]
            count -= MAX_RUN
        parts.append(count)
    return np.array(parts, np.int32)
