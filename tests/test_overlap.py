"""Overlaps of two sets of masks: equal to those of their frames, and to the rivals' bit for bit."""

import json
import math
import pickle

import cv2
import fresh
import numpy as np
import pytest
import supervision as sv
from combs import combs
from data import DATA, needs_data
from hypothesis import example, given
from hypothesis import strategies as st
from pycocotools import mask as coco
from strategies import KINDS, boxes, crowds, noise, silhouettes
from supervision.detection.utils.iou_and_nms import OverlapMetric
from supervision_versions import is_todays

import compactmask as cm
from compactmask import CompactMask
from compactmask.errors import InvalidMaskError, ShapeMismatchError

FUNCTIONS = [cm.intersection_area, cm.mask_iou, cm.mask_ioa, cm.boundary_iou]


@st.composite
def pairs_of_sets(draw, max_side=70):
    """Give two sets of masks of one image, in tight and in other crops, some of them very tall.

    A tall mask of few edges is compared by them, others as bits.
    """
    n, m = draw(st.sampled_from([(4, 4), (1, 3), (2, 1), (3, 5)] * 5 + [(0, 2), (3, 0), (0, 0)]))
    frames = draw(crowds(n + m, max_side, n + m))
    frames = np.repeat(frames, draw(st.sampled_from([1, 1, 40])), axis=1)
    return tuple(in_crops(draw, part) for part in (frames[:n], frames[n:]))


def in_crops(draw, frames):
    shape = frames.shape[1:]
    box = draw(st.one_of(st.none(), boxes(len(frames), shape)))
    return CompactMask.from_dense(frames, box, shape)


def intersections(a, b):
    """Count shared pixels of frames, the slow way."""
    return np.array([[(x & y).sum() for y in b] for x in a], np.int64).reshape(len(a), len(b))


def divide(intersection, whole):
    return np.divide(intersection, whole, out=np.zeros(intersection.shape), where=whole > 0)


@given(pairs_of_sets())
def test_intersections_are_those_of_the_frames(case):
    a, b = case
    found = cm.intersection_area(a, b)
    assert found.dtype == np.int64
    assert np.array_equal(found, intersections(a.to_dense(), b.to_dense()))
    assert np.array_equal(cm.intersection_area(a, a), intersections(*[a.to_dense()] * 2))


@given(pairs_of_sets())
def test_ratios_divide_the_intersection_by_the_union_or_by_the_first_mask(case):
    a, b = case
    shared = intersections(a.to_dense(), b.to_dense())
    first, second = a.area[:, None], b.area[None]
    assert np.array_equal(cm.mask_iou(a, b), divide(shared, first + second - shared))
    assert np.array_equal(cm.mask_ioa(a, b), divide(shared, first + 0 * second))


@given(pairs_of_sets(), st.data())
def test_iou_is_that_of_pycocotools_to_the_bit_with_crowds_too(case, data):
    a, b = case
    crowds = data.draw(st.lists(st.integers(0, 1), min_size=len(b), max_size=len(b)))
    if len(a) and len(b):
        rivals = coco.iou(a.to_coco_rle(), b.to_coco_rle(), crowds)
        assert np.array_equal(cm.mask_iou(a, b, crowds), rivals)
        assert np.array_equal(cm.mask_iou(a, b, np.array(crowds, bool)), rivals)
        rivals = coco.iou(a.to_coco_rle(), b.to_coco_rle(), [0] * len(b))
        assert np.array_equal(cm.mask_iou(a, b), rivals)


@given(pairs_of_sets())
def test_ratios_are_those_of_supervision_up_to_its_single_precision(case):
    a, b = case
    theirs = [sv.CompactMask.from_dense(m.to_dense(), m.bbox_xyxy, m.image_shape) for m in case]
    assert np.array_equal(cm.mask_iou(*theirs), cm.mask_iou(a, b))
    precision = np.float32 if is_todays("float32") else np.float64
    iou = sv.mask_iou_batch(*theirs)
    assert np.array_equal(cm.mask_iou(a, b).astype(precision), iou)
    ios = np.maximum(cm.mask_ioa(a, b), cm.mask_ioa(b, a).T)
    assert np.array_equal(
        ios.astype(precision), sv.mask_iou_batch(*theirs, overlap_metric=OverlapMetric.IOS)
    )


@given(pairs_of_sets())
def test_overlaps_keep_their_laws(case):
    for a, b in (case, case[::-1]):
        iou, ioa = cm.mask_iou(a, b), cm.mask_ioa(a, b)
        assert np.array_equal(iou, cm.mask_iou(b, a).T)
        assert ((iou >= 0) & (iou <= ioa) & (ioa <= 1)).all()
        assert np.array_equal(np.round(ioa * a.area[:, None]), cm.intersection_area(a, b))
        assert np.array_equal(cm.mask_iou(a, b, np.ones(len(b), bool)), ioa)
        assert np.array_equal(cm.mask_iou(a, a).diagonal(), (a.area > 0).astype(float))
        assert np.array_equal(cm.intersection_area(a, a).diagonal(), a.area)
        assert np.array_equal(cm.mask_iou(a, a), cm.mask_iou(a, a[:]))
        assert np.array_equal(cm.mask_iou(a.repack(), b), iou)


def boundary(frame, ratio):
    """Take the boundary of a mask as the authors of Boundary IoU do."""
    h, w = frame.shape
    iterations = max(1, round(ratio * math.sqrt(h**2 + w**2)))
    padded = cv2.copyMakeBorder(frame.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=iterations)
    return frame & (inside[1:-1, 1:-1] == 0)


def boundary_ious(a, b, ratio, crowds=None):
    """Compare frames by the boundaries that the authors' code takes."""
    a, b = ([boundary(frame, ratio) for frame in frames] for frames in (a, b))
    shared = intersections(a, b)
    first, second = (np.array([frame.sum() for frame in frames], int) for frames in (a, b))
    other = second - shared if crowds is None else np.where(crowds, 0, second - shared)
    return divide(shared, first[:, None] + other)


@given(pairs_of_sets(), st.sampled_from([0.0, 0.02, 0.05, 0.3]))
@example([CompactMask.from_dense(np.ones((1, 250, 150), bool))] * 2, 0.02)
def test_boundary_iou_is_that_of_the_authors_code(case, ratio):
    frames = [mask.to_dense() for mask in case]
    expected = boundary_ious(*frames, ratio)
    assert np.array_equal(cm.boundary_iou(*case, dilation_ratio=ratio), expected)
    if ratio == 0.02:
        assert np.array_equal(cm.boundary_iou(*case), expected)
    crowds = np.arange(len(case[1])) % 2
    expected = boundary_ious(*frames, ratio, crowds)
    assert np.array_equal(cm.boundary_iou(*case, ratio, crowds), expected)


@pytest.mark.parametrize(
    ("ratio", "distance"), [(0.0165, 7), (0.0185, 7), (1 / 160, 2), (3 / 160, 8)]
)
def test_the_distance_of_a_boundary_is_rounded_and_half_to_even(ratio, distance):
    shape = (240, 320)  # its diagonal is 400
    rng = np.random.default_rng(7)
    frames = np.array([silhouettes(rng, *shape) for _ in range(6)])
    frames[0], frames[0, 50:200, 60:290] = False, True
    inside = (150 - 2 * distance) * (230 - 2 * distance)
    assert boundary(frames[0], ratio).sum() == 150 * 230 - inside
    mask = CompactMask.from_dense(frames)
    found = cm.boundary_iou(mask[:3], mask[3:], ratio)
    assert np.count_nonzero(found) > 6
    assert (found < 0.9).all()
    assert np.array_equal(found, boundary_ious(frames[:3], frames[3:], ratio))


def test_sets_that_fill_several_tiles_as_bits_and_edges_share_what_their_rows_and_columns_do():
    mask, expected = combs(60)
    assert np.array_equal(mask.area, expected.diagonal())
    for threads in (1, 3):
        assert np.array_equal(cm.intersection_area(mask, mask, num_threads=threads), expected)
        found = cm.intersection_area(mask, mask[5:9], num_threads=threads)
        assert np.array_equal(found, expected[:, 5:9])
        found = cm.intersection_area(mask[5:9], mask, num_threads=threads)
        assert np.array_equal(found, expected[5:9])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_threads_give_what_one_gives(function):
    rng = np.random.default_rng(3)
    mask = CompactMask.from_dense(np.array([silhouettes(rng, 90, 120) for _ in range(41)]))
    expected = function(mask, mask)
    assert (expected > 0).mean() > 0.2
    for other in (mask, mask[:]):
        assert np.array_equal(function(mask, other, num_threads=3), expected)
        assert np.array_equal(function(mask, other[:7], num_threads=3), expected[:, :7])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_sets_without_masks_give_empty_matrices(function):
    none = CompactMask.empty((5, 7))
    one = CompactMask.from_dense(np.ones((1, 5, 7), bool))
    for a, b in ((none, none), (none, one), (one, none)):
        found = function(a, b)
        assert found.shape == (len(a), len(b))
        assert found.dtype == (np.int64 if function is cm.intersection_area else np.float64)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_masks_without_pixels_overlap_nothing_not_even_themselves(function):
    frames = np.zeros((2, 1, 1), bool)
    frames[1] = True
    mask = CompactMask.from_dense(frames)
    assert function(mask, mask).tolist() == [[0, 0], [0, 1]]


def comb(y, x, teeth, side=30000):
    """Give the RLE of a mask of few edges whose tight crop is nearly the whole image."""
    counts = [x * side + y, side - 2 * y] + [2 * y + 99 * side, side - 2 * y] * teeth
    return {"size": [side, side], "counts": [*counts, side * side - sum(counts)]}


def test_crops_as_large_as_a_huge_image_take_memory_for_their_edges_alone():
    side = 30000
    mask = CompactMask.from_coco_rle([comb(10, 100, 290), comb(40, 300, 250), comb(40, 301, 250)])
    a, b, c = 291 * (side - 20), 251 * (side - 80), 251 * (side - 80)
    set_up = f"""
import compactmask as cm, pickle
mask = pickle.loads({pickle.dumps(mask)!r})
small = cm.CompactMask([[0, 9]], [[3, 3]], [[0, 0]], (9, 9))
cm.boundary_iou(small, small)
"""
    work = f"""
assert cm.intersection_area(mask, mask).tolist() == {[[a, b, 0], [b, b, 0], [0, 0, c]]}
assert cm.boundary_iou(mask, mask).shape == (3, 3)
"""
    assert fresh.peak_growth(set_up, work) < 50e6  # three planes would be 337e6


def test_many_small_masks_of_a_huge_image_take_memory_for_a_tile_and_the_matrix():
    set_up = """
import numpy as np
from test_overlap import cm, intersections, scattered

mask, small = scattered(40)
frame = small.to_dense()
expected = np.kron(np.eye(40, dtype=np.int64), intersections(frame, frame))
cm.intersection_area(small, small)
"""
    work = "assert np.array_equal(cm.intersection_area(mask, mask), expected)"
    assert fresh.peak_growth(set_up, work) < 40e6  # the matrix is 20e6


def scattered(n):
    """Give n masks at n places of a huge image that are far from each other, and the n alone."""
    rng = np.random.default_rng(5)
    small = CompactMask.from_dense(np.array([silhouettes(rng, 60, 60) for _ in range(n)]))
    places = rng.integers(0, 29900, (n, 2))
    assert (np.abs(places[:, None] - places).max(axis=2) >= 60).sum() == n * (n - 1)
    shape = (30000, 30000)
    return CompactMask.merge([small.with_offset(x, y, shape) for x, y in places.tolist()]), small


def digest():
    """Count the overlaps of masks of every kind and of sides around 64."""
    rng = np.random.default_rng(9)
    found = []
    for shape in [(h, w) for h in (63, 64, 65, 200) for w in (1, 3, 4, 5, 70)]:
        mask = CompactMask.from_dense(np.array([kind(rng, *shape) for kind in KINDS]))
        found.append(cm.intersection_area(mask, mask).tolist())
    return found


def test_the_baseline_of_the_architecture_counts_the_same():
    script = "import test_overlap; print(test_overlap.digest())"
    assert fresh.run(script, COMPACTMASK_BASELINE="1").strip() == str(digest())


@needs_data
def test_overlaps_of_real_results_with_ground_truth_are_those_of_pycocotools():
    folder = DATA / "coco-val2014-100"
    document = json.loads((folder / "instances_val2014_100.json").read_bytes())
    results = json.loads((folder / "instances_val2014_fakesegm100_results.json").read_bytes())
    compared = 0
    for image in document["images"]:
        shape = (image["height"], image["width"])
        truth = [one for one in document["annotations"] if one["image_id"] == image["id"]]
        found = [one["segmentation"] for one in results if one["image_id"] == image["id"]]
        crowds = [one["iscrowd"] for one in truth]
        rles = [coco.frPyObjects(one["segmentation"], *shape) for one in truth]
        rles = [coco.merge(rle) if isinstance(rle, list) else rle for rle in rles]
        if not rles or not found:
            continue
        masks = CompactMask.from_coco_rle(found), CompactMask.from_coco_rle(rles)
        assert np.array_equal(cm.mask_iou(*masks, crowds), coco.iou(found, rles, crowds))
        compared += len(found) * len(rles)
    assert compared > 5000


@pytest.mark.parametrize("function", FUNCTIONS)
def test_other_images_arrays_and_no_threads_are_refused(function):
    mask = CompactMask.from_dense(np.ones((1, 4, 5), bool))
    other = CompactMask.from_dense(np.ones((1, 5, 4), bool))
    with pytest.raises(ShapeMismatchError, match=r"b has image shape \(5, 4\), expected \(4, 5\)"):
        function(mask, other)
    with pytest.raises(TypeError, match="a is an ndarray, expected a CompactMask: call Compact"):
        function(mask.to_dense(), mask)
    with pytest.raises(TypeError, match="b is a list, expected a CompactMask"):
        function(mask, [])
    with pytest.raises(ValueError, match="num_threads is 0, expected 1 at least"):
        function(mask, mask[:0], num_threads=0)


def test_crowds_that_do_not_fit_are_refused():
    mask = CompactMask.from_dense(np.ones((2, 4, 5), bool))
    with pytest.raises(ShapeMismatchError, match=r"iscrowd has shape \(3,\), expected \(2,\)"):
        cm.mask_iou(mask, mask, [0, 0, 1])
    with pytest.raises(TypeError, match="iscrowd has dtype float64, expected bools or integers"):
        cm.mask_iou(mask, mask, [0.0, 1.0])


@pytest.mark.parametrize("ratio", [-0.1, 1.5, math.nan])
def test_a_dilation_ratio_outside_0_to_1_is_refused(ratio):
    mask = CompactMask.from_dense(np.ones((1, 4, 5), bool))
    with pytest.raises(ValueError, match=f"dilation_ratio is {ratio}, expected 0 to 1"):
        cm.boundary_iou(mask, mask, ratio)


def test_packed_bytes_that_do_not_fit_their_area_are_named():
    mask = CompactMask.from_dense(np.stack([noise(np.random.default_rng(i), 9, 9) for i in (1, 2)]))
    packed = mask._packed
    area = packed.area.copy()
    area[1] += 1
    bad = CompactMask._wrap(
        type(packed).from_columns(
            packed.image_shape, packed.offsets, packed.crop_shapes, area, packed.indptr, packed.data
        )
    )
    for a, b in ((bad, bad), (bad, mask), (mask, bad)):
        for threads in (1, 2):
            with pytest.raises(
                InvalidMaskError, match=r"mask 1: \d+ pixels are True, but its area"
            ):
                cm.mask_iou(a, b, num_threads=threads)
