"""Where the values of the objects in a JSON array stand, key by key."""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp

from compactmask._kernels.json_scan cimport (
    ABSENT,
    BEYOND_FLOAT,
    INTEGER,
    OBJECT,
    Step,
    after_spaces,
    after_string,
    after_value,
    is_beyond_float,
)

# how a scan ended
FULL, END, CUT, NEW_KEY, BAD = range(5)

# what a scan expected where the text is bad
EXPECTED = ("a value", "a key in quotes", "':'", "',' or '}'", "',' or ']'")

cdef enum:
    A_VALUE = 0
    A_KEY
    A_COLON
    OBJECT_GOES_ON
    ARRAY_GOES_ON

cdef enum:
    MOST_FRESH = 4096       # keys that are told together


cdef struct Name:
    const uint8_t* text     # as it stands in the document, kept alive by `names`
    Py_ssize_t length
    Py_ssize_t column       # of a key that is looked for; -1 for a further one
    int64_t count           # objects that have it
    int64_t last            # number of the last of them
    int kinds               # of all its values, as bits


cdef class Objects:
    """Goes over the items of an array piece by piece and notes where values stand.

    Parameters
    ----------
    keys : sequence of bytes
        The keys that are looked for, without quotes. Where an object has one twice the last counts.
    """

    cdef:
        Name* known
        Py_ssize_t n
        int64_t row
        list names
        Py_ssize_t n_fresh
        readonly list fresh
        readonly Py_ssize_t expected
        Py_ssize_t n_columns    # one for the item, and one for each key that is looked for

    def __cinit__(self, keys):
        self.names = []
        self.fresh = []
        self.n_columns = 1 + len(keys)
        for column, key in enumerate(keys):
            self.add(key, column + 1)

    def __dealloc__(self):
        free(self.known)

    def add(self, bytes key, Py_ssize_t column=-1):
        """Know a key from now on: one that is counted, or one that is written otherwise.

        Parameters
        ----------
        key : bytes
            As it stands in the document.
        column : int
            Its column in `spans`; -1 for a further key.
        """
        cdef Name* known = <Name*>realloc(self.known, (self.n + 1) * sizeof(Name))
        if known == NULL:
            raise MemoryError
        self.known = known
        self.names.append(key)
        known[self.n].text, known[self.n].length = key, len(key)
        known[self.n].column, known[self.n].kinds = column, 0
        known[self.n].count, known[self.n].last = 0, -1
        self.n += 1

    @property
    def further(self):
        """Of every further key, as it stands in the document: how many have it, and what kinds."""
        return {
            self.names[i]: (self.known[i].count, self.known[i].kinds)
            for i in range(self.n)
            if self.known[i].column < 0
        }

    def scan(
        self,
        const uint8_t[::1] text,
        Py_ssize_t start,
        int64_t[:, :, ::1] spans,
        uint8_t[:, ::1] kinds,
    ):
        """Go over items.

        Parameters
        ----------
        text : bytes-like
            A piece of the document.
        start : int
            Where an item begins.
        spans : ndarray of int64, shape (rows, 1 + keys, 2)
            Filled with where each item, and its value of each key, begins and ends in the piece.
        kinds : ndarray of uint8, shape (rows, 1 + keys)
            Filled with what they are, as `json_scan.KINDS`; 0 for what is not there.

        Returns
        -------
        rows : int
            Items that were found, each with the comma or bracket behind it.
        stop : int
            Where the next item begins; END: the position after the array; BAD: of the wrong byte.
        outcome : int
            FULL: all rows are filled. END: the array ended. CUT: the piece ends before the item
            does. NEW_KEY: the item, as far as it is there, has the keys `fresh`, to be added. BAD:
            the text is no JSON, `expected` is what was expected there.
        """
        cdef:
            const uint8_t* base = &text[0] if text.shape[0] else NULL
            const uint8_t* end = base + text.shape[0]
            const uint8_t* p = base + start
            Py_ssize_t rows = 0
            int outcome = 0
        if start < 0 or start > text.shape[0]:
            raise IndexError(f"start {start} of {text.shape[0]} bytes")
        if spans.shape[0] != kinds.shape[0] or spans.shape[1] != kinds.shape[1]:
            raise ValueError("spans and kinds differ")
        if spans.shape[1] != self.n_columns or spans.shape[2] != 2:
            raise ValueError(f"spans have {spans.shape[1]} columns, expected {self.n_columns} of 2")
        self.fresh.clear()
        self.n_fresh = 0
        with nogil:
            while rows < spans.shape[0]:
                outcome = self.item(base, &p, end, spans[rows], kinds[rows])
                if outcome > 1:
                    break
                rows += 1
                self.row += 1
                if outcome == 1:
                    break
        return rows, p - base, outcome

    cdef int item(
        self,
        const uint8_t* base,
        const uint8_t** at,
        const uint8_t* end,
        int64_t[:, ::1] spans,
        uint8_t[::1] kinds,
    ) noexcept nogil:
        """Read one item and what follows; `at` moves only where that is all there."""
        cdef:
            const uint8_t* start = at[0]
            const uint8_t* p
            Step step
            Py_ssize_t i
            int outcome
        for i in range(kinds.shape[0]):
            kinds[i] = ABSENT
            spans[i, 0] = spans[i, 1] = 0
        if start == end:
            return 2
        if start[0] == b"{" and self.n_columns > 1:
            p = start
            outcome = self.members(base, &p, end, spans, kinds)
            if outcome == 4:
                at[0] = p
                return outcome
            if self.n_fresh:
                return 3
            if outcome:
                return outcome
            kinds[0] = OBJECT
        else:
            step = after_value(start, end)
            if step.is_bad:
                return self.bad(at, step.stop, A_VALUE)
            if step.kind == ABSENT:
                return 2
            p = step.stop
            kinds[0] = step.kind
        spans[0, 0], spans[0, 1] = start - base, p - base
        p = after_spaces(p, end)
        if p == end:
            return 2
        if p[0] == b"]":
            at[0] = p + 1
            return 1
        if p[0] != b",":
            return self.bad(at, p, ARRAY_GOES_ON)
        p = after_spaces(p + 1, end)
        if p == end:
            return 2
        at[0] = p
        return 0

    cdef int members(
        self,
        const uint8_t* base,
        const uint8_t** at,
        const uint8_t* end,
        int64_t[:, ::1] spans,
        uint8_t[::1] kinds,
    ) noexcept nogil:
        """Read an object; `at` becomes the position after it."""
        cdef:
            const uint8_t* p = after_spaces(at[0] + 1, end)
            const uint8_t* key
            const uint8_t* after_key
            Step step
            Py_ssize_t i, hint = 0
        if p == end:
            return 2
        if p[0] == b"}":
            at[0] = p + 1
            return 0
        while True:
            if p[0] != b'"':
                return self.bad(at, p, A_KEY)
            key = p + 1
            after_key = after_string(key, end)
            if after_key == NULL:
                return 2
            p = after_spaces(after_key, end)
            if p == end:
                return 2
            if p[0] != b":":
                return self.bad(at, p, A_COLON)
            p = after_spaces(p + 1, end)
            if p == end:
                return 2
            step = after_value(p, end)
            if step.is_bad:
                return self.bad(at, step.stop, A_VALUE)
            if step.kind == ABSENT:
                return 2
            i = self.find(key, after_key - 1 - key, hint)
            if i < 0:
                self.meet(key, after_key - 1 - key)
            else:
                hint = i + 1
                self.note(i, p, step)
            if i >= 0 and self.known[i].column >= 0:
                kinds[self.known[i].column] = step.kind
                spans[self.known[i].column, 0] = p - base
                spans[self.known[i].column, 1] = step.stop - base
            p = after_spaces(step.stop, end)
            if p == end:
                return 2
            if p[0] == b"}":
                at[0] = p + 1
                return 0
            if p[0] != b",":
                return self.bad(at, p, OBJECT_GOES_ON)
            p = after_spaces(p + 1, end)
            if p == end:
                return 2

    cdef void meet(self, const uint8_t* key, Py_ssize_t length) noexcept with gil:
        """Remember a key that is not known; the item is read again when it is."""
        self.n_fresh += 1
        if self.n_fresh <= MOST_FRESH:
            self.fresh.append(<bytes>key[:length])

    cdef int bad(
        self, const uint8_t** at, const uint8_t* p, Py_ssize_t expected
    ) noexcept nogil:
        at[0] = p
        self.expected = expected
        return 4

    cdef Py_ssize_t find(
        self, const uint8_t* key, Py_ssize_t length, Py_ssize_t hint
    ) noexcept nogil:
        """Find a key; objects that are alike have theirs in the same order."""
        cdef Py_ssize_t k, i
        for k in range(self.n):
            i = hint + k
            if i >= self.n:
                i -= self.n
            if self.known[i].length == length and memcmp(self.known[i].text, key, length) == 0:
                return i
        return -1

    cdef void note(self, Py_ssize_t i, const uint8_t* p, Step step) noexcept nogil:
        """Note a value at `p`; an object counts once, also where it is read again."""
        if self.known[i].last != self.row:
            self.known[i].last = self.row
            self.known[i].count += 1
        self.known[i].kinds |= step.kind
        if step.kind == INTEGER and is_beyond_float(p, step.stop - p):
            self.known[i].kinds |= BEYOND_FLOAT
