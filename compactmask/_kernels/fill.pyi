import numpy as np
import numpy.typing as npt

def pack(
    xy: npt.NDArray[np.float64],
    parts: npt.NDArray[np.int64],
    masks: npt.NDArray[np.int64],
    height: int,
    width: int,
) -> bytes: ...
