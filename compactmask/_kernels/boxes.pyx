"""The crops that boxes from outside stand for."""

from libc.math cimport isfinite, trunc
from libc.stdint cimport int32_t

import numpy as np

from compactmask.errors import InvalidMaskError


def clip(const double[:, ::1] xyxy, int32_t height, int32_t width):
    """Cut boxes to whole pixels inside an image, as supervision 0.31.2 does.

    Parameters
    ----------
    xyxy : ndarray of float64, shape (n, 4)
        ``x1, y1, x2, y2``, inclusive; fractions are cut off towards 0.
    height, width : int
        The image.

    Returns
    -------
    ndarray of int32, shape (n, 4)
        Inclusive boxes inside the image. A box that is inverted or wholly outside has
        ``x2 < x1`` and its nearest pixel at ``x1, y1``.

    Raises
    ------
    InvalidMaskError
        If a coordinate is not finite; the message names the box.
    """
    cdef:
        Py_ssize_t i, k
        double x1, y1, x2, y2
        int32_t[:, ::1] out
    result = np.empty((xyxy.shape[0], 4), np.int32)
    out = result
    for i in range(xyxy.shape[0]):
        for k in range(4):
            if not isfinite(xyxy[i, k]):
                raise InvalidMaskError(
                    f"box {i}: {('x1', 'y1', 'x2', 'y2')[k]} is {xyxy[i, k]}, "
                    "expected a finite number"
                )
        x1, y1, x2, y2 = trunc(xyxy[i, 0]), trunc(xyxy[i, 1]), trunc(xyxy[i, 2]), trunc(xyxy[i, 3])
        out[i, 0] = inside(x1, width)
        out[i, 1] = inside(y1, height)
        out[i, 2] = inside(x2, width)
        out[i, 3] = inside(y2, height)
        if x2 < x1 or y2 < y1 or x2 < 0 or y2 < 0 or x1 >= width or y1 >= height:
            out[i, 2] = out[i, 0] - 1
    return result


cdef inline int32_t inside(double place, int32_t size) noexcept nogil:
    """Return the nearest pixel of an axis."""
    if place < 0:
        return 0
    return <int32_t>place if place < size else size - 1
