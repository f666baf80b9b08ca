"""Masks as one polygon, drawn again by several programs."""

import json

import cv2
import numpy as np
import pytest
import supervision as sv
from data import DATA, needs_data
from hypothesis import given
from strategies import masks

import compactmask as cm
from compactmask.formats import label_images
from compactmask.formats.yolo import lines
from compactmask.formats.yolo.outline import outline


def traced(mask):
    return [outline(parts) for parts in mask.to_polygons()]


def drawn(polygons, shape):
    """Draw as a reader does, from text."""
    texts = [lines.polygon_line(0, polygon, shape).encode() for polygon in polygons]
    return cm.CompactMask._wrap(lines.draw([lines.read(text).polygon for text in texts], shape))


def parts_of(frame):
    return cv2.connectedComponents(frame.astype(np.uint8), connectivity=8)[0] - 1


@given(frame=masks(max_side=60))
def test_a_mask_in_one_part_comes_back_equal_and_others_only_grow(frame):
    if not frame.any():
        return
    (polygon,) = traced(cm.CompactMask.from_dense(frame[None]))
    found = drawn([polygon], frame.shape).to_dense()[0]
    assert (found | frame == found).all()
    assert parts_of(found) == 1
    if parts_of(frame) == 1:
        assert np.array_equal(found, frame)


@given(frame=masks(max_side=40))
def test_every_program_draws_the_same(frame):
    if not frame.any():
        return
    shape = frame.shape
    (polygon,) = traced(cm.CompactMask.from_dense(frame[None]))
    found = drawn([polygon], shape).to_dense()[0]
    text = lines.polygon_line(0, polygon, shape)
    values = np.array(text.split()[1:], np.float32).reshape(-1, 2) * np.float32(shape[::-1])
    for corners in (np.round(values), np.trunc(values)):
        frame_of_opencv = np.zeros(shape, np.uint8)
        cv2.fillPoly(frame_of_opencv, [corners.astype(np.int32)], 1)
        assert np.array_equal(frame_of_opencv, found)
    rounded = np.round(values).astype(np.int32)
    assert np.array_equal(sv.polygon_to_mask(rounded, shape[::-1]), found)


@pytest.mark.parametrize("side", [1, 2, 9, 10, 1000, 1 << 20])
def test_coordinates_come_back_in_the_smallest_and_the_largest_image(side):
    rng = np.random.default_rng(side)
    pixels = np.unique(np.append(rng.integers(0, side, 3000), [0, side - 1]))
    points = np.column_stack((pixels, pixels[::-1]))
    polygon = lines.read(lines.polygon_line(0, points, (side, side)).encode() + b" 0 0" * 3).polygon
    values = polygon[: len(points)] * np.float32(side)
    assert np.array_equal(np.round(values), points)
    assert np.array_equal(np.trunc(values), points)


def test_points_that_are_passed_are_left_out():
    frame = np.zeros((9, 9), bool)
    frame[1:8, 2:7] = True
    (polygon,) = traced(cm.CompactMask.from_dense(frame[None]))
    assert polygon.tolist() == [[2, 1], [6, 1], [6, 7], [2, 7]]
    pixel = np.zeros((9, 9), bool)
    pixel[3, 4] = True
    assert traced(cm.CompactMask.from_dense(pixel[None]))[0].tolist() == [[4, 3]] * 3


def test_a_hole_is_joined_over_pixels_of_the_mask():
    frame = np.ones((1, 7, 9), bool)
    frame[0, 2:4, 3:5] = frame[0, 3, 6] = False
    (polygon,) = traced(cm.CompactMask.from_dense(frame))
    assert np.array_equal(drawn([polygon], (7, 9)).to_dense(), frame)
    assert polygon.tolist().count([0, 2]) == 2


def test_seams_from_one_side_follow_each_other():
    frame = np.ones((1, 9, 9), bool)
    frame[0, [2, 5], 4] = False
    (polygon,) = traced(cm.CompactMask.from_dense(frame))
    assert np.array_equal(drawn([polygon], (9, 9)).to_dense(), frame)
    assert [y for x, y in polygon.tolist() if x == 0] == [0, 8, 5, 5, 2, 2]


def real_masks(name):
    with open(DATA / name) as file:
        document = json.load(file)
    if isinstance(document, list):
        return [cm.CompactMask.from_coco_rle([item["segmentation"]]) for item in document]
    sizes = {image["id"]: (image["height"], image["width"]) for image in document["images"]}
    return [
        cm.CompactMask.from_coco_rle([found])
        if isinstance(found := item["segmentation"], dict)
        else cm.CompactMask.from_polygons([found], sizes[item["image_id"]])
        for item in document["annotations"]
    ]


@needs_data
@pytest.mark.parametrize(
    ("name", "count", "equal", "share"),
    [
        ("coco-val2014-100/instances_val2014_100.json", 839, 757, 0.0005),
        ("coco-val2014-100/instances_val2014_fakesegm100_results.json", 734, 666, 0.0004),
    ],
)
def test_real_masks_come_back_as_the_specification_says(name, count, equal, share):
    found = real_masks(name)
    assert len(found) == count
    back = [drawn(traced(mask), mask.image_shape) for mask in found]
    wrong = np.array([(one ^ other).area[0] for one, other in zip(found, back, strict=True)])
    assert (wrong == 0).sum() == equal
    assert wrong.sum() / sum(mask.area[0] for mask in found) < share


@needs_data
def test_every_nucleus_comes_back_equal():
    with label_images.open(DATA / "nuclei") as ds:
        for found in ds:
            assert drawn(traced(found.mask), found.mask.image_shape) == found.mask
