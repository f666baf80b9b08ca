"""Masks taken apart into connected components, rid of small ones and of holes."""

import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import ndimage
from strategies import KINDS, PARTED, panes, sieve, silhouettes, stacks, stacks_and_boxes

from compactmask import CompactMask

connectivities = st.sampled_from([4, 8])


def parted(**options):
    """Give frames that fall into parts and have holes, mostly, and boxes."""
    return stacks_and_boxes(
        kinds=(*PARTED, *PARTED, *[panes] * 5, sieve, silhouettes), min_n=3, min_side=8, **options
    )


# A hole with an island in it that has a hole; then one with a diagonal way out, which is a hole.
RINGS = np.ones((2, 9, 9), bool)
RINGS[0, 1:8, 1:8] = False
RINGS[0, 2:7, 2:7] = True
RINGS[0, 4, 4] = False
RINGS[1, 4, 4] = RINGS[1, 3, 3] = RINGS[1, 2:4, 2] = RINGS[1, 1, 1] = RINGS[1, 0, 0] = False


def neighbours(frame, y, x, connectivity):
    h, w = frame.shape
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if connectivity == 4 and dy != 0 and dx != 0:
                continue
            if 0 <= y + dy < h and 0 <= x + dx < w:
                yield y + dy, x + dx


def components(frame, connectivity):
    """Flood each component from its first pixel, row by row."""
    left = frame.copy()
    found = []
    for seed in np.argwhere(frame):
        if not left[tuple(seed)]:
            continue
        part, todo = np.zeros_like(frame), [tuple(seed)]
        while todo:
            pixel = todo.pop()
            if left[pixel]:
                left[pixel], part[pixel] = False, True
                todo += neighbours(frame, *pixel, connectivity)
        found.append(part)
    return found


def holes_filled(frame):
    """Take from the frame all background components that do not reach its border."""
    inner = np.zeros_like(frame)
    inner[1:-1, 1:-1] = True
    holes = [part for part in components(~frame, 4) if not (part & ~inner).any()]
    return np.any([frame, *holes], axis=0)


@given(stacks(max_side=20, min_n=1, min_side=4, kinds=PARTED), connectivities)
@example(RINGS, 4)
@example(RINGS, 8)
def test_components_are_what_a_flood_from_each_first_pixel_finds(frames, connectivity):
    mask = CompactMask.from_dense(frames)
    parts, index = mask.connected_components(connectivity)
    expected = [components(frame, connectivity) for frame in frames]
    assert index.dtype == np.int64
    assert index.tolist() == [i for i, found in enumerate(expected) for _ in found]
    assert parts == np.array([one for found in expected for one in found]).reshape(
        -1, *frames.shape[1:]
    )
    assert np.array_equal(parts.bbox_xyxy, parts.repack().bbox_xyxy)


@given(parted(), connectivities)
def test_components_are_numbered_as_scipy_numbers_them(case, connectivity):
    mask = CompactMask.from_dense(*case)
    parts, index = mask.connected_components(connectivity)
    structure = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    expected = np.zeros(mask.shape, np.int64)
    counts = [
        ndimage.label(frame, structure, output=out)
        for frame, out in zip(mask, expected, strict=True)
    ]
    assert np.bincount(index, minlength=len(mask)).tolist() == counts
    number = np.concatenate([np.arange(1, count + 1) for count in counts or [0]])
    for part, i, k in zip(parts, index, number, strict=True):
        assert np.array_equal(part, expected[i] == k)


@given(parted(), connectivities)
def test_components_share_the_pixels_of_their_mask_among_them(case, connectivity):
    mask = CompactMask.from_dense(*case)
    parts, index = mask.connected_components(connectivity)
    total = np.zeros(mask.shape, np.int64)
    np.add.at(total, index, parts.to_dense())
    assert np.array_equal(total, mask.to_dense())
    assert np.array_equal(np.bincount(index, weights=parts.area, minlength=len(mask)), mask.area)
    again, own = parts.connected_components(connectivity)
    assert again == parts
    assert np.array_equal(own, np.arange(len(parts)))
    threaded, threaded_index = mask.connected_components(connectivity, num_threads=3)
    assert threaded == parts
    assert np.array_equal(threaded_index, index)


@given(parted(), connectivities)
def test_the_largest_component_is_the_first_of_those_with_the_most_pixels(case, connectivity):
    mask = CompactMask.from_dense(*case)
    parts, index = mask.connected_components(connectivity)
    largest = mask.largest_component(connectivity)
    assert len(largest) == len(mask)
    for i, frame in enumerate(largest):
        own = parts[index == i]
        assert np.array_equal(frame, own[int(own.area.argmax())] if len(own) else mask[i])
    assert np.array_equal(largest.bbox_xyxy, largest.repack().bbox_xyxy)
    assert mask.largest_component(connectivity, num_threads=3) == largest


@given(parted(), connectivities, st.integers(0, 30))
def test_remove_small_keeps_components_of_min_area_pixels(case, connectivity, min_area):
    mask = CompactMask.from_dense(*case)
    kept = mask.remove_small(min_area, connectivity)
    parts, index = mask.connected_components(connectivity)
    expected = np.zeros(mask.shape, bool)
    for part, i, area in zip(parts, index, parts.area, strict=True):
        if area >= min_area:
            expected[i] |= part
    assert kept == expected
    assert np.array_equal(kept.bbox_xyxy, kept.repack().bbox_xyxy)
    assert mask.remove_small(min_area, connectivity, num_threads=3) == kept


@given(parted(), connectivities)
def test_remove_small_of_0_or_1_pixels_changes_nothing(case, connectivity):
    mask = CompactMask.from_dense(*case)
    assert mask.remove_small(0, connectivity) == mask == mask.remove_small(1, connectivity)
    assert mask.remove_small(10**30, connectivity).area.sum() == 0


@given(stacks(max_side=20, min_n=1, min_side=4, kinds=(*PARTED, panes, sieve)))
@example(RINGS)
def test_fill_holes_fills_background_that_does_not_reach_the_border(frames):
    filled = CompactMask.from_dense(frames).fill_holes()
    assert filled == np.array([holes_filled(frame) for frame in frames]).reshape(frames.shape)


@given(parted())
@example((RINGS, [[0, 0, 8, 8], [1, 1, 8, 8]]))
def test_fill_holes_equals_scipy_and_repeated_changes_nothing(case):
    mask = CompactMask.from_dense(*case)
    filled = mask.fill_holes()
    for ours, frame in zip(filled, mask, strict=True):
        assert np.array_equal(ours, ndimage.binary_fill_holes(frame))
    assert filled.fill_holes() == filled
    assert np.array_equal(filled.bbox_xyxy, filled.repack().bbox_xyxy)
    assert mask.fill_holes(num_threads=3) == filled


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data(), connectivity=connectivities, min_area=st.integers(0, 12))
def test_masks_of_every_kind_and_size_come_apart_as_scipy_takes_them(
    kind, data, connectivity, min_area
):
    mask = CompactMask.from_dense(*data.draw(stacks_and_boxes(3, 30, 1, kinds=[kind])))
    parts, index = mask.connected_components(connectivity)
    largest = mask.largest_component(connectivity)
    kept = mask.remove_small(min_area, connectivity)
    filled = mask.fill_holes()
    structure = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    for i, frame in enumerate(mask):
        labels, n = ndimage.label(frame, structure)
        area = np.bincount(labels.ravel(), minlength=2)[1:]
        assert parts[index == i] == (labels == np.arange(1, n + 1)[:, None, None])
        assert np.array_equal(largest[i], labels == 1 + area.argmax())
        assert np.array_equal(kept[i], np.isin(labels, 1 + np.flatnonzero(area >= min_area)))
        assert np.array_equal(filled[i], ndimage.binary_fill_holes(frame))


def test_components_are_ordered_by_row_before_column():
    frame = np.zeros((1, 5, 9), bool)
    frame[0, 3:, 0] = frame[0, 1:, 4] = frame[0, 1, 7] = frame[0, 4, 5:8] = True
    parts, _ = CompactMask.from_dense(frame).connected_components(4)
    assert parts.bbox_xyxy.tolist() == [[4, 1, 7, 4], [7, 1, 7, 1], [0, 3, 0, 4]]


def test_of_components_of_one_size_the_upper_one_is_the_largest():
    frame = np.zeros((1, 5, 9), bool)
    frame[0, 3, 0:2] = frame[0, 1, 6:8] = True
    assert CompactMask.from_dense(frame).largest_component().bbox_xyxy.tolist() == [[6, 1, 7, 1]]


def test_an_empty_mask_has_no_component_and_stays_empty():
    mask = CompactMask.from_dense(np.zeros((2, 9, 9), bool), [[2, 3, 5, 5], [0, 0, 8, 8]])
    parts, index = mask.connected_components()
    assert len(parts) == len(index) == 0
    assert parts.image_shape == (9, 9)
    for result in (mask.largest_component(), mask.remove_small(3), mask.fill_holes()):
        assert result.bbox_xyxy.tolist() == [[2, 3, 2, 3], [0, 0, 0, 0]]
        assert result.area.tolist() == [0, 0]


def test_no_masks_have_no_components():
    none = CompactMask.empty((5, 5))
    parts, index = none.connected_components()
    assert parts.shape == (0, 5, 5)
    assert index.shape == (0,)
    assert index.dtype == np.int64
    assert len(none.largest_component()) == len(none.remove_small(2)) == len(none.fill_holes()) == 0


def test_a_hole_with_a_diagonal_way_out_is_a_hole():
    frame = np.ones((1, 5, 5), bool)
    frame[0, 2, 2] = frame[0, 1, 1] = frame[0, 0, 0] = False
    assert CompactMask.from_dense(frame).fill_holes().area.tolist() == [24]


def test_a_notch_at_the_side_of_the_image_is_no_hole():
    frame = np.ones((4, 5, 5), bool)
    frame[0, 0, 2] = frame[1, 2, 0] = frame[2, 4, 2] = frame[3, 2, 4] = False
    mask = CompactMask.from_dense(frame)
    assert mask.fill_holes() == mask


def test_a_hundred_thousand_components_are_told_apart():
    mask = CompactMask.from_dense(np.random.default_rng(0).random((1, 1200, 1200)) < 0.25)
    parts, _ = mask.connected_components(4)
    kept = mask.remove_small(3, 4)
    assert len(parts) > 100_000
    assert parts.area.sum() == mask.area[0]
    assert kept.area[0] == parts.area[parts.area >= 3].sum()


@pytest.mark.parametrize("call", [lambda m: m.connected_components(4), lambda m: m.remove_small(3)])
def test_time_grows_with_the_components_not_with_their_square(call):
    frame = np.random.default_rng(0).random((1, 1600, 1600)) < 0.25
    large = CompactMask.from_dense(frame)
    small = CompactMask.from_dense(frame[:, :200, :200])

    def seconds(mask):
        begin = time.thread_time()
        call(mask)
        return time.thread_time() - begin

    times = [min(seconds(mask) for _ in range(5)) for mask in (small, large)]
    assert times[1] < 64 * 8 * times[0]  # of 64 times the components; their square is 4096 times


def test_small_masks_of_a_huge_image_are_taken_apart_where_they_lie():
    frame = np.zeros((1, 30, 30), bool)
    frame[0, :9, :9] = frame[0, 20:, 20:] = True
    frame[0, 25, 25] = False
    mask = CompactMask.from_dense(frame).with_offset(29_970, 29_970, (30_000, 30_000))
    parts, _ = mask.connected_components()
    assert parts.bbox_xyxy.tolist() == [[29_970] * 2 + [29_978] * 2, [29_990] * 2 + [29_999] * 2]
    assert mask.fill_holes().area.tolist() == [181]


def test_results_keep_their_class():
    class Mine(CompactMask):
        __slots__ = ()

    mask = Mine.from_dense(np.ones((1, 5, 5), bool))
    assert type(mask.connected_components()[0]) is Mine
    for result in (mask.largest_component(), mask.remove_small(1), mask.fill_holes()):
        assert type(result) is Mine


@pytest.mark.parametrize("connectivity", [6, 0, "8", None, 8.0])
def test_a_connectivity_but_8_and_4_is_refused(connectivity):
    mask = CompactMask.from_dense(np.ones((1, 5, 5), bool))
    message = f"connectivity is {connectivity!r}, expected 8 or 4"
    with pytest.raises(ValueError, match=message):
        mask.connected_components(connectivity)
    with pytest.raises(ValueError, match=message):
        mask.largest_component(connectivity)
    with pytest.raises(ValueError, match=message):
        mask.remove_small(2, connectivity)


def test_a_bad_min_area_is_refused():
    mask = CompactMask.from_dense(np.ones((1, 5, 5), bool))
    with pytest.raises(ValueError, match="min_area is -1, expected 0 at least"):
        mask.remove_small(-1)
    with pytest.raises(TypeError, match=r"min_area is 2\.5, expected an integer"):
        mask.remove_small(2.5)


def test_bad_numbers_of_threads_are_refused():
    mask = CompactMask.from_dense(np.ones((2, 5, 5), bool))
    for call in (
        lambda: mask.connected_components(num_threads=0),
        lambda: mask.largest_component(num_threads=0),
        lambda: mask.remove_small(2, num_threads=0),
        lambda: mask.fill_holes(num_threads=0),
    ):
        with pytest.raises(ValueError, match="num_threads is 0, expected 1 at least"):
            call()


@given(stacks(max_side=12), connectivities, st.integers(0, 6))
@example(np.ones((2, 1, 1), bool), 4, 1)
@example(np.zeros((1, 1, 1), bool), 8, 2)
@example(np.ones((1, 1, 7), bool), 8, 7)
@example(np.ones((1, 7, 1), bool), 4, 8)
def test_masks_of_every_kind_on_images_from_one_pixel_are_taken_apart_as_by_scipy(
    frames, connectivity, least
):
    mask = CompactMask.from_dense(frames, image_shape=frames.shape[1:])
    structure = np.ones((3, 3)) if connectivity == 8 else None
    parts, index = mask.connected_components(connectivity)
    found, kept, largest = [], np.zeros_like(frames), np.zeros_like(frames)
    for i, frame in enumerate(frames):
        labels, n = ndimage.label(frame, structure)
        of_frame = [labels == k for k in range(1, n + 1)]
        found += [(i, part) for part in of_frame]
        for part in of_frame:
            kept[i] |= part & (part.sum() >= least)
        if of_frame:
            largest[i] = max(of_frame, key=np.sum)
    assert index.tolist() == [i for i, _ in found]
    assert all(np.array_equal(a, b) for a, (_, b) in zip(parts, found, strict=True))
    assert mask.remove_small(least, connectivity) == kept
    assert mask.largest_component(connectivity) == largest
    holes = [ndimage.binary_fill_holes(frame) for frame in frames]
    assert mask.fill_holes() == np.array(holes, bool).reshape(frames.shape)
