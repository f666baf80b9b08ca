/* How a decoder moves the edges of columns: all columns of a batch, with the edges of one or two
   segments, which is most of what masks have, in registers. */
#include "vector.h"

struct step {
    int16_t d;          /* what a symbol does to an edge */
    uint16_t moves;     /* its last two moves from now on: where their steps start */
};

struct edge {
    int32_t row;
    uint16_t moves;
};

static inline struct edge move_edge(struct edge from, const struct step *steps, uint8_t symbol)
{
    struct step step = steps[from.moves + symbol];
    struct edge result = {from.row + step.d, step.moves};
    return result;
}

/* Apply symbols to a line of m edges, and note each column at `at`. Return how many columns were
   sorted and inside the crop, before the first that was not. */
static inline ptrdiff_t move_line(const struct step *steps, const uint8_t *symbols,
                                  ptrdiff_t columns, ptrdiff_t m, int32_t h,
                                  struct edge *RESTRICT line, int32_t *RESTRICT at)
{
    ptrdiff_t k = 0;
    if (m == 2) {
        struct edge a = line[0], b = line[1];
        for (; k < columns; k++, symbols += 2, at += 2) {
            at[0] = (a = move_edge(a, steps, symbols[0])).row;
            at[1] = (b = move_edge(b, steps, symbols[1])).row;
            if (!((a.row >= 0) & (a.row < b.row) & (b.row <= h))) break;
        }
        line[0] = a, line[1] = b;
    } else if (m == 4) {
        struct edge a = line[0], b = line[1], c = line[2], d = line[3];
        for (; k < columns; k++, symbols += 4, at += 4) {
            at[0] = (a = move_edge(a, steps, symbols[0])).row;
            at[1] = (b = move_edge(b, steps, symbols[1])).row;
            at[2] = (c = move_edge(c, steps, symbols[2])).row;
            at[3] = (d = move_edge(d, steps, symbols[3])).row;
            if (!((a.row >= 0) & (a.row < b.row) & (b.row < c.row) & (c.row < d.row)
                  & (d.row <= h))) break;
        }
        line[0] = a, line[1] = b, line[2] = c, line[3] = d;
    } else {
        for (; k < columns; k++, symbols += m, at += m) {
            int32_t before = -1, is_sorted = 1;
            for (ptrdiff_t j = 0; j < m; j++) {
                line[j] = move_edge(line[j], steps, symbols[j]);
                at[j] = line[j].row;
                is_sorted &= before < at[j];
                before = at[j];
            }
            if (!is_sorted || before > h) break;
        }
    }
    return k;
}
