"""How a loop without the GIL says what went wrong, and the one place that turns it into an error."""

from compactmask.errors import InvalidMaskError


cdef int fail(Fault fault) except -1:
    """Raise the exception that belongs to `fault`; do nothing when it is OK."""
    if fault.status == OK:
        return 0
    if fault.status == NO_MEMORY:
        raise MemoryError("out of memory in a mask kernel")
    where = "" if fault.mask < 0 else f"mask {fault.mask}: "
    raise InvalidMaskError(where + message(fault))


cdef str message(Fault fault):
    at, found, expected = fault.at, fault.found, fault.expected
    if fault.status == TRUNCATED:
        return f"packed bytes end inside the operation at byte {at}"
    if fault.status == UNFINISHED_COLUMN:
        return f"packed bytes end at byte {at} inside a column"
    if fault.status == RESERVED_BYTE:
        return f"packed byte {at} is {found}, which no version-1 mask has there"
    if fault.status == INSIDE_COLUMN:
        return f"packed byte {at} is operation {found} inside a column"
    if fault.status == NO_EDGES:
        return f"packed byte {at} moves an edge, but the column has none"
    if fault.status == BACKWARDS:
        return f"packed byte {at} names edge {found}, expected {expected} at least after the one before"
    if fault.status == BAD_INDEX:
        return f"packed byte {at} names edge {found}, but the column has {expected}"
    if fault.status == TOO_MANY_EDGES:
        return f"packed byte {at} makes {found} edges, a line can have {expected}"
    if fault.status == BAD_ORDER:
        return f"packed byte {at} completes column {found} with edges outside 0 to {expected} or out of order"
    if fault.status == TOO_MANY_COLUMNS:
        return f"packed byte {at} makes more columns than the {expected} that the crop has"
    if fault.status == TOO_FEW_COLUMNS:
        return f"packed bytes end at byte {at} after {found} columns, the crop has {expected}"
    if fault.status == BAD_VARINT:
        return f"packed byte {at} starts a number above the limit of {expected}"
    if fault.status == ZERO_COUNT:
        return f"packed byte {at} counts 0 columns or segments, expected at least 1"
    if fault.status == BAD_RUNS:
        return f"packed run lengths cover {found} pixels at byte {at}, the crop has {expected}"
    if fault.status == BAD_CHARACTER:
        return f"character {at} of the counts string has code {found}, expected 48 to 111"
    if fault.status == LONG_NUMBER:
        return f"character {at} of the counts string is digit {found} of a number, expected at most {expected}"
    if fault.status == NEGATIVE_RUN:
        return f"run {at} has length {found}, expected 0 to {expected}"
    if fault.status == WRONG_SUM:
        return f"runs cover {found} pixels, expected {expected}"
    if fault.status == WRONG_AREA:
        return f"{found} pixels are True, but its area says {expected}"
    if fault.status == LARGE_CROP:
        return f"its crop has {found} pixels, expected at most {expected}"
    if fault.status == TOO_MANY_CROSSINGS:
        return f"its outlines cross {found} rows or columns of pixels, expected at most {expected}"
    return f"{found} bytes of packed masks, one set holds at most {expected}"
