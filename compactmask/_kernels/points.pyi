import numpy as np
import numpy.typing as npt

def contains(
    block: bytes,
    x: npt.NDArray[np.int32],
    y: npt.NDArray[np.int32],
    place: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]: ...
