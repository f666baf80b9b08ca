"""The packed form of one mask (formats/ENCODING.md) to the edges of its columns.

Decoding walks the bytes once. A byte below 236 is a word of small symbols, and a symbol moves
one edge of the line; larger bytes change which edges the line has. A finished line is the next
column. Everything is checked where it is used: indices and counts before memory is touched,
positions when a column is done.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport (
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
    Step,
    Tables,
    tables,
)


cdef enum:
    BATCH = 2048                # symbols that are unfolded before they are applied


cdef inline Fault _fault(Status status, Py_ssize_t at, int64_t found, int64_t expected) noexcept nogil:
    cdef Fault fault = fault_of(status, -1)
    fault.at, fault.found, fault.expected = at, found, expected
    return fault


cdef inline Status finish_column(const int32_t* line, Py_ssize_t m, Edges mask) noexcept nogil:
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
        is_sorted &= (line[k] > before) & (line[k + 1] > line[k])
        before = line[k + 1]
        at[k], at[k + 1] = line[k], before
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
        free(self.moves)
        free(self.counts)

    cdef Status reserve(self, Py_ssize_t n) noexcept nogil:
        """Make room for a line of `n` edges."""
        cdef int32_t* line
        cdef uint16_t* moves
        cdef Py_ssize_t capacity = max(2 * self.capacity, n, 64)
        if n <= self.capacity:
            return OK
        line = <int32_t*>realloc(self.line, capacity * sizeof(int32_t))
        if line == NULL:
            return NO_MEMORY
        self.line = line
        moves = <uint16_t*>realloc(self.moves, capacity * sizeof(uint16_t))
        if moves == NULL:
            return NO_MEMORY
        self.moves = moves
        self.capacity = capacity
        return OK

    cdef Fault decode(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil:
        """Unpack `n` bytes into `mask`, whose crop has begun; every byte is checked."""
        cdef:
            const uint8_t* p = data
            const uint8_t* end = data + n
            const uint8_t* op
            int32_t h = mask.h, w = mask.w, d
            Py_ssize_t m = 0, j = 0, k, step, limit = 2 * <Py_ssize_t>h + 2
            uint32_t value = 0, y = 0, length = 0
            uint8_t symbols[BATCH]
            Py_ssize_t n_symbols
            int32_t* line = self.line
            uint16_t* moves = self.moves
            Step move
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
                d = self.tables.base[moves[j]] + self.tables.sign[moves[j]] * d
                line[j] += d
                if d < -MEMORY or d > MEMORY:
                    d = 0
                moves[j] = <uint16_t>((d + 16) << 5 | moves[j] >> 5)
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
                        move = self.tables.steps[moves[k]][0]
                        line[k] += move.d
                        moves[k] = move.moves
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
                line, moves = self.line, self.moves
                y = 0
                for k in range(m):
                    if not get_varint(&p, end, h, &length, &status):
                        return _fault(status, op - data, 0, h)
                    y += length
                    if y > <uint32_t>h:
                        return _fault(BAD_ORDER, op - data, mask.column, h)
                    line[k] = <int32_t>y
                    moves[k] = NO_MOVES
                    y += 1
                continue
            # CUT or ADD
            if byte == CUT_ANY_OP or byte == ADD_ANY_OP:
                if not get_varint(&p, end, <uint32_t>limit, &value, &status):
                    return _fault(status, op - data, 0, limit)
                k = 4 + <Py_ssize_t>value
            else:
                k = byte - (CUT_OP if byte < ADD_OP else ADD_OP)
            if byte < ADD_OP or byte == CUT_ANY_OP:
                if k + 2 > m:
                    return _fault(BAD_INDEX, op - data, k, m)
                memmove(line + k, line + k + 2, (m - k - 2) * sizeof(int32_t))
                memmove(moves + k, moves + k + 2, (m - k - 2) * sizeof(uint16_t))
                m -= 2
                continue
            if k > m:
                return _fault(BAD_INDEX, op - data, k, m)
            if m + 2 > limit:
                return _fault(TOO_MANY_EDGES, op - data, m + 2, limit)
            if not get_varint(&p, end, h, &y, &status) or not get_varint(
                &p, end, h, &length, &status
            ):
                return _fault(status, op - data, 0, h)
            if k > 0:
                y += line[k - 1]
            length += y + 1
            if length > <uint32_t>h:
                return _fault(BAD_ORDER, op - data, mask.column, h)
            if self.reserve(m + 2) != OK:
                return _fault(NO_MEMORY, 0, 0, 0)
            line, moves = self.line, self.moves
            memmove(line + k + 2, line + k, (m - k) * sizeof(int32_t))
            memmove(moves + k + 2, moves + k, (m - k) * sizeof(uint16_t))
            line[k] = <int32_t>y
            line[k + 1] = <int32_t>length
            moves[k] = moves[k + 1] = NO_MOVES
            m += 2
        if j != 0:
            return _fault(UNFINISHED_COLUMN, n, 0, 0)
        if mask.column != w:
            return _fault(TOO_FEW_COLUMNS, n, mask.column, w)
        return _fault(OK, 0, 0, 0)

    cdef Status move_edges(
        self, const uint8_t* symbols, Py_ssize_t n, Py_ssize_t m, Py_ssize_t* place, Edges mask
    ) noexcept nogil:
        """Apply symbols to the line of `m` edges from edge `place` on, column after column.

        `place` becomes the edge after the last one moved, or on failure the symbol at fault.
        """
        cdef:
            Py_ssize_t j = place[0], k = 0, columns, room = mask.w - mask.column
            int32_t* line = self.line
            uint16_t* moves = self.moves
            Step move
            Status status
        if j == 0:
            columns = min(n // m, room)
            status = self.move_columns(symbols, columns, m, mask)
            if status != OK:
                place[0] = m * (columns - room + mask.w - mask.column) - 1
                return status
            k = columns * m
        while k < n:
            move = self.tables.steps[moves[j]][symbols[k]]
            line[j] += move.d
            moves[j] = move.moves
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
            const Tables* table = self.tables
            int32_t* line = self.line
            uint16_t* moves = self.moves
            int32_t* at
            int32_t row, before, h = mask.h
            Py_ssize_t* start = mask.start + mask.column
            Py_ssize_t k, j
            Step move
            bint is_sorted
        if mask.reserve(columns * m) != OK:
            return NO_MEMORY
        at = mask.at + mask.n
        for k in range(columns):
            before = -1
            is_sorted = True
            for j in range(m):
                move = table.steps[moves[j]][symbols[j]]
                moves[j] = move.moves
                row = line[j] + move.d
                line[j] = at[j] = row
                is_sorted &= row > before
                before = row
            if not is_sorted or before > h:
                return BAD_ORDER
            symbols += m
            at += m
            mask.n += m
            mask.column += 1
            start[k + 1] = mask.n
        return OK

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
