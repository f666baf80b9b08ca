from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

def pack(
    rles: Sequence[npt.ArrayLike],
    crop_shapes: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int32],
    image_shape: tuple[int, int],
) -> bytes: ...
def as_counts(counts: npt.ArrayLike, i: int) -> npt.NDArray[np.int64]: ...
def unpack_crops(block: bytes) -> list[npt.NDArray[np.int32]]: ...
