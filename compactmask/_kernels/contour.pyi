import numpy as np
import numpy.typing as npt

def trace(
    block: bytes,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...
