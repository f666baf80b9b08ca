"""Run lengths of crops, as supervision holds them, from and to packed masks."""

import numpy as np
import pytest
import reference
from blocks import frames_of, pack
from hypothesis import given
from hypothesis import strategies as st
from strategies import masks, stacks

from compactmask._kernels import runs
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed


def pack_runs(counts, shape, origin=(0, 0), image=None):
    image = shape if image is None else image
    shapes, origins = np.array([shape], np.int32), np.array([origin], np.int32)
    return Packed(runs.pack([counts], shapes, origins, image))


@given(stacks(min_n=1))
def test_unpacked_runs_are_those_of_the_crops(frames):
    h, w = frames.shape[1:]
    block = pack(frames, [[0, 0, w - 1, h - 1]] * len(frames))
    found = runs.unpack_crops(block)
    assert [counts.dtype for counts in found] == [np.int32] * len(frames)
    assert [counts.tolist() for counts in found] == [reference.counts_of(f) for f in frames]


@given(masks(), st.data())
def test_runs_are_packed_in_any_integer_type_and_with_empty_runs_between(mask, data):
    counts = reference.counts_of(mask)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(counts) - 1))
        part = data.draw(st.integers(0, counts[at]))
        counts[at : at + 1] = [part, 0, counts[at] - part]
    for _ in range(data.draw(st.integers(0, 2))):
        counts.append(0)
    kind = data.draw(st.sampled_from([list, np.int32, np.int64, np.uint32, np.uint64]))
    x, y = (data.draw(st.integers(0, 2000)) for _ in range(2))
    h, w = mask.shape
    given_counts = counts if kind is list else np.array(counts, kind)
    block = pack_runs(given_counts, mask.shape, (x, y), (y + h, x + w))
    assert bytes(block.data) == reference.encode(mask)
    assert (block.offsets.tolist(), block.crop_shapes.tolist()) == ([[x, y]], [[h, w]])


def test_an_empty_crop_far_from_the_origin_is_packed_without_a_look_outside():
    side = 1 << 20
    block = pack_runs([12], (3, 4), (side - 4, side - 3), (side, side))
    assert bytes(block.data) == b"\xfe\x04"
    assert block.area.tolist() == [0]


def test_a_run_above_the_range_of_int32_is_split_by_an_empty_one():
    shape = (1 << 16, (1 << 16) - 1)
    pixels = shape[0] * shape[1]
    limit = 2**31 - 1
    for counts in ([pixels], [0, pixels], [5, pixels - 5]):
        block = pack_runs(counts, shape)
        (found,) = runs.unpack_crops(block)
        assert found.dtype == np.int32
        joined = [part for part in counts if part <= limit]
        assert found.tolist() == [*joined, limit, 0, counts[-1] - limit]
        assert bytes(pack_runs(found, shape).data) == bytes(block.data)


def test_a_block_of_runs_has_the_pixels_of_each_mask():
    frames = np.zeros((2, 5, 6), bool)
    frames[0, 1:3, 2:4] = frames[1, 4, 5] = True
    block = Packed(
        runs.pack(
            [[0, 2, 0, 2], [1, 1]],
            np.array([[2, 2], [2, 1]], np.int32),
            np.array([[2, 1], [5, 3]], np.int32),
            (5, 6),
        )
    )
    assert np.array_equal(frames_of(block), frames)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([399], r"mask 0: runs cover 399 pixels, crop \(20, 20\) has 400"),
        ([0, 401], r"mask 0: run 1 has length 401, expected 0 to 400"),
        ([200, 201], r"mask 0: runs cover 401 pixels, crop \(20, 20\) has 400"),
        ([500, -100], r"mask 0: run 0 has length 500, expected 0 to 400"),
        ([400, 5, -5], r"mask 0: run 2 has length -5, expected 0 to 400"),
        ([], r"mask 0: runs cover 0 pixels, crop \(20, 20\) has 400"),
        (np.zeros(0, int), r"mask 0: runs cover 0 pixels, crop \(20, 20\) has 400"),
        ([400.0], r"mask 0: run lengths of shape \(1,\) and dtype float64, expected one dimension"),
        ([[400]], r"mask 0: run lengths of shape \(1, 1\) and dtype int64, expected one dimension"),
        (400, r"mask 0: run lengths of shape \(\) and dtype int64, expected one dimension"),
        ("400", r"mask 0: run lengths of shape \(\) and dtype <U3, expected one dimension"),
        ([2**63], r"mask 0: a run is 9223372036854775808 pixels long"),
        (np.array([400, 2**63], np.uint64), r"mask 0: a run is 9223372036854775808 pixels long"),
    ],
)
def test_runs_that_are_not_those_of_the_crop_are_refused(counts, message):
    with pytest.raises(InvalidMaskError, match=message):
        pack_runs(counts, (20, 20))


def test_runs_that_are_nested_unevenly_are_refused():
    with pytest.raises(InvalidMaskError, match="mask 0: run lengths are nested unevenly"):
        pack_runs([[1, 2], [3]], (20, 20))


@pytest.mark.parametrize("counts", [[1, None], [2**64, 1], {1: 2}, object()])
def test_what_is_no_array_of_integers_is_refused(counts):
    with pytest.raises(InvalidMaskError, match="mask 0: run lengths of shape"):
        pack_runs(counts, (20, 20))
