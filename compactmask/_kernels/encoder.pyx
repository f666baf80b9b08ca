"""The edges of a mask's columns to its packed form (formats/ENCODING.md), canonically.

Columns with equally many edges that lie near each other form a stretch. All its symbols follow
from the rows alone, so they are computed for the whole stretch at once, as vectors:

    d       this row less the one `m` before, `m` being the edges of a column
    kept    d as it is remembered; an edge's last move stands `m` before, the other `2 m` before

Words are then written greedily: the longest that matches, found by its symbols in unary. Between
stretches operations change which edges the line has.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport NO_MEMORY, OK, Status
from compactmask._kernels.varint cimport put_varint, varint_length
from compactmask._kernels.words cimport (
    ADD_ANY_OP,
    ADD_OP,
    CUT_ANY_OP,
    CUT_OP,
    EMPTY_OP,
    RESET_OP,
    RUNS_OP,
    STILL_OP,
    SYMBOL_OP,
    SYMBOLS,
    tables,
)

cdef enum:
    STILL_MINIMUM = 24      # zero symbols in whole columns that make one STILL
    NEAR = 12               # a move up to here costs less than an operation

cdef extern from "moves.h":
    void choose_moves() noexcept
    void differences(
        const int32_t* rows, const int32_t* before, Py_ssize_t n, int32_t* d, int32_t* kept
    ) noexcept nogil
    void rank(
        const int32_t* d,
        const int32_t* last,
        const int32_t* before_last,
        Py_ssize_t n,
        int32_t* symbols,
    ) noexcept nogil

choose_moves()


cdef inline int32_t apart(int32_t a, int32_t b) noexcept nogil:
    return a - b if a > b else b - a


cdef inline bint is_near(const int32_t* rows, const int32_t* before, Py_ssize_t n) noexcept nogil:
    """Tell whether symbols alone lead from one column of `n` edges to the next."""
    cdef Py_ssize_t k
    cdef bint result = True
    if n == 2:
        return True
    for k in range(n):
        result &= apart(rows[k], before[k]) <= NEAR
    return result


cdef inline bint is_still(const int32_t* symbols, Py_ssize_t m) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(m):
        if symbols[k] != 0:
            return False
    return True


cdef inline int32_t distance(
    const int32_t* line, Py_ssize_t m, const int32_t* rows, Py_ssize_t n
) noexcept nogil:
    """Sum how far the next two edges of each are apart, or the next one where that is all."""
    cdef int32_t result = apart(line[0], rows[0])
    if m > 1 and n > 1:
        result += apart(line[1], rows[1])
    return result


cdef inline Change choose(
    const int32_t* rows, Py_ssize_t n, const int32_t* line, Py_ssize_t m
) noexcept nogil:
    """Keep the next edge of the line, cut two of it, or add two of `rows`.

    The line has `m` edges left and the column `n`, both odd or both even.
    """
    if m == 0:
        return ADD
    if n == 0:
        return CUT
    if m > n and distance(line + 2, m - 2, rows, n) < distance(line, m, rows, n):
        return CUT
    if m < n and distance(line, m, rows + 2, n - 2) < distance(line, m, rows, n):
        return ADD
    return KEEP


cdef class Encoder:
    def __cinit__(self):
        self.tables = tables()

    def __dealloc__(self):
        free(self.line)
        free(self.last)
        free(self.before_last)
        free(self.changed)
        free(self.changed_last)
        free(self.changed_before_last)
        free(self.changes)
        free(self.d)
        free(self.kept)
        free(self.symbols)
        free(self.out)

    cdef Status encode(self, Edges mask) noexcept nogil:
        """Append the canonical packed form of `mask` to the bytes written."""
        cdef:
            Py_ssize_t begin = self.n_out, m = 0, n
            const Py_ssize_t* start = mask.start
            const int32_t* rows
            int32_t x = 0, first
        while x < mask.w:
            first = x
            n = start[x + 1] - start[x]
            x += 1
            if n == 0:
                while x < mask.w and start[x + 1] == start[x]:
                    x += 1
                if self.reserve_out(6) != OK:
                    return NO_MEMORY
                self.put_count(EMPTY_OP, x - first)
                m = 0
                continue
            rows = mask.at + start[first]
            if n != m or not is_near(rows, self.line, n):
                if self.change_line(rows, n, m) != OK:
                    return NO_MEMORY
                m = n
            while (
                x < mask.w
                and start[x + 1] - start[x] == m
                and is_near(mask.at + start[x], mask.at + start[x] - m, m)
            ):
                x += 1
            if self.put_stretch(rows, x - first, m) != OK:
                return NO_MEMORY
        self.prefer_runs(mask, begin)
        return OK

    # Which edges the line has

    cdef Status change_line(self, const int32_t* rows, Py_ssize_t n, Py_ssize_t m) noexcept nogil:
        """Write the operations that give the line of `m` edges as many as `rows`, near them."""
        cdef:
            Py_ssize_t i = 0, j = 0, cost = 0, length = 0, k
            int32_t above = 0           # the edge before in the changed line
            Change change
            Change* changes
        if self.reserve_line(n + m) != OK or self.reserve_out(6 + 16 * (n + m)) != OK:
            return NO_MEMORY
        changes = self.changes
        while i < m or j < n:
            change = choose(rows + j, n - j, self.line + i, m - i)
            changes[length] = change
            length += 1
            if change == KEEP:
                cost += 2 * (apart(rows[j], self.line[i]) > NEAR)
                above = self.line[i]
                i += 1
                j += 1
            elif change == CUT:
                cost += 1
                i += 2
            else:
                cost += 3
                if rows[j] < above:     # ADD cannot say that
                    cost += 3 + n
                above = rows[j + 1]
                j += 2
        if (n > 2 if m == 0 else cost > 2 + n):
            self.reset(rows, n)
            return OK
        i = j = n = 0                       # n: edges of the changed line
        for k in range(length):
            if changes[k] == KEEP:
                self.changed[n] = self.line[i]
                self.changed_last[n] = self.last[i]
                self.changed_before_last[n] = self.before_last[i]
                n += 1
                i += 1
                j += 1
            elif changes[k] == CUT:
                self.put_indexed(CUT_OP, n)
                i += 2
            else:
                self.put_indexed(ADD_OP, n)
                self.put_number(rows[j] - (self.changed[n - 1] if n > 0 else 0))
                self.put_number(rows[j + 1] - rows[j] - 1)
                self.changed[n], self.changed[n + 1] = rows[j], rows[j + 1]
                self.changed_last[n] = self.changed_last[n + 1] = 0
                self.changed_before_last[n] = self.changed_before_last[n + 1] = 0
                n += 2
                j += 2
        self.line, self.changed = self.changed, self.line
        self.last, self.changed_last = self.changed_last, self.last
        self.before_last, self.changed_before_last = self.changed_before_last, self.before_last
        return OK

    cdef void reset(self, const int32_t* rows, Py_ssize_t n) noexcept nogil:
        """Write the line anew."""
        cdef Py_ssize_t k
        cdef int32_t above = -1
        self.put_count(RESET_OP, n // 2)
        for k in range(n):
            self.put_number(rows[k] - above - 1)
            above = rows[k]
        memcpy(self.line, rows, n * sizeof(int32_t))
        memset(self.last, 0, n * sizeof(int32_t))
        memset(self.before_last, 0, n * sizeof(int32_t))

    # How its edges move

    cdef Status put_stretch(
        self, const int32_t* rows, Py_ssize_t columns, Py_ssize_t m
    ) noexcept nogil:
        """Write `columns` columns of `m` edges that need no operation after the line."""
        cdef:
            Py_ssize_t n = columns * m, done = 0, column, first, beyond
            Py_ssize_t least = (STILL_MINIMUM + m - 1) // m
            size_t size = m * sizeof(int32_t)
            int32_t* kept
            const int32_t* symbols
        if self.reserve_stretch(n + 2 * m) != OK or self.reserve_out(5 * n + 6 * columns) != OK:
            return NO_MEMORY
        kept = self.kept + 2 * m
        memcpy(self.kept, self.before_last, size)
        memcpy(self.kept + m, self.last, size)
        differences(rows, self.line, m, self.d, kept)
        differences(rows + m, rows, n - m, self.d + m, kept + m)
        rank(self.d, kept - m, kept - 2 * m, n, self.symbols)
        memcpy(self.line, rows + n - m, size)
        memcpy(self.last, kept + n - m, size)
        memcpy(self.before_last, kept + n - 2 * m, size)

        # Maximal rows of columns without any symbol but 0 become STILL where that pays. One that
        # does holds a column of any `least` that follow each other, so only every so many are looked at.
        symbols = self.symbols
        column = least - 1
        while column < columns:
            first = beyond = column
            while beyond < columns and is_still(symbols + beyond * m, m):
                beyond += 1
            if beyond > column:
                while first > done and is_still(symbols + (first - 1) * m, m):
                    first -= 1
            if beyond - first >= least:
                self.put_words(symbols + done * m, (first - done) * m)
                self.put_count(STILL_OP, <uint32_t>(beyond - first))
                done = beyond
            column = beyond + least
        self.put_words(symbols + done * m, n - done * m)
        return OK

    cdef void put_words(self, const int32_t* symbols, Py_ssize_t n) noexcept nogil:
        """Write symbols as words; there is room for five bytes each.

        A small symbol waits as so many zeros and a one, the first at the lowest bit. No word
        takes more than 8 bits of these, so a table gives the longest that they start with.
        """
        cdef:
            const int32_t* end = symbols + n
            const Tables* table = self.tables
            uint8_t* out = self.out + self.n_out
            uint64_t bits = 0
            uint32_t waiting = 0, least = 0, symbol, first
        while True:
            while symbols < end and waiting < 48 and symbols[0] < 8:
                symbol = <uint32_t>symbols[0]
                bits |= <uint64_t>1 << ((waiting + symbol) & 63)
                waiting += symbol + 1
                symbols += 1
            # the last 7 bits wait for more symbols while there may be some
            least = 7 if waiting >= 48 else 0
            while waiting > least:
                first = <uint32_t>(bits & 255)
                out[0] = table.first[first]
                out += 1
                bits >>= table.first_bits[first]
                waiting -= table.first_bits[first]
            if waiting > 0:
                continue
            if symbols == end:
                break
            if symbols[0] >= SYMBOLS:
                out[0] = SYMBOL_OP
                out = put_varint(out + 1, symbols[0] - SYMBOLS)
                symbols += 1
            elif symbols[0] >= 8:
                out[0] = <uint8_t>symbols[0]
                out += 1
                symbols += 1
        self.n_out = out - self.out

    cdef void put_number(self, uint32_t value) noexcept nogil:
        self.n_out = put_varint(self.out + self.n_out, value) - self.out

    cdef void put_count(self, uint8_t op, uint32_t count) noexcept nogil:
        self.out[self.n_out] = op
        self.n_out += 1
        self.put_number(count)

    cdef void put_indexed(self, uint8_t op, Py_ssize_t k) noexcept nogil:
        """Write CUT or ADD for edge `k`."""
        if k < 4:
            self.out[self.n_out] = <uint8_t>(op + k)
            self.n_out += 1
        else:
            self.put_count(CUT_ANY_OP if op == CUT_OP else ADD_ANY_OP, <uint32_t>(k - 4))

    cdef void prefer_runs(self, Edges mask, Py_ssize_t begin) noexcept nogil:
        """Replace the bytes from `begin` on by run lengths where those are strictly shorter."""
        cdef:
            Py_ssize_t length = self.n_out - begin, k, runs = mask.n // 2
            int64_t total
            int32_t column
        for k in range(1, mask.n, 2):       # these may go on in the next column
            runs -= mask.at[k] == mask.h
        if length <= 1 + 2 * runs:          # a run takes a byte at least
            return
        runs = mask.n // 2
        for column in range(1, mask.w):
            k = mask.start[column]
            if mask.start[column - 1] < k < mask.start[column + 1]:
                runs -= mask.at[k - 1] == mask.h and mask.at[k] == 0
        if length <= 1 + 2 * runs:
            return
        total = 1 + put_runs(mask, NULL)
        if total < length:
            self.out[begin] = RUNS_OP
            put_runs(mask, self.out + begin + 1)
            self.n_out = begin + total

    # Room

    cdef Status reserve_line(self, Py_ssize_t n) noexcept nogil:
        """Make room for a line of `n` edges."""
        cdef Py_ssize_t capacity = max(2 * self.line_capacity, n, 64)
        cdef Change* changes
        if n <= self.line_capacity:
            return OK
        changes = <Change*>realloc(self.changes, capacity * sizeof(Change))
        if changes == NULL:
            return NO_MEMORY
        self.changes = changes
        if (
            grow(&self.line, capacity) != OK
            or grow(&self.last, capacity) != OK
            or grow(&self.before_last, capacity) != OK
            or grow(&self.changed, capacity) != OK
            or grow(&self.changed_last, capacity) != OK
            or grow(&self.changed_before_last, capacity) != OK
        ):
            return NO_MEMORY
        self.line_capacity = capacity
        return OK

    cdef Status reserve_stretch(self, Py_ssize_t n) noexcept nogil:
        """Make room for a stretch of `n` edges."""
        cdef Py_ssize_t capacity = max(2 * self.stretch_capacity, n, 1024)
        if n <= self.stretch_capacity:
            return OK
        if (
            grow(&self.d, capacity) != OK
            or grow(&self.kept, capacity) != OK
            or grow(&self.symbols, capacity) != OK
        ):
            return NO_MEMORY
        self.stretch_capacity = capacity
        return OK

    cdef Status reserve_out(self, Py_ssize_t more) noexcept nogil:
        """Make room for `more` packed bytes behind the ones that are there."""
        cdef Py_ssize_t capacity = max(2 * self.out_capacity, self.n_out + more, 4096)
        cdef uint8_t* out
        if self.n_out + more <= self.out_capacity:
            return OK
        out = <uint8_t*>realloc(self.out, capacity)
        if out == NULL:
            return NO_MEMORY
        self.out = out
        self.out_capacity = capacity
        return OK


cdef Status grow(int32_t** array, Py_ssize_t capacity) noexcept nogil:
    cdef int32_t* larger = <int32_t*>realloc(array[0], capacity * sizeof(int32_t))
    if larger == NULL:
        return NO_MEMORY
    array[0] = larger
    return OK


cdef int64_t put_runs(Edges mask, uint8_t* out) noexcept nogil:
    """Return how many bytes its run lengths take, and write them where `out` is not NULL."""
    cdef:
        int64_t origin, done = 0, begin = 0, end = 0, total = 0
        int64_t pixels = <int64_t>mask.h * mask.w
        int32_t column
        Py_ssize_t k
    for column in range(mask.w):
        origin = <int64_t>column * mask.h
        for k in range(mask.start[column], mask.start[column + 1], 2):
            if origin + mask.at[k] != end or end == 0:
                if end > 0:
                    total += put_run(&out, begin - done)
                    total += put_run(&out, end - begin)
                    done = end
                begin = origin + mask.at[k]
            end = origin + mask.at[k + 1]
    if end > 0:
        total += put_run(&out, begin - done)
        total += put_run(&out, end - begin)
    if end < pixels:
        total += put_run(&out, pixels - end)
    return total


cdef inline Py_ssize_t put_run(uint8_t** out, int64_t length) noexcept nogil:
    if out[0] != NULL:
        out[0] = put_varint(out[0], <uint32_t>length)
    return varint_length(<uint32_t>length)
