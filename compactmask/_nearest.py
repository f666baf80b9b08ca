"""Which source index each output index of a nearest resize looks at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def nearest_source(source: int, target: int) -> npt.NDArray[np.int32]:
    """Return the place that each of `target` pixels takes of `source`, as OpenCV has it.

    Parameters
    ----------
    source, target : int
        Length of the axis before and after.

    Returns
    -------
    ndarray of int32, shape (target,)
        Never decreasing. Equal to ``cv2.INTER_NEAREST`` of OpenCV 4 and 5 on both axes.
    """
    # OpenCV steps by the reciprocal of the rounded ratio; i * source // target differs
    step = 1.0 / (target / source)
    return np.minimum((np.arange(target) * step).astype(np.int32), source - 1).astype(np.int32)
