"""The packed form of one mask (formats/ENCODING.md) to the edges of its columns.

Decoding walks the bytes once. A byte below 236 is a word of small symbols, and a symbol moves
one edge of the line; larger bytes change which edges the line has. A finished line is the next
column. Everything is checked where it is used: indices and counts before memory is touched,
positions when a column is done.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport (
    BACKWARDS,
    BAD_INDEX,
    BAD_ORDER,
    BAD_RUNS,
    INSIDE_COLUMN,
    NO_EDGES,
    NO_MEMORY,
    OK,
    RESERVED_BYTE,
    TOO_FEW_COLUMNS,
    TOO_MANY_COLUMNS,
    TOO_MANY_EDGES,
    TRUNCATED,
    UNFINISHED_COLUMN,
    ZERO_COUNT,
    Fault,
    Status,
    fault_of,
)
from compactmask._kernels.varint cimport get_varint
from compactmask._kernels.words cimport (
    ADD_ANY_OP,
    ADD_OP,
    CUT_ANY_OP,
    CUT_OP,
    EMPTY_OP,
    LONGEST_WORD,
    MAX_LARGE_SYMBOL,
    MEMORY,
    NO_MOVES,
    RESET_OP,
    RUNS_OP,
    STILL_OP,
    SYMBOL_OP,
    SYMBOLS,
    WORDS,
    Edge,
    Step,
    move_edge,
    tables,
)

cdef extern from "steps.h":
    Py_ssize_t move_line(
        const Step* steps, const uint8_t* symbols, Py_ssize_t columns, Py_ssize_t m, int32_t h,
        Edge* line, int32_t* at,
    ) noexcept nogil

cdef enum:
    BATCH = 2048                # symbols that are unfolded before they are applied


cdef inline Fault _fault(Status status, Py_ssize_t at, int64_t found, int64_t expected) noexcept nogil:
    cdef Fault fault = fault_of(status, -1)
    fault.at, fault.found, fault.expected = at, found, expected
    return fault


cdef inline Status finish_column(const Edge* line, Py_ssize_t m, Edges mask) noexcept nogil:
    """Check the line and append it to `mask` as its next column."""
    cdef int32_t before
    cdef int32_t* at
    cdef bint is_sorted = True
    cdef Py_ssize_t k
    if mask.column == mask.w:
        return TOO_MANY_COLUMNS
    if mask.n + m > mask.at_capacity and mask.reserve(m) != OK:
        return NO_MEMORY
    at = mask.at + mask.n
    before = -1
    for k in range(0, m, 2):
        is_sorted &= (line[k].row > before) & (line[k + 1].row > line[k].row)
        before = line[k + 1].row
        at[k], at[k + 1] = line[k].row, before
    if not is_sorted or before > mask.h:
        return BAD_ORDER
    mask.n += m
    mask.column += 1
    mask.start[mask.column] = mask.n
    return OK


cdef class Decoder:
    def __cinit__(self):
        self.tables = tables()

    def __dealloc__(self):
        free(self.line)
        free(self.changed)
        free(self.counts)

    cdef Status reserve(self, Py_ssize_t n) noexcept nogil:
        """Make room for lines of `n` edges."""
        cdef Py_ssize_t capacity = max(2 * self.capacity, n, 64)
        cdef Edge* line
        if n <= self.capacity:
            return OK
        line = <Edge*>realloc(self.line, capacity * sizeof(Edge))
        if line == NULL:
            return NO_MEMORY
        self.line = line
        line = <Edge*>realloc(self.changed, capacity * sizeof(Edge))
        if line == NULL:
            return NO_MEMORY
        self.changed = line
        self.capacity = capacity
        return OK

    cdef Fault decode(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil:
        """Unpack `n` bytes into `mask`, whose crop has begun; every byte is checked."""
        cdef:
            const uint8_t* p = data
            const uint8_t* end = data + n
            const uint8_t* op
            int32_t h = mask.h, w = mask.w, d
            Py_ssize_t m = 0, j = 0, k, step
            Fault fault
            uint32_t value = 0, y = 0, length = 0
            uint8_t symbols[BATCH]
            Py_ssize_t n_symbols
            Edge* line = self.line
            uint8_t byte
            Status status = OK
        if n > 0 and data[0] == RUNS_OP:
            return self.decode_runs(data, n, mask)
        while p < end:
            op = p
            byte = p[0]
            p += 1
            if byte < WORDS:
                if m == 0:
                    return _fault(NO_EDGES, op - data, 0, 0)
                n_symbols = 0
                while True:
                    memcpy(symbols + n_symbols, self.tables.symbols[byte], LONGEST_WORD)
                    n_symbols += self.tables.length[byte]
                    if p == end or p[0] >= WORDS or n_symbols > BATCH - LONGEST_WORD:
                        break
                    byte = p[0]
                    p += 1
                status = self.move_edges(symbols, n_symbols, m, &j, mask)
                if status != OK:
                    while j >= self.tables.length[op[0]]:   # find the word of the last symbol
                        j -= self.tables.length[op[0]]
                        op += 1
                    return _fault(status, op - data, mask.column, h if status == BAD_ORDER else w)
                continue
            if byte == SYMBOL_OP:
                if m == 0:
                    return _fault(NO_EDGES, op - data, 0, 0)
                if not get_varint(&p, end, MAX_LARGE_SYMBOL, &value, &status):
                    return _fault(status, op - data, 0, MAX_LARGE_SYMBOL)
                value += SYMBOLS
                d = <int32_t>((value + 1) // 2) if value % 2 else -<int32_t>(value // 2)
                k = line[j].moves // SYMBOLS
                d = self.tables.base[k] + self.tables.sign[k] * d
                line[j].row += d
                if d < -MEMORY or d > MEMORY:
                    d = 0
                line[j].moves = <uint16_t>(((d + 16) << 5 | <int32_t>k >> 5) * SYMBOLS)
                j += 1
                if j == m:
                    status = finish_column(line, m, mask)
                    if status != OK:
                        return _fault(status, op - data, mask.column, h if status == BAD_ORDER else w)
                    j = 0
                continue
            if byte <= RUNS_OP:
                return _fault(RESERVED_BYTE, op - data, byte, 0)
            if j != 0:
                return _fault(INSIDE_COLUMN, op - data, byte, 0)
            if byte == STILL_OP or byte == EMPTY_OP:
                if not get_varint(&p, end, w, &value, &status):
                    return _fault(status, op - data, 0, w)
                if value == 0:
                    return _fault(ZERO_COUNT, op - data, 0, 1)
                if value > <uint32_t>(w - mask.column):
                    return _fault(TOO_MANY_COLUMNS, op - data, mask.column, w)
                if byte == EMPTY_OP:
                    m = 0
                elif m == 0:
                    return _fault(NO_EDGES, op - data, 0, 0)
                for step in range(value):
                    for k in range(m):
                        line[k] = move_edge(line[k], self.tables.steps, 0)
                    status = finish_column(line, m, mask)
                    if status != OK:
                        return _fault(status, op - data, mask.column, h)
                continue
            if byte == RESET_OP:
                if not get_varint(&p, end, <uint32_t>(h + 1) // 2, &value, &status):
                    return _fault(status, op - data, 0, (h + 1) // 2)
                if value == 0:
                    return _fault(ZERO_COUNT, op - data, 0, 1)
                m = 2 * <Py_ssize_t>value
                if m > end - p:             # a gap takes a byte at least
                    return _fault(TRUNCATED, op - data, 0, 0)
                if self.reserve(m) != OK:
                    return _fault(NO_MEMORY, 0, 0, 0)
                line = self.line
                y = 0
                for k in range(m):
                    if not get_varint(&p, end, h, &length, &status):
                        return _fault(status, op - data, 0, h)
                    y += length
                    if y > <uint32_t>h:
                        return _fault(BAD_ORDER, op - data, mask.column, h)
                    line[k].row, line[k].moves = <int32_t>y, NO_MOVES
                    y += 1
                continue
            p = op
            fault = self.edit_line(&p, end, data, &m, mask)
            if fault.status != OK:
                return fault
            line = self.line
        if j != 0:
            return _fault(UNFINISHED_COLUMN, n, 0, 0)
        if mask.column != w:
            return _fault(TOO_FEW_COLUMNS, n, mask.column, w)
        return _fault(OK, 0, 0, 0)

    cdef Fault edit_line(
        self,
        const uint8_t** at,
        const uint8_t* end,
        const uint8_t* data,
        Py_ssize_t* m,
        Edges mask,
    ) noexcept nogil:
        """Apply all CUTs and ADDs from `at` on to the line of `m` edges.

        They go from the top down, so the line is walked once, into a second one::

            line      | kept | cut | kept |       left        |
                                          ^ taken
            changed   | kept | kept | added |
                                            ^ n
        """
        cdef:
            const uint8_t* p = at[0]
            const uint8_t* op
            Py_ssize_t n = 0, taken = 0, left = m[0], k
            Py_ssize_t limit = 2 * <Py_ssize_t>mask.h + 2
            uint32_t value = 0, y = 0, length = 0
            uint8_t byte
            bint is_cut
            Status status = OK
        while p < end and CUT_OP <= p[0] <= ADD_ANY_OP:
            op = p
            byte = p[0]
            p += 1
            is_cut = byte < ADD_OP or byte == CUT_ANY_OP
            if byte == CUT_ANY_OP or byte == ADD_ANY_OP:
                if not get_varint(&p, end, <uint32_t>limit, &value, &status):
                    return _fault(status, op - data, 0, limit)
                k = 4 + <Py_ssize_t>value
            else:
                k = byte - (CUT_OP if is_cut else ADD_OP)
            if k < n:
                return _fault(BACKWARDS, op - data, k, n)
            if k + 2 * is_cut > n + left:
                return _fault(BAD_INDEX, op - data, k, n + left)
            if not is_cut and n + left + 2 > limit:
                return _fault(TOO_MANY_EDGES, op - data, n + left + 2, limit)
            if self.reserve(n + left + 2) != OK:
                return _fault(NO_MEMORY, 0, 0, 0)
            left -= k - n
            while n < k:
                self.changed[n] = self.line[taken]
                n += 1
                taken += 1
            if is_cut:
                taken += 2
                left -= 2
                continue
            if not get_varint(&p, end, mask.h, &y, &status) or not get_varint(
                &p, end, mask.h, &length, &status
            ):
                return _fault(status, op - data, 0, mask.h)
            if k > 0:
                y += self.changed[k - 1].row
            length += y + 1
            if length > <uint32_t>mask.h:
                return _fault(BAD_ORDER, op - data, mask.column, mask.h)
            self.changed[k].row, self.changed[k].moves = <int32_t>y, NO_MOVES
            self.changed[k + 1].row, self.changed[k + 1].moves = <int32_t>length, NO_MOVES
            n += 2
        m[0] = n + left
        while n < m[0]:
            self.changed[n] = self.line[taken]
            n += 1
            taken += 1
        self.line, self.changed = self.changed, self.line
        at[0] = p
        return _fault(OK, 0, 0, 0)

    cdef Status move_edges(
        self, const uint8_t* symbols, Py_ssize_t n, Py_ssize_t m, Py_ssize_t* place, Edges mask
    ) noexcept nogil:
        """Apply symbols to the line of `m` edges from edge `place` on, column after column.

        `place` becomes the edge after the last one moved, or on failure the symbol at fault.
        """
        cdef:
            Py_ssize_t j = place[0], k = 0, columns, first = mask.column
            Edge* line = self.line
            Status status
        while k < n:
            if j == 0:
                columns = min((n - k) // m, <Py_ssize_t>mask.w - mask.column)
                if columns > 0:
                    first = mask.column
                    status = self.move_columns(symbols + k, columns, m, mask)
                    if status != OK:
                        place[0] = k + (mask.column - first + 1) * m - 1
                        return status
                    k += columns * m
                    continue
            line[j] = move_edge(line[j], self.tables.steps, symbols[k])
            j += 1
            k += 1
            if j == m:
                status = finish_column(line, m, mask)
                if status != OK:
                    place[0] = k - 1
                    return status
                j = 0
        place[0] = j
        return OK

    cdef Status move_columns(
        self, const uint8_t* symbols, Py_ssize_t columns, Py_ssize_t m, Edges mask
    ) noexcept nogil:
        """Apply symbols to the line of `m` edges for whole columns that the crop has room for."""
        cdef:
            Py_ssize_t* start = mask.start + mask.column
            Py_ssize_t done, k
        if mask.n + columns * m > mask.at_capacity and mask.reserve(columns * m) != OK:
            return NO_MEMORY
        done = move_line(
            self.tables.steps, symbols, columns, m, mask.h, self.line, mask.at + mask.n
        )
        for k in range(1, done + 1):
            start[k] = mask.n + k * m
        mask.n += done * m
        mask.column += <int32_t>done
        return OK if done == columns else BAD_ORDER

    cdef Fault decode_runs(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil:
        """Unpack the fallback: run lengths as numbers, background first."""
        cdef:
            int32_t x = mask.x, y = mask.y, h = mask.h, w = mask.w
            const uint8_t* p = data + 1
            const uint8_t* end = data + n
            const uint8_t* op
            int64_t pixels = <int64_t>h * w, covered = 0
            uint32_t length = 0
            Py_ssize_t k = 0
            Status status = OK
            int64_t* counts = <int64_t*>realloc(self.counts, n * sizeof(int64_t))
        if counts == NULL:
            return _fault(NO_MEMORY, 0, 0, 0)
        self.counts = counts
        while p < end:
            op = p
            if not get_varint(&p, end, <uint32_t>0xFFFFFFFF, &length, &status):
                return _fault(status, op - data, 0, 0xFFFFFFFF)
            covered += length
            if covered > pixels or (length == 0 and k > 0):
                return _fault(BAD_RUNS, op - data, covered, pixels)
            counts[k] = length
            k += 1
        if covered != pixels:
            return _fault(BAD_RUNS, n, covered, pixels)
        status = mask.fill(counts, k)
        if status == OK:
            status = mask.clip(x, y, x + w - 1, y + h - 1)
        return _fault(status, 0, 0, 0)
