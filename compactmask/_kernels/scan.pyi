from typing import Any

import numpy as np
import numpy.typing as npt

class Scan:
    ids: npt.NDArray[np.integer[Any]]
    def __init__(self, lines: npt.NDArray[np.integer[Any]], first: int) -> None: ...
