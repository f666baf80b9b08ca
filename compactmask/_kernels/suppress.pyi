import numpy as np
import numpy.typing as npt

class Suppression:
    result: npt.NDArray[np.uint8]
    def __init__(
        self,
        block: bytes,
        order: npt.NDArray[np.int64],
        group: npt.NDArray[np.int64],
        threshold: float,
        of_smaller: bool,
        is_single: bool,
    ) -> None: ...
    def settle(self) -> int: ...
    def drop(self, first: int, last: int) -> None: ...
