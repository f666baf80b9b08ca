/* Rows of pixels to bits of columns and back; all loops of `dense` that become vectors. */
#include "vector.h"

#if defined(_MSC_VER)
#include <intrin.h>
static __inline int lowest_bit(uint64_t word)
{
    unsigned long at;
#if defined(_M_X64) || defined(_M_ARM64)
    _BitScanForward64(&at, word);
    return (int)at;
#else
    if (_BitScanForward(&at, (unsigned long)word)) return (int)at;
    _BitScanForward(&at, (unsigned long)(word >> 32));
    return (int)at + 32;
#endif
}
#else
static inline int lowest_bit(uint64_t word) { return __builtin_ctzll(word); }
#endif

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

/* Turn 8 rows of 8 bytes, each `step` behind the other, into a word per column whose lowest byte
   is the first row: swap blocks of 4 bytes across the diagonal, then of 2, then of 1. */
static inline void transpose_block(const uint8_t *rows, ptrdiff_t step, uint64_t *RESTRICT words)
{
    static const uint64_t low[3] = {0x00000000FFFFFFFFu, 0x0000FFFF0000FFFFu, 0x00FF00FF00FF00FFu};
    uint64_t a[8];
    for (int k = 0; k < 8; k++) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        uint64_t row = 0;
        for (int c = 7; c >= 0; c--) row = row << 8 | rows[k * step + c];
        a[k] = row;
#else
        memcpy(a + k, rows + k * step, 8);
#endif
    }
    for (int stage = 0; stage < 3; stage++) {
        int apart = 4 >> stage;
        for (int k = 0; k < 8; k++) {
            if (k & apart) continue;
            uint64_t swap = ((a[k] >> (8 * apart)) ^ a[k + apart]) & low[stage];
            a[k + apart] ^= swap;
            a[k] ^= swap << (8 * apart);
        }
    }
    memcpy(words, a, 64);
}

/* XOR each row into the next, a block of columns at a time so that the row above stays in
   registers. The last block may go back over columns that are done: `fresh` leaves them out. */
ALWAYS_INLINE void sweep_loop(uint8_t *corner, ptrdiff_t step, int h, int w)
{
    int x = 0;
    for (; x + 2 * WIDE <= w; x += 2 * WIDE) {
        wide left = {0}, right = {0}, row;
        uint8_t *at = corner + x;
        for (int y = 0; y < h; y++, at += step) {
            memcpy(&row, at, WIDE);
            left ^= row;
            memcpy(at, &left, WIDE);
            memcpy(&row, at + WIDE, WIDE);
            right ^= row;
            memcpy(at + WIDE, &right, WIDE);
        }
    }
    while (x < w && w >= NARROW) {
        narrow above = {0}, row, fresh;
        uint8_t lanes[NARROW] = {0};
        int first = x + NARROW <= w ? x : w - NARROW;
        uint8_t *at = corner + first;
        memset(lanes + (x - first), 0xFF, NARROW - (x - first));
        memcpy(&fresh, lanes, NARROW);
        for (int y = 0; y < h; y++, at += step) {
            memcpy(&row, at, NARROW);
            above ^= row & fresh;
            row = (row & ~fresh) | above;
            memcpy(at, &row, NARROW);
        }
        x = first + NARROW;
    }
    for (int y = 1; y < h && x < w; y++)
        for (int c = x; c < w; c++) corner[y * step + c] ^= corner[(y - 1) * step + c];
}

VARIANTS(pack_eight, (const uint8_t *row, ptrdiff_t step, int w, uint8_t *out),
         (row, step, w, out))
VARIANTS(sweep, (uint8_t *corner, ptrdiff_t step, int h, int w), (corner, step, h, w))

static void choose_pixels(void)
{
    int is_avx2 = use_avx2();
    CHOOSE(pack_eight);
    CHOOSE(sweep);
}
