"""Masks flipped, turned and transposed: equal to the same done with pixels."""

import numpy as np
import pytest
from blocks import boxes_of, encode, frames_of, pack
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import stacks, stacks_and_boxes
from test_geometry import pack_in

from compactmask._kernels import block, dense, geometry, turn
from compactmask.packed import Packed

SYMMETRIES = [(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]


def turned(masks, transpose, flip_x, flip_y):
    kernel = turn.turn if transpose else block.mirror
    return Packed(kernel(masks, flip_x, flip_y))


def expected_frames(frames, transpose, flip_x, flip_y):
    frames = frames.transpose(0, 2, 1) if transpose else frames
    axes = [axis for axis, is_on in ((1, flip_y), (2, flip_x)) if is_on]
    return np.ascontiguousarray(np.flip(frames, axes))


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@given(case=stacks_and_boxes(min_n=1))
@example(case=(np.eye(3, dtype=bool)[None], np.array([[0, 0, 0, 0]])))
def test_every_symmetry_moves_pixels_and_crops_as_numpy_does(symmetry, case):
    masks = pack_in(*case)
    found = turned(masks, *symmetry)
    frames = frames_of(masks)
    assert np.array_equal(frames_of(found), expected_frames(frames, *symmetry))
    crops = np.zeros_like(frames)
    for crop, (x, y, h, w) in zip(crops, boxes_of(masks), strict=True):
        crop[y : y + h, x : x + w] = True
    moved = pack(expected_frames(crops, *symmetry))
    assert boxes_of(found) == boxes_of(moved)
    assert found.image_shape == moved.image_shape


@given(stacks_and_boxes(min_n=1))
def test_every_symmetry_is_undone_by_another(case):
    masks = pack_in(*case)
    for transpose, flip_x, flip_y in SYMMETRIES:
        there = turned(masks, transpose, flip_x, flip_y)
        x, y = (flip_y, flip_x) if transpose else (flip_x, flip_y)
        back = turned(there, transpose, x, y)
        assert boxes_of(back) == boxes_of(masks)
        assert geometry.equal(back, masks)
        assert np.array_equal(there.area, masks.area)


@given(stacks(min_n=1))
def test_turned_masks_are_packed_as_pixels_would_be(frames):
    masks = pack(frames)
    for symmetry in SYMMETRIES:
        found = turned(masks, *symmetry).straight()
        for i in range(found.n):
            start, stop = found.indptr[i : i + 2].tolist()
            assert bytes(found.data[start:stop]) == encode(dense.crop(found, i))


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_columns_with_any_edges_are_transposed(h, w, data):
    frame = np.zeros((h + 1, w), np.int64)
    for x in range(w):
        rows = data.draw(st.lists(st.integers(0, h), unique=True, max_size=6).map(sorted))
        frame[rows[: len(rows) // 2 * 2], x] = 1
    frames = (np.cumsum(frame, axis=0)[None, :h] % 2).astype(bool)
    masks = pack(frames, [[0, 0, w - 1, h - 1]])
    assert np.array_equal(frames_of(turned(masks, True, False, False)), frames.transpose(0, 2, 1))


def test_no_masks_turn_into_none():
    masks = pack(np.zeros((0, 4, 7), bool))
    assert turned(masks, True, False, True).image_shape == (7, 4)
    assert turned(masks, True, False, True).n == 0
    assert turned(masks, False, True, True).image_shape == (4, 7)
