/* Masks as bits, 64 rows of a column in a word, in bands of the image: band k holds rows 64k to
   64k + 63, a word per column. All planes are cut at the same rows, so the pixels that two share
   are those of `a & b`, word by word. */
#include "vector.h"
#if HAS_AVX2_VARIANTS
#include <immintrin.h>
#endif

/* Draw a column whose words are `w` apart. `rows` are pairs of rows, where a segment starts and
   where it has ended, and as many rows `down` from the first bit. */
static void draw_column(const int32_t *rows, ptrdiff_t n, int32_t down, ptrdiff_t w,
                        uint64_t *column)
{
    const uint64_t all = ~(uint64_t)0;
    for (ptrdiff_t k = 0; k < n; k += 2) {
        int32_t top = rows[k] + down, bottom = rows[k + 1] + down - 1;
        uint64_t *at = column + (top >> 6) * w, *last = column + (bottom >> 6) * w;
        uint64_t from = all << (top & 63), to = all >> (63 - (bottom & 63));
        if (at == last) {
            *at |= from & to;
            continue;
        }
        *at |= from;
        for (at += w; at != last; at += w) *at = all;
        *last |= to;
    }
}

static inline uint64_t count_bits(uint64_t x)
{
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (x * 0x0101010101010101u) >> 56;
}

/* Count the bits of a column between two rows, the second one exclusive. */
static int64_t count_between(const uint64_t *column, ptrdiff_t w, int32_t top, int32_t bottom)
{
    const uint64_t all = ~(uint64_t)0;
    int32_t band = top >> 6, last = (bottom - 1) >> 6;
    uint64_t total = 0;
    for (int32_t k = band; k <= last; k++) {
        uint64_t word = column[k * w];
        if (k == band) word &= all << (top & 63);
        if (k == last) word &= all >> (63 - ((bottom - 1) & 63));
        total += count_bits(word);
    }
    return (int64_t)total;
}

/* Count the bits that `bands` rows of `w` words share. */
static int64_t count_shared_baseline(const uint64_t *a, ptrdiff_t step_a, const uint64_t *b,
                                     ptrdiff_t step_b, ptrdiff_t bands, ptrdiff_t w)
{
    uint64_t total = 0;
    for (; bands > 0; bands--, a += step_a, b += step_b)
        for (ptrdiff_t x = 0; x < w; x++) total += count_bits(a[x] & b[x]);
    return (int64_t)total;
}

static int64_t (*count_shared)(const uint64_t *a, ptrdiff_t step_a, const uint64_t *b,
                               ptrdiff_t step_b, ptrdiff_t bands,
                               ptrdiff_t w) = count_shared_baseline;

#if HAS_AVX2_VARIANTS
/* Look up the bits of each half byte, as W. Mula does: no compiler finds this in the loop above. */
AVX2 static int64_t count_shared_avx2(const uint64_t *a, ptrdiff_t step_a, const uint64_t *b,
                                      ptrdiff_t step_b, ptrdiff_t bands, ptrdiff_t w)
{
    const __m256i zero = _mm256_setzero_si256(), low = _mm256_set1_epi8(15);
    const __m256i bits = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                          0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    __m256i sums = zero;
    uint64_t lanes[4], total = 0;
    for (; bands > 0; bands--, a += step_a, b += step_b) {
        ptrdiff_t x = 0;
        for (; x + 4 <= w; x += 4) {
            __m256i four = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(a + x)),
                                            _mm256_loadu_si256((const __m256i *)(b + x)));
            __m256i high = _mm256_and_si256(_mm256_srli_epi16(four, 4), low);
            __m256i bytes = _mm256_add_epi8(
                _mm256_shuffle_epi8(bits, _mm256_and_si256(four, low)),
                _mm256_shuffle_epi8(bits, high));
            sums = _mm256_add_epi64(sums, _mm256_sad_epu8(bytes, zero));
        }
        for (; x < w; x++) total += count_bits(a[x] & b[x]);
    }
    memcpy(lanes, &sums, sizeof lanes);
    return (int64_t)(total + lanes[0] + lanes[1] + lanes[2] + lanes[3]);
}
#endif

static void choose_planes(void)
{
#if HAS_AVX2_VARIANTS
    if (use_avx2()) count_shared = count_shared_avx2;
#endif
}
