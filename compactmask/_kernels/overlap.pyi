import numpy as np
import numpy.typing as npt

MEASURES: tuple[str, ...]

def fill(
    block: bytes,
    other: bytes,
    order: npt.NDArray[np.int64],
    other_order: npt.NDArray[np.int64],
    first: int,
    last: int,
    counts: npt.NDArray[np.int64] | None,
    ratios: npt.NDArray[np.float64] | None,
    measure: str,
    is_crowd: npt.NDArray[np.uint8] | None,
) -> None: ...
