from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

FULL: int
END: int
CUT: int
NEW_KEY: int
BAD: int
EXPECTED: tuple[str, ...]

class Objects:
    fresh: list[bytes]
    expected: int
    def __init__(self, keys: Sequence[bytes]) -> None: ...
    def add(self, key: bytes, column: int = -1) -> None: ...
    @property
    def further(self) -> dict[bytes, tuple[int, int]]: ...
    def scan(
        self,
        text: Buffer,
        start: int,
        spans: npt.NDArray[np.int64],
        kinds: npt.NDArray[np.uint8],
    ) -> tuple[int, int, int]: ...
