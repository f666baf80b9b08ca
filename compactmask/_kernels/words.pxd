"""The vocabulary of the packed mask (formats/ENCODING.md): operations, words, predictions."""

from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t

cdef enum:
    SYMBOLS = 24                # small symbols, each a word of its own
    WORDS = 236
    LONGEST_WORD = 8
    RUNS_OP = 241
    CUT_OP = 242                # ..245 for edges 0..3
    ADD_OP = 246                # ..249
    CUT_ANY_OP = 250
    ADD_ANY_OP = 251
    STILL_OP = 252
    SYMBOL_OP = 253
    EMPTY_OP = 254
    RESET_OP = 255
    MEMORY = 15                 # longer moves are not remembered
    NO_MOVES = 12672            # (16 << 5 | 16) * SYMBOLS
    MAX_LARGE_SYMBOL = 4194304


cdef extern from "steps.h":
    ctypedef struct Step "struct step":
        int16_t d
        uint16_t moves
    ctypedef struct Edge "struct edge":
        int32_t row
        uint16_t moves
    Edge move_edge(Edge edge, const Step* steps, uint8_t symbol) noexcept nogil


cdef struct Tables:
    uint8_t length[236]
    uint8_t symbols[236][8]
    uint8_t first[256]          # by 8 bits of unary symbols, the longest word they start with
    uint8_t first_bits[256]     # and how many of them it takes
    Step steps[24576]           # by the last two moves, (P + 16) << 5 | (Q + 16), and symbol
    int8_t base[1024]           # d = base + sign * zigzag(symbol)
    int8_t sign[1024]


cdef const Tables* tables() noexcept nogil
