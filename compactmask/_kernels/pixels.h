/* Rows of pixels to bits of columns and back; all loops of `pixels` that become vectors. */
#include "vector.h"

ALWAYS_INLINE void pack_block(const uint8_t *RESTRICT at, ptrdiff_t step, int w,
                              uint8_t *RESTRICT out)
{
    for (int x = 0; x < w; x++) {
        uint8_t bits = at[x] ? 1 : 0;
        bits |= at[x + step] ? 2 : 0;
        bits |= at[x + 2 * step] ? 4 : 0;
        bits |= at[x + 3 * step] ? 8 : 0;
        bits |= at[x + 4 * step] ? 16 : 0;
        bits |= at[x + 5 * step] ? 32 : 0;
        bits |= at[x + 6 * step] ? 64 : 0;
        bits |= at[x + 7 * step] ? 128 : 0;
        out[x] = bits;
    }
}

/* Pack 8 rows into a byte per column; the last block goes back over columns that are done. */
ALWAYS_INLINE void pack_eight_loop(const uint8_t *row, ptrdiff_t step, int w, uint8_t *out)
{
    int x = 0;
    if (w < 16) {
        pack_block(row, step, w, out);
        return;
    }
    for (; x + 32 <= w; x += 32) pack_block(row + x, step, 32, out + x);
    if (x + 16 <= w) {
        pack_block(row + x, step, 16, out + x);
        x += 16;
    }
    if (x < w) pack_block(row + w - 16, step, 16, out + w - 16);
}

static void pack_row(const uint8_t *RESTRICT row, uint8_t bit, int w, uint8_t *RESTRICT out)
{
    for (int x = 0; x < w; x++) out[x] |= row[x] ? bit : 0;
}

enum { LANES = WIDE / 8, GROUP = 8 * LANES };

/* Where the word of column x is: those of a group of 8 * LANES columns are interleaved. */
static inline ptrdiff_t word_at(ptrdiff_t x)
{
    return (x & ~(ptrdiff_t)(GROUP - 1)) + (x & 7) * LANES + (x / 8) % LANES;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define FIRST_LOWEST(w) for (int lane = 0; lane < LANES; lane++) (w)[lane] = __builtin_bswap64((w)[lane])
#else
#define FIRST_LOWEST(w)
#endif

#define LOAD(k)                                     \
    wide a##k;                                      \
    memcpy(&a##k, rows + k * step, WIDE);           \
    FIRST_LOWEST(a##k);
#define SWAP(i, j, apart, low)                      \
    swap = ((a##i >> apart) ^ a##j) & low;          \
    a##j ^= swap;                                   \
    a##i ^= swap << apart;
#define STORE(k) memcpy(words + k * LANES, &a##k, WIDE);

/* Turn 8 rows of bytes, each `step` behind the other, into a word per column whose lowest byte is
   the first row, a group of columns at a time: in blocks of 8 by 8, swap blocks of 4 bytes across
   the diagonal, then of 2, then of 1. An array in place of a0 to a7 would go through the stack. */
ALWAYS_INLINE void transpose_loop(const uint8_t *RESTRICT rows, ptrdiff_t step, int w,
                                  uint64_t *RESTRICT words)
{
    const uint64_t four = 0x00000000FFFFFFFFu, two = 0x0000FFFF0000FFFFu, one = 0x00FF00FF00FF00FFu;
    for (int x = 0; x < w; x += GROUP, rows += GROUP, words += GROUP) {
        wide swap;
        LOAD(0) LOAD(1) LOAD(2) LOAD(3) LOAD(4) LOAD(5) LOAD(6) LOAD(7)
        SWAP(0, 4, 32, four) SWAP(1, 5, 32, four) SWAP(2, 6, 32, four) SWAP(3, 7, 32, four)
        SWAP(0, 2, 16, two) SWAP(1, 3, 16, two) SWAP(4, 6, 16, two) SWAP(5, 7, 16, two)
        SWAP(0, 1, 8, one) SWAP(2, 3, 8, one) SWAP(4, 5, 8, one) SWAP(6, 7, 8, one)
        STORE(0) STORE(1) STORE(2) STORE(3) STORE(4) STORE(5) STORE(6) STORE(7)
    }
}

#undef LOAD
#undef SWAP
#undef STORE

/* Write rows of pixels from a byte per column, whose lowest bit is the first row, in blocks of
   `size` columns. The last block goes back over columns that are done. */
ALWAYS_INLINE void unpack_rows(const uint8_t *bits, int rows, int w, int size, uint8_t *at,
                               ptrdiff_t step)
{
    for (int x = 0; x < w; x += size) {
        int from = x + size <= w ? x : w - size;
        wide eight;
        memcpy(&eight, bits + from, WIDE);
        for (int k = 0; k < rows; k++) {
            wide row = (eight >> k) & 0x0101010101010101u;
            memcpy(at + k * step + from, &row, size);
        }
    }
}

/* Write the pixels of columns whose edges are in `bits`: a byte for each 8 rows of a column, 8 rows
   `pitch` behind the other, in which an edge has flipped all rows from its own on. An odd number
   of flips goes on in the bytes below: that comes first, because what was just stored is loaded
   slowly. Behind the last byte are WIDE more that may be read. */
ALWAYS_INLINE void paint_bits_loop(uint8_t *bits, ptrdiff_t pitch, int h, int w, uint8_t *at,
                                   ptrdiff_t step)
{
    for (int y = 8; y < h; y += 8) {
        const uint8_t *above = bits + (y / 8 - 1) * pitch;
        uint8_t *RESTRICT below = bits + y / 8 * pitch;
        for (ptrdiff_t x = 0; x < pitch; x++) below[x] ^= above[x] & 0x80 ? 0xFF : 0;
    }
    for (int y = 0; y < h; y += 8, bits += pitch, at += 8 * step) {
        int rows = h - y < 8 ? h - y : 8;
        if (w >= WIDE && rows == 8) unpack_rows(bits, 8, w, WIDE, at, step);
        else if (w >= WIDE) unpack_rows(bits, rows, w, WIDE, at, step);
        else if (w >= 16 && WIDE >= 16) unpack_rows(bits, rows, w, 16, at, step);
        else if (w >= 8) unpack_rows(bits, rows, w, 8, at, step);
        else unpack_rows(bits, rows, w, 1, at, step);
    }
}

enum { BLOCK = 4 * WIDE };

ALWAYS_INLINE int any_true(const uint8_t *block)
{
    wide a, b, c, d;    /* an array of them would go through the stack */
    memcpy(&a, block, WIDE);
    memcpy(&b, block + WIDE, WIDE);
    memcpy(&c, block + 2 * WIDE, WIDE);
    memcpy(&d, block + 3 * WIDE, WIDE);
    a = (a | b) | (c | d);
    return ANY(a);
}

static inline uint64_t load_eight(const uint8_t *pixels)
{
    uint64_t word;
    memcpy(&word, pixels, 8);
    return word;
}

/* The place of the first pixel that is not 0, or n. */
ALWAYS_INLINE ptrdiff_t first_true(const uint8_t *pixels, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    while (i + BLOCK <= n && !any_true(pixels + i)) i += BLOCK;
    if (n - i < BLOCK && n >= BLOCK && !any_true(pixels + n - BLOCK)) return n;
    while (i + 8 <= n && load_eight(pixels + i) == 0) i += 8;
    while (i < n && pixels[i] == 0) i++;
    return i;
}

/* The place behind the last pixel that is not 0, or 0. */
ALWAYS_INLINE ptrdiff_t after_last_true(const uint8_t *pixels, ptrdiff_t n)
{
    ptrdiff_t i = n;
    while (i >= BLOCK && !any_true(pixels + i - BLOCK)) i -= BLOCK;
    if (i < BLOCK && n >= BLOCK && !any_true(pixels)) return 0;
    while (i >= 8 && load_eight(pixels + i - 8) == 0) i -= 8;
    while (i > 0 && pixels[i - 1] == 0) i--;
    return i;
}

/* Find the tight box of a frame of contiguous lines; it is inclusive, and last < first where
   there is nothing. No pixel outside the box is read twice, and few between its sides. */
struct extent { ptrdiff_t first_line, last_line, first, last; };

ALWAYS_INLINE void find_extent_loop(const uint8_t *frame, ptrdiff_t step, ptrdiff_t lines,
                                 ptrdiff_t length, struct extent *found)
{
    ptrdiff_t top = 0, bottom = lines - 1, begin = length, end = 0;
    while (top < lines && (begin = first_true(frame + top * step, length)) == length) top++;
    while (bottom > top && (end = after_last_true(frame + bottom * step, length)) == 0) bottom--;
    for (ptrdiff_t line = top; line <= bottom; line++) {
        const uint8_t *at = frame + line * step;
        begin = first_true(at, begin);
        end += after_last_true(at + end, length - end);
    }
    found->first_line = top;
    found->last_line = bottom;
    found->first = begin;
    found->last = end - 1;
}

/* Ask for the lines of a crop that is read soon. */
static void prefetch(const uint8_t *at, ptrdiff_t step, int lines, int length)
{
    for (int line = 0; line < lines && length > 0; line++, at += step) {
        for (int k = 0; k < length; k += 64) PREFETCH(at + k);
        PREFETCH(at + length - 1);
    }
}

VARIANTS(pack_eight, (const uint8_t *row, ptrdiff_t step, int w, uint8_t *out),
         (row, step, w, out))
VARIANTS(transpose, (const uint8_t *rows, ptrdiff_t step, int w, uint64_t *words),
         (rows, step, w, words))
VARIANTS(paint_bits,
         (uint8_t *bits, ptrdiff_t pitch, int h, int w, uint8_t *at, ptrdiff_t step),
         (bits, pitch, h, w, at, step))
VARIANTS(find_extent,
         (const uint8_t *frame, ptrdiff_t step, ptrdiff_t lines, ptrdiff_t length,
          struct extent *found),
         (frame, step, lines, length, found))

static void choose_pixels(void)
{
    int is_avx2 = use_avx2();
    CHOOSE(pack_eight);
    CHOOSE(transpose);
    CHOOSE(paint_bits);
    CHOOSE(find_extent);
}
