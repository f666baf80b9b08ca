"""Where masks lie: their middle, and points in them."""

import cv2
import fresh
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from strategies import stacks, stacks_and_boxes

from compactmask import CompactMask
from compactmask.errors import InvalidMaskError, ShapeMismatchError


@given(stacks_and_boxes())
def test_the_centroid_is_the_mean_of_the_pixels(case):
    mask = CompactMask.from_dense(*case)
    centroid = mask.centroid
    assert centroid.shape == (len(mask), 2)
    assert centroid.dtype == np.float64
    for found, frame in zip(centroid, mask, strict=True):
        if frame.any():
            assert np.allclose(found, np.argwhere(frame).mean(axis=0)[::-1], atol=1e-9)
        else:
            assert np.isnan(found).all()


@given(stacks())
def test_the_centroid_equals_scipy(frames):
    for found, frame in zip(CompactMask.from_dense(frames).centroid, frames, strict=True):
        if frame.any():
            assert np.allclose(found, ndimage.center_of_mass(frame)[::-1], atol=1e-9)


def test_the_centroid_of_a_huge_mask_is_exact():
    side = 1_048_576
    mask = CompactMask.from_coco_rle([{"size": [side, 4000], "counts": [0, side * 4000]}])
    assert mask.centroid.tolist() == [[1999.5, (side - 1) / 2]]
    moved = CompactMask.from_dense(np.ones((1, 1, 1), bool)).with_offset(
        side - 1, side - 2, (side, side)
    )
    assert moved.centroid.tolist() == [[side - 1, side - 2]]


@given(stacks_and_boxes(), st.integers(0, 60), st.integers(0, 2**32 - 1), st.booleans())
def test_contains_looks_up_the_pixel_that_a_point_lies_in(case, n_points, seed, is_whole):
    mask = CompactMask.from_dense(*case)
    n, h, w = mask.shape
    points = np.random.default_rng(seed).uniform(-0.2, 1.2, (n_points, 2)) * (w, h)
    if is_whole:
        points = np.floor(points).astype(np.int64)
    found = mask.contains(points)
    expected = np.zeros((n, n_points), bool)
    frames = mask.to_dense()
    for k, (x, y) in enumerate(np.floor(points).astype(int)):
        if 0 <= x < w and 0 <= y < h:
            expected[:, k] = frames[:, y, x]
    assert found.dtype == np.bool_
    assert np.array_equal(found, expected)
    assert np.array_equal(mask.contains(points, num_threads=3), found)


@given(stacks(), st.integers(0, 2**32 - 1))
def test_contains_looks_up_what_opencv_looks_up(frames, seed):
    h, w = frames.shape[1:]
    points = np.random.default_rng(seed).uniform(-0.3, 1.3, (50, 2)) * (w, h)
    x, y = np.floor(points).astype(np.float32).T
    found = CompactMask.from_dense(frames).contains(points)
    for row, frame in zip(found, frames.astype(np.uint8), strict=True):
        looked_up = cv2.remap(frame, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        assert np.array_equal(row, looked_up.ravel() > 0)


@given(stacks(max_side=30))
def test_contains_at_every_pixel_is_the_frame(frames):
    n, h, w = frames.shape
    points = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1).reshape(-1, 2)
    found = CompactMask.from_dense(frames).contains(points + 0.999)
    assert np.array_equal(found.reshape(n, h, w), frames)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, np.float16, np.float32])
def test_points_may_have_any_numbers(dtype):
    mask = CompactMask.from_dense(np.ones((1, 9, 9), bool))
    points = np.array([[0, 8], [9, 0], [8, 9]], dtype)
    assert mask.contains(points).tolist() == [[True, False, False]]
    assert mask.contains(points[:, ::-1]).tolist() == [[True, False, False]]


def test_points_far_outside_lie_in_no_mask():
    mask = CompactMask.from_dense(np.ones((1, 9, 9), bool))
    points = [[-1e300, 0], [0, 1e300], [2.0**32, 0], [2.0**32 + 3, 3], [-1e-9, 0], [0, 0]]
    assert mask.contains(points).tolist() == [[False] * 5 + [True]]
    assert not mask.contains(np.array([[2**64 - 1, 3], [2**32, 2**32]], np.uint64)).any()
    assert not mask.contains(np.array([[-(2**63), 3]], np.int64)).any()


def test_no_points_and_no_masks_are_fine():
    mask = CompactMask.from_dense(np.ones((2, 9, 9), bool))
    for points in ([], np.empty((0, 2)), np.empty((0, 2), int)):
        assert mask.contains(points).shape == (2, 0)
    none = CompactMask.empty((9, 9))
    assert none.contains([[1, 1]]).shape == (0, 1)
    assert none.centroid.shape == (0, 2)


def test_a_hundred_thousand_points_in_a_huge_image_cost_their_answers_only():
    set_up = """
import numpy as np
from compactmask import CompactMask

side, rng = 30_000, np.random.default_rng(0)
mask = CompactMask.from_dense(np.ones((20, 60, 60), bool))
mask = mask.with_offset(7_000, 8_000, (side, side))
points = rng.integers(0, side, (100_000, 2))
points[:1000] = rng.integers((7_000, 8_000), (7_060, 8_060), (1000, 2))
inside = ((points >= (7_000, 8_000)) & (points < (7_060, 8_060))).all(axis=1)
"""
    work = "assert (mask.contains(points) == inside).all()"
    assert fresh.peak_growth(set_up, work) < 15e6  # the answers, and the two compared, are 4e6


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        ([1, 2], ShapeMismatchError, r"points have shape \(2,\), expected \(p, 2\)"),
        ([[1, 2, 3]], ShapeMismatchError, r"points have shape \(1, 3\), expected \(p, 2\)"),
        (np.empty((0, 3)), ShapeMismatchError, r"points have shape \(0, 3\), expected \(p, 2\)"),
        (5, ShapeMismatchError, r"points have shape \(\), expected \(p, 2\)"),
        ([[1, 2], [3]], ShapeMismatchError, "points are nested unevenly, expected an array"),
        ([[None, 1]], InvalidMaskError, "points have dtype object, expected numbers"),
        ([["a", "b"]], InvalidMaskError, "points have dtype <U1, expected numbers"),
        ([[True, False]], InvalidMaskError, "points have dtype bool, expected numbers"),
        ([[0, 0], [np.nan, 1]], InvalidMaskError, r"point 1 is \(nan, 1\.0\), expected finite"),
        ([[0, np.inf]], InvalidMaskError, r"point 0 is \(0\.0, inf\), expected finite"),
    ],
)
def test_bad_points_are_refused(points, error, message):
    mask = CompactMask.from_dense(np.ones((2, 5, 5), bool))
    with pytest.raises(error, match=message):
        mask.contains(points)


def test_a_bad_number_of_threads_is_refused():
    mask = CompactMask.from_dense(np.ones((2, 5, 5), bool))
    with pytest.raises(ValueError, match="num_threads is 0, expected 1 at least"):
        mask.contains([[1, 1]], num_threads=0)


def test_a_point_beyond_64_bits_lies_in_no_mask():
    mask = CompactMask.from_dense(np.ones((1, 3, 3), bool))
    assert mask.contains([[10**30, 0], [1, 1], [-(10**30), 2]]).tolist() == [[False, True, False]]
