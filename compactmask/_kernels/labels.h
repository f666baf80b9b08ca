/* Lines of a label image, pixels of 1, 2, 4 or 8 bytes; all its loops that become vectors. */
#include "vector.h"

#define FOR_PIXELS_OF(size, USE)      \
    switch (size) {                   \
    case 1: USE(uint8_t); break;      \
    case 2: USE(uint16_t); break;     \
    case 4: USE(uint32_t); break;     \
    default: USE(uint64_t); break;    \
    }

/* Note for every pixel but the first of a line whether it differs from the one before. */
ALWAYS_INLINE void find_changes_loop(const void *line, ptrdiff_t n, int size,
                                     uint8_t *RESTRICT changed)
{
#define FIND(type)                                                                  \
    {                                                                               \
        const type *RESTRICT at = line;                                             \
        for (ptrdiff_t x = 1; x < n; x++) changed[x] = at[x] != at[x - 1];          \
    }
    FOR_PIXELS_OF(size, FIND)
#undef FIND
}

VARIANTS(find_changes, (const void *line, ptrdiff_t n, int size, uint8_t *changed),
         (line, n, size, changed))

static inline void choose_labels(void)
{
    int is_avx2 = use_avx2();
    CHOOSE(find_changes);
}

/* The first pixel from x on that is marked; there is one, and 8 bytes may be read from it on. */
static inline ptrdiff_t next_change(const uint8_t *changed, ptrdiff_t x)
{
    uint64_t eight;
    for (;; x += 8) {
        memcpy(&eight, changed + x, 8);
        if (eight) break;
    }
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    while (!changed[x]) x++;
    return x;
#else
    return x + lowest_bit(eight) / 8;
#endif
}

static inline uint64_t pixel_at(const void *line, ptrdiff_t x, int size)
{
    uint64_t value;
#define GET(type) value = ((const type *)line)[x]
    FOR_PIXELS_OF(size, GET)
#undef GET
    return value;
}

/* Copy a line whose pixels lie apart, or whose pixels are three bytes apart each. */
static inline void gather_line(const char *from, ptrdiff_t step, ptrdiff_t n, int size, void *line)
{
#define GATHER(type) \
    for (ptrdiff_t x = 0; x < n; x++) ((type *)line)[x] = *(const type *)(from + x * step)
    FOR_PIXELS_OF(size, GATHER)
#undef GATHER
}

/* Read red + 256 green + 65536 blue. */
static inline void gather_colours(const char *from, ptrdiff_t step, ptrdiff_t channel,
                                  ptrdiff_t n, uint32_t *line)
{
    const uint8_t *at = (const uint8_t *)from;
    for (ptrdiff_t x = 0; x < n; x++, at += step)
        line[x] = at[0] | (uint32_t)at[channel] << 8 | (uint32_t)at[2 * channel] << 16;
}

static inline void fill_pixels(void *line, ptrdiff_t begin, ptrdiff_t end, int size,
                               uint64_t value)
{
#define FILL(type) \
    for (ptrdiff_t x = begin; x < end; x++) ((type *)line)[x] = (type)value
    FOR_PIXELS_OF(size, FILL)
#undef FILL
}

/* The first pixel from begin to end that is not 0, or end. */
static inline ptrdiff_t first_taken(const void *line, ptrdiff_t begin, ptrdiff_t end, int size)
{
    ptrdiff_t x = begin;
#define LOOK(type) \
    while (x < end && ((const type *)line)[x] == 0) x++
    FOR_PIXELS_OF(size, LOOK)
#undef LOOK
    return x;
}

/* Drawn anew by every process, so that nobody can make an image whose ids all collide. */
static uint64_t hash_factor;

/* Where a table of 2^bits places looks first for a value: M. Dietzfelbinger et al., A reliable
   randomized algorithm for the closest-pair problem, 1997 (multiply and shift). */
static inline size_t place_of(uint64_t value, int bits)
{
    return (size_t)(value * hash_factor >> (64 - bits));
}
