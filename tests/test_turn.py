"""Masks flipped, turned and transposed: equal to the same done with pixels."""

import numpy as np
import pytest
from blocks import boxes_of, encode, frames_of, pack
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import stacks, stacks_and_boxes
from test_geometry import pack_in

from compactmask._kernels import dense, geometry, turn
from compactmask.packed import Packed

SYMMETRIES = [(a, b, c) for a in (False, True) for b in (False, True) for c in (False, True)]


def turned(block, transpose, flip_x, flip_y):
    return Packed(turn.turn(block, transpose, flip_x, flip_y))


def expected_frames(frames, transpose, flip_x, flip_y):
    frames = frames.transpose(0, 2, 1) if transpose else frames
    axes = [axis for axis, is_on in ((1, flip_y), (2, flip_x)) if is_on]
    return np.ascontiguousarray(np.flip(frames, axes))


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@given(case=stacks_and_boxes(min_n=1))
@example(case=(np.eye(3, dtype=bool)[None], np.array([[0, 0, 0, 0]])))
def test_every_symmetry_moves_pixels_and_crops_as_numpy_does(symmetry, case):
    block = pack_in(*case)
    found = turned(block, *symmetry)
    frames = frames_of(block)
    assert np.array_equal(frames_of(found), expected_frames(frames, *symmetry))
    crops = np.zeros_like(frames)
    for crop, (x, y, h, w) in zip(crops, boxes_of(block), strict=True):
        crop[y : y + h, x : x + w] = True
    moved = pack(expected_frames(crops, *symmetry))
    assert boxes_of(found) == boxes_of(moved)
    assert found.image_shape == moved.image_shape


@given(stacks_and_boxes(min_n=1))
def test_every_symmetry_is_undone_by_another(case):
    block = pack_in(*case)
    for transpose, flip_x, flip_y in SYMMETRIES:
        there = turned(block, transpose, flip_x, flip_y)
        x, y = (flip_y, flip_x) if transpose else (flip_x, flip_y)
        back = turned(there, transpose, x, y)
        assert boxes_of(back) == boxes_of(block)
        assert geometry.equal(back, block)
        assert np.array_equal(there.area, block.area)


@given(stacks(min_n=1))
def test_turned_masks_are_packed_as_pixels_would_be(frames):
    block = pack(frames)
    for symmetry in SYMMETRIES:
        found = turned(block, *symmetry)
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
    block = pack(frames, [[0, 0, w - 1, h - 1]])
    assert np.array_equal(frames_of(turned(block, True, False, False)), frames.transpose(0, 2, 1))


def test_no_masks_turn_into_none():
    block = pack(np.zeros((0, 4, 7), bool))
    assert turned(block, True, False, True).image_shape == (7, 4)
    assert turned(block, True, False, True).n == 0
    assert turned(block, False, True, True).image_shape == (4, 7)
