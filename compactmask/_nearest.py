"""Which source index each output index of a nearest resize looks at."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Axis(NamedTuple):
    """The pixels along one axis of a nearest resize; both arrays are read-only.

    Parameters
    ----------
    source : ndarray of int32, shape (target,)
        The place that each new pixel takes of the old ones; never decreasing.
    first : ndarray of int32, shape (source + 1,)
        For each old place the first new pixel that does not look before it.
    """

    source: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]


@lru_cache(maxsize=8)
def nearest_axis(source: int, target: int) -> Axis:
    """Return where each of `target` pixels looks, as OpenCV has it.

    Parameters
    ----------
    source, target : int
        Length of the axis before and after.

    Returns
    -------
    Axis
        Equal to ``cv2.INTER_NEAREST`` of OpenCV 4 and 5 on both axes. The last few are kept:
        a dataset is resized image by image.
    """
    # OpenCV steps by the reciprocal of the rounded ratio; i * source // target differs
    step = 1.0 / (target / source)
    places = np.minimum((np.arange(target) * step).astype(np.int32), source - 1).astype(np.int32)
    first = np.searchsorted(places, np.arange(source + 1, dtype=np.int32)).astype(np.int32)
    places.flags.writeable = first.flags.writeable = False
    return Axis(places, first)
