from typing import Any

import numpy as np
import numpy.typing as npt

def pack(labels: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], bytes]: ...
def paint(
    block: bytes, out: npt.NDArray[Any], values: npt.NDArray[np.uint64], is_strict: bool
) -> tuple[int, int, int] | None: ...
