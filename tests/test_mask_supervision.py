"""CompactMask does what supervision.CompactMask does: the same pixels, crops, runs and errors.

Where supervision is older than 0.31, it is asked only for what it does as 0.31.2 (see
`supervision_versions.TABLE`), and the rest is compared with full frames.
"""

import copy
import json

import cv2
import numpy as np
import pytest
import supervision as sv
from data import DATA, needs_data
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import shapes, stacks_and_boxes
from supervision_versions import is_todays

from compactmask import CompactMask


def both(case):
    """Make a set of ours and one of theirs."""
    frames, boxes = case
    shape = frames.shape[1:]
    ours = CompactMask.from_dense(frames, boxes, shape)
    if not is_todays("boxes outside"):
        frames, boxes = without_boxes_outside(frames, boxes)
    return ours, sv.CompactMask.from_dense(frames, boxes, shape)


def without_boxes_outside(frames, boxes):
    """Put an empty pixel for what 0.31.2 makes one of."""
    far = np.array([*frames.shape[:0:-1]] * 2) - 1
    whole = np.trunc(boxes.astype(float))
    first, last = whole[:, :2], whole[:, 2:]
    is_outside = ((last < first) | (last < 0) | (first > far[:2])).any(axis=1)
    pixel = np.tile(np.clip(first, 0, far[:2]), 2)
    return (
        frames & ~is_outside[:, None, None],
        np.where(is_outside[:, None], pixel, np.clip(whole, 0, far)),
    )


def assert_same(ours, theirs):
    assert isinstance(ours, CompactMask)
    assert (ours.shape, ours.image_shape) == (theirs.shape, tuple(theirs._image_shape))
    assert (len(ours), ours.dtype) == (len(theirs), theirs.dtype)
    for name in ("offsets", "bbox_xyxy", "_crop_shapes", "_offsets", "area"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
    assert [run.tolist() for run in ours._rles] == [run.tolist() for run in theirs._rles]
    assert {run.dtype for run in ours._rles} <= {np.dtype(np.int32)}
    assert np.array_equal(ours.to_dense(), theirs.to_dense())


@settings(max_examples=150)
@given(stacks_and_boxes())
@example((np.zeros((0, 5, 6), bool), np.zeros((0, 4))))
def test_from_dense_makes_the_same_set(case):
    assert_same(*both(case))


@given(stacks_and_boxes())
def test_from_coco_rle_makes_the_same_set(case):
    frames, boxes = case
    shape = frames.shape[1:]
    whole = CompactMask.from_dense(frames, image_shape=shape)
    for compressed in (True, False):
        rles = whole.to_coco_rle(compressed)
        ours = CompactMask.from_coco_rle(rles, boxes, shape)
        if is_todays("from_coco_rle"):
            assert_same(ours, sv.CompactMask.from_coco_rle(rles, boxes, shape))
        assert_same(ours, both(case)[1])
    as_bytes = [{**rle, "counts": rle["counts"].encode()} for rle in whole.to_coco_rle()]
    assert CompactMask.from_coco_rle(as_bytes, boxes, shape) == ours


@given(stacks_and_boxes())
def test_sets_go_to_supervision_and_back(case):
    ours, theirs = both(case)
    assert_same(CompactMask.from_supervision(theirs), theirs)
    assert type(ours.to_supervision()) is sv.CompactMask
    assert_same(ours, ours.to_supervision())
    again = CompactMask(theirs._rles, theirs._crop_shapes, theirs._offsets, theirs._image_shape)
    assert_same(again, theirs)


@given(stacks_and_boxes(min_n=1), st.data())
def test_one_mask_decodes_the_same(case, data):
    ours, theirs = both(case)
    n = len(ours)
    i = data.draw(st.integers(-n, n - 1))
    for index in (i, np.int64(i), np.int8(i)):
        assert np.array_equal(ours.crop(index), theirs.crop(index))
        assert ours[index].dtype == np.bool_
        assert np.array_equal(ours[index], theirs[index])
    assert [mask.tolist() for mask in ours] == [mask.tolist() for mask in theirs]
    chosen = data.draw(st.lists(st.integers(-n, n - 1), max_size=4))
    crops = [theirs.crop(k).tolist() for k in chosen]
    assert [crop.tolist() for crop in ours.crops(chosen)] == crops
    assert [crop.tolist() for crop in ours.crops()] == [theirs.crop(k).tolist() for k in range(n)]


@st.composite
def selections(draw, n):
    """Give what may stand in brackets: slices, lists, arrays, and bools of any length."""
    kind = draw(st.sampled_from(["slice", "list", "array", "bools", "bool array", "tuple"]))
    if kind == "slice":
        bound = st.none() | st.integers(-n - 2, n + 2)
        step = draw(st.none() | st.sampled_from([-3, -2, -1, 1, 2, 3]))
        return slice(draw(bound), draw(bound), step)
    if kind in ("bools", "bool array"):
        length = draw(st.integers(0, n + 3))
        bools = [draw(st.booleans()) and i < n for i in range(length)]
        return bools if kind == "bools" else np.array(bools, bool)
    chosen = draw(st.lists(st.integers(-n, n - 1), max_size=6)) if n else []
    if kind == "array":
        return np.array(chosen, draw(st.sampled_from([np.int64, np.int32, np.int8])))
    return tuple(chosen) if kind == "tuple" else chosen


@settings(max_examples=150)
@given(stacks_and_boxes(max_side=20), st.data())
def test_selections_of_every_kind_are_the_same(case, data):
    ours, theirs = both(case)
    index = data.draw(selections(len(ours)))
    assert_same(ours[index], theirs[index])


@pytest.mark.parametrize("index", [[True, 0], [np.True_, np.False_], True, np.array([], float)])
def test_selections_that_mix_or_look_odd_are_the_same(index):
    frames = np.arange(32).reshape(2, 4, 4) % 3 == 0
    ours, theirs = both((frames, np.array([[0, 0, 3, 3]] * 2)))
    if index is True:
        assert np.array_equal(ours[index], theirs[index])
    else:
        assert_same(ours[index], theirs[index])


@given(stacks_and_boxes())
def test_sums_over_any_axes_are_the_same(case):
    ours, theirs = both(case)
    for axis in (None, 0, 1, 2, -1, -2, -3, (), (0,), (0, 1), (2, 0), (1, 2), (-1, 1), (0, 1, 2)):
        found, expected = ours.sum(axis=axis), theirs.sum(axis=axis)
        assert type(found) is type(expected)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert np.array_equal(found, expected)


@given(stacks_and_boxes())
def test_a_set_becomes_the_same_array(case):
    ours, theirs = both(case)
    for kind in (None, bool, np.uint8, np.float32):
        found, expected = np.asarray(ours, dtype=kind), np.asarray(theirs, dtype=kind)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


@given(stacks_and_boxes(), st.data())
def test_sets_compare_the_same(case, data):
    ours, theirs = both(case)
    dense = theirs.to_dense()
    if dense.size and data.draw(st.booleans()):
        dense[tuple(data.draw(st.integers(0, side - 1)) for side in dense.shape)] ^= True
    other = CompactMask.from_dense(dense, image_shape=dense.shape[1:])
    expected = bool(np.array_equal(dense, theirs.to_dense()))
    assert (ours == other, other == ours) == (expected, expected)
    assert (theirs == other, other == theirs, theirs != other) == (expected, expected, not expected)
    assert (ours == dense, theirs == dense) == (expected, expected)
    assert ours == theirs.repack()
    assert theirs == ours.repack()


@given(stacks_and_boxes())
def test_repack_is_the_same(case):
    ours, theirs = both(case)
    assert_same(ours.repack(), theirs.repack())


@given(stacks_and_boxes(), st.integers(-90, 90), st.integers(-90, 90), shapes(120))
def test_with_offset_is_the_same(case, dx, dy, shape):
    ours, theirs = both(case)
    assert_same(ours.with_offset(dx, dy, shape), theirs.with_offset(dx, dy, shape))


@settings(max_examples=200)
@given(stacks_and_boxes(), shapes(160))
def test_resize_is_the_same(case, shape):
    ours, theirs = both(case)
    assert_resized(ours, theirs, shape)


def assert_resized(ours, theirs, shape):
    found = ours.resize(shape)
    if is_todays("resize"):
        assert_same(found, theirs.resize(shape))
    for frame, expected in zip(found, theirs, strict=True):
        resized = cv2.resize(
            expected.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST
        )
        assert np.array_equal(frame, resized)


@given(stacks_and_boxes(), st.data())
def test_merge_is_the_same_and_takes_sets_of_both_kinds(case, data):
    ours, theirs = both(case)
    picks = data.draw(st.lists(st.booleans(), min_size=1, max_size=4))
    merged = CompactMask.merge([ours if pick else theirs for pick in picks])
    assert_same(merged, sv.CompactMask.merge([theirs] * len(picks)))
    assert_same(
        CompactMask.from_supervision(sv.CompactMask.merge([ours, theirs])),
        theirs[[*range(len(theirs))] * 2],
    )


# ------------------------------------------------------------- errors


FRAMES = np.ones((2, 4, 5), bool)
BOXES = np.array([[0.0, 0, 4, 3], [1, 1, 2, 2]])
RLE = {"size": [4, 5], "counts": [0, 20]}


def nan_box(value, at=2):
    boxes = BOXES.copy()
    boxes[1, at] = value
    return boxes


MISUSE = [
    # what is done, and what each says
    (
        lambda m, c: c.from_dense(FRAMES, nan_box(np.nan), (4, 5)),
        r"box 1: x2 is nan, expected a fi",
    ),
    (
        lambda m, c: c.from_dense(FRAMES, nan_box(np.inf, 0), (4, 5)),
        r"box 1: x1 is inf, expected a",
    ),
    (lambda m, c: c.from_coco_rle([RLE] * 2, nan_box(np.nan, 1), (4, 5)), r"box 1: y1 is nan, ex"),
    (
        lambda m, c: c.from_coco_rle([RLE], BOXES, (4, 5)),
        r"xyxy has shape \(2, 4\), expected \(1, 4",
    ),
    (
        lambda m, c: c.from_coco_rle([RLE], BOXES[:1], (5, 4)),
        r"mask 0: size \(4, 5\) found, image_sh",
    ),
    (
        lambda m, c: c.from_coco_rle([5], BOXES[:1], (4, 5)),
        r"mask 0: int without 'size' and 'counts'",
    ),
    (
        lambda m, c: c.from_coco_rle([{}], BOXES[:1], (4, 5)),
        r"mask 0: dict without 'size' and 'count",
    ),
    (
        lambda m, c: c.from_coco_rle([{**RLE, "size": [4]}], BOXES[:1], (4, 5)),
        r"mask 0: size \[4\] found, \[H, W\] expected",
    ),
    (
        lambda m, c: c.from_coco_rle([{**RLE, "counts": [19]}], BOXES[:1], (4, 5)),
        r"mask 0: runs cover 19 pixels, image \(4, 5\) has 20",
    ),
    (
        lambda m, c: c.from_coco_rle([{**RLE, "counts": [-1, 21]}], BOXES[:1], (4, 5)),
        r"mask 0: run 0 has length -1, expected 0 to 20",
    ),
    (
        lambda m, c: c.from_coco_rle([{**RLE, "counts": "P"}], BOXES[:1], (4, 5)),
        r"mask 0: the counts string ends at character 1 inside a number",
    ),
    (
        lambda m, c: c.from_coco_rle([], BOXES[:0], (0, 5)),
        r"image_shape \(0, 5\): sides of 1 to 1048576 expected",
    ),
    (lambda m, c: m.resize((0, 5)), r"image_shape \(0, 5\): sides of 1 to 1048576 expected"),
    (
        lambda m, c: m.with_offset(1, 1, (5, -1)),
        r"image_shape \(5, -1\): sides of 1 to 1048576 exp",
    ),
    (lambda m, c: c.merge([]), r"^Cannot merge an empty list of CompactMask objects\.$"),
    (
        lambda m, c: c.merge([m, m.resize((9, 9))]),
        r"^Cannot merge CompactMask objects with different image shapes: \(4, 5\)",
    ),
    (lambda m, c: m.__array__(copy=False), r"copy=False"),
    (lambda m, c: m.sum(axis=3), r"axis 3 is out of "),
    (lambda m, c: m.sum(axis=(1, -2)), r"duplicate|names an axis twice"),
    (lambda m, c: m.crop(2), r"out of (range|bounds)"),
    (lambda m, c: m.crop(-3), r"out of (range|bounds)"),
    (lambda m, c: m[2], r"out of (range|bounds)"),
    (lambda m, c: m[-3], r"out of (range|bounds)"),
    (lambda m, c: m[[0, 2]], r"out of range"),
    (lambda m, c: m[np.array([-3])], r"out of range"),
    (lambda m, c: m[[False, False, True]], r"out of range"),
    (lambda m, c: m[np.array([True, True, True])], r"out of range"),
    (
        lambda m, c: m[np.array(1)],
        r"^masks are selected by an int, a slice, or one dimension of ints",
    ),
    (lambda m, c: m[np.True_], r"^masks are selected by an int, a slice, or one dimension of ints"),
    (lambda m, c: m[None], r"^masks are selected by an int, a slice, or one dimension of ints"),
]


@pytest.mark.parametrize(("do", "message"), MISUSE)
def test_misuse_raises_the_error_that_supervision_raises_and_says_what_was_wrong(do, message):
    ours, theirs = both((FRAMES, BOXES))
    kinds = (ValueError, IndexError, TypeError, OverflowError)
    if not is_todays("from_coco_rle"):
        with pytest.raises(kinds, match=message):
            do(ours, CompactMask)
        return
    with pytest.raises(kinds) as expected:
        do(theirs, sv.CompactMask)
    kind = ValueError if expected.type is OverflowError else expected.type
    with pytest.raises(next(base for base in kinds if issubclass(kind, base)), match=message):
        do(ours, CompactMask)


# ------------------------------------------------------------- inside supervision


def detections(mask):
    return sv.Detections(
        xyxy=mask.bbox_xyxy.astype(np.float32),
        mask=mask,
        class_id=np.arange(len(mask)),
        confidence=np.linspace(0.3, 0.9, len(mask), dtype=np.float32),
    )


@pytest.fixture(scope="module")
def scene():
    """Make some overlapping ellipses, as ours and as theirs."""
    y, x = np.mgrid[:90, :120]
    frames = np.array(
        [((y - a) / 11) ** 2 + ((x - b) / 17) ** 2 < 1 for a, b in [(20, 20), (25, 30), (60, 90)]]
    )
    boxes = CompactMask.from_dense(frames).bbox_xyxy
    return detections(CompactMask.from_dense(frames, boxes)), detections(
        sv.CompactMask.from_dense(frames, boxes, (90, 120))
    )


@pytest.mark.parametrize(
    "annotator",
    [sv.MaskAnnotator(), sv.PolygonAnnotator(), sv.HaloAnnotator()],
    ids=lambda annotator: type(annotator).__name__,
)
def test_annotators_draw_the_same_picture(scene, annotator):
    pictures = [annotator.annotate(np.full((90, 120, 3), 50, np.uint8), part) for part in scene]
    assert (pictures[0] != 50).any()
    assert np.array_equal(*pictures)


def test_detections_filter_join_copy_and_suppress_the_same(scene):
    ours, theirs = scene
    for do in (
        lambda d: d[d.confidence > 0.5],
        lambda d: d[1],
        lambda d: d[[2, 0]],
        lambda d: copy.deepcopy(d),
        lambda d: sv.Detections.merge([d, d[:1]]),
        lambda d: d.with_nms(0.2),
        lambda d: d.with_nmm(0.2),
    ):
        found, expected = do(ours), do(theirs)
        assert len(found) == len(expected) > 0
        assert isinstance(found.mask, sv.CompactMask)
        assert np.array_equal(found.mask.to_dense(), expected.mask.to_dense())
        assert np.array_equal(found.area, expected.area)
    assert ours == theirs
    assert ours != ours[[1, 0, 2]]


# ------------------------------------------------------------- real masks


def real_images():
    """Give the RLEs of each image of the real data that has some, and of a video as one image."""
    path = DATA / "coco-val2014-100" / "instances_val2014_fakesegm100_results.json"
    images = {}
    for item in json.loads(path.read_text()):
        images.setdefault(item["image_id"], []).append(item["segmentation"])
    for frame in ("f000", "f030"):
        response = json.loads((DATA / "sam3-pcs" / f"pcs_{frame}_rle.json").read_text())
        images[frame] = [
            prediction["masks"]
            for prompt in response["prompt_results"]
            for prediction in prompt["predictions"]
        ]
    video = json.loads((DATA / "sav-example" / "sav_000001_auto.json").read_text())
    images["video"] = [rle for rles in video["masklet"][::40] for rle in rles]
    return images


@needs_data
def test_real_masks_give_the_same_sets_by_every_method():
    rng = np.random.default_rng(0)
    n = 0
    for rles in real_images().values():
        shape = tuple(rles[0]["size"])
        tight = CompactMask.from_coco_rle(rles)
        boxes = tight.bbox_xyxy + rng.uniform(-6, 6, (len(tight), 4))
        ours = CompactMask.from_coco_rle(rles, boxes, shape)
        theirs = both((tight.to_dense(), boxes))[1]
        assert_same(ours, theirs)
        if is_todays("from_coco_rle"):
            assert_same(ours, sv.CompactMask.from_coco_rle(rles, boxes, shape))
        assert_same(both((tight.to_dense(), boxes))[0], theirs)
        assert_same(ours.repack(), theirs.repack())
        small = (shape[0] // 3, shape[1] // 2)
        assert_resized(ours, theirs, small)
        assert_same(ours.with_offset(-99, 50, small), theirs.with_offset(-99, 50, small))
        assert [rle["counts"] for rle in tight.to_coco_rle()] == [rle["counts"] for rle in rles]
        n += len(ours)
    assert n > 734 + 20
