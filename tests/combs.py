"""Large masks of which the overlaps are known: rows times columns, and more than tiles hold."""

import numpy as np

from compactmask import CompactMask

SHAPE = HEIGHT, WIDTH = 2048, 6000


def comb(rows, x1, x2):
    """Give a mask that has its rows, a bool for each of the image, in columns x1 to x2."""
    edges = np.flatnonzero(np.diff(np.r_[False, rows, False]))
    top, bottom = edges[0], edges[-1]
    counts = [0, *[*np.diff(edges), 0] * (x2 - x1)][:-1]
    return CompactMask([counts], [[bottom - top, x2 - x1]], [[x1, top]], SHAPE)


def combs(n, seed=0):
    """Give n masks that need a MiB each as bits, every third one less as edges, and their overlaps.

    Returns
    -------
    mask : CompactMask
    shared : ndarray of int64, shape (n, n)
        Pixels that two have in common.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.zeros((n, HEIGHT), bool), np.zeros((n, WIDTH), bool)
    masks = []
    for i in range(n):
        edges = np.sort(rng.choice(HEIGHT, 2 if i % 3 == 2 else 20, replace=False))
        for start, stop in edges.reshape(-1, 2):
            rows[i, start:stop] = True
        x1 = int(rng.integers(0, 2000))
        x2 = x1 + int(rng.integers(3000, 4000))
        columns[i, x1:x2] = True
        masks.append(comb(rows[i], x1, x2))
    across, down = (part.astype(np.int64) for part in (columns, rows))
    return CompactMask.merge(masks), (down @ down.T) * (across @ across.T)
