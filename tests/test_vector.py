"""The loops compiled for this processor and for the baseline give the same bytes."""

import hashlib

import fresh
import numpy as np
from strategies import KINDS

from compactmask._kernels import dense

# widths around the 8, 16, 32 and 64 columns that are worked on at once
SHAPES = [
    (h, w) for w in (1, 7, 8, 15, 16, 17, 31, 33, 48, 63, 64, 65, 97, 130) for h in (5, 64, 71)
]


def digest():
    """Pack and decode masks of every kind and width; give a hash of all that comes out."""
    rng = np.random.default_rng(7)
    result = hashlib.sha256()
    for shape in SHAPES:
        frames = np.array([kind(rng, *shape) for kind in KINDS])
        block = dense.pack(frames.view(np.uint8), None)
        out = np.zeros(frames.shape, np.uint8)
        dense.decode(block, np.arange(len(frames)), out)
        assert np.array_equal(out.view(bool), frames)
        result.update(block)
    return result.hexdigest()


def test_the_baseline_of_the_architecture_gives_the_same_bytes():
    script = "import test_vector; print(test_vector.digest())"
    assert fresh.run(script, COMPACTMASK_BASELINE="1").strip() == digest()
