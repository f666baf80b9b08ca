"""Short ways from pixels to packed masks and back, for tests of the kernels."""

import numpy as np

from compactmask._kernels import dense
from compactmask.packed import Packed


def pack(frames, boxes=None):
    """Pack (n, H, W) frames, tightly or in inclusive boxes."""
    frames = np.asarray(frames)
    if boxes is not None:
        boxes = np.array(boxes, np.int32).reshape(-1, 4)
    return Packed(dense.pack(frames.view(np.uint8), boxes))


def encode(crop):
    """Pack one crop as it is and give its bytes."""
    h, w = crop.shape
    return bytes(pack(np.ascontiguousarray(crop)[None], [0, 0, w - 1, h - 1]).data)


def frames_of(block):
    """Decode every mask of a block into its frame, crop by crop."""
    frames = np.zeros((block.n, *block.image_shape), bool)
    for i in range(block.n):
        x, y = block.offsets[i]
        crop = dense.crop(block, i)
        assert crop.shape == tuple(block.crop_shapes[i])
        assert crop.sum() == block.area[i]
        frames[i, y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    return frames


def boxes_of(block):
    """List x, y, h and w of every crop."""
    return np.hstack((block.offsets, block.crop_shapes)).tolist()
