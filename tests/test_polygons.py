"""CompactMask from polygons by three rules, and back to polygons."""

import json
import re

import fresh
import numpy as np
import pytest
import supervision as sv
from data import DATA, needs_data
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco
from strategies import stacks

from compactmask import CompactMask
from compactmask.errors import InvalidMaskError

FAR = 4_194_304
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]
RULES = ["coco", "fill", "evenodd"]


def by_supervision(polygons, shape):
    """Draw each mask with sv.Detections.from_sam3, through OpenCV."""
    predictions = [{"masks": parts, "confidence": 0.5} for parts in polygons]
    response = {"prompt_results": [{"prompt_index": 0, "predictions": predictions}]}
    return sv.Detections.from_sam3(response, resolution_wh=shape[::-1]).mask


def by_pycocotools(polygons, shape):
    result = []
    for parts in polygons:
        rles = coco.frPyObjects([np.ravel(part).tolist() for part in parts], *shape)
        result.append({"size": list(shape), "counts": coco.merge(rles)["counts"].decode()})
    return result


def signed_area(part):
    x, y = part.T.astype(np.int64)
    return int(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@st.composite
def cases(draw, fewest):
    shape = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    points = st.tuples(*(st.floats(-side, 2.0 * side) for side in shape[::-1]))
    part = st.lists(points, min_size=fewest, max_size=7)
    return draw(st.lists(st.lists(part, min_size=1, max_size=3), min_size=1, max_size=4)), shape


@settings(deadline=None)
@given(cases(3))
def test_coco_is_what_pycocotools_writes(case):
    polygons, shape = case
    assert CompactMask.from_polygons(polygons, shape).to_coco_rle() == by_pycocotools(*case)


@settings(deadline=None)
@given(cases(0))
def test_fill_is_what_supervision_makes_of_a_response(case):
    polygons, shape = case
    mask = CompactMask.from_polygons(polygons, shape, rule="fill")
    assert np.array_equal(mask.to_dense(), by_supervision(polygons, shape))


@needs_data
@pytest.mark.parametrize("frame", ["f000", "f030"])
def test_real_responses_are_filled_as_supervision_does(frame):
    response = json.loads((DATA / f"sam3-pcs/pcs_{frame}_polygon.json").read_text())
    expected = sv.Detections.from_sam3(response, resolution_wh=(720, 1280)).mask
    polygons = [
        prediction["masks"]
        for prompt in response["prompt_results"]
        for prediction in prompt["predictions"]
    ]
    assert len(polygons) > 5
    mask = CompactMask.from_polygons(polygons, (1280, 720), rule="fill")
    assert np.array_equal(mask.to_dense(), expected)


@settings(deadline=None)
@given(stacks())
def test_polygons_of_masks_give_the_masks_back(frames):
    mask = CompactMask.from_dense(frames, image_shape=frames.shape[1:])
    again = CompactMask.from_polygons(mask.to_polygons(), mask.image_shape, rule="evenodd")
    assert again == mask
    assert type(again) is CompactMask


@needs_data
def test_polygons_of_real_masks_give_the_masks_back():
    document = json.loads((DATA / "coco-val2014-100/instances_val2014_100.json").read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in document["images"]}
    by_shape = {}
    for item in document["annotations"]:
        if isinstance(item["segmentation"], list):
            by_shape.setdefault(sizes[item["image_id"]], []).append(item["segmentation"])
    for shape, polygons in by_shape.items():
        mask = CompactMask.from_polygons(polygons, shape)
        assert mask.to_coco_rle() == by_pycocotools(polygons, shape)
        outlines = mask.to_polygons()
        assert CompactMask.from_polygons(outlines, shape, rule="evenodd") == mask
        assert [sum(map(signed_area, parts)) for parts in outlines] == mask.area.tolist()


@pytest.mark.parametrize("rule", RULES)
def test_threads_draw_and_trace_the_same(rule):
    rng = np.random.default_rng(0)
    polygons = [[rng.uniform(-20, 220, (9, 2))] for _ in range(50)]
    mask = CompactMask.from_polygons(polygons, (200, 200), rule)
    assert CompactMask.from_polygons(polygons, (200, 200), rule, num_threads=3) == mask
    for one, other in zip(mask.to_polygons(), mask.to_polygons(num_threads=3), strict=True):
        assert [part.tolist() for part in one] == [part.tolist() for part in other]


@pytest.mark.parametrize("rule", RULES)
def test_parts_come_as_flat_lists_as_points_or_as_arrays(rule):
    part = np.array(SQUARE)
    polygons = [
        [SQUARE],
        [tuple(SQUARE)],
        [part.reshape(-1, 2).tolist()],
        [part.astype(np.float32)],
        np.array([part.reshape(-1, 2)], np.uint8),
        (part.reshape(-1, 2)[::-1] for _ in range(1)),
    ]
    mask = CompactMask.from_polygons(polygons, (5, 5), rule)
    assert len(mask) == 6
    assert (mask.to_dense() == mask[0]).all()
    assert CompactMask.from_polygons([], (5, 5), rule).shape == (0, 5, 5)


def test_a_mask_without_parts_is_empty_but_not_for_coco():
    for rule in ("fill", "evenodd"):
        mask = CompactMask.from_polygons([[], [[]], [[[]]], [SQUARE]], (5, 5), rule)
        assert (mask.area > 0).tolist() == [False, False, False, True]
        assert mask.bbox_xyxy[:3].tolist() == [[0, 0, 0, 0]] * 3
    with pytest.raises(InvalidMaskError, match=r"^mask 1: found no part, expected 1 at least$"):
        CompactMask.from_polygons([[SQUARE], []], (5, 5))
    assert CompactMask.from_dense(np.zeros((1, 3, 3), bool)).to_polygons() == [[]]
    assert CompactMask.empty((3, 3)).to_polygons() == []


def test_polygons_are_arrays_of_their_own():
    frames = np.ones((2, 3, 3), bool)
    frames[:, 1, 1] = False
    first, second = CompactMask.from_dense(frames).to_polygons()
    assert {part.dtype for part in first} == {np.dtype(np.int32)}
    first[0][:] = 7
    assert first[1].max() == 2
    assert second[0].max() == 3


BAD = {
    "one level less": (
        [SQUARE],
        "mask 0: part 0 is of type int, expected [x, y, x, y, ...]: each mask",
    ),
    "points as parts": (
        [[SQUARE], [[1, 1], [3, 1], [3, 3]]],
        "mask 1: part 0 is one point, expected [x, y, x, y, ...] or [[x, y]]: each mask",
    ),
    "a polygon alone": (SQUARE, "mask 0: its polygon is of type int, expected a list of parts"),
    "a number": (5, "polygons is of type int, expected a list of parts for each mask"),
    "a dict": ({"a": 1}, "polygons is of type dict, expected a list of parts for each mask"),
    "none": ([[SQUARE], None], "mask 1: its polygon is of type NoneType, expected a list of parts"),
    "text": ([[SQUARE], "1 2 3"], "mask 1: its polygon is of type str, expected a list of parts"),
    "words": ([[SQUARE, ["1"] * 6]], "mask 0: part 1 has dtype <U1, expected numbers"),
    "truth": ([[[True] * 6]], "mask 0: part 0 has dtype bool, expected numbers"),
    "objects": ([[[1, None] * 3]], "mask 0: part 0 has dtype object, expected numbers"),
    "complex": ([[[1j] * 6]], "mask 0: part 0 has dtype complex128, expected numbers"),
    "uneven": ([[[[1, 2], [3]]]], "mask 0: part 0 is nested unevenly, expected x, y pairs"),
    "triples": ([[np.ones((4, 3))]], "mask 0: part 0 has shape (4, 3), expected [x, y, x, y, ...]"),
    "deep": ([[np.ones((4, 1, 2))]], "mask 0: part 0 has shape (4, 1, 2), expected [x, y, x, y"),
    "odd": ([[SQUARE], [SQUARE, [1.0] * 7]], "mask 1: part 1 has 7 coordinates, expected x, y p"),
    "nan": ([[SQUARE], [[1, 2, 3, np.nan, 5, 6]]], "mask 1: part 0: y of point 1 is nan, expected"),
    "inf": ([[SQUARE, [[1, 2], [3, 4], [-np.inf, 6]]]], "mask 0: part 1: x of point 2 is -inf"),
    "far": (
        [[[FAR, -FAR - 0.5, 0, 0, 1, 1]]],
        f"mask 0: part 0: y of point 0 is {-FAR - 0.5}, expected {-FAR} to {FAR}",
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", BAD)
def test_bad_polygons_are_refused_by_mask_and_part(name, rule):
    polygons, message = BAD[name]
    with pytest.raises(InvalidMaskError, match=f"^{re.escape(message)}"):
        CompactMask.from_polygons(polygons, (5, 5), rule)


def test_coco_refuses_parts_of_fewer_than_three_points():
    for part, n in ([], 0), ([[1, 1]], 1), ([1, 1, 2, 2], 2):
        message = rf"^mask 1: part 1 has {n} points, expected 3 at least$"
        with pytest.raises(InvalidMaskError, match=message):
            CompactMask.from_polygons([[SQUARE], [SQUARE, part]], (5, 5))


def test_a_rule_and_an_image_must_be_ones_that_there_are():
    for rule in ("odd", []):
        message = f"rule is {rule!r}, expected 'coco', 'fill' or 'evenodd'"
        with pytest.raises(ValueError, match=re.escape(message)):
            CompactMask.from_polygons([[SQUARE]], (5, 5), rule)
    with pytest.raises(InvalidMaskError, match=r"^image_shape \(0, 5\): sides of 1 to 1048576"):
        CompactMask.from_polygons([[SQUARE]], (0, 5))


@pytest.mark.parametrize("rule", RULES)
def test_too_many_crossings_are_refused_by_mask_on_any_thread(rule):
    side = 1_048_576
    zigzag = np.tile([-1.0, -1, side, side], 40)
    polygons = [[SQUARE]] * 9 + [[zigzag]]
    for threads in (1, 3):
        with pytest.raises(InvalidMaskError, match=r"^mask 9: its outlines cross .* expected at"):
            CompactMask.from_polygons(polygons, (side, side), rule, num_threads=threads)


@pytest.mark.parametrize("rule", RULES)
def test_large_images_cost_what_their_outlines_do(rule):
    shape = (30_000, 30_000)
    small = [[29_000 + 5 * np.array(SQUARE)]] * 100
    huge = [[[0, 0, 29_999, 0, 29_999, 29_999, 0, 29_999]]]
    for polygons in (small, huge):
        mask = CompactMask.from_polygons(polygons, shape, rule)
        assert len(mask.to_polygons()[0][0]) == 4
        assert mask.nbytes < 200 * len(mask) + 200
    side = 30_000 if rule == "fill" else 29_999
    assert mask.area.tolist() == [side**2]


def test_tracing_needs_memory_for_corners_only():
    set_up = """
import numpy as np
from compactmask import CompactMask

frames = np.random.default_rng(0).random((1, 500, 500)) < 0.5
mask = CompactMask.from_dense(frames).with_offset(29_000, 29_000, (30_000, 30_000))
mask[:0].to_polygons()
"""
    assert fresh.peak_growth(set_up, "assert len(mask.to_polygons()[0]) > 10_000") < 20e6
