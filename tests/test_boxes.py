"""Boxes from outside become crops inside the image, as supervision cuts them."""

from itertools import product

import numpy as np
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import boxes, shapes

from compactmask._kernels.boxes import clip
from compactmask.errors import InvalidMaskError

SIDES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 30).map(float)


def expected(box, shape):
    x, y, h, w = reference.crop_box(box, *shape)
    return [x, y, x + w - 1, y + h - 1] if h else [x, y]


@given(st.lists(st.tuples(SIDES, SIDES, SIDES, SIDES), max_size=4), shapes(25))
@example([(-0.9, -0.9, 0.0, 0.0), (-1.0, 0, 3, 3), (24.99, 0, 25, 1)], (25, 25))
def test_any_finite_box_is_a_crop_inside_the_image_or_none(sides, shape):
    found = clip(np.array(sides, np.float64).reshape(-1, 4), *shape)
    assert found.dtype == np.int32
    for box, row in zip(sides, found.tolist(), strict=True):
        wanted = expected(box, shape)
        assert row[: len(wanted)] == wanted
        assert len(wanted) == 4 or row[2] == row[0] - 1


@pytest.mark.parametrize("fraction", [0, 0.5])
def test_every_way_to_lie_at_a_side_of_the_image_is_cut_the_same(fraction):
    shape = (4, 5)
    across, down = ([-2, -1, 0, 1, side - 1, side, side + 1] for side in (5, 4))
    sides = np.array(list(product(across, down, across, down))) + fraction
    for box, row in zip(sides.tolist(), clip(sides.astype(float), *shape).tolist(), strict=True):
        wanted = expected(box, shape)
        assert row[: len(wanted)] == wanted
        assert (row[2] < row[0]) == (len(wanted) == 2)


@given(st.data(), shapes())
def test_boxes_as_detectors_give_them_are_cut_the_same(data, shape):
    given_boxes = data.draw(boxes(9, shape)).astype(np.float64)
    for box, row in zip(given_boxes, clip(given_boxes, *shape).tolist(), strict=True):
        wanted = expected(box, shape)
        assert row[: len(wanted)] == wanted


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("place", "name"), [(0, "x1"), (1, "y1"), (2, "x2"), (3, "y2")])
def test_a_coordinate_that_is_not_finite_is_named(place, name, value):
    given_boxes = np.ones((3, 4))
    given_boxes[2, place] = value
    with pytest.raises(
        InvalidMaskError, match=f"box 2: {name} is {value}, expected a finite number"
    ):
        clip(given_boxes, 5, 5)
