"""Masks grown, shrunk, opened and closed: equal to NumPy, OpenCV and SciPy, inside the image."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from strategies import stacks, stacks_and_boxes

from compactmask import CompactMask
from compactmask._kernels import morphology
from compactmask.errors import InvalidMaskError
from compactmask.packed import Packed

ELEMENTS = ["square", "cross", "disk"]
radii = st.one_of(st.integers(0, 4), st.integers(0, 90))


def footprint(radius, element):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    if element == "square":
        return np.ones_like(x, bool)
    return (x == 0) | (y == 0) if element == "cross" else x**2 + y**2 <= radius**2


def dilated(frames, radius, element):
    """Join copies of the frames moved by each offset of the element."""
    h, w = frames.shape[1:]
    result = np.zeros_like(frames)
    for y, x in np.argwhere(footprint(radius, element)) - radius:
        if -h < y < h and -w < x < w:
            to = np.s_[:, max(0, y) : h + min(0, y), max(0, x) : w + min(0, x)]
            of = np.s_[:, max(0, -y) : h + min(0, -y), max(0, -x) : w + min(0, -x)]
            result[to] |= frames[of]
    return result


def is_tight(mask):
    return np.array_equal(mask.bbox_xyxy, mask.repack().bbox_xyxy)


@given(stacks(max_side=40), st.integers(0, 7), st.sampled_from(ELEMENTS))
def test_dilate_covers_what_the_element_covers_around_each_pixel(frames, radius, element):
    mask = CompactMask.from_dense(frames)
    grown = mask.dilate(radius, element)
    assert grown == dilated(frames, radius, element)
    assert is_tight(grown)
    assert mask.dilate(radius, element, num_threads=3) == grown


@given(stacks(max_side=40), st.integers(0, 7), st.sampled_from(ELEMENTS))
def test_erode_is_the_dilation_of_the_background_inside_the_image(frames, radius, element):
    mask = CompactMask.from_dense(frames)
    shrunk = mask.erode(radius, element)
    assert shrunk == ~dilated(~frames, radius, element)
    assert is_tight(shrunk)
    assert mask.erode(radius, element, num_threads=3) == shrunk


@given(stacks(max_side=40), st.integers(0, 7), st.sampled_from(ELEMENTS))
def test_the_erosion_kernel_counts_the_outside_as_false_on_demand(frames, radius, element):
    packed = CompactMask.from_dense(frames)._packed
    shrunk = morphology.erode(packed, radius, ELEMENTS.index(element), False)
    margin = ((0, 0), (radius, radius), (radius, radius))
    expected = ~dilated(np.pad(~frames, margin, constant_values=True), radius, element)
    h, w = frames.shape[1:]
    expected = expected[:, radius : radius + h, radius : radius + w]
    assert CompactMask._wrap(Packed(shrunk)) == expected


@given(stacks_and_boxes(), radii, st.sampled_from(["square", "cross"]))
def test_all_four_equal_opencv_at_any_radius(case, radius, element):
    mask = CompactMask.from_dense(*case)
    kernel = footprint(radius, element).astype(np.uint8)
    for ours, operation in (
        (mask.dilate, cv2.MORPH_DILATE),
        (mask.erode, cv2.MORPH_ERODE),
        (mask.opening, cv2.MORPH_OPEN),
        (mask.closing, cv2.MORPH_CLOSE),
    ):
        result = ours(radius, element)
        assert is_tight(result)
        for i, frame in enumerate(mask.to_dense().astype(np.uint8)):
            assert np.array_equal(result[i], cv2.morphologyEx(frame, operation, kernel)), operation


@given(stacks_and_boxes(max_side=50), st.integers(0, 25), st.sampled_from(ELEMENTS))
def test_all_four_equal_scipy(case, radius, element):
    mask = CompactMask.from_dense(*case)
    kernel = footprint(radius, element)
    for i, frame in enumerate(mask.to_dense()):
        grown = ndimage.binary_dilation(frame, kernel)
        shrunk = ndimage.binary_erosion(frame, kernel, border_value=1)
        assert np.array_equal(mask.dilate(radius, element)[i], grown)
        assert np.array_equal(mask.erode(radius, element)[i], shrunk)
        assert np.array_equal(
            mask.opening(radius, element)[i], ndimage.binary_dilation(shrunk, kernel)
        )
        assert np.array_equal(
            mask.closing(radius, element)[i],
            ndimage.binary_erosion(grown, kernel, border_value=1),
        )


@given(stacks(), st.integers(0, 12), st.sampled_from(ELEMENTS))
def test_a_mask_lies_between_its_opening_and_its_closing_which_repeat_changes_not(
    frames, radius, element
):
    mask = CompactMask.from_dense(frames)
    opened, closed = mask.opening(radius, element), mask.closing(radius, element)
    assert not (opened.to_dense() & ~frames).any()
    assert not (frames & ~closed.to_dense()).any()
    assert opened.opening(radius, element) == opened
    assert closed.closing(radius, element) == closed
    assert mask.opening(radius, element, num_threads=2) == opened
    assert mask.closing(radius, element, num_threads=2) == closed


@given(stacks(), st.integers(0, 9), st.integers(0, 9))
def test_squares_add_up(frames, one, other):
    mask = CompactMask.from_dense(frames)
    assert mask.dilate(one).dilate(other) == mask.dilate(one + other)
    assert mask.erode(one).erode(other) == mask.erode(one + other)


@given(stacks(min_n=1), st.sampled_from(ELEMENTS))
def test_radius_0_changes_no_pixel(frames, element):
    mask = CompactMask.from_dense(frames)
    assert mask.dilate(0, element) == mask == mask.erode(0, element)
    assert mask.opening(0, element) == mask == mask.closing(0, element)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("radius", [9, 10**6, 10**30])
def test_a_radius_beyond_the_image_fills_or_empties_it(element, radius):
    frames = np.zeros((3, 6, 7), bool)
    frames[0, 2, 3] = True
    frames[2] = True
    mask = CompactMask.from_dense(frames, [[2, 2, 4, 4], [5, 1, 6, 3], [0, 0, 6, 5]])
    grown, shrunk = mask.dilate(radius, element), mask.erode(radius, element)
    assert grown.area.tolist() == [12 if element == "cross" else 42, 0, 42]
    assert shrunk.area.tolist() == [0, 0, 42]
    assert shrunk.bbox_xyxy[:2].tolist() == [[2, 2, 2, 2], [5, 1, 5, 1]]
    assert grown.bbox_xyxy[1].tolist() == [5, 1, 5, 1]


@pytest.mark.parametrize("element", ELEMENTS)
def test_a_mask_at_the_border_of_the_image_does_not_shrink_there(element):
    frame = np.zeros((1, 20, 30), bool)
    frame[0, :8, :9] = True
    mask = CompactMask.from_dense(frame)
    assert mask.erode(2, element).bbox_xyxy.tolist() == [[0, 0, 6, 5]]
    assert mask.dilate(2, element).bbox_xyxy.tolist() == [[0, 0, 10, 9]]


@pytest.mark.parametrize("element", ELEMENTS)
def test_masks_of_an_image_that_no_memory_holds_are_worked_on_where_they_lie(element):
    side = 1_048_576
    frames = np.ones((2, 40, 30), bool)
    mask = CompactMask.from_dense(frames).with_offset(side - 35, side - 45, (side, side))
    grown = mask.dilate(300, element)
    shrunk = mask.erode(5, element)
    assert grown.bbox_xyxy[0].tolist() == [side - 335, side - 345, side - 1, side - 1]
    assert shrunk.area.tolist() == [30 * 20] * 2


def test_a_disk_that_reaches_no_further_than_a_line_is_one_pixel_wide():
    line = CompactMask.from_dense(np.ones((1, 1, 9), bool))
    assert line.dilate(5, "disk").area.tolist() == [9]


@pytest.mark.parametrize("radius", [41, 45, 48, 49, 10**9])
def test_a_disk_longer_than_the_image_from_a_corner_ends_by_the_diagonal(radius):
    y, x = np.ogrid[:30, :40]
    corner = CompactMask.from_dense((x + y == 0)[None])
    reached = x**2 + y**2 <= radius**2
    assert corner.dilate(radius, "disk") == reached[None]
    assert (~corner).erode(radius, "disk") == ~reached[None]


def test_no_masks_give_no_masks():
    none = CompactMask.empty((5, 5))
    for result in (none.dilate(), none.erode(), none.opening(), none.closing()):
        assert result.shape == (0, 5, 5)


def test_a_mask_keeps_its_class():
    class Mine(CompactMask):
        __slots__ = ()

    mask = Mine.from_dense(np.ones((1, 5, 5), bool))
    for result in (mask.dilate(), mask.erode(), mask.opening(), mask.closing()):
        assert type(result) is Mine


@pytest.mark.parametrize("name", ["dilate", "erode", "opening", "closing"])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"radius": -1}, ValueError, "radius is -1, expected 0 at least"),
        ({"radius": 1.5}, TypeError, "radius is 1.5, expected an integer"),
        ({"radius": "1"}, TypeError, "radius is '1', expected an integer"),
        (
            {"element": "circle"},
            ValueError,
            "element is 'circle', expected 'square', 'cross' or 'disk'",
        ),
        ({"element": 0}, ValueError, "element is 0, expected 'square', 'cross' or 'disk'"),
        ({"element": None}, ValueError, "element is None, expected 'square', 'cross' or 'disk'"),
        ({"num_threads": 0}, ValueError, "num_threads is 0, expected 1 at least"),
    ],
)
def test_bad_arguments_are_refused(name, arguments, error, message):
    mask = CompactMask.from_dense(np.ones((2, 5, 5), bool))
    with pytest.raises(error, match=message):
        getattr(mask, name)(**arguments)


def test_a_crop_that_grows_too_large_is_refused():
    frames = np.zeros((2, 1, 2), bool)
    frames[1] = True
    mask = CompactMask.from_dense(frames).with_offset(5, 5, (70_000, 70_000))
    with pytest.raises(InvalidMaskError, match="mask 1: its crop has 4900000000 pixels, expected"):
        mask.dilate(70_000)
