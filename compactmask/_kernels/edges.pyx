"""Scratch for one unpacked mask: the sorted edges of every column of its crop, or its runs."""

from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from compactmask._kernels.status cimport NO_MEMORY, OK


cdef class Edges:
    def __dealloc__(self):
        free(self.at)
        free(self.start)

    cdef Status begin(self, int32_t x, int32_t y, int32_t h, int32_t w) noexcept nogil:
        """Forget the mask before and make room for the columns of an (h, w) crop at (x, y)."""
        cdef Py_ssize_t* start
        self.x, self.y, self.h, self.w = x, y, h, w
        self.n = self.column = 0
        if w + 1 > self.start_capacity:
            start = <Py_ssize_t*>realloc(self.start, (<size_t>w + 1) * sizeof(Py_ssize_t))
            if start == NULL:
                return NO_MEMORY
            self.start = start
            self.start_capacity = w + 1
        self.start[0] = 0
        return OK

    cdef Status make_empty(self, int32_t x, int32_t y) noexcept nogil:
        """Become a 1x1 crop at (x, y) without a True pixel."""
        if self.begin(x, y, 1, 1) != OK:
            return NO_MEMORY
        self.start[1] = 0
        return OK

    cdef Status reserve(self, Py_ssize_t more) noexcept nogil:
        """Make room for `more` edges behind the ones that are there."""
        cdef Py_ssize_t capacity
        cdef int32_t* at
        if self.n + more <= self.at_capacity:
            return OK
        capacity = max(2 * self.at_capacity, self.n + more, 1024)
        at = <int32_t*>realloc(self.at, capacity * sizeof(int32_t))
        if at == NULL:
            return NO_MEMORY
        self.at = at
        self.at_capacity = capacity
        return OK

    cdef Status add_column(self, const int32_t* rows, Py_ssize_t n) noexcept nogil:
        """Append a whole column; the caller keeps to `w` of them."""
        if self.reserve(n) != OK:
            return NO_MEMORY
        memcpy(self.at + self.n, rows, n * sizeof(int32_t))
        self.n += n
        self.column += 1
        self.start[self.column] = self.n
        return OK

    cdef Status fill(self, const int64_t* counts, Py_ssize_t n) noexcept nogil:
        """Take the runs of a frame that has begun; they cover its `h * w` pixels exactly.

        Columns before the first True pixel and behind the last are left out, and `x` and `w`
        say so: a small mask in a wide image costs nothing for the width. A frame without a
        True pixel has one column, at x = 0.
        """
        cdef:
            Py_ssize_t i, k = 0
            int64_t length, row = 0, columns
            int32_t h = self.h, column = 0, x = 0
            int32_t* at
            Py_ssize_t* start = self.start
        # a run ends at most as many segments as it crosses columns, and one more
        if self.reserve(n + 2 * <Py_ssize_t>self.w + 2) != OK:
            return NO_MEMORY
        at = self.at
        for i in range(n):
            length = counts[i]
            row += length
            if i % 2 == 0:                      # background: step over it
                if row < h:
                    continue
                columns = 1
                row -= h
                if row >= h:
                    columns += row // h
                    row %= h
                if k == 0:
                    x += <int32_t>columns
                    continue
                if i == n - 1:
                    break
                while columns > 0:
                    column += 1
                    start[column] = k
                    columns -= 1
                continue
            if length == 0:
                continue
            row -= length
            if k > start[column] and at[k - 1] == row:
                k -= 1                          # an empty background run lay between
            else:
                at[k] = <int32_t>row
                k += 1
            row += length
            while row >= h:
                at[k] = h
                column += 1
                start[column] = k + 1
                at[k + 1] = 0
                k += 2
                row -= h
            if row > 0:
                at[k] = <int32_t>row
                k += 1
            else:
                k -= 1                          # the run ended with its column
        self.n = k
        if k == 0:
            self.x, self.w = 0, 1
        else:
            self.x += x
            self.w = column + (k > start[column])
        start[self.w] = k
        return OK

    cdef int64_t area(self) noexcept nogil:
        """Count the True pixels."""
        cdef int64_t total = 0
        cdef Py_ssize_t k
        for k in range(0, self.n, 2):
            total += self.at[k + 1] - self.at[k]
        return total

    cdef Status clip(self, int32_t x1, int32_t y1, int32_t x2, int32_t y2) noexcept nogil:
        """Make the box, inclusive and in image coordinates, the crop.

        Columns that the crop lacks are added empty; rows outside the box are dropped.
        """
        cdef:
            int32_t first = max(0, x1 - self.x)
            int32_t beyond = max(first, min(self.w, x2 + 1 - self.x))
            int32_t before = min(max(0, self.x - x1), x2 + 1 - x1) if beyond > first else 0
            int32_t h = y2 - y1 + 1, w = x2 - x1 + 1, shift = self.y - y1
            int32_t column, top, bottom
            Py_ssize_t k = self.start[min(first, self.w)], stop, kept = 0
            Py_ssize_t* start
        if w + 1 > self.start_capacity:
            start = <Py_ssize_t*>realloc(self.start, (<size_t>w + 1) * sizeof(Py_ssize_t))
            if start == NULL:
                return NO_MEMORY
            self.start = start
            self.start_capacity = w + 1
        for column in range(first, beyond):
            stop = self.start[column + 1]
            self.start[column - first] = kept
            while k < stop:
                top = max(0, self.at[k] + shift)
                bottom = min(h, self.at[k + 1] + shift)
                if top < bottom:
                    self.at[kept] = top
                    self.at[kept + 1] = bottom
                    kept += 2
                k += 2
        if before > 0:
            memmove(self.start + before, self.start, (beyond - first) * sizeof(Py_ssize_t))
            for column in range(before):
                self.start[column] = 0
        for column in range(before + beyond - first, w + 1):
            self.start[column] = kept
        self.x, self.y, self.h, self.w, self.n = x1, y1, h, w, kept
        return OK

    cdef void tighten(self) noexcept nogil:
        """Shrink the crop to its True pixels, or to 1x1 at its origin where it has none."""
        cdef:
            int32_t first = 0, last = self.w - 1, column, top = self.h, bottom = 0
            Py_ssize_t k
        if self.n == 0:
            self.h = self.w = 1
            self.start[1] = 0
            return
        while self.start[first + 1] == 0:
            first += 1
        while self.start[last] == self.n:
            last -= 1
        for column in range(first, last + 1):
            if self.start[column + 1] > self.start[column]:
                top = min(top, self.at[self.start[column]])
                bottom = max(bottom, self.at[self.start[column + 1] - 1])
        if top > 0:
            for k in range(self.n):
                self.at[k] -= top
        if first > 0:
            memmove(self.start, self.start + first, (last - first + 2) * sizeof(Py_ssize_t))
        self.x += first
        self.y += top
        self.h = bottom - top
        self.w = last - first + 1

    cdef void mirror(self, bint x, bint y) noexcept nogil:
        """Reverse the crop where it is: each row where `x` says so, each column where `y` does."""
        if x:
            self._turn_around()
        if x != y:
            self._flip_columns()

    cdef void _turn_around(self) noexcept nogil:
        """Reverse rows and columns: all edges come in the opposite order."""
        cdef:
            Py_ssize_t* start = self.start
            int32_t* at = self.at
            Py_ssize_t low = 0, high = self.n - 1
            int32_t h = self.h, row
            Py_ssize_t n = self.n, place
        while low < high:               # n is even
            row = at[low]
            at[low] = h - at[high]
            at[high] = h - row
            low += 1
            high -= 1
        low, high = 0, self.w
        while low <= high:
            place = start[low]
            start[low] = n - start[high]
            start[high] = n - place
            low += 1
            high -= 1

    cdef void _flip_columns(self) noexcept nogil:
        """Reverse every column."""
        cdef:
            int32_t* at = self.at
            int32_t h = self.h, x, row
            Py_ssize_t low, high
        for x in range(self.w):
            low, high = self.start[x], self.start[x + 1] - 1
            while low < high:
                row = at[low]
                at[low] = h - at[high]
                at[high] = h - row
                low += 1
                high -= 1

    cdef void swap(self, Edges other) noexcept nogil:
        """Exchange masks, and the memory they are in, with `other`."""
        self.x, other.x = other.x, self.x
        self.y, other.y = other.y, self.y
        self.h, other.h = other.h, self.h
        self.w, other.w = other.w, self.w
        self.at, other.at = other.at, self.at
        self.start, other.start = other.start, self.start
        self.n, other.n = other.n, self.n
        self.at_capacity, other.at_capacity = other.at_capacity, self.at_capacity
        self.start_capacity, other.start_capacity = other.start_capacity, self.start_capacity
        self.column, other.column = other.column, self.column


cdef class Runs:
    def __dealloc__(self):
        free(self.at)

    cdef Status reserve(self, Py_ssize_t more) noexcept nogil:
        """Make room for `more` runs behind the ones that are there."""
        cdef Py_ssize_t capacity
        cdef int64_t* at
        if self.n + more <= self.capacity:
            return OK
        capacity = max(2 * self.capacity, self.n + more, 1024)
        at = <int64_t*>realloc(self.at, capacity * sizeof(int64_t))
        if at == NULL:
            return NO_MEMORY
        self.at = at
        self.capacity = capacity
        return OK

    cdef Status read(self, Edges mask, int64_t height, int64_t width) noexcept nogil:
        """Append the runs of the mask in a frame that starts at (0, 0) and holds its crop.

        Segments that touch from one column to the next are one run. A last run of background
        is there, a run of length 0 only where the first pixel is True.
        """
        cdef:
            int64_t origin, begin, done = 0
            int32_t column
            Py_ssize_t k, first = self.n
        if self.reserve(mask.n + 1) != OK:
            return NO_MEMORY
        for column in range(mask.w):
            origin = (<int64_t>mask.x + column) * height + mask.y
            for k in range(mask.start[column], mask.start[column + 1], 2):
                begin = origin + mask.at[k]
                if begin == done and self.n > first:
                    self.at[self.n - 1] += mask.at[k + 1] - mask.at[k]
                else:
                    self.at[self.n] = begin - done
                    self.at[self.n + 1] = mask.at[k + 1] - mask.at[k]
                    self.n += 2
                done = origin + mask.at[k + 1]
        if done < height * width:
            self.at[self.n] = height * width - done
            self.n += 1
        return OK
