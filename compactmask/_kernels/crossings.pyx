"""Scratch for one polygon: where its outlines cross each of a range of lines."""

from libc.stdlib cimport free
from libc.string cimport memset

from compactmask._kernels.order cimport sort
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, TOO_MANY_CROSSINGS, fault_of

cdef enum:
    MAX_CROSSINGS = 33_554_432      # a quarter of a GiB


cdef class Crossings:
    def __dealloc__(self):
        free(self.start)
        free(self.at)
        free(self.inside)

    cdef Status begin(self, int32_t first, int32_t last) noexcept nogil:
        """Forget the polygon before and take the lines that the next one can cross."""
        cdef Py_ssize_t n = max(0, last - first + 1) + 3
        self.first, self.last, self.n = first, last, 0
        if make_room(<void**>&self.start, &self.start_capacity, n, sizeof(int32_t)) != OK:
            return NO_MEMORY
        memset(self.start, 0, n * sizeof(int32_t))
        return OK

    cdef Fault arrange(self) noexcept nogil:
        """Make room for the crossings that are expected and find out where each line's begin."""
        cdef:
            Fault fault = fault_of(OK, -1)
            Py_ssize_t line, n = max(0, self.last - self.first + 1)
            int32_t deep = 0, total = 0
        if self.n > MAX_CROSSINGS:
            fault.status, fault.found, fault.expected = TOO_MANY_CROSSINGS, self.n, MAX_CROSSINGS
            return fault
        fault.status = make_room(<void**>&self.at, &self.capacity, self.n, sizeof(Crossing))
        if fault.status != OK:
            return fault
        # start[k + 1] is where line k begins; filling moves it to where line k + 1 does
        for line in range(n):
            deep += self.start[line + 2]
            self.start[line + 1] = total
            total += deep
        return fault

    cdef void sort(self) noexcept nogil:
        """Sort the crossings of each line by place."""
        cdef Py_ssize_t line
        cdef int32_t* start = self.start
        for line in range(self.last - self.first + 1):
            sort(self.at + start[line], start[line + 1] - start[line], by_place)

    cdef Status unite(self, Py_ssize_t n_parts, int32_t h, Edges mask) noexcept nogil:
        """Fill the union of all parts, tightly cropped; a crossing is out of its part or into it.

        Lines are columns, and a crossing at place y toggles its part from row y on, 0 to `h`. A
        part is crossed an even number of times in each column.
        """
        cdef:
            Py_ssize_t k, n, begin
            int64_t depth = 0
            uint32_t part
            int32_t column, columns = max(0, self.last - self.first + 1)
            bint covered
            uint8_t* inside
            int32_t* rows
        if columns == 0:
            return mask.make_empty(0, 0)
        if make_room(<void**>&self.inside, &self.inside_capacity, n_parts, 1) != OK:
            return NO_MEMORY
        inside = self.inside
        memset(inside, 0, n_parts)
        if mask.begin(self.first, 0, h, columns) != OK or mask.reserve(self.n) != OK:
            return NO_MEMORY
        rows = mask.at
        n = 0
        for column in range(columns):
            begin = n
            for k in range(self.start[column], self.start[column + 1]):
                part = self.at[k].part
                covered = depth > 0
                depth += -1 if inside[part] else 1
                inside[part] ^= 1
                if covered == (depth > 0):
                    continue
                if n > begin and rows[n - 1] == self.at[k].place:
                    n -= 1
                else:
                    rows[n] = self.at[k].place
                    n += 1
            mask.start[column + 1] = n
        mask.n = n
        mask.column = columns
        if n == 0:
            return mask.make_empty(0, 0)
        mask.tighten()
        return OK


cdef inline int by_place(const void* a, const void* b) noexcept nogil:
    return (<const Crossing*>a).place - (<const Crossing*>b).place
