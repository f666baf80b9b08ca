"""Many masks on one canvas: their union, and what each one shows under those above it.

Only columns that a mask touches have edges, so the memory is that of the edges and one small
entry for each column between the outermost crops. Adding a mask costs what its own edges do, and
those of the canvas between its first and last row of a column; edges below are moved where the
number of those above changes.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.boolean cimport MINUS, OR, combine_rows
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of


def union(block):
    """Give the pixels of any mask as a block of one; no masks are one empty 1x1 crop at (0, 0)."""
    cdef:
        View view
        Builder builder = Builder()
        Canvas canvas = Canvas()
        Edges mask = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i
    look(block, &view)
    with nogil:
        fault.status = canvas.begin(&view)
        for i in range(view.n):
            if fault.status == OK and view.area[i] > 0:
                fault = unpack(&view, i, decoder, mask)
                if fault.status == OK:
                    fault.status = canvas.join(mask)
        if fault.status == OK:
            fault.status = canvas.read(mask, view.height)
        if fault.status == OK and mask.n > 0:
            mask.tighten()
        elif fault.status == OK and view.n > 0:
            fault.status = mask.make_empty(view.offsets[0], view.offsets[1])
        elif fault.status == OK:
            fault.status = mask.make_empty(0, 0)
        if fault.status == OK:
            fault = builder.add(mask)
    fail(fault)
    return builder.finish(view.height, view.width)


def occlude(block, const int64_t[::1] order):
    """Give of each mask what those before it do not have.

    Parameters
    ----------
    block : bytes
        A block.
    order : ndarray of int64
        Which masks, the topmost first; all in ``0..n - 1``.

    Returns
    -------
    bytes
        A block of ``len(order)`` masks, in that order.
    """
    cdef:
        View view
        Builder builder = Builder()
        Canvas canvas = Canvas()
        Edges mask = Edges()
        Edges out = Edges()
        Decoder decoder = Decoder()
        Fault fault = fault_of(OK, -1)
        Py_ssize_t i, k
    look(block, &view)
    with nogil:
        fault.status = canvas.begin(&view)
        for i in range(order.shape[0]):
            k = order[i]
            if fault.status == OK:
                fault = unpack(&view, k, decoder, mask)
            if fault.status == OK:
                fault.status = canvas.cut(mask, out)
            if fault.status == OK:
                fault = builder.add_changed(&view, k, out)
            if fault.status == OK:
                fault.status = canvas.join(out)
            if fault.status != OK:
                break
    fail(fault)
    return builder.finish(view.height, view.width)


cdef inline int32_t place(const int32_t* rows, int32_t n, int32_t row) noexcept nogil:
    """Count the sorted rows above `row`."""
    cdef int32_t first = 0, middle, k, count = 0
    while n - first > 16:
        middle = (first + n) // 2
        if rows[middle] < row:
            first = middle + 1
        else:
            n = middle
    for k in range(first, n):
        count += rows[k] < row
    return first + count


cdef inline void near(
    const int32_t* rows, int32_t n, int32_t top, int32_t bottom, int32_t* first, int32_t* beyond
) noexcept nogil:
    """Find the segments of a column that meet or touch rows top to bottom, as places of edges.

    Of a short column it gives all: what is saved is less than the search costs.
    """
    if n <= 8:
        first[0], beyond[0] = 0, n
        return
    first[0] = place(rows, n, top) & ~1
    beyond[0] = (place(rows, n, bottom + 1) + 1) & ~1


cdef class Canvas:
    def __dealloc__(self):
        free(self.columns)
        free(self.rows)
        free(self.merged)

    cdef Status begin(self, View* view) noexcept nogil:
        """Make a canvas without pixels for masks of `view`; done once."""
        cdef Py_ssize_t i
        self.x1, self.x2 = view.width, 0
        for i in range(view.n):
            self.x1 = min(self.x1, view.offsets[2 * i])
            self.x2 = max(self.x2, view.offsets[2 * i] + view.crop_shapes[2 * i + 1])
        self.columns = <Column*>calloc(max(1, self.x2 - self.x1), sizeof(Column))
        return NO_MEMORY if self.columns == NULL else OK

    cdef Status join(self, Edges mask) noexcept nogil:
        """Add the pixels of `mask`."""
        cdef:
            int32_t x, n
            Py_ssize_t k
        for x in range(mask.w):
            k = mask.start[x]
            n = <int32_t>(mask.start[x + 1] - k)
            if n > 0 and self.merge(
                self.columns + (mask.x - self.x1 + x), mask.at + k, n, mask.y
            ) != OK:
                return NO_MEMORY
        return OK

    cdef Status merge(
        self, Column* column, const int32_t* rows, int32_t n, int32_t down
    ) noexcept nogil:
        """Add `n` edges, moved down, to a column.

        Only the segments near them change::

            column    | above |     near     | below |
                              ^ first        ^ beyond
            merged            | near or rows |
        """
        cdef:
            int32_t first, beyond, total, k, i
            int32_t* at = self.rows + column.start
        if column.n == 0 or rows[0] + down > at[column.n - 1]:      # mostly it lies below
            if column.n + n > column.capacity and self.move(column, column.n + n) != OK:
                return NO_MEMORY
            at = self.rows + column.start + column.n
            for i in range(n):
                at[i] = rows[i] + down
            column.n += n
            return OK
        near(at, column.n, rows[0] + down, rows[n - 1] + down, &first, &beyond)
        if make_room(
            <void**>&self.merged, &self.merged_capacity, beyond - first + n, sizeof(int32_t)
        ) != OK:
            return NO_MEMORY
        k = <int32_t>combine_rows(OR, at + first, beyond - first, 0, rows, n, down, self.merged)
        total = column.n - (beyond - first) + k
        if total > column.capacity and self.move(column, total) != OK:
            return NO_MEMORY
        at = self.rows + column.start
        if first + k != beyond and beyond < column.n:
            memmove(at + first + k, at + beyond, (column.n - beyond) * sizeof(int32_t))
        memcpy(at + first, self.merged, k * sizeof(int32_t))
        column.n = total
        return OK

    cdef Status move(self, Column* column, int32_t n) noexcept nogil:
        """Take a column behind all others, where it has room for twice `n` edges."""
        if make_room(
            <void**>&self.rows, &self.capacity, self.n_rows + 2 * <Py_ssize_t>n, sizeof(int32_t)
        ) != OK:
            return NO_MEMORY
        memcpy(
            self.rows + self.n_rows, self.rows + column.start, column.n * sizeof(int32_t)
        )
        column.start, column.capacity = self.n_rows, 2 * n
        self.n_rows += 2 * <Py_ssize_t>n
        return OK

    cdef Status cut(self, Edges mask, Edges out) noexcept nogil:
        """Fill `out` with the pixels of `mask` that the canvas lacks, in a tight crop."""
        cdef:
            int32_t x, first = 0, beyond = 0
            Py_ssize_t k, n
            Column* column = self.columns + (mask.x - self.x1)
            const int32_t* rows
        if out.begin(mask.x, mask.y, mask.h, mask.w) != OK:
            return NO_MEMORY
        for x in range(mask.w):
            k = mask.start[x]
            n = mask.start[x + 1] - k
            if n > 0 and column.n > 0:
                rows = self.rows + column.start
                near(
                    rows, column.n, mask.at[k] + mask.y, mask.at[k + n - 1] + mask.y,
                    &first, &beyond,
                )
                if out.reserve(n + beyond - first) != OK:
                    return NO_MEMORY
                out.n += combine_rows(
                    MINUS, mask.at + k, n, 0, rows + first, beyond - first, -mask.y,
                    out.at + out.n,
                )
                out.column += 1
                out.start[out.column] = out.n
            elif out.add_column(mask.at + k, n) != OK:
                return NO_MEMORY
            column += 1
        out.tighten()
        return OK

    cdef Status read(self, Edges out, int32_t height) noexcept nogil:
        """Fill `out` with the pixels, in a crop as high as the image."""
        cdef:
            int32_t x, k
            Py_ssize_t n
            const int32_t* rows
            Column* column = self.columns
        if out.begin(self.x1, 0, height, max(0, self.x2 - self.x1)) != OK:
            return NO_MEMORY
        if out.reserve(self.n_rows) != OK:
            return NO_MEMORY
        n = 0
        for x in range(out.w):
            rows = self.rows + column.start
            for k in range(0, column.n, 2):
                out.at[n + k], out.at[n + k + 1] = rows[k], rows[k + 1]
            n += column.n
            out.start[x + 1] = n
            column += 1
        out.n, out.column = n, out.w
        return OK
