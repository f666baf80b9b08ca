/* Loops that compilers turn into vectors, and a variant of each for AVX2 where it is found at
   run time. COMPACTMASK_BASELINE=1 in the environment keeps to the baseline of the architecture. */
#ifndef COMPACTMASK_VECTOR_H
#define COMPACTMASK_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_MSC_VER)
#define RESTRICT __restrict
#define PREFETCH(p) ((void)(p))
#define ALWAYS_INLINE static __forceinline
#else
#define RESTRICT __restrict__
#define PREFETCH(p) __builtin_prefetch(p, 0, 2)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#endif

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

/* Pixels that are worked on at once, held in registers; loaded and stored by memcpy. */
#if defined(__GNUC__) || defined(__clang__)
typedef uint64_t wide __attribute__((vector_size(32)));
#define ANY(w) (((w)[0] | (w)[1] | (w)[2] | (w)[3]) != 0)
#else
typedef uint64_t wide;
#define ANY(w) ((w) != 0)
#endif
enum { WIDE = sizeof(wide) };

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define HAS_AVX2_VARIANTS 1
#define AVX2 __attribute__((target("avx2,bmi")))
static inline int use_avx2(void)
{
    const char *baseline = getenv("COMPACTMASK_BASELINE");
    if (baseline != NULL && strcmp(baseline, "1") == 0) return 0;
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
/* Define `name` by calling name_loop, compiled for the baseline and for AVX2. */
#define VARIANTS(name, parameters, arguments)                                  \
    static void name##_baseline parameters { name##_loop arguments; }          \
    AVX2 static void name##_avx2 parameters { name##_loop arguments; }         \
    static void (*name) parameters = name##_baseline;
#define CHOOSE(name) name = is_avx2 ? name##_avx2 : name##_baseline
#else
#define HAS_AVX2_VARIANTS 0
static inline int use_avx2(void) { return 0; }
#define VARIANTS(name, parameters, arguments) \
    static void name parameters { name##_loop arguments; }
#define CHOOSE(name) (void)is_avx2
#endif

#endif
