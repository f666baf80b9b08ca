from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels.scan import Scan

class Bundle:
    ids: npt.NDArray[np.integer[Any]]
    def __init__(self, scans: list[Scan], height: int, width: int, are_rows: bool) -> None: ...
    def pack(self, first: int, last: int) -> bytes: ...
