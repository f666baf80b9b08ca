"""Masks moved, shrunk, scaled and compared: equal to the same done with pixels."""

import cv2
import numpy as np
import pytest
import reference
from blocks import boxes_of, frames_of, pack
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import shapes, stacks, stacks_and_boxes

from compactmask import _check
from compactmask._kernels import geometry
from compactmask._nearest import nearest_axis
from compactmask.packed import Packed


def pack_in(frames, boxes):
    """Pack frames in boxes of any kind, as CompactMask.from_dense does."""
    return pack(frames, _check.boxes(boxes, len(frames), frames.shape[1:]))


def resample(block, shape):
    rows, columns = map(nearest_axis, block.image_shape, shape)
    return Packed(geometry.resample(block, rows.first, columns.first, columns.source))


@given(stacks_and_boxes(min_n=1))
def test_tighten_shrinks_crops_to_their_pixels_and_empty_ones_to_their_origin(case):
    block = pack_in(*case)
    frames = frames_of(block)
    tight = Packed(geometry.tighten(block))
    expected = [
        list(reference.tight_box(frame)) if frame.any() else [x, y, 1, 1]
        for frame, (x, y, _, _) in zip(frames, boxes_of(block), strict=True)
    ]
    assert boxes_of(tight) == expected
    assert np.array_equal(frames_of(tight), frames)


@given(stacks_and_boxes(min_n=1, max_side=30), shapes(40), st.data())
def test_move_cuts_at_the_new_image_and_leaves_a_pixel_of_what_is_outside(case, shape, data):
    block = pack_in(*case)
    dx, dy = (data.draw(st.integers(-40, 40)) for _ in range(2))
    moved = Packed(geometry.move(block, dx, dy, *shape))
    expected = []
    for x, y, h, w in boxes_of(block):
        x, y, h, w = reference.crop_box([x + dx, y + dy, x + dx + w - 1, y + dy + h - 1], *shape)
        expected.append([x, y, h, w] if h else [x, y, 1, 1])
    assert boxes_of(moved) == expected
    assert moved.image_shape == shape
    assert np.array_equal(frames_of(moved), reference.move(frames_of(block), dx, dy, shape))


def test_a_mask_that_moves_without_being_cut_keeps_its_bytes():
    block = pack(np.eye(9, dtype=bool)[None])
    moved = Packed(geometry.move(block, 5, 6, 20, 20))
    assert bytes(moved.data) == bytes(block.data)
    assert boxes_of(moved) == [[5, 6, 9, 9]]


@given(stacks_and_boxes(min_n=1), shapes(100))
@example((np.ones((1, 3, 3), bool), np.array([[1, 1, 1, 1]])), (1, 1))
def test_resample_takes_each_pixel_from_the_nearest_old_one(case, shape):
    block = pack_in(*case)
    h, w = block.image_shape
    scaled = resample(block, shape)
    rows, columns = reference.nearest(h, shape[0]), reference.nearest(w, shape[1])
    assert nearest_axis(h, shape[0]).source.tolist() == rows
    assert np.array_equal(frames_of(scaled), reference.resize(frames_of(block), shape))
    for old, new in zip(boxes_of(block), boxes_of(scaled), strict=True):
        x = [i for i, source in enumerate(columns) if old[0] <= source < old[0] + old[3]]
        y = [i for i, source in enumerate(rows) if old[1] <= source < old[1] + old[2]]
        if x and y:
            assert new == [x[0], y[0], len(y), len(x)]
        else:
            assert new[2:] == [1, 1]


@given(stacks_and_boxes(min_n=1))
def test_resample_to_the_same_shape_changes_nothing(case):
    block = pack_in(*case)
    assert resample(block, block.image_shape) == block


@pytest.mark.parametrize(("source", "target"), [(720, 479), (1080, 1081), (3, 1), (1, 7), (9, 9)])
def test_the_source_of_each_pixel_is_opencvs(source, target):
    line = np.arange(source, dtype=np.float32)[None]
    found = cv2.resize(line, (target, 1), interpolation=cv2.INTER_NEAREST)[0]
    assert nearest_axis(source, target).source.tolist() == found.astype(int).tolist()


@given(stacks_and_boxes(min_n=1))
def test_blocks_with_equal_pixels_are_equal_whatever_their_crops(case):
    block = pack_in(*case)
    frames = frames_of(block)
    assert geometry.equal(block, block)
    assert geometry.equal(block, geometry.tighten(block))
    assert geometry.equal(pack(frames), block)
    h, w = block.image_shape
    whole = pack(frames, [[0, 0, w - 1, h - 1]] * len(frames))
    assert geometry.equal(whole, block)


@given(stacks(min_n=1), st.data())
def test_blocks_that_differ_in_one_pixel_are_not_equal(frames, data):
    other = frames.copy()
    other[tuple(data.draw(st.integers(0, side - 1)) for side in frames.shape)] ^= True
    assert not geometry.equal(pack(frames), pack(other))
    assert not geometry.equal(pack(other), pack(frames))


def test_equal_areas_are_not_enough_to_be_equal():
    frames = np.zeros((4, 6, 6), bool)
    frames[0, 1, 2:4] = frames[1, 2, 2:4] = frames[2, 1, 1:3] = frames[3, 1:3, 2] = True
    blocks = [pack(frame[None]) for frame in frames]
    for i, block in enumerate(blocks):
        assert [geometry.equal(block, other) for other in blocks] == [k == i for k in range(4)]


def test_blocks_of_different_length_or_image_are_not_equal():
    frame = np.zeros((1, 5, 5), bool)
    frame[0, 1, 1] = True
    block = pack(frame)
    assert not geometry.equal(block, pack(frame[[0, 0]]))
    assert not geometry.equal(block, pack(np.pad(frame, ((0, 0), (0, 1), (0, 0)))))
    assert not geometry.equal(block, pack(np.pad(frame, ((0, 0), (0, 0), (0, 1)))))
