"""Non-maximum suppression keeps what supervision keeps, without its matrix."""

import json
import math

import fresh
import numpy as np
import pytest
import supervision as sv
from combs import HEIGHT, comb, combs
from data import DATA, needs_data
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import crowds_and_boxes, silhouettes
from supervision.detection.utils.iou_and_nms import OverlapMetric
from supervision_versions import is_todays

import compactmask as cm
from compactmask import CompactMask
from compactmask.errors import ShapeMismatchError

# Row i has i + 1 of 10 pixels: overlaps are 1/10, 1/5, 1/2 exactly, and equal among them.
TIES = np.tril(np.ones((10, 10), bool))[:, None]

METRICS = {"iou": OverlapMetric.IOU, "ios": OverlapMetric.IOS}

needs_float32 = pytest.mark.skipif(
    not is_todays("float32"), reason=f"supervision {sv.__version__} divides overlaps in float64"
)


def theirs(mask, scores, threshold, class_id=None, metric="iou"):
    """Ask supervision, by its own kind of masks."""
    columns = [np.zeros((len(mask), 4)), np.asarray(scores, np.float64)[:, None]]
    if class_id is not None:
        columns.append(np.asarray(class_id, np.float64)[:, None])
    masks = mask.to_supervision()
    return sv.mask_non_max_suppression(np.hstack(columns), masks, threshold, METRICS[metric])


def greedy(mask, scores, threshold, class_id, metric):
    """Suppress by the matrix, in single precision as supervision computes it on small images."""
    shared = cm.intersection_area(mask, mask).astype(np.float32)
    area = mask.area.astype(np.float32)
    if metric == "iou":
        whole = area[:, None] + area - shared
    else:
        whole = np.minimum(area[:, None], area)
    overlap = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    left = list(np.argsort(scores)[::-1])
    kept = np.zeros(len(mask), bool)
    while left:
        best = left.pop(0)
        kept[best] = True
        left = [
            i
            for i in left
            if class_id[i] != class_id[best] or not float(overlap[best, i]) > threshold
        ]
    return kept


@needs_float32
@given(
    crowds_and_boxes(max_n=12, max_side=40, min_n=2),
    st.sampled_from([0.5, 0.1, 0.2, 1 / 3, 0.4, 0.6, 0.7] * 3 + [0.9, 0, 1]),
    st.sampled_from(["iou", "ios"]),
    st.integers(0, 2**32 - 1),
)
@example((TIES, None), 0.5, "iou", 1)
@example((TIES, None), 0.1, "iou", 2)
@example((TIES, None), 0.2, "iou", 3)
@example((TIES, None), 0.5, "ios", 4)
def test_it_keeps_what_supervision_keeps(case, threshold, metric, seed):
    frames, boxes = case
    mask = CompactMask.from_dense(frames, boxes, frames.shape[1:])
    rng = np.random.default_rng(seed)
    scores = np.where(rng.random(len(mask)) < 0.5, 0.5, rng.uniform(-3, 3, len(mask)))
    class_id = rng.choice(3, len(mask), p=[0.7, 0.2, 0.1]).tolist()
    for classes in (None, class_id):
        found = cm.mask_nms(mask, scores, threshold, classes, metric)
        assert found.dtype == np.bool_
        assert np.array_equal(found, theirs(mask, scores, threshold, classes, metric))
        groups = class_id if classes else [0] * len(mask)
        assert np.array_equal(found, greedy(mask, scores, threshold, groups, metric))


def crowd(n, seed=0, shape=(200, 240)):
    """Give many masks that overlap, with scores of which some are equal, and classes."""
    rng = np.random.default_rng(seed)
    frames = np.zeros((n, *shape), bool)
    for frame in frames:
        h, w = rng.integers(20, 90, 2)
        y, x = rng.integers(0, shape[0] - h), rng.integers(0, shape[1] - w)
        frame[y : y + h, x : x + w] = silhouettes(rng, h, w)
    return CompactMask.from_dense(frames), rng.integers(0, 100, n) / 100, rng.integers(0, 3, n)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5])
def test_hundreds_of_masks_with_equal_scores_and_classes_are_kept_as_by_supervision(
    threshold, metric
):
    mask, scores, class_id = crowd(300, shape=(100, 110))
    for classes in (None, class_id):
        found = cm.mask_nms(mask, scores, threshold, classes, metric)
        assert np.array_equal(found, theirs(mask, scores, threshold, classes, metric))
        assert 0.05 < found.mean() < 1


def test_detections_with_nms_of_supervision_keep_the_same():
    mask, scores, class_id = crowd(60, seed=1)
    detections = sv.Detections(
        xyxy=mask.bbox_xyxy.astype(float), mask=mask, confidence=scores, class_id=class_id
    )
    for agnostic, classes in ((True, None), (False, class_id)):
        kept = detections.with_nms(0.2, class_agnostic=agnostic)
        found = cm.mask_nms(mask, scores, 0.2, classes)
        assert kept.mask == mask[found]


def test_a_set_that_fills_several_tiles_is_suppressed_across_them():
    mask, _ = combs(60)
    rng = np.random.default_rng(8)
    scores, class_id = rng.random(len(mask)), rng.integers(0, 2, len(mask))
    for classes in ([0] * len(mask), class_id):
        for threshold in (0.3, 0.4, 0.5):
            found = cm.mask_nms(mask, scores, threshold, classes)
            assert np.array_equal(found, greedy(mask, scores, threshold, classes, "iou"))
            assert 0 < found.sum() < len(mask)


def test_a_mask_of_another_tile_is_dropped_by_one_of_its_own_class_alone():
    first = comb(np.arange(HEIGHT) // 64 % 2 == 0, 0, 3600)
    between, _ = combs(60)
    mask = CompactMask.merge([first, between, first, first])
    classes = [0, *range(2, 62), 1, 0]
    assert np.flatnonzero(~cm.mask_nms(mask, -np.arange(63), 0.5, classes)).tolist() == [62]


def test_a_mask_that_was_dropped_drops_none_of_another_tile():
    rows = np.arange(HEIGHT) // 64 % 2 == 0
    first, second, last = (comb(rows, x, x + 3600) for x in (0, 900, 1800))
    between, _ = combs(60)
    mask = CompactMask.merge([first, second, between, last])
    classes = [0, 0, *range(1, 61), 0]
    found = cm.mask_nms(mask, -np.arange(63), 0.5, classes)
    assert np.flatnonzero(~found).tolist() == [1]


@needs_float32
def test_an_overlap_of_exactly_the_threshold_is_rounded_as_supervision_rounds_it():
    row = np.zeros((2, 1, 10), bool)
    row[0], row[1, 0, :1] = True, True
    small = CompactMask.from_dense(row)
    assert cm.mask_nms(small, [2, 1], 0.1).tolist() == [True, False]  # float32(0.1) > 0.1
    assert theirs(small, [2, 1], 0.1).tolist() == [True, False]
    single = small.with_offset(0, 0, (4096, 4096))
    assert cm.mask_nms(single, [2, 1], 0.1).tolist() == [True, False]
    assert theirs(single, [2, 1], 0.1).tolist() == [True, False]
    large = small.with_offset(0, 0, (4097, 4096))
    assert cm.mask_nms(large, [2, 1], 0.1).tolist() == [True, True]
    assert theirs(large, [2, 1], 0.1).tolist() == [True, True]


def test_a_mask_that_was_dropped_drops_no_other():
    row = np.zeros((3, 1, 30), bool)
    row[0, 0, :12] = row[1, 0, 4:16] = row[2, 0, 8:20] = True
    mask = CompactMask.from_dense(row)
    assert cm.mask_nms(mask, [3, 2, 1], 0.4).tolist() == [True, False, True]
    assert cm.mask_nms(mask, [2, 3, 1], 0.4).tolist() == [False, True, False]


def test_masks_without_pixels_are_kept():
    mask = CompactMask.from_dense(np.zeros((3, 4, 4), bool))
    for metric in METRICS:
        assert cm.mask_nms(mask, [1, 2, 3], 0, metric=metric).tolist() == [True] * 3
    assert cm.mask_nms(CompactMask.empty((4, 4)), []).shape == (0,)


def test_plain_masks_of_supervision_are_taken_too():
    mask, scores, _ = crowd(30, seed=2)
    assert np.array_equal(
        cm.mask_nms(mask.to_supervision(), scores, 0.1), cm.mask_nms(mask, scores, 0.1)
    )


def test_ten_thousand_masks_of_a_huge_image_take_bounded_memory():
    set_up = """
import numpy as np
import compactmask as cm
rng = np.random.default_rng(0)
y, x = np.ogrid[:150, :150]
sides = rng.integers(40, 75, (100, 2))
frames = np.array([((y - 75) / h) ** 2 + ((x - 75) / w) ** 2 < 1 for h, w in sides])
small = cm.CompactMask.from_dense(frames)
places = rng.integers(0, 19800, (100, 2)).tolist()
masks = cm.CompactMask.merge([small.with_offset(x, y, (20000, 20000)) for x, y in places])
scores = rng.random(len(masks))
cm.mask_nms(masks[:5], scores[:5])
"""
    work = """
kept = cm.mask_nms(masks, scores, 0.99)
assert len(kept) == 10000 > kept.sum()
"""
    assert fresh.peak_growth(set_up, work) < 50e6  # a matrix of booleans would be 100e6


@needs_data
def test_real_results_are_kept_as_by_supervision():
    path = DATA / "coco-val2014-100/instances_val2014_fakesegm100_results.json"
    groups = {}
    for one in json.loads(path.read_bytes()):
        groups.setdefault(one["image_id"], []).append(one)
    dropped = 0
    for group in groups.values():
        mask = CompactMask.from_coco_rle([one["segmentation"] for one in group])
        scores = [one["score"] for one in group]
        for classes in (None, [one["category_id"] for one in group]):
            found = cm.mask_nms(mask, scores, 0.1, classes)
            assert np.array_equal(found, theirs(mask, scores, 0.1, classes))
            dropped += np.count_nonzero(~found)
    assert dropped > 10


def test_bad_arguments_are_refused():
    mask = CompactMask.from_dense(np.ones((2, 3, 3), bool))
    with pytest.raises(TypeError, match="masks is an ndarray, expected a CompactMask: call"):
        cm.mask_nms(mask.to_dense(), [1, 2])
    with pytest.raises(ShapeMismatchError, match=r"scores has shape \(3,\), expected \(2,\)"):
        cm.mask_nms(mask, [1, 2, 3])
    with pytest.raises(TypeError, match="scores has dtype <U1, expected numbers"):
        cm.mask_nms(mask, ["a", "b"])
    with pytest.raises(ValueError, match="score 1 is NaN, expected a number"):
        cm.mask_nms(mask, [1, math.nan])
    with pytest.raises(ShapeMismatchError, match=r"class_id has shape \(1,\), expected \(2,\)"):
        cm.mask_nms(mask, [1, 2], class_id=[1])
    with pytest.raises(TypeError, match="class_id has dtype float64, expected integers"):
        cm.mask_nms(mask, [1, 2], class_id=[1.0, 2.0])
    for threshold in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=f"iou_threshold is {threshold}, expected 0 to 1"):
            cm.mask_nms(mask, [1, 2], threshold)
    with pytest.raises(ValueError, match="metric is 'giou', expected 'iou' or 'ios'"):
        cm.mask_nms(mask, [1, 2], metric="giou")


@pytest.mark.parametrize("metric", METRICS)
def test_threads_keep_what_one_keeps_of_more_masks_than_a_tile_holds(metric):
    mask, _ = combs(90)
    rng = np.random.default_rng(1)
    scores, classes = rng.permutation(len(mask)), rng.integers(0, 2, len(mask))
    expected = cm.mask_nms(mask, scores, 0.4, classes, metric)
    assert 0 < expected.sum() < len(mask)
    for num_threads in (2, 3, 50):
        found = cm.mask_nms(mask, scores, 0.4, classes, metric, num_threads=num_threads)
        assert np.array_equal(found, expected)


def test_no_threads_are_refused():
    mask = CompactMask.from_dense(np.ones((2, 3, 3), bool))
    with pytest.raises(ValueError, match="num_threads is 0, expected 1 at least"):
        cm.mask_nms(mask, [1, 2], num_threads=0)
