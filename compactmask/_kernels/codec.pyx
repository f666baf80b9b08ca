"""The packed form of one mask (formats/ENCODING.md) from and to the edges of its columns.

Decoding walks the bytes once. A byte below 236 is a word of small symbols, and a symbol moves
one edge of the line relative to the digital straight line through its last two moves; larger
bytes change which edges the line has. A finished line is the next column. Everything is checked
where it is used: indices and counts before memory is touched, positions when a column is done.

Encoding is greedy: it writes the longest word that matches, found by walking a tree in which
every node is a word.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport abs, free, realloc
from libc.string cimport memcpy, memmove

from compactmask._kernels.edges cimport Edges
from compactmask._kernels.status cimport (
    BAD_INDEX,
    BAD_ORDER,
    BAD_RUNS,
    BAD_VARINT,
    INSIDE_COLUMN,
    NO_EDGES,
    NO_MEMORY,
    OK,
    RESERVED_BYTE,
    TOO_FEW_COLUMNS,
    TOO_MANY_COLUMNS,
    TOO_MANY_EDGES,
    TRUNCATED,
    ZERO_COUNT,
    Fault,
    Status,
    fault_of,
)

cdef enum:
    SYMBOLS = 24            # small symbols, each a word of its own
    WORDS = 236
    RUNS_OP = 241
    CUT_OP = 242            # ..245 for edges 0..3
    ADD_OP = 246            # ..249
    CUT_ANY_OP = 250
    ADD_ANY_OP = 251
    STILL_OP = 252
    SYMBOL_OP = 253
    EMPTY_OP = 254
    RESET_OP = 255
    STILL_MINIMUM = 24      # zero symbols in whole columns that make one STILL
    NEAR = 12               # a move up to here costs less than an operation
    MEMORY = 15             # longer moves are not remembered
    NO_MOVES = 16 << 5 | 16
    MAX_LARGE_SYMBOL = 1 << 22

cdef uint8_t WORD_LENGTH[WORDS]
cdef uint8_t WORD_SYMBOLS[WORDS][8]
cdef uint8_t LONGER[WORDS][SYMBOLS]     # the word that goes on with a symbol, 0: there is none
cdef int8_t BASE[1024]
cdef int8_t SIGN[1024]
cdef int8_t ZIGZAG[SYMBOLS]


def _compositions(total):
    """Yield the sequences of symbols with sum of (symbol + 1) equal to `total`, in order."""
    if total == 0:
        yield ()
    for symbol in range(total):
        for rest in _compositions(total - symbol - 1):
            yield (symbol, *rest)


cdef void _fill_words():
    words = [(symbol,) for symbol in range(SYMBOLS)]
    for total in range(2, 9):
        words += [word for word in _compositions(total) if len(word) > 1]
    index = {word: code for code, word in enumerate(words[:WORDS])}
    for word, code in index.items():
        WORD_LENGTH[code] = len(word)
        for place, symbol in enumerate(word):
            WORD_SYMBOLS[code][place] = symbol
        for symbol in range(SYMBOLS):
            LONGER[code][symbol] = index.get((*word, symbol), 0)


cdef void _fill_predictions():
    cdef int p, q, s, a, c, index
    for p in range(-MEMORY, MEMORY + 1):
        for q in range(-MEMORY, MEMORY + 1):
            s = 1 if p > 0 or (p == 0 and q >= 0) else -1
            a = s * p
            c = s * q
            index = (p + 16) << 5 | (q + 16)
            BASE[index] = s * (a - 1 if a > c else a)
            SIGN[index] = -s if a == c else s
    for index in range(SYMBOLS):
        ZIGZAG[index] = (index + 1) // 2 if index % 2 else -(index // 2)


_fill_words()
_fill_predictions()


cdef inline uint16_t _remember(uint16_t moves, int32_t d) noexcept nogil:
    """Make `d` the newer of the two moves of an edge."""
    cdef int32_t kept = d if -MEMORY <= d <= MEMORY else 0
    return <uint16_t>((kept + 16) << 5 | moves >> 5)


cdef inline Py_ssize_t _varint_length(uint32_t value) noexcept nogil:
    if value < 1 << 7:
        return 1
    if value < 1 << 14:
        return 2
    if value < 1 << 21:
        return 3
    return 4 if value < 1 << 28 else 5


cdef inline uint8_t* _put_varint(uint8_t* to, uint32_t value) noexcept nogil:
    while value >= 0x80:
        to[0] = <uint8_t>(value | 0x80)
        value >>= 7
        to += 1
    to[0] = <uint8_t>value
    return to + 1


cdef inline bint _get_varint(
    const uint8_t** at, const uint8_t* end, uint32_t limit, uint32_t* value, Status* status
) noexcept nogil:
    """Read a number of at most `limit` and step behind it; on failure leave `at` alone."""
    cdef const uint8_t* p = at[0]
    cdef uint64_t result = 0
    cdef uint8_t byte
    cdef int shift = 0
    while True:
        if p == end:
            status[0] = TRUNCATED
            return False
        byte = p[0]
        result |= <uint64_t>(byte & 0x7F) << shift
        p += 1
        if byte < 0x80:
            break
        shift += 7
        if shift > 28:
            status[0] = BAD_VARINT
            return False
    if result > limit:
        status[0] = BAD_VARINT
        return False
    value[0] = <uint32_t>result
    at[0] = p
    return True


cdef inline Fault _fault(Status status, Py_ssize_t at, int64_t found, int64_t expected) noexcept nogil:
    cdef Fault fault = fault_of(status, -1)
    fault.at, fault.found, fault.expected = at, found, expected
    return fault


cdef class Coder:
    def __dealloc__(self):
        free(self.line)
        free(self.moves)
        free(self.symbols)
        free(self.out)

    cdef Status reserve_line(self, Py_ssize_t n) noexcept nogil:
        """Make room for a line of `n` edges."""
        cdef int32_t* line
        cdef uint16_t* moves
        cdef Py_ssize_t capacity = max(2 * self.line_capacity, n, 64)
        if n <= self.line_capacity:
            return OK
        line = <int32_t*>realloc(self.line, capacity * sizeof(int32_t))
        if line == NULL:
            return NO_MEMORY
        self.line = line
        moves = <uint16_t*>realloc(self.moves, capacity * sizeof(uint16_t))
        if moves == NULL:
            return NO_MEMORY
        self.moves = moves
        self.line_capacity = capacity
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

    cdef Status reserve_symbols(self, Py_ssize_t more) noexcept nogil:
        """Make room for `more` symbols behind the ones that are there."""
        cdef Py_ssize_t capacity = max(2 * self.symbol_capacity, self.n_symbols + more, 1024)
        cdef int32_t* symbols
        if self.n_symbols + more <= self.symbol_capacity:
            return OK
        symbols = <int32_t*>realloc(self.symbols, capacity * sizeof(int32_t))
        if symbols == NULL:
            return NO_MEMORY
        self.symbols = symbols
        self.symbol_capacity = capacity
        return OK

    # ---------------------------------------------------------------- decoding

    cdef Fault decode(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil:
        """Unpack `n` bytes into `mask`, whose crop has begun; every byte is checked."""
        cdef:
            const uint8_t* p = data
            const uint8_t* end = data + n
            const uint8_t* op
            int32_t h = mask.h, w = mask.w, d
            Py_ssize_t m = 0, j = 0, k, step, limit = 2 * <Py_ssize_t>h + 2
            uint32_t value = 0, y = 0, length = 0
            uint8_t byte
            uint16_t moves
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
                for step in range(WORD_LENGTH[byte]):
                    moves = self.moves[j]
                    d = BASE[moves] + SIGN[moves] * ZIGZAG[WORD_SYMBOLS[byte][step]]
                    self.line[j] += d
                    self.moves[j] = _remember(moves, d)
                    j += 1
                    if j == m:
                        status = self.finish_column(m, mask)
                        if status != OK:
                            return _fault(
                                status, op - data, mask.column, h if status == BAD_ORDER else w
                            )
                        j = 0
                continue
            if byte == SYMBOL_OP:
                if m == 0:
                    return _fault(NO_EDGES, op - data, 0, 0)
                if not _get_varint(&p, end, MAX_LARGE_SYMBOL, &value, &status):
                    return _fault(status, op - data, 0, MAX_LARGE_SYMBOL)
                value += SYMBOLS
                moves = self.moves[j]
                d = <int32_t>((value + 1) // 2) if value % 2 else -<int32_t>(value // 2)
                d = BASE[moves] + SIGN[moves] * d
                self.line[j] += d
                self.moves[j] = _remember(moves, d)
                j += 1
                if j == m:
                    status = self.finish_column(m, mask)
                    if status != OK:
                        return _fault(
                            status, op - data, mask.column, h if status == BAD_ORDER else w
                        )
                    j = 0
                continue
            if byte <= RUNS_OP:
                return _fault(RESERVED_BYTE, op - data, byte, 0)
            if j != 0:
                return _fault(INSIDE_COLUMN, op - data, byte, 0)
            if byte == STILL_OP or byte == EMPTY_OP:
                if not _get_varint(&p, end, w, &value, &status):
                    return _fault(status, op - data, 0, w)
                if value == 0:
                    return _fault(ZERO_COUNT, op - data, 0, 1)
                if value > <uint32_t>(w - mask.column):
                    return _fault(TOO_MANY_COLUMNS, op - data, mask.column + <int64_t>value, w)
                if byte == EMPTY_OP:
                    m = 0
                elif m == 0:
                    return _fault(NO_EDGES, op - data, 0, 0)
                for step in range(value):
                    for k in range(m):
                        moves = self.moves[k]
                        self.line[k] += BASE[moves]
                        self.moves[k] = _remember(moves, BASE[moves])
                    status = self.finish_column(m, mask)
                    if status != OK:
                        return _fault(status, op - data, mask.column, h)
                continue
            if byte == RESET_OP:
                if not _get_varint(&p, end, <uint32_t>(h + 1) // 2, &value, &status):
                    return _fault(status, op - data, 0, (h + 1) // 2)
                if value == 0:
                    return _fault(ZERO_COUNT, op - data, 0, 1)
                m = 2 * <Py_ssize_t>value
                if m > end - p:             # a gap takes a byte at least
                    return _fault(TRUNCATED, end - data, 0, 0)
                if self.reserve_line(m) != OK:
                    return _fault(NO_MEMORY, 0, 0, 0)
                y = 0
                for k in range(m):
                    if not _get_varint(&p, end, h, &length, &status):
                        return _fault(status, op - data, 0, h)
                    y += length
                    if y > <uint32_t>h:
                        return _fault(BAD_ORDER, op - data, mask.column, h)
                    self.line[k] = <int32_t>y
                    self.moves[k] = NO_MOVES
                    y += 1
                continue
            # CUT or ADD
            if byte == CUT_ANY_OP or byte == ADD_ANY_OP:
                if not _get_varint(&p, end, <uint32_t>limit, &value, &status):
                    return _fault(status, op - data, 0, limit)
                k = 4 + <Py_ssize_t>value
            else:
                k = byte - (CUT_OP if byte < ADD_OP else ADD_OP)
            if byte < ADD_OP or byte == CUT_ANY_OP:
                if k + 2 > m:
                    return _fault(BAD_INDEX, op - data, k, m)
                memmove(self.line + k, self.line + k + 2, (m - k - 2) * sizeof(int32_t))
                memmove(self.moves + k, self.moves + k + 2, (m - k - 2) * sizeof(uint16_t))
                m -= 2
                continue
            if k > m:
                return _fault(BAD_INDEX, op - data, k, m)
            if m + 2 > limit:
                return _fault(TOO_MANY_EDGES, op - data, m + 2, limit)
            if not _get_varint(&p, end, h, &y, &status) or not _get_varint(
                &p, end, h, &length, &status
            ):
                return _fault(status, op - data, 0, h)
            if k > 0:
                y += self.line[k - 1]
            length += y + 1
            if length > <uint32_t>h:
                return _fault(BAD_ORDER, op - data, mask.column, h)
            if self.reserve_line(m + 2) != OK:
                return _fault(NO_MEMORY, 0, 0, 0)
            memmove(self.line + k + 2, self.line + k, (m - k) * sizeof(int32_t))
            memmove(self.moves + k + 2, self.moves + k, (m - k) * sizeof(uint16_t))
            self.line[k] = <int32_t>y
            self.line[k + 1] = <int32_t>length
            self.moves[k] = self.moves[k + 1] = NO_MOVES
            m += 2
        if j != 0:
            return _fault(TRUNCATED, n, 0, 0)
        if mask.column != w:
            return _fault(TOO_FEW_COLUMNS, n, mask.column, w)
        return _fault(OK, 0, 0, 0)

    cdef Status finish_column(self, Py_ssize_t m, Edges mask) noexcept nogil:
        """Check the line and append it to `mask` as its next column."""
        cdef int32_t before = -1
        cdef Py_ssize_t k
        if mask.column == mask.w:
            return TOO_MANY_COLUMNS
        for k in range(m):
            if self.line[k] <= before:
                return BAD_ORDER
            before = self.line[k]
        if before > mask.h:
            return BAD_ORDER
        return mask.add_column(self.line, m)

    cdef Fault decode_runs(self, const uint8_t* data, Py_ssize_t n, Edges mask) noexcept nogil:
        """Unpack the fallback: run lengths as numbers, background first."""
        cdef:
            int32_t x = mask.x, y = mask.y, h = mask.h, w = mask.w
            const uint8_t* p = data + 1
            const uint8_t* end = data + n
            const uint8_t* op
            int64_t pixels = <int64_t>mask.h * mask.w, covered = 0
            uint32_t length = 0
            bint is_true = False
            Status status = OK
        while p < end:
            op = p
            if not _get_varint(&p, end, <uint32_t>0xFFFFFFFF, &length, &status):
                return _fault(status, op - data, 0, 0xFFFFFFFF)
            covered += length
            if covered > pixels or (length == 0 and op != data + 1):
                return _fault(BAD_RUNS, op - data, covered, pixels)
            if is_true:
                if mask.fill(length) != OK:
                    return _fault(NO_MEMORY, 0, 0, 0)
            else:
                mask.skip(length)
            is_true = not is_true
        if covered != pixels:
            return _fault(BAD_RUNS, n, covered, pixels)
        mask.end()
        return _fault(mask.clip(x, y, x + w - 1, y + h - 1), 0, 0, 0)

    # ---------------------------------------------------------------- encoding

    cdef Status encode(self, Edges mask) noexcept nogil:
        """Append the canonical packed form of `mask` to the bytes written."""
        cdef:
            Py_ssize_t begin = self.n_out, m = 0, n = mask.start[1], still, k
            int32_t x = 0, empty, d, z
            const int32_t* rows = mask.at
            bint is_still
            uint16_t moves
        while x < mask.w:
            if n == 0:
                empty = x
                while x < mask.w and mask.start[x + 1] == mask.start[x]:
                    x += 1
                if self.reserve_out(6) != OK:
                    return NO_MEMORY
                self.put_count(EMPTY_OP, x - empty)
                m = 0
                if x < mask.w:
                    rows = mask.at + mask.start[x]
                    n = mask.start[x + 1] - mask.start[x]
                continue
            if n != m or not self.follows(rows, n):
                if self.change_line(rows, n, m) != OK:
                    return NO_MEMORY
                m = n
            # columns of n edges each, as far as no operation is needed
            self.n_symbols = still = 0
            while True:
                if self.reserve_symbols(m) != OK:
                    return NO_MEMORY
                is_still = True
                for k in range(m):
                    d = rows[k] - self.line[k]
                    moves = self.moves[k]
                    z = (d - BASE[moves]) * SIGN[moves]
                    self.symbols[self.n_symbols + k] = 2 * z - 1 if z > 0 else -2 * z
                    is_still &= z == 0
                    self.line[k] = rows[k]
                    self.moves[k] = _remember(moves, d)
                if is_still:
                    still += 1
                else:
                    if still * m >= STILL_MINIMUM:
                        if self.put_words(self.n_symbols - still * m, still) != OK:
                            return NO_MEMORY
                        memcpy(
                            self.symbols, self.symbols + self.n_symbols, m * sizeof(int32_t)
                        )
                        self.n_symbols = 0
                    still = 0
                self.n_symbols += m
                x += 1
                if x == mask.w:
                    break
                rows += m
                n = mask.start[x + 1] - mask.start[x]
                if n != m or not self.follows(rows, n):
                    break
            if still * m < STILL_MINIMUM:
                still = 0
            if self.put_words(self.n_symbols - still * m, still) != OK:
                return NO_MEMORY
        return self.prefer_runs(mask, begin)

    cdef bint follows(self, const int32_t* rows, Py_ssize_t n) noexcept nogil:
        """Tell whether symbols alone make the line of `n` edges into `rows`."""
        cdef Py_ssize_t k
        if n == 2:
            return True
        for k in range(n):
            if abs(rows[k] - self.line[k]) > NEAR:
                return False
        return True

    cdef Status change_line(self, const int32_t* rows, Py_ssize_t n, Py_ssize_t m) noexcept nogil:
        """Write the operations that give the line of `m` edges as many as `rows`, near them."""
        cdef:
            Py_ssize_t i = 0, j = 0, k, cost = 0
            int32_t before = 0, y
            Change choice
        if self.reserve_line(n + m + 2) != OK or self.reserve_out(6 + 8 * (n + m)) != OK:
            return NO_MEMORY
        if m == 0 and n > 2:
            self.reset_line(rows, n)
            return OK
        while i < m or j < n:
            choice = self.choose(rows + j, n - j, self.line + i, m - i)
            if choice == KEEP:
                cost += 2 * (abs(rows[j] - self.line[i]) > NEAR)
                before = self.line[i]
                i += 1
                j += 1
            elif choice == CUT:
                cost += 1
                i += 2
            else:
                cost += 3
                if rows[j] < before:
                    cost += 2 + n       # cannot be written: make RESET cheaper
                before = rows[j + 1]
                j += 2
        if m > 0 and cost > 2 + n:
            self.reset_line(rows, n)
            return OK
        k = j = 0
        while k < m or j < n:
            choice = self.choose(rows + j, n - j, self.line + k, m - k)
            if choice == KEEP:
                j += 1
                k += 1
            elif choice == CUT:
                self.put_indexed(CUT_OP, k)
                memmove(self.line + k, self.line + k + 2, (m - k - 2) * sizeof(int32_t))
                memmove(self.moves + k, self.moves + k + 2, (m - k - 2) * sizeof(uint16_t))
                m -= 2
            else:
                self.put_indexed(ADD_OP, k)
                y = rows[j] - (self.line[k - 1] if k > 0 else 0)
                self.n_out = _put_varint(self.out + self.n_out, y) - self.out
                self.n_out = _put_varint(self.out + self.n_out, rows[j + 1] - rows[j] - 1) - self.out
                memmove(self.line + k + 2, self.line + k, (m - k) * sizeof(int32_t))
                memmove(self.moves + k + 2, self.moves + k, (m - k) * sizeof(uint16_t))
                self.line[k] = rows[j]
                self.line[k + 1] = rows[j + 1]
                self.moves[k] = self.moves[k + 1] = NO_MOVES
                m += 2
                k += 2
                j += 2
        return OK

    cdef Change choose(
        self, const int32_t* rows, Py_ssize_t n, const int32_t* line, Py_ssize_t m
    ) noexcept nogil:
        """Keep the next edge of the line, cut two of it, or add two of `rows`.

        The line has `m` edges left and the column `n`, both odd or both even.
        """
        cdef int32_t keep, other
        if m == 0:
            return ADD
        if n == 0:
            return CUT
        if m == n:
            return KEEP
        if m > n:
            keep = _distance(line, m, rows, n)
            other = _distance(line + 2, m - 2, rows, n)
            return CUT if other < keep else KEEP
        keep = _distance(line, m, rows, n)
        other = _distance(line, m, rows + 2, n - 2)
        return ADD if other < keep else KEEP

    cdef void reset_line(self, const int32_t* rows, Py_ssize_t n) noexcept nogil:
        """Write the line anew; there is room for it."""
        cdef Py_ssize_t k
        cdef int32_t before = -1
        self.put_count(RESET_OP, n // 2)
        for k in range(n):
            self.n_out = _put_varint(self.out + self.n_out, rows[k] - before - 1) - self.out
            before = rows[k]
            self.line[k] = before
            self.moves[k] = NO_MOVES

    cdef void put_count(self, uint8_t op, uint32_t count) noexcept nogil:
        self.out[self.n_out] = op
        self.n_out = _put_varint(self.out + self.n_out + 1, count) - self.out

    cdef void put_indexed(self, uint8_t op, Py_ssize_t k) noexcept nogil:
        """Write CUT or ADD for edge `k`."""
        if k < 4:
            self.out[self.n_out] = <uint8_t>(op + k)
            self.n_out += 1
        else:
            self.put_count(CUT_ANY_OP if op == CUT_OP else ADD_ANY_OP, <uint32_t>(k - 4))

    cdef Status put_words(self, Py_ssize_t n, Py_ssize_t still) noexcept nogil:
        """Write the first `n` symbols as words, then `still` columns in which all are 0."""
        cdef:
            Py_ssize_t i = 0
            uint8_t code, longer
            uint8_t* out
        if self.reserve_out(5 * n + 6) != OK:
            return NO_MEMORY
        out = self.out + self.n_out
        while i < n:
            if self.symbols[i] >= SYMBOLS:
                out[0] = SYMBOL_OP
                out = _put_varint(out + 1, self.symbols[i] - SYMBOLS)
                i += 1
                continue
            code = <uint8_t>self.symbols[i]
            i += 1
            while i < n and self.symbols[i] < SYMBOLS:
                longer = LONGER[code][self.symbols[i]]
                if longer == 0:
                    break
                code = longer
                i += 1
            out[0] = code
            out += 1
        self.n_out = out - self.out
        if still > 0:
            self.put_count(STILL_OP, <uint32_t>still)
        return OK

    cdef Status prefer_runs(self, Edges mask, Py_ssize_t begin) noexcept nogil:
        """Replace the bytes from `begin` on by run lengths where those are strictly shorter."""
        cdef:
            Py_ssize_t length = self.n_out - begin, k, segments = mask.n // 2
            int64_t pixels = <int64_t>mask.h * mask.w, origin, done = 0, stop = 0, start = 0
            int64_t total = 1
            int32_t column
            uint8_t* out = NULL
            bint is_writing
        for column in range(1, mask.w):
            k = mask.start[column]
            if mask.start[column - 1] < k < mask.start[column + 1]:
                segments -= mask.at[k - 1] == mask.h and mask.at[k] == 0
        if length <= 1 + 2 * segments:
            return OK
        for is_writing in range(2):
            done = start = stop = 0
            for column in range(mask.w):
                origin = <int64_t>column * mask.h
                for k in range(mask.start[column], mask.start[column + 1], 2):
                    if origin + mask.at[k] != stop:
                        if stop > 0:
                            total += _put_run(&out, start - done) + _put_run(&out, stop - start)
                            done = stop
                        start = origin + mask.at[k]
                    stop = origin + mask.at[k + 1]
            if stop > 0:
                total += _put_run(&out, start - done) + _put_run(&out, stop - start)
            if stop < pixels:
                total += _put_run(&out, pixels - stop)
            if not is_writing:
                if total >= length:
                    return OK
                self.n_out = begin + total      # room is there: it is shorter
                self.out[begin] = RUNS_OP
                out = self.out + begin + 1
        return OK


cdef inline Py_ssize_t _put_run(uint8_t** out, int64_t length) noexcept nogil:
    """Count the bytes of a run length, and write it where `out` is not NULL."""
    if out[0] != NULL:
        out[0] = _put_varint(out[0], <uint32_t>length)
    return _varint_length(<uint32_t>length)


cdef inline int32_t _distance(
    const int32_t* line, Py_ssize_t m, const int32_t* rows, Py_ssize_t n
) noexcept nogil:
    """Sum how far the next two edges of each are apart, or the next one where that is all."""
    cdef int32_t result = abs(line[0] - rows[0])
    if m > 1 and n > 1:
        result += abs(line[1] - rows[1])
    return result
