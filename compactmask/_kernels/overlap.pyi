from typing import Any

import numpy as np
import numpy.typing as npt

from compactmask._kernels.tile import Tile

MEASURES: tuple[str, ...]

def load(
    block: bytes, order: npt.NDArray[np.int64], first: int, beside: Tile | None
) -> tuple[Tile, int]: ...

class Sheet:
    def __init__(
        self, out: npt.NDArray[Any], measure: str, is_crowd: npt.NDArray[np.uint8] | None
    ) -> None: ...
    def compare(self, a: Tile, b: Tile, first: int, last: int, is_mirrored: bool) -> None: ...
