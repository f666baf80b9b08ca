"""The even-odd rule at pixel centres: equal to fractions, and to scikit-image off the ties."""

import numpy as np
import pytest
from blocks import boxes_of, frames_of
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_evenodd import draw
from skimage import measure

from compactmask._kernels import evenodd
from compactmask._outlines import laid_out
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

FAR = 4_194_304
OFF_THE_TIES = np.array([0.123456, 0.654321])


def fill(polygons, h, w):
    flat = [[np.asarray(part, np.float64).ravel() for part in parts] for parts in polygons]
    return frames_of(Packed(evenodd.pack(*laid_out(flat), h, w)))


@st.composite
def cases(draw_from, coordinate, side=12):
    """Give 1 to 3 polygons of up to 3 parts in an image, and its sides."""
    h, w = (draw_from(st.integers(1, side)) for _ in range(2))
    part = st.lists(st.tuples(coordinate(w), coordinate(h)), max_size=7)
    return draw_from(st.lists(st.lists(part, max_size=3), min_size=1, max_size=3)), h, w


def whole(side):
    return st.one_of(st.integers(-2, side + 2), st.sampled_from([-FAR, 1 - FAR, FAR, 3 * side]))


def eighths(side):
    return st.integers(-20, 8 * side + 20).map(lambda value: value / 8)


@settings(deadline=None)
@given(st.one_of(cases(whole), cases(eighths)))
def test_whole_and_binary_coordinates_are_exact(case):
    polygons, h, w = case
    expected = np.array([draw(parts, h, w) for parts in polygons])
    assert np.array_equal(fill(polygons, h, w), expected)


@settings(deadline=None, max_examples=200)
@given(cases(lambda side: st.floats(-1.5 * side, 2.5 * side), side=40))
def test_any_polygon_of_one_part_equals_scikit_image(case):
    polygons, h, w = case
    for parts in polygons:
        part = np.array(parts[0] if parts else []).reshape(-1, 2) + OFF_THE_TIES
        # its points are (row, column), and 2 and 3 of its labels lie on the outline
        labels = measure.grid_points_in_poly((h, w), part[:, ::-1] - 0.5, binarize=False)
        assert set(np.unique(labels)) <= {0, 1}
        assert np.array_equal(fill([[part]], h, w)[0], labels == 1)


@given(cases(eighths, side=30), st.randoms())
def test_where_parts_start_which_way_they_turn_and_their_order_do_not_matter(case, random):
    polygons, h, w = case
    other = []
    for parts in polygons:
        turned = [np.reshape(part, (-1, 2))[:: random.choice([-1, 1])] for part in parts]
        turned = [np.roll(part, random.randrange(9), axis=0) for part in turned]
        random.shuffle(turned)
        other.append(turned)
    assert np.array_equal(fill(other, h, w), fill(polygons, h, w))


@given(st.integers(0, 2**32 - 1))
def test_triangles_that_share_their_sides_cover_every_pixel_once(seed):
    """A fan around a point far outside the image or in it, whatever its coordinates."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(0, 9)))
    angles = np.sort(np.concatenate([angles, [0.1, 2.2, 4.3]]))
    rim = 500 * np.stack([np.cos(angles), np.sin(angles)], axis=1) + [10, 15]
    middle = rng.uniform(-5, [25, 35])
    fan = [[[middle, a, b]] for a, b in zip(rim, np.roll(rim, -1, axis=0), strict=True)]
    assert np.array_equal(fill(fan, 30, 20).sum(axis=0), np.ones((30, 20)))


def test_a_centre_on_an_outline_belongs_to_what_is_below_or_right():
    square = [[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]]
    assert np.argwhere(fill([[square]], 4, 4)[0]).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    below = [[0, 0], [3, 3], [0, 3]]
    above = [[0, 0], [3, 3], [3, 0]]
    frames = fill([[below], [above]], 3, 3)
    assert np.array_equal(frames[0], np.tri(3, dtype=bool))
    assert np.array_equal(frames[1], ~frames[0])


def test_masks_are_cropped_tightly_and_an_empty_one_is_at_the_origin():
    hole = np.array([[20, 30], [60, 30], [60, 70], [20, 70]])
    polygons = [[hole], [], [hole, hole], [hole + 90]]
    flat = [[part.astype(float).ravel() for part in parts] for parts in polygons]
    block = Packed(evenodd.pack(*laid_out(flat), 100, 100))
    assert boxes_of(block) == [[20, 30, 40, 40], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert block.area.tolist() == [1600, 0, 0, 0]


def test_more_crossings_than_memory_should_hold_are_refused_by_mask():
    side = 1_048_576
    wide = np.tile([-1.0, 0, side, 5], 20)
    message = "^mask 1: its outlines cross 41943040 rows or columns of pixels, expected at most 33"
    with pytest.raises(InvalidMaskError, match=message):
        evenodd.pack(*laid_out([[np.ones(6)], [wide]]), 9, side)
