/* How edges move from column to column; all loops of the encoder that become vectors. */
#include "vector.h"

ALWAYS_INLINE void differences_loop(const int32_t *RESTRICT rows, const int32_t *RESTRICT before,
                                    ptrdiff_t n, int32_t *RESTRICT d, int32_t *RESTRICT kept)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        int32_t move = rows[i] - before[i];
        d[i] = move;
        kept[i] = (move >= -15) & (move <= 15) ? move : 0;
    }
}

/* The symbol of each move after the last two; s is 0 or -1, and (v ^ s) - s is v or -v. */
ALWAYS_INLINE void rank_loop(const int32_t *RESTRICT d, const int32_t *RESTRICT last,
                             const int32_t *RESTRICT before_last, ptrdiff_t n,
                             int32_t *RESTRICT symbols)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        int32_t p = last[i], q = before_last[i];
        int32_t s = -(int32_t)!((p > 0) | ((p == 0) & (q >= 0)));
        int32_t a = (p ^ s) - s, c = (q ^ s) - s;
        int32_t u = ((d[i] ^ s) - s) - (a - (a > c));
        int32_t flip = -(int32_t)(a == c);
        u = (u ^ flip) - flip;
        symbols[i] = u > 0 ? 2 * u - 1 : -2 * u;
    }
}

VARIANTS(differences,
         (const int32_t *rows, const int32_t *before, ptrdiff_t n, int32_t *d, int32_t *kept),
         (rows, before, n, d, kept))
VARIANTS(rank,
         (const int32_t *d, const int32_t *last, const int32_t *before_last, ptrdiff_t n,
          int32_t *symbols),
         (d, last, before_last, n, symbols))

static void choose_moves(void)
{
    int is_avx2 = use_avx2();
    CHOOSE(differences);
    CHOOSE(rank);
}
