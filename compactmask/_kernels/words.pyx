"""The vocabulary of the packed mask (formats/ENCODING.md): operations, words, predictions.

A symbol says how an edge moves relative to the digital straight line through its last two moves:
0 is the likeliest move, the others follow by likelihood. The tables are filled once at import.
"""

cdef Tables _TABLES


cdef const Tables* tables() noexcept nogil:
    return &_TABLES


def compositions(total):
    """Yield the sequences of symbols with sum of (symbol + 1) equal to `total`, in order."""
    if total == 0:
        yield ()
    for symbol in range(total):
        for rest in compositions(total - symbol - 1):
            yield (symbol, *rest)


cdef void fill_words():
    words = [(symbol,) for symbol in range(SYMBOLS)]
    for total in range(2, LONGEST_WORD + 1):
        words += [word for word in compositions(total) if len(word) > 1]
    index = {word: code for code, word in enumerate(words[:WORDS])}
    for word, code in index.items():
        _TABLES.length[code] = len(word)
        for place, symbol in enumerate(word):
            _TABLES.symbols[code][place] = symbol
    for bits in range(1, 256):
        word, rest = (), bits
        while rest:
            symbol = (rest & -rest).bit_length() - 1    # as many zeros below a one
            if (*word, symbol) not in index:
                break
            word += (symbol,)
            rest >>= symbol + 1
        _TABLES.first[bits] = index[word]
        _TABLES.first_bits[bits] = sum(word) + len(word)


cdef void fill_predictions():
    cdef int p, q, s, a, c, moves, symbol, d, kept
    for p in range(-MEMORY, MEMORY + 1):
        for q in range(-MEMORY, MEMORY + 1):
            s = 1 if p > 0 or (p == 0 and q >= 0) else -1
            a = s * p
            c = s * q
            moves = (p + 16) * 32 + q + 16
            _TABLES.base[moves] = s * (a - 1 if a > c else a)
            _TABLES.sign[moves] = -s if a == c else s
            for symbol in range(SYMBOLS):
                d = (symbol + 1) // 2 if symbol % 2 else -(symbol // 2)
                d = _TABLES.base[moves] + _TABLES.sign[moves] * d
                kept = d if -MEMORY <= d <= MEMORY else 0
                _TABLES.steps[moves * SYMBOLS + symbol].d = d
                _TABLES.steps[moves * SYMBOLS + symbol].moves = (
                    ((kept + 16) * 32 + p + 16) * SYMBOLS
                )


fill_words()
fill_predictions()
