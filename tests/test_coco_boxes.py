"""COCO's boxes: the shortest width that gives the right side back."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from compactmask.formats.coco.boxes import extent, xywh

decimals = st.integers(0, 2_000_000).map(lambda hundredths: hundredths / 100)
coordinates = st.floats(-1e5, 1e5) | st.floats(-1e4, 1e4, width=32) | decimals


@given(decimals, decimals)
@example(116.73, 38.65)
@example(0.1, 0.2)
def test_a_width_of_two_decimals_comes_back_or_a_shorter_one_does(start, width):
    back = extent(start, start + width)
    assert start + back == start + width
    assert len(repr(back)) <= len(repr(width))


@given(coordinates, coordinates)
def test_start_and_width_give_the_end_where_the_difference_does(start, end):
    if start + (end - start) == end:
        assert start + extent(start, end) == end


@given(coordinates, coordinates)
def test_no_number_of_fewer_decimals_would_do(start, end):
    back = extent(start, end)
    if start + back == end:
        for digits in range(18):
            shorter = round(end - start, digits)
            if start + shorter == end:
                assert back == shorter
                break


@given(st.floats(-3e4, 3e4, width=32), st.floats(-3e4, 3e4, width=32))
def test_corners_of_32_bits_always_come_back(start, end):
    assert start + extent(start, end) == end or abs(start) < 2**-20 or abs(end) < 2**-20


def test_ends_that_no_width_gives_get_the_difference():
    assert extent(-1e16, 0.1) == 1e16


def test_boxes_are_lists_of_plain_floats():
    boxes = xywh(np.array([[1, 2, 4, 8], [0, 0, 0, 0]], np.int32))
    assert boxes == [[1, 2, 3, 6], [0, 0, 0, 0]]
    assert {type(value) for box in boxes for value in box} == {float}
    assert xywh(np.empty((0, 4))) == []
