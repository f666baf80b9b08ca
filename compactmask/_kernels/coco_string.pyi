from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

def pack(
    image_shape: tuple[int, int],
    counts: Sequence[str | bytes | npt.ArrayLike],
    boxes: npt.NDArray[np.int32] | None = None,
) -> bytes: ...
def counts(block: bytes) -> list[npt.NDArray[np.int64]]: ...
def strings(block: bytes) -> list[str]: ...
