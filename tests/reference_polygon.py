"""COCO's polygon rule, slowly: every point of every edge, and every pixel of the image."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt


def walk(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """List the points that the closed outline visits on the five times finer grid."""
    vertices = np.trunc(5 * xy.reshape(-1, 2) + 0.5).astype(np.int64)
    points = []
    for start, stop in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        dx, dy = np.abs(stop - start)
        if dx == dy == 0:
            points.append(start[None])
            continue
        fast = 0 if dx >= dy else 1
        low, high = (start, stop) if start[fast] <= stop[fast] else (stop, start)
        steps = np.arange(max(dx, dy) + 1)
        slope = float(high[1 - fast] - low[1 - fast]) / max(dx, dy)
        edge = np.empty((len(steps), 2), np.int64)
        edge[:, fast] = low[fast] + steps
        edge[:, 1 - fast] = np.trunc(low[1 - fast] + slope * steps + 0.5).astype(np.int64)
        points.append(edge if low is start else edge[::-1])
    return np.concatenate(points)


def draw_part(xy: npt.NDArray[np.float64], h: int, w: int) -> npt.NDArray[np.bool_]:
    """Draw one part as a dense (h, w) mask."""
    toggled = np.zeros(h * w + 1, np.int64)
    points = walk(xy)
    for (u, v), (next_u, next_v) in pairwise(points):
        column, beside = divmod(min(u, next_u), 5)
        if u != next_u and beside == 2 and 0 <= column < w:
            row = np.clip(np.ceil((min(v, next_v) - 2) / 5), 0, h)
            toggled[column * h + int(row)] += 1
    return (np.cumsum(toggled[:-1]) % 2 == 1).reshape(w, h).T


def draw(parts: list[npt.NDArray[np.float64]], h: int, w: int) -> npt.NDArray[np.bool_]:
    """Draw the union of the parts as a dense (h, w) mask."""
    mask = np.zeros((h, w), np.bool_)
    for xy in parts:
        mask |= draw_part(xy, h, w)
    return mask


def counts_of(mask: npt.NDArray[np.bool_]) -> list[int]:
    """List the column-major run lengths of a dense mask, background first."""
    pixels = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    return np.diff(np.concatenate([[0], changes, [mask.size]])).tolist()
