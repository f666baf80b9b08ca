"""Counts of True pixels by row, by column and through the stack, against the frames' sums."""

import numpy as np
from blocks import pack
from hypothesis import given
from strategies import stacks

from compactmask._kernels import measure


@given(stacks(min_n=1))
def test_counts_equal_the_sums_of_the_frames(frames):
    block = pack(frames)
    for count, axis in ((measure.depth, 0), (measure.in_rows, 2), (measure.in_columns, 1)):
        found = count(block)
        assert found.dtype == np.int64
        assert np.array_equal(found, frames.sum(axis=axis))
    assert np.array_equal(block.area, frames.sum(axis=(1, 2)))
