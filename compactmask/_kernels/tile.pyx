"""Some masks of a block side by side in memory, ready to be laid over each other.

A mask is held as bits, or as edges where it is so large and smooth that its bits would be mostly
the inside. Two masks are compared within the box that they share: word by word, by walking down
both their edges, or by the bits of one between the edges of the other.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, qsort
from libc.string cimport memset

from compactmask._kernels.block cimport View, unpack
from compactmask._kernels.decoder cimport Decoder
from compactmask._kernels.edges cimport Edges
from compactmask._kernels.room cimport make_room
from compactmask._kernels.status cimport NO_MEMORY, OK, Fault, Status

cdef extern from "planes.h":
    void choose_planes() noexcept
    void draw_column(
        const int32_t* rows, Py_ssize_t n, int32_t down, Py_ssize_t w, uint64_t* column
    ) noexcept nogil
    int64_t count_between(
        const uint64_t* column, Py_ssize_t w, int32_t top, int32_t bottom
    ) noexcept nogil
    int64_t count_shared(
        const uint64_t* a, Py_ssize_t step_a, const uint64_t* b, Py_ssize_t step_b,
        Py_ssize_t bands, Py_ssize_t w,
    ) noexcept nogil

choose_planes()

cdef enum:
    TILE_BYTES = 16777216       # a tile takes no further mask from there on
    PLANE_WORDS = 524288        # of one mask at most, 4 MiB
    WORDS_AN_EDGE = 4           # a plane larger than that is slower than the edges


cdef int by_x1(const void* one, const void* other) noexcept nogil:
    cdef int32_t a = (<const Figure*>one).x1, b = (<const Figure*>other).x1
    return (a > b) - (a < b)


cdef class Tile:
    def __cinit__(self):
        self.mask = Edges()
        self.decoder = Decoder()

    def __dealloc__(self):
        free(self.figures)
        free(self.at)
        free(self.starts)
        free(self.words)

    cdef void clear(self) noexcept nogil:
        """Forget all masks, not the memory."""
        self.n = self.n_at = self.n_starts = self.n_words = 0
        self.x1 = self.y1 = self.x2 = self.y2 = self.width = 0

    cdef bint is_full(self) noexcept nogil:
        """Tell whether the masks need as much memory as a tile should."""
        return (
            self.n * <Py_ssize_t>sizeof(Figure) + self.n_at * <Py_ssize_t>sizeof(int32_t)
            + self.n_starts * <Py_ssize_t>sizeof(Py_ssize_t) + self.n_words * 8 >= TILE_BYTES
        )

    cdef Fault add(self, View* view, Py_ssize_t i, Py_ssize_t index) noexcept nogil:
        """Unpack mask `i` of a block; one without a True pixel is left out."""
        cdef:
            Fault fault = unpack(view, i, self.decoder, self.mask)
            Figure* figure
            Py_ssize_t size
        if fault.status != OK or self.mask.n == 0:
            return fault
        self.mask.tighten()
        if make_room(<void**>&self.figures, &self.capacity, self.n + 1, sizeof(Figure)) != OK:
            fault.status = NO_MEMORY
            return fault
        figure = self.figures + self.n
        figure.index = index
        figure.area = view.area[i]
        figure.x1, figure.y1 = self.mask.x, self.mask.y
        figure.x2, figure.y2 = self.mask.x + self.mask.w, self.mask.y + self.mask.h
        size = (((figure.y2 - 1) >> 6) - (figure.y1 >> 6) + 1) * <Py_ssize_t>self.mask.w
        if size > PLANE_WORDS or size > WORDS_AN_EDGE * self.mask.n:
            fault.status = self.add_edges(figure)
        else:
            fault.status = self.add_plane(figure, size)
        if fault.status != OK:
            return fault
        if self.n == 0:
            self.x1, self.y1, self.x2, self.y2 = figure.x1, figure.y1, figure.x2, figure.y2
        else:
            self.x1, self.y1 = min(self.x1, figure.x1), min(self.y1, figure.y1)
            self.x2, self.y2 = max(self.x2, figure.x2), max(self.y2, figure.y2)
        self.width = max(self.width, self.mask.w)
        self.n += 1
        return fault

    cdef Status add_edges(self, Figure* figure) noexcept nogil:
        """Keep the edges of the mask, as rows of the image."""
        cdef:
            Py_ssize_t k
            int32_t x
            int32_t* at
            Py_ssize_t* starts
        if (
            make_room(<void**>&self.at, &self.at_capacity, self.n_at + self.mask.n, sizeof(int32_t))
            != OK
            or make_room(
                <void**>&self.starts, &self.starts_capacity, self.n_starts + self.mask.w + 1,
                sizeof(Py_ssize_t),
            ) != OK
        ):
            return NO_MEMORY
        figure.plane, figure.start = -1, self.n_starts
        at, starts = self.at + self.n_at, self.starts + self.n_starts
        for k in range(self.mask.n):
            at[k] = self.mask.at[k] + self.mask.y
        for x in range(self.mask.w + 1):
            starts[x] = self.mask.start[x] + self.n_at
        self.n_at += self.mask.n
        self.n_starts += self.mask.w + 1
        return OK

    cdef Status add_plane(self, Figure* figure, Py_ssize_t size) noexcept nogil:
        """Draw the mask as bits, in `size` words."""
        cdef:
            const Py_ssize_t* start = self.mask.start
            int32_t x
        if make_room(<void**>&self.words, &self.words_capacity, self.n_words + size, 8) != OK:
            return NO_MEMORY
        figure.plane, figure.start = self.n_words, -1
        self.n_words += size
        memset(self.words + figure.plane, 0, size * 8)
        for x in range(self.mask.w):
            draw_column(
                self.mask.at + start[x], start[x + 1] - start[x], self.mask.y & 63, self.mask.w,
                self.words + figure.plane + x,
            )
        return OK

    cdef void sort(self) noexcept nogil:
        """Put the masks in the order of their left sides."""
        qsort(self.figures, self.n, sizeof(Figure), by_x1)

    cdef Py_ssize_t first_near(self, int32_t x) noexcept nogil:
        """Find the first mask that can reach column `x`, in a tile that is sorted."""
        cdef Py_ssize_t low = 0, high = self.n, middle
        while low < high:
            middle = (low + high) // 2
            if self.figures[middle].x1 + self.width > x:
                high = middle
            else:
                low = middle + 1
        return low


cdef int64_t shared(Tile a, const Figure* one, Tile b, const Figure* other) noexcept nogil:
    """Count the pixels that are True in both masks, whose boxes meet."""
    cdef:
        int32_t x1 = max(one.x1, other.x1), x2 = min(one.x2, other.x2)
        Py_ssize_t first, last, step, other_step
    if one.plane < 0 and other.plane >= 0:
        return inside(a, one, b, other)
    if other.plane < 0 and one.plane >= 0:
        return inside(b, other, a, one)
    if one.plane < 0:
        return walk(
            a.at, a.starts + one.start + (x1 - one.x1),
            b.at, b.starts + other.start + (x1 - other.x1), x2 - x1,
        )
    first = max(one.y1, other.y1) >> 6
    last = (min(one.y2, other.y2) - 1) >> 6
    step, other_step = one.x2 - one.x1, other.x2 - other.x1
    return count_shared(
        a.words + one.plane + (first - (one.y1 >> 6)) * step + (x1 - one.x1), step,
        b.words + other.plane + (first - (other.y1 >> 6)) * other_step + (x1 - other.x1),
        other_step, last - first + 1, x2 - x1,
    )


cdef int64_t inside(Tile a, const Figure* one, Tile b, const Figure* other) noexcept nogil:
    """Count the bits of `other` between the edges of `one`, whose boxes meet."""
    cdef:
        int64_t total = 0
        int32_t x, top, bottom, first = (other.y1 >> 6) << 6
        Py_ssize_t k
        const Py_ssize_t* starts = a.starts + one.start - one.x1
    for x in range(max(one.x1, other.x1), min(one.x2, other.x2)):
        for k in range(starts[x], starts[x + 1], 2):
            top, bottom = max(a.at[k], other.y1), min(a.at[k + 1], other.y2)
            if top < bottom:
                total += count_between(
                    b.words + other.plane + (x - other.x1), other.x2 - other.x1,
                    top - first, bottom - first,
                )
    return total


cdef int64_t walk(
    const int32_t* a, const Py_ssize_t* a_starts,
    const int32_t* b, const Py_ssize_t* b_starts, Py_ssize_t columns,
) noexcept nogil:
    """Count the rows that segments of `a` and `b` share, column by column.

    Of two segments, the one that ends first meets nothing further.
    """
    cdef:
        int64_t total = 0
        Py_ssize_t x, i, j, i_stop, j_stop
        int32_t top, bottom
    for x in range(columns):
        i, i_stop = a_starts[x], a_starts[x + 1]
        j, j_stop = b_starts[x], b_starts[x + 1]
        while i < i_stop and j < j_stop:
            top = max(a[i], b[j])
            bottom = min(a[i + 1], b[j + 1])
            if top < bottom:
                total += bottom - top
            if a[i + 1] < b[j + 1]:
                i += 2
            else:
                j += 2
    return total
