"""Masks and boxes of every kind that matters, for hypothesis."""

import numpy as np
from hypothesis import strategies as st

_seeds = st.integers(0, 2**32 - 1)


def silhouettes(rng, h, w):
    """Join some ellipses, and cut some out."""
    y, x = np.ogrid[:h, :w]
    mask = np.zeros((h, w), bool)
    for _ in range(rng.integers(1, 6)):
        middle, radius = rng.uniform(0, (h, w)), rng.uniform(0.5, (h / 2 + 1, w / 2 + 1))
        inside = ((y - middle[0]) / radius[0]) ** 2 + ((x - middle[1]) / radius[1]) ** 2 < 1
        mask = mask & ~inside if rng.random() < 0.3 else mask | inside
    return mask


def clouds(rng, h, w):
    """Cut a smooth field at some level: many parts that come and go."""
    field = rng.standard_normal((h, w))
    for axis, size in ((0, rng.integers(1, 7)), (1, rng.integers(1, 7))):
        field = sum(np.roll(field, step, axis) for step in range(size))
    return field > np.quantile(field, rng.random())


def noise(rng, h, w):
    return rng.random((h, w)) < rng.random()


def sieve(rng, h, w):
    """Leave few pixels out: holes."""
    return rng.random((h, w)) > rng.uniform(0.05, 0.4)


def panes(rng, h, w):
    """Part a sieve by rows and columns without pixels, inside where there is an inside."""
    mask = sieve(rng, h, w)
    mask[rng.integers(1, max(2, h - 1), size=h // 9 + 1).clip(max=h - 1)] = False
    mask[:, rng.integers(1, max(2, w - 1), size=w // 9 + 1).clip(max=w - 1)] = False
    return mask


def checkerboard(rng, h, w):
    y, x = np.ogrid[:h, :w]
    return (y // rng.integers(1, 4) + x // rng.integers(1, 4) + rng.integers(2)) % 2 == 1


def stripes(rng, h, w):
    y, x = np.ogrid[:h, :w]
    period = rng.integers(2, 9)
    return (y * rng.integers(0, 3) + x * rng.integers(0, 3)) % period < rng.integers(1, period)


def jumps(rng, h, w):
    """Put one segment anywhere in each column: moves as large as can be."""
    y = np.arange(h)[:, None]
    start, stop = np.sort(rng.integers(0, h + 1, (2, w)), axis=0)
    return (y >= start) & (y < stop)


def walks(rng, h, w):
    """Let edges rest, drift, jump just as far as is near or a little further, come and go."""
    edges, columns = np.empty(0, int), []
    while len(columns) < w:
        if rng.random() < 0.5:
            reach = rng.choice([1, 2, 12, 14, 40])
            edges = edges + rng.integers(-reach, reach + 1, len(edges)) * rng.integers(0, 2)
        if rng.random() < 0.3:
            near = rng.choice(edges) if len(edges) and rng.random() < 0.7 else rng.integers(h + 1)
            edges = np.append(edges, near + rng.integers(-9, 10, 2))
        if len(edges) and rng.random() < 0.2:
            edges = np.delete(np.sort(edges), rng.integers(len(edges) - 1) + np.arange(2))
        edges = np.unique(np.clip(edges, 0, h))
        edges = edges[: len(edges) // 2 * 2]
        columns += [edges] * rng.choice([1, 1, 2, 13])
    mask = np.zeros((h + 1, w), int)
    for x, rows in enumerate(columns[:w]):
        mask[rows, x] = 1
    return np.cumsum(mask, axis=0)[:h] % 2 == 1


def rectangle(rng, h, w):
    mask = np.zeros((h, w), bool)
    (top, bottom), (left, right) = np.sort(rng.integers(0, h + 1, 2)), rng.integers(0, w + 1, 2)
    mask[top:bottom, min(left, right) : max(left, right)] = True
    return mask


def pixel(rng, h, w):
    mask = np.zeros((h, w), bool)
    mask[rng.integers(h), rng.integers(w)] = True
    return mask


def row(rng, h, w):
    mask = np.zeros((h, w), bool)
    mask[rng.integers(h)] = rng.random(w) < rng.choice([0.5, 1])
    return mask


def column(rng, h, w):
    mask = np.zeros((h, w), bool)
    mask[:, rng.integers(w)] = rng.random(h) < rng.choice([0.5, 1])
    return mask


def full(rng, h, w):
    return np.ones((h, w), bool)


def empty(rng, h, w):
    return np.zeros((h, w), bool)


PARTED = (panes, clouds, noise, checkerboard, walks)
RICH = (silhouettes, *PARTED, sieve, stripes, jumps, rectangle)
KINDS = (*RICH, pixel, row, column, full, empty)
ALL = (*RICH, *KINDS)


@st.composite
def shapes(draw, max_side=150, min_side=1):
    """Give (h, w): half of them have room, others are thin or tiny."""
    tiny, room = st.integers(min_side, min(9, max_side)), st.integers(min(10, max_side), max_side)
    sides = [(room, room)] * 3 + [(room, tiny), (tiny, room), (tiny, tiny)]
    h, w = draw(st.sampled_from(sides))
    return draw(h), draw(w)


@st.composite
def masks(draw, shape=None, max_side=150, kinds=ALL):
    """Give one (h, w) mask, of a kind that has some pixels mostly."""
    h, w = draw(shapes(max_side)) if shape is None else shape
    if h * w <= 30 and draw(st.booleans()):
        bits = draw(st.integers(0, 2 ** (h * w) - 1))
        return np.array([bits >> i & 1 for i in range(h * w)], bool).reshape(h, w)
    return draw(st.sampled_from(kinds))(np.random.default_rng(draw(_seeds)), h, w)


def numbers(min_n, max_n):
    """Give how many masks there are: several; one or none rarely."""
    several = range(max(min_n, (max_n + 1) // 2), max_n + 1)
    return st.sampled_from([*several] * 5 + [min(max(min_n, 1), max_n), min_n])


@st.composite
def stacks(draw, max_n=4, max_side=70, min_n=0, min_side=1, kinds=ALL):
    """Give (n, h, w) frames in C order, in Fortran order, or with gaps between rows."""
    shape = draw(shapes(max_side, min_side))
    n = draw(numbers(min_n, max_n))
    frames = np.array([draw(masks(shape, kinds=kinds)) for _ in range(n)], bool)
    return laid_out(draw, frames.reshape(n, *shape))


def laid_out(draw, frames):
    order = draw(st.sampled_from(["rows", "columns", "padded", "reversed"]))
    if order == "columns":
        return np.ascontiguousarray(frames.transpose(0, 2, 1)).transpose(0, 2, 1)
    if order == "padded":
        return np.pad(frames, ((0, 0), (1, 2), (3, 1)))[:, 1:-2, 3:-1]
    if order == "reversed":
        return np.ascontiguousarray(frames[::-1])[::-1]
    return frames


@st.composite
def crowds(draw, max_n=8, max_side=70, min_n=0):
    """Give (n, h, w) frames that have much in common: most are others moved a little or damaged."""
    shape = draw(shapes(max_side))
    n = draw(numbers(min_n, max_n))
    rng = np.random.default_rng(draw(_seeds))
    frames = np.empty((n, *shape), bool)
    for i in range(n):
        change = draw(st.sampled_from(["moved", "damaged", "covered", "other"])) if i else "first"
        if change == "first":
            frames[i] = draw(masks(shape, kinds=RICH))
        else:
            frames[i] = draw(masks(shape)) if change == "other" else frames[rng.integers(i)]
        if change == "moved":
            frames[i] = np.roll(frames[i], rng.integers(-2, 3, 2), axis=(0, 1))
        if change == "damaged":
            frames[i] ^= rng.random(shape) < rng.choice([0.02, 0.3])
        if change == "covered":
            frames[i] &= rectangle(rng, *shape) if rng.random() < 0.5 else silhouettes(rng, *shape)
    return laid_out(draw, frames)


@st.composite
def boxes(draw, n, shape):
    """Give (n, 4) boxes: most hold nearly all; fractional, inverted, partly or wholly outside."""
    h, w = shape
    rng = np.random.default_rng(draw(_seeds))
    kinds = ["wide"] * 8 + ["ordered", "pixels", "any", "far"]
    result = rng.uniform(-0.3, 1.3, (n, 4)) * (w, h, w, h)
    for i in range(n):
        kind = draw(st.sampled_from(kinds))
        if kind == "wide":
            result[i] = (rng.uniform(-0.3, 0.2, 4) * [1, 1, -1, -1] + [0, 0, 1, 1]) * (w, h, w, h)
        elif kind != "any":
            result[i] = np.sort(result[i].reshape(2, 2), axis=0).ravel()
        if kind == "pixels":
            result[i] = np.round(result[i])
        if kind == "far":
            result[i, rng.integers(4)] *= 1e12
    return result.astype(draw(st.sampled_from([np.float64, np.float32])))


@st.composite
def stacks_and_boxes(draw, max_n=4, max_side=70, min_n=0, **options):
    frames = draw(stacks(max_n, max_side, min_n, **options))
    return frames, draw(boxes(len(frames), frames.shape[1:]))


@st.composite
def crowds_and_boxes(draw, max_n=8, max_side=70, min_n=0):
    frames = draw(crowds(max_n, max_side, min_n))
    return frames, draw(boxes(len(frames), frames.shape[1:]))
