"""Pixels to packed masks and back, whatever the order of the memory."""

import numpy as np
import pytest
import reference
from blocks import boxes_of, frames_of, pack
from hypothesis import given
from hypothesis import strategies as st
from strategies import KINDS, masks, shapes, stacks, stacks_and_boxes

from compactmask._kernels import dense


@given(stacks(min_n=1))
def test_without_boxes_crops_are_tight_and_no_pixel_is_lost(frames):
    block = pack(frames)
    assert block.image_shape == frames.shape[1:]
    assert boxes_of(block) == [list(reference.tight_box(frame)) for frame in frames]
    assert np.array_equal(frames_of(block), frames)


@given(stacks(min_n=1), st.data())
def test_with_boxes_crops_are_the_boxes_and_pixels_outside_are_lost(frames, data):
    h, w = frames.shape[1:]
    boxes, expected = [], np.zeros_like(frames)
    for i in range(len(frames)):
        x1, x2 = sorted(data.draw(st.tuples(*2 * [st.integers(0, w - 1)])))
        y1, y2 = sorted(data.draw(st.tuples(*2 * [st.integers(0, h - 1)])))
        boxes.append([x1, y1, x2, y2])
        expected[i, y1 : y2 + 1, x1 : x2 + 1] = frames[i, y1 : y2 + 1, x1 : x2 + 1]
    block = pack(frames, boxes)
    assert boxes_of(block) == [[x1, y1, y2 - y1 + 1, x2 - x1 + 1] for x1, y1, x2, y2 in boxes]
    assert np.array_equal(frames_of(block), expected)


def test_a_box_that_ends_before_it_starts_is_an_empty_crop_of_one_pixel():
    block = pack(np.ones((1, 9, 9), bool), [3, 5, 2, 8])
    assert boxes_of(block) == [[3, 5, 1, 1]]
    assert block.area.tolist() == [0]


@pytest.mark.parametrize("value", [1, 2, 128, 255])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
@pytest.mark.parametrize("shape", [(1, 1), (8, 40), (63, 9), (64, 33), (65, 8), (130, 2), (7, 300)])
def test_every_byte_but_0_is_true(value, order, shape):
    frames = np.random.default_rng(3).random((2, *shape)) < 0.4
    stored = (frames * np.uint8(value)).transpose(order).copy().transpose(order)
    h, w = shape
    whole = np.array([[0, 0, w - 1, h - 1]] * 2, np.int32)
    for boxes in (None, whole):
        block = dense.pack(stored, boxes)
        assert block == pack(frames, boxes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
@pytest.mark.parametrize("shape", [(200, 1100), (3, 4200), (2200, 30), (1000, 1), (1, 1000)])
def test_large_frames_of_every_kind_come_back(kind, order, shape):
    frames = kind(np.random.default_rng(4), *shape)[None]
    stored = frames.transpose(order).copy().transpose(order)
    block = pack(stored)
    assert boxes_of(block) == [list(reference.tight_box(frames[0]))]
    assert np.array_equal(frames_of(block), frames)


@given(stacks_and_boxes(min_n=1), st.data())
def test_chosen_masks_decode_into_frames_and_into_crops(case, data):
    frames, _ = case
    block = pack(frames)
    n = len(frames)
    chosen = data.draw(st.lists(st.integers(0, n - 1), max_size=5))
    out = np.zeros((len(chosen), *block.image_shape), np.uint8)
    dense.decode(block, np.array(chosen, np.int64), out)
    assert np.array_equal(out.view(bool), frames[chosen])
    assert set(np.unique(out).tolist()) <= {0, 1}
    crops = dense.crops(block, np.array(chosen, np.int64))
    assert len(crops) == len(chosen)
    for crop, i in zip(crops, chosen, strict=True):
        assert np.array_equal(crop, dense.crop(block, i))


@given(shapes(), st.data())
def test_decode_crop_gives_a_new_writeable_array_of_bool(shape, data):
    mask = data.draw(masks(shape))
    crop = dense.decode_crop(reference.encode(mask), *shape)
    assert crop.dtype == np.bool_
    assert crop.flags.c_contiguous
    assert crop.flags.writeable
    assert np.array_equal(crop, mask)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, np.array])
def test_decode_crop_reads_any_buffer(kind):
    packed = reference.encode(np.eye(5, dtype=bool))
    data = np.frombuffer(packed, np.uint8) if kind is np.array else kind(packed)
    assert np.array_equal(dense.decode_crop(data, 5, 5), np.eye(5, dtype=bool))
