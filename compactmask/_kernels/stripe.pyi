from typing import Any

import numpy.typing as npt

def paint(
    block: bytes, out: npt.NDArray[Any], top: int, values: npt.NDArray[Any], is_strict: bool
) -> tuple[int, int, int] | None: ...
