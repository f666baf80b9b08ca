"""Label images from and to packed masks.

A line of the image is cut into runs of equal pixels; a run that is not background goes to the
mask of its id. Lines are rows, or columns where those lie closer together in memory. The runs of
one id are the edges of its mask, and rows are exchanged with columns once for each mask, not for
the image: the work is a pass over the image and what its runs need.
"""

cimport cython
from cpython.buffer cimport (
    PyBUF_STRIDED_RO,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

import secrets

import numpy as np

from compactmask._kernels.block cimport Builder, View, look, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status, fail, fault_of
from compactmask._kernels.turn cimport Transposer

cdef extern from "labels.h":
    void choose_labels()
    uint64_t hash_factor
    void find_changes(
        const void* line, Py_ssize_t n, int size, uint8_t* changed
    ) noexcept nogil
    Py_ssize_t next_change(const uint8_t* changed, Py_ssize_t x) noexcept nogil
    uint64_t pixel_at(const void* line, Py_ssize_t x, int size) noexcept nogil
    void gather_line(
        const char* origin, Py_ssize_t step, Py_ssize_t n, int size, void* line
    ) noexcept nogil
    void gather_colours(
        const char* origin, Py_ssize_t step, Py_ssize_t channel, Py_ssize_t n, uint32_t* line
    ) noexcept nogil
    void fill_pixels(
        void* line, Py_ssize_t begin, Py_ssize_t end, int size, uint64_t value
    ) noexcept nogil
    Py_ssize_t first_taken(
        const void* line, Py_ssize_t begin, Py_ssize_t end, int size
    ) noexcept nogil
    size_t place_of(uint64_t value, int bits) noexcept nogil

choose_labels()
hash_factor = secrets.randbits(64) | 1

cdef enum:
    FIRST_BITS = 10             # of the table's size


cdef struct Run:
    int32_t line, begin, end


@cython.final
cdef class Scan:
    """The runs of a label image in order of lines, and the ids in order of appearance."""

    cdef:
        Run* runs
        uint32_t* owner         # which id each run has
        Py_ssize_t n, capacity
        uint64_t* ids
        Py_ssize_t* lengths     # how many runs each id has
        uint32_t n_ids
        Py_ssize_t ids_capacity
        uint32_t* table         # id + 1 where its value's place is, 0: free; at most half full
        int bits

    def __dealloc__(self):
        free(self.runs)
        free(self.owner)
        free(self.ids)
        free(self.lengths)
        free(self.table)

    cdef Status read(
        self,
        const char* pixels,
        Py_ssize_t line_step,
        Py_ssize_t step,
        const Py_ssize_t* channel,
        Py_ssize_t lines,
        Py_ssize_t length,
        int size,
    ) noexcept nogil:
        """Take the runs of an image; `channel` is how far the colours of a pixel are apart, or NULL."""
        cdef:
            uint8_t* changed = <uint8_t*>calloc(length + 8, 1)
            void* copy = malloc(length * size)
            const void* line
            Status status = self.grow_table()
            Py_ssize_t y
        if changed == NULL or copy == NULL:
            status = NO_MEMORY
        if status == OK:
            changed[length] = True      # ends the last run
            for y in range(lines):
                line = pixels + y * line_step
                if channel != NULL:
                    gather_colours(<const char*>line, step, channel[0], length, <uint32_t*>copy)
                    line = copy
                elif step != size:
                    gather_line(<const char*>line, step, length, size, copy)
                    line = copy
                find_changes(line, length, size, changed)
                status = self.add_line(line, <int32_t>y, length, size, changed)
                if status != OK:
                    break
        free(changed)
        free(copy)
        return status

    cdef Status add_line(
        self, const void* line, int32_t y, Py_ssize_t length, int size, const uint8_t* changed
    ) noexcept nogil:
        cdef:
            Py_ssize_t x = 0, begin
            uint64_t value
            uint32_t owner
        while x < length:
            begin = x
            x = next_change(changed, x + 1)
            value = pixel_at(line, begin, size)
            if value == 0:
                continue
            if self.n == self.capacity and self.grow_runs() != OK:
                return NO_MEMORY
            owner = self.find(value)
            if owner == self.n_ids and self.add_id(value) != OK:
                return NO_MEMORY
            self.lengths[owner] += 1
            self.owner[self.n] = owner
            self.runs[self.n].line = y
            self.runs[self.n].begin = <int32_t>begin
            self.runs[self.n].end = <int32_t>x
            self.n += 1
        return OK

    cdef inline uint32_t find(self, uint64_t value) noexcept nogil:
        """Return the id that has this value, or `n_ids`."""
        cdef size_t place = place_of(value, self.bits), last = self.last_place()
        while self.table[place] != 0:
            if self.ids[self.table[place] - 1] == value:
                return self.table[place] - 1
            place = (place + 1) & last
        return self.n_ids

    cdef inline size_t last_place(self) noexcept nogil:
        return (<size_t>1 << self.bits) - 1

    cdef void enter(self, uint32_t owner) noexcept nogil:
        """Put an id that the table lacks into it."""
        cdef size_t place = place_of(self.ids[owner], self.bits), last = self.last_place()
        while self.table[place] != 0:
            place = (place + 1) & last
        self.table[place] = owner + 1

    cdef Status add_id(self, uint64_t value) noexcept nogil:
        cdef Py_ssize_t capacity = self.ids_capacity
        if self.n_ids == self.ids_capacity:
            if self.n_ids > INT32_MAX // 2:
                return NO_MEMORY
            if (
                make_room(<void**>&self.ids, &capacity, capacity + 1, sizeof(uint64_t)) != OK
                or make_room(
                    <void**>&self.lengths, &self.ids_capacity, self.ids_capacity + 1,
                    sizeof(Py_ssize_t),
                ) != OK
            ):
                return NO_MEMORY
        self.ids[self.n_ids] = value
        self.lengths[self.n_ids] = 0
        self.n_ids += 1
        if 2 * <size_t>self.n_ids > self.last_place():
            return self.grow_table()
        self.enter(self.n_ids - 1)
        return OK

    cdef Status grow_table(self) noexcept nogil:
        cdef uint32_t owner
        self.bits = self.bits + 1 if self.bits else FIRST_BITS
        free(self.table)
        self.table = <uint32_t*>calloc(self.last_place() + 1, sizeof(uint32_t))
        if self.table == NULL:
            return NO_MEMORY
        for owner in range(self.n_ids):
            self.enter(owner)
        return OK

    cdef Status grow_runs(self) noexcept nogil:
        cdef Py_ssize_t capacity = self.capacity
        if make_room(<void**>&self.runs, &capacity, self.n + 1, sizeof(Run)) != OK:
            return NO_MEMORY
        return make_room(<void**>&self.owner, &self.capacity, self.n + 1, sizeof(uint32_t))

    cdef Status sort(self, Py_ssize_t* place) noexcept nogil:
        """Bring the runs of each id together; `place` says where those of each begin, then end."""
        cdef:
            Run* runs = <Run*>malloc(max(self.n, 1) * sizeof(Run))
            Py_ssize_t i
        if runs == NULL:
            return NO_MEMORY
        for i in range(self.n):
            runs[place[self.owner[i]]] = self.runs[i]
            place[self.owner[i]] += 1
        free(self.runs)
        self.runs = runs
        return OK


cdef Status as_edges(const Run* runs, Py_ssize_t n, Edges lines) noexcept nogil:
    """Make the tight crop of the runs of one id, whose lines are its columns."""
    cdef:
        int32_t first = runs[0].line, left = runs[0].begin, right = 0, line = 0
        Py_ssize_t i
        int32_t* at
    for i in range(n):
        left, right = min(left, runs[i].begin), max(right, runs[i].end)
    if lines.begin(first, left, right - left, runs[n - 1].line - first + 1) != OK:
        return NO_MEMORY
    if lines.reserve(2 * n) != OK:
        return NO_MEMORY
    at = lines.at
    for i in range(n):
        while line < runs[i].line - first:
            line += 1
            lines.start[line] = 2 * i
        at[2 * i], at[2 * i + 1] = runs[i].begin - left, runs[i].end - left
    lines.n = lines.start[lines.w] = 2 * n
    lines.column = lines.w
    return OK


def pack(labels):
    """Pack the masks of a label image.

    Parameters
    ----------
    labels : ndarray, shape (H, W) or (H, W, 3)
        Aligned pixels in native byte order: integers of any size or bool, 0 for background; or
        uint8 colours, which stand for R + 256 G + 65536 B. Any strides.

    Returns
    -------
    ndarray, shape (n,)
        The ids, ascending, in the dtype of the image; uint32 for colours.
    bytes
        A block of tight masks, one for each id.
    """
    cdef:
        Py_buffer image
        Py_ssize_t line_step, step, lines, length, i
        const Py_ssize_t* channel = NULL
        int32_t height, width
        int size
        Scan scan = Scan()
        Builder builder = Builder()
        Edges mask = Edges()
        Edges columns
        Transposer transposer = Transposer()
        Fault fault = fault_of(OK, -1)
        bint are_rows
        int64_t[::1] order
        Py_ssize_t[::1] place
        const Run* runs
        Py_ssize_t n
    PyObject_GetBuffer(labels, &image, PyBUF_STRIDED_RO)
    lines, length = image.shape[0], image.shape[1]
    line_step, step, size = image.strides[0], image.strides[1], <int>image.itemsize
    height, width = <int32_t>lines, <int32_t>length
    if image.ndim == 3:
        channel, size = &image.strides[2], 4
    are_rows = abs(labels.strides[1]) <= abs(labels.strides[0])
    if not are_rows:
        lines, length = length, lines
        line_step, step = step, line_step
    with nogil:
        fault.status = scan.read(
            <const char*>image.buf, line_step, step, channel, lines, length, size
        )
    PyBuffer_Release(&image)
    fail(fault)
    ids = np.array(<uint64_t[: scan.n_ids]>scan.ids) if scan.n_ids else np.empty(0, np.uint64)
    values = ids.astype(f"u{size}")
    if channel == NULL:
        values = values.view(labels.dtype)
    sorted_ids = np.argsort(values)
    order = sorted_ids
    place = np.zeros(scan.n_ids, np.intp)
    columns = Edges() if are_rows else mask
    n = 0
    for i in range(scan.n_ids):
        place[order[i]] = n
        n += scan.lengths[order[i]]
    with nogil:
        if scan.n_ids > 0:
            fault.status = scan.sort(&place[0])
        runs = scan.runs
        for i in range(scan.n_ids):
            if fault.status != OK:
                break
            n = scan.lengths[order[i]]
            fault.status = as_edges(runs, n, mask)
            if fault.status == OK and are_rows:
                fault.status = transposer.transpose(mask, columns)
            if fault.status == OK:
                fault = builder.add(columns)
            runs += n
    fail(fault)
    return values[sorted_ids], builder.finish(height, width)


def paint(block, out, const uint64_t[::1] values, bint is_strict):
    """Write the value of each mask into its pixels, later masks over earlier ones.

    Parameters
    ----------
    block : bytes
        A block.
    out : ndarray of integers, shape (H, W)
        C-contiguous, in native byte order.
    values : ndarray of uint64, shape (n,)
        One for each mask; the low bytes count.
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
        Py_buffer image
        char* line
        Py_ssize_t i, k, begin, end, taken = -1
        int32_t y = 0
        int size
    look(block, &view)
    PyObject_GetBuffer(out, &image, PyBUF_STRIDED_RO | PyBUF_WRITABLE)
    size = <int>image.itemsize
    with nogil:
        for i in range(view.n):
            fault = unpack(&view, i, decoder, mask)
            if fault.status == OK:
                fault.status = transposer.transpose(mask, rows)
            if fault.status != OK:
                break
            for y in range(rows.w):
                line = <char*>image.buf + (rows.x + y) * image.strides[0] + rows.y * size
                for k in range(rows.start[y], rows.start[y + 1], 2):
                    begin, end = rows.at[k], rows.at[k + 1]
                    if is_strict:
                        taken = first_taken(line, begin, end, size)
                        if taken < end:
                            break
                        taken = -1
                    fill_pixels(line, begin, end, size, values[i])
                if taken >= 0:
                    break
            if taken >= 0:
                break
    PyBuffer_Release(&image)
    fail(fault)
    return None if taken < 0 else (i, rows.y + taken, rows.x + y)
