"""The even-odd rule, slowly and exactly: every pixel centre against every edge, in fractions."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt


def draw(parts: list[npt.ArrayLike], h: int, w: int) -> npt.NDArray[np.bool_]:
    """Fill the pixels whose centres have an odd number of edges at or above them."""
    mask = np.zeros((h, w), np.bool_)
    for part in parts:
        points = [(Fraction(x), Fraction(y)) for x, y in np.reshape(part, (-1, 2)).tolist()]
        for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
            for column in range(w):
                middle = column + Fraction(1, 2)
                if min(x1, x2) <= middle < max(x1, x2):
                    y = y1 + (middle - x1) * (y2 - y1) / (x2 - x1)
                    for row in range(h):
                        mask[row, column] ^= row + Fraction(1, 2) >= y
    return mask
