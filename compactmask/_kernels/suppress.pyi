import numpy as np
import numpy.typing as npt

def keep(
    block: bytes,
    order: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    threshold: float,
    of_smaller: bool,
    is_single: bool,
) -> npt.NDArray[np.bool_]: ...
