"""flip, rot90, transpose, pad and window of a CompactMask: equal to NumPy's of the frames."""

import cv2
import fresh
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import clouds, silhouettes, stacks, stacks_and_boxes

from compactmask import CompactMask
from compactmask._kernels import geometry
from compactmask._nearest import nearest_axis
from compactmask.errors import InvalidMaskError, ShapeMismatchError

side = st.integers(0, 9)


def same(mask, frames):
    """Tell whether a set has these frames, crop by crop and in all."""
    frames = np.asarray(frames)
    return (
        mask.shape == frames.shape
        and np.array_equal(mask.to_dense(), frames)
        and mask.area.tolist() == frames.sum(axis=(1, 2)).tolist()
    )


@given(stacks_and_boxes())
def test_flip_is_numpys(case):
    mask = CompactMask.from_dense(*case, image_shape=case[0].shape[1:])
    frames = mask.to_dense()
    assert same(mask.flip("horizontal"), np.flip(frames, 2))
    assert same(mask.flip("vertical"), np.flip(frames, 1))


@pytest.mark.parametrize("k", range(-5, 6))
@given(stacks(max_n=2))
def test_rot90_is_numpys(k, frames):
    mask = CompactMask.from_dense(frames, image_shape=frames.shape[1:])
    assert same(mask.rot90(k), np.rot90(frames, k, axes=(1, 2)))


@given(stacks())
def test_transpose_is_numpys(frames):
    mask = CompactMask.from_dense(frames, image_shape=frames.shape[1:])
    assert same(mask.transpose(), frames.transpose(0, 2, 1))


def test_flip_and_rotation_are_opencvs():
    rng = np.random.default_rng(3)
    frame = clouds(rng, 60, 91).astype(np.uint8)
    mask = CompactMask.from_dense(frame[None])
    pairs = [
        (mask.flip("horizontal"), cv2.flip(frame, 1)),
        (mask.flip("vertical"), cv2.flip(frame, 0)),
        (mask.rot90(), cv2.rotate(frame, cv2.ROTATE_90_COUNTERCLOCKWISE)),
        (mask.rot90(2), cv2.rotate(frame, cv2.ROTATE_180)),
        (mask.rot90(-1), cv2.rotate(frame, cv2.ROTATE_90_CLOCKWISE)),
        (mask.transpose(), cv2.transpose(frame)),
        (mask.pad(((1, 2), (3, 4))), cv2.copyMakeBorder(frame, 1, 2, 3, 4, cv2.BORDER_CONSTANT)),
    ]
    for found, expected in pairs:
        assert same(found, expected[None] > 0)


@given(stacks_and_boxes(min_n=1))
def test_movements_that_undo_each_other_give_the_masks_back(case):
    mask = CompactMask.from_dense(*case)
    h, w = mask.image_shape
    undone = [
        mask.flip("horizontal").flip("horizontal"),
        mask.flip("vertical").flip("vertical"),
        mask.rot90().rot90().rot90().rot90(),
        mask.rot90(2).flip("vertical").flip("horizontal"),
        mask.rot90(-1).rot90(),
        mask.transpose().transpose(),
        mask.rot90().flip("vertical").transpose(),
        mask.pad(((2, 3), (4, 5))).window([4, 2, w + 3, h + 1]),
        mask.window([-3, -1, w + 4, h + 6]).window([3, 1, w + 2, h]),
    ]
    for one in undone:
        assert one == mask
        assert np.array_equal(one.bbox_xyxy, mask.bbox_xyxy)


@given(stacks(), side, side, side, side)
def test_pad_is_numpys_in_all_its_forms(frames, top, bottom, left, right):
    mask = CompactMask.from_dense(frames, image_shape=frames.shape[1:])
    for width in (top, (top, bottom), ((top, bottom), (left, right)), [[top], [left]]):
        pairs = np.broadcast_to(width, (2, 2)).tolist()
        assert same(mask.pad(width), np.pad(frames, [(0, 0), *pairs]))
        moved = mask.offsets + np.array([pairs[1][0], pairs[0][0]])
        assert np.array_equal(mask.pad(width).offsets, moved)


@given(stacks(), st.data())
def test_window_is_a_slice_of_the_padded_frames(frames, data):
    h, w = frames.shape[1:]
    mask = CompactMask.from_dense(frames, image_shape=(h, w))
    x1, x2 = sorted(data.draw(st.integers(-9, w + 8)) for _ in range(2))
    y1, y2 = sorted(data.draw(st.integers(-9, h + 8)) for _ in range(2))
    padded = np.pad(frames, ((0, 0), (9, 9), (9, 9)))
    expected = padded[:, y1 + 9 : y2 + 10, x1 + 9 : x2 + 10]
    assert same(mask.window([x1, y1, x2, y2]), expected)
    assert same(mask.window(np.array([x1, y1, x2, y2], np.float32)), expected)


@given(stacks(min_n=1), st.data())
def test_windows_that_share_the_image_share_the_area(frames, data):
    mask = CompactMask.from_dense(frames)
    h, w = mask.image_shape
    x, y = data.draw(st.integers(0, w - 1)), data.draw(st.integers(0, h - 1))
    parts = [[0, 0, x, y], [x + 1, 0, w, y], [0, y + 1, x, h], [x + 1, y + 1, w, h]]
    assert np.array_equal(sum(mask.window(part).area for part in parts), mask.area)


def test_a_mask_outside_the_window_has_one_empty_pixel_at_the_nearest_place():
    mask = CompactMask.from_dense(np.pad(np.ones((1, 2, 2), bool), ((0, 0), (5, 0), (0, 5))))
    for box, place in (
        ([3, 0, 5, 6], [0, 5]),
        ([0, 0, 1, 3], [0, 3]),
        ([10**18, 10**18, 10**18 + 3, 10**18 + 3], [0, 0]),
        ([-(10**18), -(10**18), -(10**18) + 3, -(10**18) + 3], [3, 3]),
    ):
        cut = mask.window(box)
        assert cut.offsets.tolist() == [place]
        assert cut._crop_shapes.tolist() == [[1, 1]]
        assert cut.area.tolist() == [0]


@example(5)
@given(st.integers(0, 30))
def test_threads_give_what_one_gives(n):
    rng = np.random.default_rng(n)
    frames = np.array([silhouettes(rng, 40, 50) for _ in range(n)]).reshape(-1, 40, 50)
    mask = CompactMask.from_dense(frames, image_shape=(40, 50))
    calls = [
        lambda t: mask.flip("horizontal", num_threads=t),
        lambda t: mask.flip("vertical", num_threads=t),
        lambda t: mask.rot90(3, num_threads=t),
        lambda t: mask.transpose(num_threads=t),
        lambda t: mask.pad(3, num_threads=t),
        lambda t: mask.window([5, 6, 70, 20], num_threads=t),
        lambda t: mask.with_offset(-5, 3, (30, 30), num_threads=t),
        lambda t: mask.resize((33, 77), num_threads=t),
        lambda t: mask.repack(num_threads=t),
    ]
    for call in calls:
        assert bytes(call(1)._packed) == bytes(call(3)._packed)
        with pytest.raises(ValueError, match="num_threads is 0, expected 1 at least"):
            call(0)


def test_small_masks_of_a_huge_image_move_in_little_memory():
    set_up = """
import numpy as np
from compactmask import CompactMask
from strategies import silhouettes

rng = np.random.default_rng(0)
small = np.array([silhouettes(rng, 40, 50) for _ in range(50)])
huge = CompactMask.from_dense(small).with_offset(29_000, 17, (30_000, 30_000))
"""
    work = """
moved = [
    huge.flip("horizontal"),
    huge.rot90(),
    huge.transpose(),
    huge.pad(1000),
    huge.window([28_000, 0, 58_000, 30_000]),
]
assert [one.area.tolist() for one in moved] == [huge.area.tolist()] * 5
assert huge.rot90(4) == huge
crops = zip(huge.crops(), moved[1].crops(), strict=True)
assert all(np.array_equal(np.rot90(crop), turned) for crop, turned in crops)
"""
    assert fresh.peak_growth(set_up, work) < 4e6


def test_a_crop_of_a_whole_huge_image_with_few_edges_moves():
    strip = CompactMask(
        [[30_000 * 14_999, 30_000, 30_000 * 15_000]], [[30_000] * 2], [[0, 0]], (30_000, 30_000)
    )
    assert strip.transpose().repack().bbox_xyxy.tolist() == [[0, 14_999, 29_999, 14_999]]
    assert strip.flip("horizontal").repack().bbox_xyxy.tolist() == [[15_000, 0, 15_000, 29_999]]
    assert strip.rot90().bbox_xyxy.tolist() == strip.bbox_xyxy.tolist()


def test_a_class_of_its_own_stays_itself():
    class Mine(CompactMask):
        __slots__ = ()

    mask = Mine.from_dense(np.ones((1, 2, 3), bool))
    for moved in (mask.flip("vertical"), mask.rot90(), mask.pad(1), mask.window([0, 0, 1, 1])):
        assert type(moved) is Mine


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.flip("up"), ValueError, "direction is 'up', expected 'horizontal' or 'vert"),
        (lambda m: m.flip(0), ValueError, "direction is 0, expected 'horizontal' or 'vertical'"),
        (lambda m: m.rot90(1.5), TypeError, r"k is 1.5, expected an integer"),
        (lambda m: m.flip("vertical", num_threads=None), TypeError, "num_threads is None, expec"),
        (lambda m: m.with_offset("1", 0, (9, 9)), TypeError, "dx is '1', expected an integer"),
        (lambda m: m.with_offset(0, 1.5, (9, 9)), InvalidMaskError, r"dy is 1.5, expected a whol"),
        (lambda m: m.with_offset(np.nan, 0, (9, 9)), InvalidMaskError, "dx is nan, expected a wh"),
        (lambda m: m.with_offset(0, np.inf, (9, 9)), InvalidMaskError, "dy is inf, expected a wh"),
        (lambda m: m.pad(-1), InvalidMaskError, "pad_width -1: 0 to 4611686018427387904 pixels"),
        (lambda m: m.pad(((0, 0), (0, -3))), InvalidMaskError, r"\(0, -3\)\): 0 to 461168601842"),
        (lambda m: m.pad(1.0), TypeError, r"pad_width 1.0: integers expected"),
        (lambda m: m.pad("3"), TypeError, r"pad_width '3': integers expected"),
        (lambda m: m.pad(None), TypeError, r"pad_width None: integers expected"),
        (lambda m: m.pad((1, 2, 3)), ShapeMismatchError, r"pad_width \(1, 2, 3\): an int, \(bef"),
        (lambda m: m.pad([]), ShapeMismatchError, r"pad_width \[\]: an int, \(before, after\) or"),
        (lambda m: m.pad([[1, 2], [3]]), ShapeMismatchError, r"pad_width \[\[1, 2\], \[3\]\]: an"),
        (lambda m: m.pad(2**20), InvalidMaskError, r"image_shape \(2097156, 2097158\): sides of"),
        (lambda m: m.pad(2**62), InvalidMaskError, r"image_shape \(\d+, \d+\): sides of 1 to"),
        (lambda m: m.pad(2**70), InvalidMaskError, r"pad_width 1180591620717411303424: 0 to 46"),
        (lambda m: m.pad(True), TypeError, r"pad_width True: integers expected"),
        (lambda m: m.window([0, 0, 1]), ShapeMismatchError, r"xyxy has shape \(3,\), expected"),
        (lambda m: m.window([[0, 0, 1, 1]]), ShapeMismatchError, r"xyxy has shape \(1, 4\), exp"),
        (lambda m: m.window([2, 0, 1, 1]), InvalidMaskError, r"xyxy \[2, 0, 1, 1\]: x1 <= x2"),
        (lambda m: m.window([0, 3, 1, 2]), InvalidMaskError, r"xyxy \[0, 3, 1, 2\]: x1 <= x2 and"),
        (lambda m: m.window([0, 0, 1.5, 2]), InvalidMaskError, r"1.5, 2.0\]: whole numbers expe"),
        (lambda m: m.window([np.nan, 0, 1, 2]), InvalidMaskError, r"\[nan, .*whole numbers expe"),
        (lambda m: m.window([0, 0, np.inf, 2]), InvalidMaskError, r"inf, 2.0\]: whole numbers"),
        (lambda m: m.window(["0", 0, 1, 2]), InvalidMaskError, "whole numbers expected"),
        (lambda m: m.window([0, 0, 2**70, 2]), InvalidMaskError, r"1180591620717411303424, 2\]: -"),
        (lambda m: m.window([0, 0, 1e300, 2]), InvalidMaskError, r"1e\+300, 2.0\]: -4611686018427"),
        (lambda m: m.window([0, [1], 2, 3]), ShapeMismatchError, "xyxy are nested unevenly, exp"),
        (lambda m: m.window([0, 0, 2**20, 0]), InvalidMaskError, r"image_shape \(1, 1048577\): s"),
    ],
)
def test_what_cannot_be_done_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call(CompactMask.from_dense(np.ones((2, 4, 6), bool)))


def test_offsets_may_be_floats_without_a_fraction():
    mask = CompactMask.from_dense(np.ones((2, 4, 6), bool))
    expected = mask.with_offset(2, -1, (9, 9))
    assert mask.with_offset(2.0, np.float32(-1), (9, 9)) == expected
    assert mask.with_offset(np.int8(2), np.uint8(3), (9, 9)) == mask.with_offset(2, 3, (9, 9))


@given(stacks(min_n=1), st.tuples(*4 * [st.integers(0, 9)]))
def test_pad_is_opencvs_border_and_window_undoes_it(frames, sides):
    top, bottom, left, right = sides
    mask = CompactMask.from_dense(frames)
    padded = mask.pad(((top, bottom), (left, right)))
    for found, frame in zip(padded, frames, strict=True):
        wanted = cv2.copyMakeBorder(frame.astype(np.uint8), *sides, cv2.BORDER_CONSTANT, value=0)
        assert np.array_equal(found, wanted)
    h, w = frames.shape[1:]
    assert padded.window([left, top, left + w - 1, top + h - 1]) == mask


@given(stacks(min_n=1))
def test_a_resize_to_the_same_size_changes_nothing(frames):
    mask = CompactMask.from_dense(frames)
    assert mask.resize(mask.image_shape) == mask
    rows, columns = (nearest_axis(side, side) for side in mask.image_shape)
    same = geometry.resample(mask._packed, rows.first, columns.first, columns.source)
    assert bytes(same) == bytes(mask._packed)
