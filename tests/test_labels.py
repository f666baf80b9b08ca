"""Label images to masks and back: a mask is where the image has its id."""

import time

import cv2
import fresh
import numpy as np
import pytest
from data import DATA, needs_data
from hypothesis import example, given
from hypothesis import strategies as st
from label_images import DTYPES, images
from scipy import ndimage
from skimage import io, measure
from strategies import clouds, silhouettes, stacks

import compactmask as cm
from compactmask import CompactMask, _check, occlusion
from compactmask.errors import InvalidMaskError, ShapeMismatchError


def ids_of(labels):
    return np.setdiff1d(labels, [0])


def tight_boxes(frames):
    """List the inclusive boxes of frames that are not empty."""
    found = []
    for frame in frames:
        y, x = np.nonzero(frame)
        found.append([x.min(), y.min(), x.max(), y.max()])
    return found


@given(images())
def test_each_id_becomes_the_mask_of_its_pixels(labels):
    masks, ids = CompactMask.from_label_image(labels, return_ids=True)
    expected = ids_of(labels)
    assert ids.tolist() == expected.tolist()
    assert ids.dtype == labels.dtype.newbyteorder("=")
    frames = labels[None] == expected[:, None, None]
    assert masks.shape == frames.shape
    assert np.array_equal(masks.to_dense(), frames)
    assert masks.bbox_xyxy.tolist() == tight_boxes(frames)
    assert masks.area.tolist() == frames.sum(axis=(1, 2)).tolist()


@given(images())
def test_label_images_come_back(labels):
    masks, ids = CompactMask.from_label_image(labels, return_ids=True)
    for overlap in ("last", "error"):
        back = masks.to_label_image(ids, overlap=overlap)
        assert np.array_equal(back, labels)
        assert back.dtype == ids.dtype


@given(images())
def test_masks_are_packed_as_from_their_frames(labels):
    masks, ids = CompactMask.from_label_image(labels, return_ids=True)
    frames = CompactMask.from_dense(labels[None] == ids[:, None, None], image_shape=labels.shape)
    assert bytes(masks._packed) == bytes(frames._packed)


@given(stacks())
@example(np.ones((3, 1, 1), bool))
def test_the_last_of_overlapping_masks_is_seen(frames):
    masks = CompactMask.from_dense(frames, image_shape=frames.shape[1:])
    expected = np.zeros(frames.shape[1:], np.int32)
    for i, frame in enumerate(frames):
        expected[frame] = i + 1
    found = masks.to_label_image()
    assert np.array_equal(found, expected)
    assert found.dtype == np.int32
    ids = np.arange(len(frames))[::-1].astype(np.int16) - 300
    assert np.array_equal(
        masks.to_label_image(ids), np.concatenate([[0], ids])[expected].astype(np.int16)
    )


@given(stacks(max_n=3), st.sampled_from(DTYPES[:-1]))
def test_overlaps_are_an_error_when_asked(frames, dtype):
    masks = CompactMask.from_dense(frames, image_shape=frames.shape[1:])
    ids = np.arange(7, 7 + len(frames)).astype(dtype)
    seen = np.full(frames.shape[1:], -1)
    for i, frame in enumerate(frames):
        if (frame & (seen >= 0)).any():
            y, x = np.argwhere(frame & (seen >= 0))[0]
            message = rf"masks {seen[y, x]} and {i} overlap at x={x}, y={y}$"
            with pytest.raises(InvalidMaskError, match=message):
                masks.to_label_image(ids, overlap="error")
            return
        seen[frame] = i
    assert np.array_equal(masks.to_label_image(ids, overlap="error") > 0, seen >= 0)


@given(images(dtypes=[np.dtype(np.uint32)]), st.booleans())
def test_panoptic_colours_are_ids(labels, is_reversed):
    labels = labels & 0xFFFFFF
    colours = np.stack([labels % 256, labels // 256 % 256, labels // 65536], 2).astype(np.uint8)
    if is_reversed:  # as OpenCV reads them, turned around without a copy
        colours = np.ascontiguousarray(colours[..., ::-1])[..., ::-1]
    masks, ids = CompactMask.from_panoptic(colours, return_ids=True)
    expected, expected_ids = CompactMask.from_label_image(labels, return_ids=True)
    assert ids.dtype == np.uint32
    assert np.array_equal(ids, expected_ids)
    assert bytes(masks._packed) == bytes(expected._packed)
    assert CompactMask.from_panoptic(colours) == masks


def test_grey_colours_that_share_their_memory_are_colours_too():
    grey = np.array([[0, 3], [3, 1]], np.uint8)
    colours = np.broadcast_to(grey[..., None], (2, 2, 3))
    masks, ids = CompactMask.from_panoptic(colours, return_ids=True)
    assert ids.tolist() == [0x010101, 0x030303]
    assert masks.area.tolist() == [1, 2]


@needs_data
@pytest.mark.parametrize("name", ["mask2d.tif", *(f"dna-{i}.png" for i in range(10))])
def test_real_nuclei_are_the_regions_that_scikit_image_finds(name):
    labels = io.imread(DATA / "nuclei" / name)
    masks, ids = CompactMask.from_label_image(labels, return_ids=True)
    regions = measure.regionprops(labels)
    assert ids.tolist() == [region.label for region in regions]
    assert masks.area.tolist() == [region.area for region in regions]
    for crop, box, region in zip(masks.crops(), masks.bbox_xyxy.tolist(), regions, strict=True):
        y1, x1, y2, x2 = region.bbox
        assert box == [x1, y1, x2 - 1, y2 - 1]
        assert np.array_equal(crop, region.image)
    assert np.array_equal(masks.to_label_image(ids, overlap="error"), labels)
    read = cv2.imread(str(DATA / "nuclei" / name), cv2.IMREAD_UNCHANGED)
    assert CompactMask.from_label_image(read) == masks


def test_boxes_are_those_that_scipy_finds():
    labels, n = ndimage.label(clouds(np.random.default_rng(5), 200, 300))
    masks, ids = CompactMask.from_label_image(labels, return_ids=True)
    assert ids.tolist() == list(range(1, n + 1))
    found = [(slice(y1, y2 + 1), slice(x1, x2 + 1)) for x1, y1, x2, y2 in masks.bbox_xyxy.tolist()]
    assert found == ndimage.find_objects(labels)
    assert masks.area.tolist() == ndimage.sum_labels(labels > 0, labels, ids).tolist()


def test_more_ids_than_any_table_starts_with_are_told_apart():
    for labels in (
        np.arange(90_000, dtype=np.uint64).reshape(300, 300) << np.uint64(40),
        np.arange(-45_000, 45_000).reshape(300, 300) * 65_537,
    ):
        masks, ids = CompactMask.from_label_image(labels, return_ids=True)
        assert ids.tolist() == sorted(set(labels.ravel().tolist()) - {0})
        assert masks.area.tolist() == [1] * 89_999
        assert np.array_equal(masks.to_label_image(ids), labels)


def test_ids_in_far_corners_cost_no_frame():
    set_up = """
import numpy as np
from compactmask import CompactMask

labels = np.full((8_000, 20_000), 1, np.uint8)
labels[:] = 0
CompactMask.from_label_image(labels[:9, :9])
labels[0, :3] = labels[-1, -2:] = 1
labels[0, -1] = labels[-1, 0] = 2
"""
    work = """
masks = CompactMask.from_label_image(labels)
assert masks.nbytes < 1_000
assert masks.area.tolist() == [5, 2]
assert masks.bbox_xyxy.tolist() == [[0, 0, 19_999, 7_999]] * 2
"""
    assert fresh.peak_growth(set_up, work) < 4e6  # a frame of bits would be 20e6


def test_masks_of_a_huge_image_are_made_of_a_view_without_a_copy():
    labels = np.broadcast_to(np.arange(30_000, dtype=np.int32) // 100, (30_000, 30_000))[:64]
    masks = CompactMask.from_label_image(labels)
    assert masks.area.tolist() == [6400] * 299
    tall = CompactMask.from_label_image(labels.T)
    assert tall == masks.transpose()


def test_an_image_without_ids_gives_no_masks():
    masks, ids = CompactMask.from_label_image(np.zeros((3, 5), np.uint16), return_ids=True)
    assert masks.shape == (0, 3, 5)
    assert ids.shape == (0,)
    assert ids.dtype == np.uint16
    assert masks.to_label_image(ids).dtype == np.uint16
    assert masks.to_label_image().tolist() == [[0] * 5] * 3
    assert masks.to_label_image([]).tolist() == [[0] * 5] * 3


def test_lists_and_bools_are_label_images():
    assert CompactMask.from_label_image([[0, 5], [5, 5]]).area.tolist() == [3]
    frame = silhouettes(np.random.default_rng(2), 30, 40)
    masks, ids = CompactMask.from_label_image(frame, return_ids=True)
    assert masks == CompactMask.from_dense(frame[None])
    assert ids.tolist() == [True]


def test_the_callers_own_class_comes_back():
    class Mine(CompactMask):
        __slots__ = ()

    assert type(Mine.from_label_image([[1]])) is Mine
    assert type(Mine.from_panoptic(np.ones((1, 1, 3), np.uint8))) is Mine


from_labels, from_panoptic = CompactMask.from_label_image, CompactMask.from_panoptic
two = CompactMask.from_dense(np.eye(2, dtype=bool).reshape(2, 1, 2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: from_labels(np.ones((2, 2))), InvalidMaskError, "labels have dtype float64, exp"),
        (lambda: from_labels([["a"]]), InvalidMaskError, "labels have dtype <U1, expected integer"),
        (lambda: from_labels([[None]]), InvalidMaskError, "labels have dtype object, expected int"),
        (
            lambda: from_labels(np.ones((1, 2, 2), int)),
            ShapeMismatchError,
            r"\(1, 2, 2\), expected",
        ),
        (lambda: from_labels(3), ShapeMismatchError, r"labels have shape \(\), expected \(H, W\)"),
        (
            lambda: from_labels(np.ones((0, 5), int)),
            InvalidMaskError,
            r"image_shape \(0, 5\): side",
        ),
        (lambda: from_labels([[]]), InvalidMaskError, "labels have dtype float64, expected integ"),
        (
            lambda: from_labels(np.broadcast_to(np.uint8(1), (2**20 + 1, 1))),
            InvalidMaskError,
            r"image_shape \(1048577, 1\): sides of 1 to 1048576 expected",
        ),
        (
            lambda: from_panoptic(np.ones((2, 2, 4), np.uint8)),
            ShapeMismatchError,
            r"colours have shape \(2, 2, 4\), expected \(H, W, 3\)",
        ),
        (
            lambda: from_panoptic(np.ones((2, 2), np.uint8)),
            ShapeMismatchError,
            r"colours have shape \(2, 2\), expected \(H, W, 3\)",
        ),
        (
            lambda: from_panoptic(np.ones((2, 2, 3), int)),
            InvalidMaskError,
            "colours have dtype int64, expected uint8",
        ),
        (
            lambda: from_panoptic(np.ones((2, 0, 3), np.uint8)),
            InvalidMaskError,
            r"image_shape \(2, 0\): sides of 1 to",
        ),
        (
            lambda: two.to_label_image([1]),
            ShapeMismatchError,
            r"ids have shape \(1,\), expected \(2,",
        ),
        (
            lambda: two.to_label_image([[1, 2]]),
            ShapeMismatchError,
            r"shape \(1, 2\), expected \(2,\)",
        ),
        (
            lambda: two.to_label_image([1.0, 2]),
            InvalidMaskError,
            "ids have dtype float64, expected",
        ),
        (
            lambda: two.to_label_image([1, 0]),
            InvalidMaskError,
            "mask 1: id 0 stands for the backgro",
        ),
        (lambda: two.to_label_image([-4, -4]), InvalidMaskError, "masks 0 and 1 both have id -4"),
        (
            lambda: two.to_label_image(overlap="first"),
            ValueError,
            "overlap is 'first', expected 'last' or 'error'",
        ),
    ],
)
def test_what_cannot_be_done_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_ids_that_were_made_to_collide_cost_no_more_than_others():
    """Multiples of a known factor are the worst that an attacker could choose, were it fixed."""
    golden = 0x9E3779B97F4A7C15
    inverse = pow(golden, -1, 1 << 64)
    n = 20_000
    hostile = np.array([i * inverse % (1 << 64) for i in range(1, n + 1)], np.uint64)
    plain = np.random.default_rng(0).integers(1, 1 << 63, n).astype(np.uint64)
    took = []
    for ids in (plain, hostile):
        rounds = []
        for _ in range(3):
            begin = time.thread_time()
            masks = CompactMask.from_label_image(ids.reshape(-1, 200))
            rounds.append(time.thread_time() - begin)
        assert len(masks) == n
        took.append(min(rounds))
    assert took[1] < 10 * took[0]


def test_ids_and_orders_are_copied_before_they_are_checked():
    masks = CompactMask.from_dense(np.ones((3, 2, 2), bool))
    ids = np.array([5, 6, 7])
    assert _check.mask_ids(ids, 3) is not ids
    assert not np.shares_memory(_check.mask_ids(ids, 3), ids)
    order = np.arange(3)
    assert not np.shares_memory(occlusion._permutation(order, 3), order)
    assert cm.occlude(masks, order).area.tolist() == [0, 0, 4]


def test_colours_stand_for_the_ids_that_numpy_computes():
    rng = np.random.default_rng(2)
    palette = rng.integers(0, 256, (30, 3)).astype(np.uint8)
    palette[0] = 0
    colours = palette[rng.integers(0, 30, (40, 60))]
    red, green, blue = colours.astype(np.int64).transpose(2, 0, 1)
    expected = red + 256 * green + 65536 * blue
    masks, ids = CompactMask.from_panoptic(colours, return_ids=True)
    assert ids.tolist() == sorted(set(expected.ravel().tolist()) - {0})
    assert masks == np.array([expected == i for i in ids])
