import numpy as np
import numpy.typing as npt

def clip(xyxy: npt.NDArray[np.float64], height: int, width: int) -> npt.NDArray[np.int32]: ...
