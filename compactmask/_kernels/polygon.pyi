from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

def rasterize(
    parts: Iterable[npt.NDArray[np.float64]], h: int, w: int
) -> npt.NDArray[np.uint32]: ...
