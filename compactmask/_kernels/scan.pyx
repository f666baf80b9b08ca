"""The runs of equal pixels in some lines of a label image, by their ids.

Runs are found line by line and noted with the place of their id in a register, a hash table;
then they are sorted by id.
"""

from cpython.buffer cimport PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport INT32_MAX, int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

import secrets

import numpy as np

from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Status, fail, fault_of

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
    size_t place_of(uint64_t value, int bits) noexcept nogil

choose_labels()
hash_factor = secrets.randbits(64) | 1

cdef enum:
    FIRST_BITS = 10             # of the table's size


cdef class Register:
    def __dealloc__(self):
        free(self.ids)
        free(self.lengths)
        free(self.table)

    cdef inline uint32_t find(self, uint64_t value) noexcept nogil:
        """Return the id that has this value, or `n`."""
        cdef size_t place = place_of(value, self.bits), last = self.last_place()
        while self.table[place] != 0:
            if self.ids[self.table[place] - 1] == value:
                return self.table[place] - 1
            place = (place + 1) & last
        return self.n

    cdef inline size_t last_place(self) noexcept nogil:
        return (<size_t>1 << self.bits) - 1

    cdef Status add(self, uint64_t value) noexcept nogil:
        cdef Py_ssize_t capacity = self.capacity
        if self.n == self.capacity:
            if self.n > INT32_MAX // 2:
                return NO_MEMORY
            if (
                make_room(<void**>&self.ids, &capacity, capacity + 1, sizeof(uint64_t)) != OK
                or make_room(
                    <void**>&self.lengths, &self.capacity, self.capacity + 1, sizeof(Py_ssize_t)
                ) != OK
            ):
                return NO_MEMORY
        self.ids[self.n] = value
        self.lengths[self.n] = 0
        self.n += 1
        if 2 * <size_t>self.n > self.last_place():
            return self.grow_table()
        self.enter(self.n - 1)
        return OK

    cdef void enter(self, uint32_t i) noexcept nogil:
        """Put an id that the table lacks into it."""
        cdef size_t place = place_of(self.ids[i], self.bits), last = self.last_place()
        while self.table[place] != 0:
            place = (place + 1) & last
        self.table[place] = i + 1

    cdef Status grow_table(self) noexcept nogil:
        cdef uint32_t i
        self.bits = self.bits + 1 if self.bits else FIRST_BITS
        free(self.table)
        self.table = <uint32_t*>calloc(self.last_place() + 1, sizeof(uint32_t))
        if self.table == NULL:
            return NO_MEMORY
        for i in range(self.n):
            self.enter(i)
        return OK

    cdef object values(self):
        """Copy the ids to an array of uint64."""
        cdef uint64_t[::1] copy
        result = np.empty(self.n, np.uint64)
        if self.n > 0:
            copy = result
            memcpy(&copy[0], self.ids, self.n * sizeof(uint64_t))
        return result


cdef class Scan:
    """The runs of some lines of a label image, by their ids.

    Parameters
    ----------
    lines : ndarray, shape (n, length) or (n, length, 3)
        Aligned integers of any size in native byte order, 0 for background; or uint8 colours,
        which stand for R + 256 G + 65536 B. Any strides.
    first : int
        Which line of the image is the first of these.

    Attributes
    ----------
    ids : ndarray
        The ids that occur, ascending, in the dtype of `lines`; uint32 for colours.
    """

    def __init__(self, lines, int32_t first):
        cdef:
            Py_buffer pixels
            Register register = Register()
            Status status
        PyObject_GetBuffer(lines, &pixels, PyBUF_STRIDED_RO)
        with nogil:
            status = self.read(&pixels, first, register)
        PyBuffer_Release(&pixels)
        fail(fault_of(status, -1))
        bits = register.values()
        ids = bits.astype(lines.dtype if lines.ndim == 2 else np.uint32)
        order = ids.argsort()
        self.ids, self.bits, self.ends = ids[order], bits[order], order
        with nogil:
            status = self.sort(register)
        fail(fault_of(status, -1))

    def __dealloc__(self):
        free(self.runs)
        free(self.owner)

    cdef Status read(
        self, const Py_buffer* lines, int32_t first, Register register
    ) noexcept nogil:
        """Note the runs of all lines and their ids."""
        cdef:
            Py_ssize_t length = lines.shape[1], step = lines.strides[1], y
            bint are_colours = lines.ndim == 3
            int size = 4 if are_colours else <int>lines.itemsize
            uint8_t* changed = <uint8_t*>calloc(length + 8, 1)
            void* copy = malloc(length * size)
            const char* origin
            const void* line
            Status status = register.grow_table()
        if changed == NULL or copy == NULL:
            status = NO_MEMORY
        if status == OK:
            changed[length] = True      # ends the last run
            for y in range(lines.shape[0]):
                origin = <const char*>lines.buf + y * lines.strides[0]
                line = copy
                if are_colours:
                    gather_colours(origin, step, lines.strides[2], length, <uint32_t*>copy)
                elif step != size:
                    gather_line(origin, step, length, size, copy)
                else:
                    line = origin
                find_changes(line, length, size, changed)
                status = self.add_line(line, first + <int32_t>y, length, size, changed, register)
                if status != OK:
                    break
        free(changed)
        free(copy)
        return status

    cdef Status add_line(
        self,
        const void* line,
        int32_t y,
        Py_ssize_t length,
        int size,
        const uint8_t* changed,
        Register register,
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
            if self.n == self.capacity and self.grow() != OK:
                return NO_MEMORY
            owner = register.find(value)
            if owner == register.n and register.add(value) != OK:
                return NO_MEMORY
            register.lengths[owner] += 1
            self.owner[self.n] = owner
            self.runs[self.n].line = y
            self.runs[self.n].begin = <int32_t>begin
            self.runs[self.n].end = <int32_t>x
            self.n += 1
        return OK

    cdef Status grow(self) noexcept nogil:
        cdef Py_ssize_t capacity = self.capacity
        if make_room(<void**>&self.runs, &capacity, self.n + 1, sizeof(Run)) != OK:
            return NO_MEMORY
        return make_room(<void**>&self.owner, &self.capacity, self.n + 1, sizeof(uint32_t))

    cdef Status sort(self, Register register) noexcept nogil:
        """Bring the runs of each id together; `ends` holds the order of the ids until then."""
        cdef:
            Run* runs = <Run*>malloc(max(self.n, 1) * sizeof(Run))
            const uint32_t* owner = self.owner
            Py_ssize_t* place = register.lengths
            Py_ssize_t i, begin, end = 0
        if runs == NULL:
            return NO_MEMORY
        for i in range(register.n):
            begin = end
            end += place[self.ends[i]]
            place[self.ends[i]] = begin
            self.ends[i] = end
        for i in range(self.n):
            runs[place[owner[i]]] = self.runs[i]
            place[owner[i]] += 1
        free(self.runs)
        free(self.owner)
        self.runs, self.owner = runs, NULL
        return OK
