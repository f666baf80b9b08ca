"""The core once more, slowly: what its kernels must compute, in plain Python and NumPy."""

import math

import numpy as np

# ------------------------------------------------------------- the packed mask

LARGEST_SYMBOL = 1 << 22
NEAR = 12
STILL_MINIMUM = 24


def _words():
    """List what bytes 0 to 235 stand for."""
    longer = []
    for total in range(2, 9):
        for cuts in range(1, 1 << (total - 1)):
            places = [0, *(i + 1 for i in range(total - 1) if cuts >> i & 1), total]
            longer.append(tuple(np.diff(places).tolist()))
    longer.sort(key=lambda parts: (sum(parts), parts))
    words = [tuple(part - 1 for part in parts) for parts in longer]
    return [(symbol,) for symbol in range(24)] + words[:212]


WORDS = _words()
CODES = {word: code for code, word in enumerate(WORDS)}


class RejectedError(ValueError):
    """Bytes that no decoder may accept."""


def require(condition):
    if not condition:
        raise RejectedError


def predict(p, q):
    """Give the base and the two directions in which symbols count from it."""
    s = 1 if p > 0 or (p == 0 and q >= 0) else -1
    a, c = s * p, s * q
    return (a - 1 if a > c else a), s, -s if a == c else s


def decode(data, h, w):
    """Decode a packed mask of an (h, w) crop, or raise RejectedError."""
    at = 0

    def number(limit):
        nonlocal at
        value = 0
        for shift in range(0, 35, 7):
            require(at < len(data))
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                require(value <= limit)
                return value
        raise RejectedError

    if data[:1] == b"\xf1":
        at, lengths = 1, []
        while at < len(data):
            lengths.append(number(2**32 - 1))
        require(sum(lengths) == h * w and 0 not in lengths[1:])
        values = np.arange(len(lengths)) % 2 == 1
        return np.repeat(values, lengths).reshape(w, h).T

    line, moved, columns = [], 0, []  # an edge is [position, newer move, older move]
    settled = 0  # edges that CUT and ADD at this boundary may not go back to

    def finish():
        rows = [edge[0] for edge in line]
        require(len(columns) < w and all(a < b for a, b in zip([-1, *rows], rows, strict=False)))
        require(not rows or rows[-1] <= h)
        columns.append(rows)

    def move(symbol):
        nonlocal moved
        require(line)
        edge = line[moved]
        base, s, direction = predict(edge[1], edge[2])
        u = (symbol + 1) // 2 if symbol % 2 else -(symbol // 2)
        d = s * base + direction * u
        edge[:] = edge[0] + d, d if abs(d) <= 15 else 0, edge[1]
        moved += 1
        if moved == len(line):
            finish()
            moved = 0

    while at < len(data):
        op = data[at]
        at += 1
        if op < 236:
            settled = 0
            for symbol in WORDS[op]:
                move(symbol)
            continue
        if op == 253:
            settled = 0
            move(24 + number(LARGEST_SYMBOL))
            continue
        require(op > 241 and moved == 0)
        if op in (252, 254, 255):
            settled = 0
        if op in (252, 254):
            count = number(w - len(columns))
            require(count > 0)
            if op == 254:
                line = []
            require(op == 254 or line)
            for _ in range(count * max(len(line), 1)):
                finish() if op == 254 else move(0)
        elif op == 255:
            count, y, line = number((h + 1) // 2), -1, []
            require(count > 0)
            for _ in range(2 * count):
                y += number(h) + 1
                require(y <= h)
                line.append([y, 0, 0])
        else:
            k = 4 + number(2 * h + 2) if op in (250, 251) else (op - 242) % 4
            require(k >= settled)
            settled = k if op < 246 or op == 250 else k + 2
            if op < 246 or op == 250:
                require(k + 2 <= len(line))
                del line[k : k + 2]
            else:
                require(k <= len(line) <= 2 * h)
                y = number(h) + (line[k - 1][0] if k else 0)
                stop = y + number(h) + 1
                require(stop <= h)
                line[k:k] = [[y, 0, 0], [stop, 0, 0]]
    require(moved == 0 and len(columns) == w)
    return from_columns(columns, h)


def encode(crop):
    """Encode a crop as the canonical encoder must."""
    columns = to_columns(crop)
    out = bytearray()
    line, x = [], 0
    while x < len(columns):
        if not columns[x]:
            count = next((i for i, rows in enumerate(columns[x:]) if rows), len(columns) - x)
            out += bytes([254]) + varint(count)
            line, x = [], x + count
            continue
        if not follows(line, columns[x]):
            operations, line = change(line, columns[x])
            out += operations
        symbols = []
        while True:
            symbols.append([symbol_of(edge, e) for edge, e in zip(line, columns[x], strict=True)])
            x += 1
            if x == len(columns) or not follows(line, columns[x]):
                break
        out += put_columns(symbols)
    fallback = bytes([241]) + b"".join(varint(count) for count in counts_of(crop))
    return fallback if len(fallback) < len(out) else bytes(out)


def follows(line, rows):
    """Tell whether symbols alone move the line there."""
    if len(line) != len(rows) or not rows:
        return False
    return len(rows) == 2 or all(
        abs(e - edge[0]) <= NEAR for edge, e in zip(line, rows, strict=True)
    )


def symbol_of(edge, e):
    """Move an edge to `e` and give the symbol that says so."""
    d = e - edge[0]
    base, s, direction = predict(edge[1], edge[2])
    u = (d - s * base) * direction
    edge[:] = e, d if abs(d) <= 15 else 0, edge[1]
    return 2 * u - 1 if u > 0 else -2 * u


def put_columns(columns):
    """Write the symbols of columns that no operation parts."""
    out, waiting, i = b"", [], 0
    while i < len(columns):
        stop = i
        while stop < len(columns) and not any(columns[stop]):
            stop += 1
        if stop > i and (stop - i) * len(columns[i]) >= STILL_MINIMUM:
            out += put_words(waiting) + bytes([252]) + varint(stop - i)
            waiting = []
        else:
            stop = max(stop, i + 1)
            waiting += [symbol for column in columns[i:stop] for symbol in column]
        i = stop
    return out + put_words(waiting)


def put_words(symbols):
    """Write the longest word that fits, again and again."""
    out, i = b"", 0
    while i < len(symbols):
        if symbols[i] >= 24:
            out += bytes([253]) + varint(symbols[i] - 24)
            i += 1
            continue
        length = max(n for n in range(1, 9) if tuple(symbols[i : i + n]) in CODES)
        out += bytes([CODES[tuple(symbols[i : i + length])]])
        i += length
    return out


def change(line, rows):
    """Write the operations that give the line as many edges as `rows`; return the new line too."""
    reset = bytes([255]) + varint(len(rows) // 2)
    for before, e in zip([-1, *rows], rows, strict=False):
        reset += varint(e - before - 1)
    anew = reset, [[e, 0, 0] for e in rows]
    if not line and len(rows) > 2:
        return anew
    out, new, cost, i, j = b"", [], 0, 0, 0
    while i < len(line) or j < len(rows):
        m, n = len(line) - i, len(rows) - j
        near = distance(line[i:], rows[j:])
        if m > n and (n == 0 or distance(line[i + 2 :], rows[j:]) < near):
            out += indexed(242, len(new))
            cost += 1
            i += 2
        elif m < n and (m == 0 or distance(line[i:], rows[j + 2 :]) < near):
            y = rows[j] - (new[-1][0] if new else 0)
            if y < 0:
                return anew
            out += indexed(246, len(new)) + varint(y) + varint(rows[j + 1] - rows[j] - 1)
            new += [[rows[j], 0, 0], [rows[j + 1], 0, 0]]
            cost += 3
            j += 2
        else:
            cost += 2 * (abs(rows[j] - line[i][0]) > NEAR)
            new.append(line[i])
            i += 1
            j += 1
    return anew if line and cost > 2 + len(rows) else (out, new)


def distance(line, rows):
    return sum(abs(edge[0] - e) for edge, e in zip(line[:2], rows[:2], strict=False))


def indexed(op, k):
    return bytes([op + k]) if k < 4 else bytes([250 if op == 242 else 251]) + varint(k - 4)


def varint(value):
    out = []
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def to_columns(mask):
    """List the edges of every column."""
    padded = np.pad(np.asarray(mask, bool), ((1, 1), (0, 0)))
    return [np.flatnonzero(column[1:] != column[:-1]).tolist() for column in padded.T]


def from_columns(columns, h):
    mask = np.zeros((h, len(columns)), bool)
    for x, rows in enumerate(columns):
        for start, stop in zip(rows[::2], rows[1::2], strict=True):
            mask[start:stop, x] = True
    return mask


# ------------------------------------------------------------- runs and COCO strings


def counts_of(mask):
    """List the column-major run lengths of a mask, background first."""
    pixels = np.concatenate([[False], np.asarray(mask, bool).ravel(order="F")])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    return np.diff([0, *changes.tolist(), mask.size]).tolist()


def from_counts(counts, h, w):
    """Decode column-major run lengths."""
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(w, h).T


def coco_string(counts):
    """Write a counts string."""
    text = ""
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        while True:
            digit, value = value & 31, value >> 5
            is_last = value == (-1 if digit & 16 else 0)
            text += chr(48 + digit + (0 if is_last else 32))
            if is_last:
                break
    return text


def coco_counts(text):
    """Read a counts string."""
    counts, value, shift = [], 0, 0
    for character in text:
        digit = ord(character) - 48
        value += (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts


# ------------------------------------------------------------- sets of masks


def crop_box(box, h, w):
    """Give x, y and the (h, w) of the crop that an inclusive box stands for; (0, 0) for none."""
    x1, y1, x2, y2 = (math.trunc(side) for side in box)
    x, y = min(max(x1, 0), w - 1), min(max(y1, 0), h - 1)
    if x2 < x1 or y2 < y1 or x2 < 0 or y2 < 0 or x1 >= w or y1 >= h:
        return x, y, 0, 0
    return x, y, min(y2, h - 1) - y + 1, min(x2, w - 1) - x + 1


def tight_box(mask):
    """Give x, y, h and w of the True pixels, or a pixel at the origin where there is none."""
    if not mask.any():
        return 0, 0, 1, 1
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        int(columns[0]),
        int(rows[0]),
        int(rows[-1] - rows[0] + 1),
        int(columns[-1] - columns[0] + 1),
    )


def move(masks, dx, dy, shape):
    """Copy frames into frames of another shape, pixel by pixel."""
    result = np.zeros((len(masks), *shape), bool)
    for i, y, x in np.argwhere(masks):
        if 0 <= y + dy < shape[0] and 0 <= x + dx < shape[1]:
            result[i, y + dy, x + dx] = True
    return result


def nearest(source, target):
    """List which of `source` pixels each of `target` takes."""
    step = 1.0 / (target / source)
    return [min(math.floor(i * step), source - 1) for i in range(target)]


def resize(masks, shape):
    """Scale frames as OpenCV's INTER_NEAREST does."""
    rows, columns = nearest(masks.shape[1], shape[0]), nearest(masks.shape[2], shape[1])
    return masks[:, rows][:, :, columns]
