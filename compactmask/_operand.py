"""What may stand beside a `CompactMask` in an operation on two or more sets of masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import supervision as sv

from compactmask._construction import Construction
from compactmask._storage import StoredMask
from compactmask.errors import ShapeMismatchError
from compactmask.packed import Packed


def packed_of(masks: Any, name: str, image_shape: tuple[int, int] | None = None) -> Packed:
    """Return the storage of an argument that has to be a set of masks.

    Parameters
    ----------
    masks : supervision.CompactMask
        Ours, or a plain one, which is packed.
    name : str
        What the caller calls it, for messages.
    image_shape : tuple of int, optional
        ``(H, W)`` it must have.

    Raises
    ------
    TypeError
        If it is an array or anything else.
    ShapeMismatchError
        If its image has another shape.
    """
    if isinstance(masks, StoredMask):
        packed = masks._packed
    elif isinstance(masks, sv.CompactMask):
        packed = Construction.from_supervision(masks)._packed
    else:
        found = "an ndarray" if isinstance(masks, np.ndarray) else f"a {type(masks).__name__}"
        raise TypeError(
            f"{name} is {found}, expected a CompactMask: call CompactMask.from_dense(frames) first"
        )
    if image_shape is not None and packed.image_shape != image_shape:
        raise ShapeMismatchError(
            f"{name} has image shape {packed.image_shape}, expected {image_shape}"
        )
    return packed
