"""Packed masks grown and shrunk.

An erosion is the dilation of the background, which a ring of one pixel around the crop stands
for: an element that reaches further out also reaches the ring.
"""

from libc.stdint cimport int32_t

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.spread cimport Place, Spread
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of


def dilate(block, int32_t radius, int element):
    """Grow every mask.

    Parameters
    ----------
    block : bytes
        A block.
    radius : int
        0 at least, and no more than the sides of the image together.
    element : int
        The place in `spread.ELEMENTS`: a square of ``2 * radius + 1`` pixels, a cross with arms
        of `radius`, or the disk ``x**2 + y**2 <= radius**2``.

    Returns
    -------
    bytes
        A block; crops are tight.
    """
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Edges grown = Edges()
        Decoder decoder = Decoder()
        Spread spread = Spread(radius, element)
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        Place box
    look(block, &view)
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK and mask.n > 0:
                mask.tighten()
                box.x, box.y = max(0, mask.x - radius), max(0, mask.y - radius)
                box.w = min(view.width, mask.x + mask.w + radius) - box.x
                box.h = min(view.height, mask.y + mask.h + radius) - box.y
                fault.status = spread.run(mask, box, grown)
            elif fault.status == OK:
                fault.status = grown.make_empty(mask.x, mask.y)
            if fault.status == OK:
                fault = builder.add(grown)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


def erode(block, int32_t radius, int element, bint outside):
    """Shrink every mask.

    Parameters
    ----------
    block, radius, element
        As for `dilate`.
    outside : bool
        Whether pixels outside the image count as True.

    Returns
    -------
    bytes
        A block; crops are tight, and 1x1 at the old origin where no pixel is left.
    """
    cdef:
        View view
        Builder builder = Builder()
        Edges mask = Edges()
        Edges background = Edges()
        Edges grown = Edges()
        Decoder decoder = Decoder()
        Spread spread = Spread(radius, element)
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
        Place crop, ring
    look(block, &view)
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status != OK:
                break
            crop.x, crop.y, crop.h, crop.w = mask.x, mask.y, mask.h, mask.w
            ring.x = crop.x - (crop.x > 0 or not outside)
            ring.y = crop.y - (crop.y > 0 or not outside)
            ring.w = crop.x + crop.w + (crop.x + crop.w < view.width or not outside) - ring.x
            ring.h = crop.y + crop.h + (crop.y + crop.h < view.height or not outside) - ring.y
            fault.status = invert(mask, ring, background)
            if fault.status == OK:
                fault.status = spread.run(background, crop, grown)
            if fault.status == OK:
                fault.status = invert(grown, crop, mask)
            if fault.status == OK:
                mask.tighten()
                fault = builder.add(mask)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


cdef Status invert(Edges mask, Place box, Edges out) noexcept nogil:
    """Make `out` the pixels of the box, which holds the crop, that are not True."""
    cdef:
        int32_t x, column, shift = mask.y - box.y
        Py_ssize_t k, begin
        int32_t* at
    if (
        out.begin(box.x, box.y, box.h, box.w) != OK
        or out.reserve(mask.n + 2 * <Py_ssize_t>box.w) != OK
    ):
        return NO_MEMORY
    for x in range(box.w):
        column = box.x + x - mask.x
        at = out.at
        begin = out.n
        at[begin] = 0
        out.n += 1
        if 0 <= column < mask.w:
            for k in range(mask.start[column], mask.start[column + 1]):
                at[out.n] = mask.at[k] + shift
                out.n += 1
            if out.n > begin + 1 and at[begin + 1] == 0:
                out.n -= 2
                for k in range(begin, out.n):
                    at[k] = at[k + 2]
        if out.n > begin and at[out.n - 1] == box.h:
            out.n -= 1
        else:
            at[out.n] = box.h
            out.n += 1
        out.start[x + 1] = out.n
    return OK
