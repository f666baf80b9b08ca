/* How a decoder moves the edges of columns: all columns of a batch, with the edges of one or two
   segments, which is most of what masks have, in registers. */
#include "vector.h"

struct step {
    int16_t d;          /* what a symbol does to an edge */
    uint16_t moves;     /* its last two moves from now on: where their steps start */
};

struct segment {
    int32_t top, bottom;
    uint16_t top_moves, bottom_moves;
};

ALWAYS_INLINE struct segment load_segment(const int32_t *line, const uint16_t *moves)
{
    struct segment result = {line[0], line[1], moves[0], moves[1]};
    return result;
}

ALWAYS_INLINE void store_segment(struct segment from, int32_t *line, uint16_t *moves)
{
    line[0] = from.top;
    line[1] = from.bottom;
    moves[0] = from.top_moves;
    moves[1] = from.bottom_moves;
}

ALWAYS_INLINE struct segment move_segment(struct segment from, const struct step *steps,
                                          const uint8_t *symbols)
{
    struct step top = steps[from.top_moves + symbols[0]];
    struct step bottom = steps[from.bottom_moves + symbols[1]];
    struct segment result = {from.top + top.d, from.bottom + bottom.d, top.moves, bottom.moves};
    return result;
}

/* Apply symbols to a line of m edges, and note each column at `at`. Return how many columns were
   sorted and inside the crop, before the first that was not. */
static inline ptrdiff_t move_line(const struct step *steps, const uint8_t *symbols,
                                  ptrdiff_t columns, ptrdiff_t m, int32_t h,
                                  int32_t *RESTRICT line, uint16_t *RESTRICT moves,
                                  int32_t *RESTRICT at)
{
    ptrdiff_t k = 0;
    if (m == 2) {
        struct segment a = load_segment(line, moves);
        for (; k < columns; k++, symbols += 2, at += 2) {
            a = move_segment(a, steps, symbols);
            at[0] = a.top;
            at[1] = a.bottom;
            if (!((a.top >= 0) & (a.top < a.bottom) & (a.bottom <= h))) break;
        }
        store_segment(a, line, moves);
    } else if (m == 4) {
        struct segment a = load_segment(line, moves), b = load_segment(line + 2, moves + 2);
        for (; k < columns; k++, symbols += 4, at += 4) {
            a = move_segment(a, steps, symbols);
            b = move_segment(b, steps, symbols + 2);
            at[0] = a.top;
            at[1] = a.bottom;
            at[2] = b.top;
            at[3] = b.bottom;
            if (!((a.top >= 0) & (a.top < a.bottom) & (a.bottom < b.top) & (b.top < b.bottom)
                  & (b.bottom <= h))) break;
        }
        store_segment(a, line, moves);
        store_segment(b, line + 2, moves + 2);
    } else {
        for (; k < columns; k++, symbols += m, at += m) {
            int32_t before = -1, is_sorted = 1;
            for (ptrdiff_t j = 0; j < m; j++) {
                struct step step = steps[moves[j] + symbols[j]];
                moves[j] = step.moves;
                line[j] += step.d;
                at[j] = line[j];
                is_sorted &= before < at[j];
                before = at[j];
            }
            if (!is_sorted || before > h) break;
        }
    }
    return k;
}
