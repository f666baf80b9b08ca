import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

def integers(
    text: Buffer,
    spans: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint8],
    out: npt.NDArray[np.int64],
    odd: npt.NDArray[np.uint8],
) -> None: ...
def floats(
    text: Buffer,
    spans: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint8],
    out: npt.NDArray[np.float64],
    odd: npt.NDArray[np.uint8],
) -> None: ...
def quadruples(
    text: Buffer,
    spans: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.uint8],
    out: npt.NDArray[np.float64],
    odd: npt.NDArray[np.uint8],
) -> None: ...
