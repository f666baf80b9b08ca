"""Scratch for one mask that is drawn as spans of rows, in any order and overlapping as they like.

The edges of columns are where a row differs from the row above it. So spans are sorted by row and
joined within it; what two rows do not have in common is a list of toggles, again spans, and each
column of a toggle gets an edge there::

      row 0   ..####..        spans 2-6       toggles 2-6
      row 1   ..##.##.        spans 2-4 5-7   toggles 4-5 6-7
      row 2   ........        spans           toggles 2-4 5-7

Cost grows with the spans and with the edges, not with the pixels.
"""

from libc.stdlib cimport calloc, free, malloc
from libc.stdint cimport INT32_MAX

from compactmask._kernels.order cimport sort
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, TOO_MANY_CROSSINGS, fault_of

cdef enum:
    MAX_EDGES = 134_217_728         # half a GiB


cdef class Spans:
    def __dealloc__(self):
        free(self.at)

    cdef void begin(self) noexcept nogil:
        """Forget the mask before."""
        self.n = 0
        self.top = self.left = INT32_MAX
        self.bottom = self.right = -1

    cdef Status reserve(self, Py_ssize_t more) noexcept nogil:
        """Make room for `more` spans behind the ones that are there."""
        self.wanted = self.n + more
        if self.wanted > MAX_SPANS:
            return TOO_MANY_CROSSINGS
        return make_room(<void**>&self.at, &self.capacity, self.wanted, sizeof(Span))

    cdef Fault finish(self, Edges mask) noexcept nogil:
        """Fill the union of all spans, tightly cropped."""
        cdef:
            Fault fault = fault_of(OK, -1)
            Py_ssize_t rows = self.bottom - self.top + 1
            Span* sorted = NULL
            Py_ssize_t* start = NULL
            int32_t* sides = NULL
            Py_ssize_t most
        if self.n == 0:
            fault.status = mask.make_empty(0, 0)
            return fault
        # a row has at most as many toggles as it and the row above it have spans
        sorted = <Span*>malloc(self.n * sizeof(Span))
        start = <Py_ssize_t*>calloc(rows + 2, sizeof(Py_ssize_t))
        if sorted == NULL or start == NULL or make_room(
            <void**>&self.at, &self.capacity, 2 * self.n, sizeof(Span)
        ) != OK:
            fault.status = NO_MEMORY
        else:
            most = self.arrange(sorted, start, rows)
            sides = <int32_t*>malloc(4 * most * sizeof(int32_t))
            if sides == NULL:
                fault.status = NO_MEMORY
        if fault.status == OK:
            self.toggle(sorted, start, rows, sides, most)
            fault = self.fill(mask)
        free(sorted)
        free(start)
        free(sides)
        return fault

    cdef Py_ssize_t arrange(
        self, Span* sorted, Py_ssize_t* start, Py_ssize_t rows
    ) noexcept nogil:
        """Copy the spans sorted; row r has start[r] to start[r + 1]. Return the most of one row."""
        cdef Py_ssize_t k, row, count, total = 0, most = 0
        for k in range(self.n):
            start[self.at[k].row - self.top + 1] += 1
        for row in range(rows):
            count = start[row + 1]
            start[row + 1] = total
            total += count
            most = max(most, count)
        for k in range(self.n):
            row = self.at[k].row - self.top
            sorted[start[row + 1]] = self.at[k]
            start[row + 1] += 1
        for row in range(rows):
            sort(sorted + start[row], start[row + 1] - start[row], by_begin)
        return most

    cdef void toggle(
        self, const Span* sorted, const Py_ssize_t* start, Py_ssize_t rows, int32_t* sides,
        Py_ssize_t most,
    ) noexcept nogil:
        """Replace the spans by the toggles of each row and of the one below the last.

        `sides` has room for where the spans of two rows begin and end, `most` in each.
        """
        cdef:
            Py_ssize_t row, k, a, b, n_now, n_before = 0
            int32_t side
            bint is_open
            Span* out = self.at
            int32_t* now
            int32_t* before
        now, before = sides, sides + 2 * most
        self.n = 0
        for row in range(rows + 1):
            n_now = 0
            if row < rows:
                for k in range(start[row], start[row + 1]):
                    if n_now > 0 and sorted[k].begin <= now[n_now - 1]:
                        now[n_now - 1] = max(now[n_now - 1], sorted[k].end)
                    else:
                        now[n_now], now[n_now + 1] = sorted[k].begin, sorted[k].end
                        n_now += 2
            a = b = 0
            is_open = False
            while a < n_now or b < n_before:
                if b == n_before or (a < n_now and now[a] < before[b]):
                    side = now[a]
                    a += 1
                elif a == n_now or before[b] < now[a]:
                    side = before[b]
                    b += 1
                else:
                    a += 1
                    b += 1
                    continue
                if is_open:
                    out[self.n].end = side
                    self.n += 1
                else:
                    out[self.n].row = <int32_t>row
                    out[self.n].begin = side
                is_open = not is_open
            now, before = before, now
            n_before = n_now

    cdef Fault fill(self, Edges mask) noexcept nogil:
        """Give every column of each toggle an edge, in the order of rows."""
        cdef:
            Fault fault = fault_of(OK, -1)
            Py_ssize_t k, x, total = 0, deep = 0, w = self.right - self.left
            int32_t shift = self.left
            Py_ssize_t* end
            Span* toggle
        for k in range(self.n):
            total += self.at[k].end - self.at[k].begin
        if total > MAX_EDGES:
            fault.status, fault.found, fault.expected = TOO_MANY_CROSSINGS, total, MAX_EDGES
            return fault
        fault.status = mask.begin(self.left, self.top, self.bottom - self.top + 1, <int32_t>w)
        if fault.status == OK:
            fault.status = mask.reserve(total)
        end = <Py_ssize_t*>calloc(w + 1, sizeof(Py_ssize_t))
        if end == NULL:
            fault.status = NO_MEMORY
        if fault.status != OK:
            free(end)
            return fault
        for k in range(self.n):
            end[self.at[k].begin - shift] += 1
            end[self.at[k].end - shift] -= 1
        total = 0
        for x in range(w):
            deep += end[x]
            end[x] = total
            total += deep
            mask.start[x + 1] = total
        for k in range(self.n):
            toggle = self.at + k
            for x in range(toggle.begin - shift, toggle.end - shift):
                mask.at[end[x]] = toggle.row
                end[x] += 1
        free(end)
        mask.n = total
        mask.column = <int32_t>w
        return fault


cdef inline int by_begin(const void* a, const void* b) noexcept nogil:
    return (<const Span*>a).begin - (<const Span*>b).begin
