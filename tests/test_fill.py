"""Polygons filled as OpenCV does: equal to cv2.fillPoly and cv2.line on every pixel."""

import cv2
import numpy as np
import pytest
from blocks import boxes_of, frames_of
from hypothesis import given, settings
from hypothesis import strategies as st

from compactmask._kernels import fill
from compactmask._outlines import laid_out
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

FAR = 4_194_304


def pack(polygons, h, w):
    flat = [[np.asarray(part, np.float64).ravel() for part in parts] for parts in polygons]
    return Packed(fill.pack(*laid_out(flat), h, w))


def by_opencv(parts, h, w):
    union = np.zeros((h, w), bool)
    for part in parts:
        points = np.array(part).astype(np.int32).reshape(-1, 2)
        frame = np.zeros((h, w), np.uint8)
        if len(points) == 1:
            x, y = points[0].tolist()
            if 0 <= x < w and 0 <= y < h:
                frame[y, x] = 1
        elif len(points) == 2:
            cv2.line(frame, *(tuple(point) for point in points.tolist()), (1,), thickness=1)
        elif len(points) > 2:
            cv2.fillPoly(frame, [points], color=(1,))
        union |= frame > 0
    return union


def coordinates(side):
    """Inside, around the sides of the image, outside and far away, whole or not."""
    return st.one_of(
        st.integers(0, side),
        st.sampled_from([-1, 0, 1, side - 1, side, side // 2]),
        st.integers(-3 * side - 9, 4 * side + 9),
        st.integers(-30_000, 30_000),
        st.floats(-side, 2 * side),
    )


@st.composite
def parts_of(draw, h, w):
    """Take up to 9 points; some come again, some lie on a line through two others."""
    points = draw(st.lists(st.tuples(coordinates(w), coordinates(h)), max_size=9))
    for how in draw(st.lists(st.sampled_from(["again", "back", "between"]), max_size=3)):
        if points:
            at = draw(st.integers(0, len(points) - 1))
            (x1, y1), (x2, y2) = points[at - 1], points[at]
            new = {"again": (x2, y2), "back": (x1, y1), "between": ((x1 + x2) / 2, (y1 + y2) / 2)}
            points.insert(at + (how == "back"), new[how])
    return points


@st.composite
def polygons(draw, sides):
    h, w = draw(sides), draw(sides)
    parts = st.lists(parts_of(h, w), max_size=3)
    return draw(st.lists(parts, min_size=1, max_size=4)), h, w


@settings(deadline=None, max_examples=250)
@given(polygons(st.one_of(st.integers(1, 3), st.integers(1, 120))))
def test_any_polygon_equals_opencv(case):
    masks, h, w = case
    expected = np.array([by_opencv(parts, h, w) for parts in masks])
    assert np.array_equal(frames_of(pack(masks, h, w)), expected)


@pytest.mark.parametrize("seed", range(40))
def test_many_random_polygons_equal_opencv(seed):
    rng = np.random.default_rng(seed)
    h, w = rng.choice([1, 2, 5, 20, 64, 200], 2).tolist()
    reach = rng.choice([1, 3, 30, 300])
    masks = [[rng.uniform(-reach, reach + 1, (rng.integers(1, 12), 2)) * (w, h)] for _ in range(50)]
    expected = np.array([by_opencv(parts, h, w) for parts in masks])
    assert np.array_equal(frames_of(pack(masks, h, w)), expected)


@pytest.mark.parametrize("seed", range(3))
def test_rows_crossed_hundreds_of_times_equal_opencv(seed):
    part = np.random.default_rng(seed).integers(-9, [300, 60], (400, 2))
    expected = by_opencv([part], 50, 280)
    assert np.array_equal(frames_of(pack([[part]], 50, 280))[0], expected)


def test_the_furthest_coordinates_equal_opencv():
    for part in (
        [[-FAR, -FAR], [FAR, FAR], [-FAR, FAR]],
        [[-FAR, 7], [FAR, 9], [FAR, 8]],
        [[-FAR, FAR], [FAR, 1 - FAR], [0, FAR]],
    ):
        assert np.array_equal(frames_of(pack([[part]], 20, 30))[0], by_opencv([part], 20, 30))


def test_a_point_a_line_and_nothing():
    frames = frames_of(pack([[[1, 2]], [[1.9, 2.9]], [[-0.9, 0]], [[0, 0, 3, 1]], [[]], []], 4, 5))
    expected = [[[2, 1]], [[2, 1]], [[0, 0]], [[0, 0], [0, 1], [1, 2], [1, 3]], [], []]
    assert [np.argwhere(frame).tolist() for frame in frames] == expected
    for part in ([5, 2], [2, 4], [-1, 0], [-9, 9, 9, 27]):
        assert not frames_of(pack([[part]], 4, 5)).any()


def test_the_outline_is_drawn_and_overlapping_parts_are_united():
    square = [[1, 1], [3, 1], [3, 3], [1, 3]]
    assert frames_of(pack([[square]], 6, 6)).sum() == 9
    assert frames_of(pack([[square, square]], 6, 6)).sum() == 9
    assert frames_of(pack([[square + square]], 6, 6)).sum() == 8  # inside twice: only outline


def test_masks_are_cropped_tightly_and_an_empty_one_is_at_the_origin():
    square = np.array([[1, 1], [3, 1], [3, 3], [1, 3]])
    block = pack([[square], [square + 90], [square * 20, [[5, 90]]]], 50, 90)
    assert boxes_of(block) == [[1, 1, 3, 3], [0, 0, 1, 1], [20, 20, 30, 41]]


def test_spans_that_take_more_memory_than_they_should_are_refused_by_mask():
    side = 1_048_576
    tall = np.tile([0.0, -1, 5, side], 20)
    message = "^mask 1: its outlines cross .* rows or columns of pixels, expected at most"
    with pytest.raises(InvalidMaskError, match=message):
        pack([[[1, 1]], [tall]], side, 9)
