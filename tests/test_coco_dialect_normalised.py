"""SA-Co's images: boxes and areas in fractions of the image's size, a noun phrase an image."""

import copy

import dialect_images as images
import numpy as np
import pytest
from dialect_checks import same_masks
from dialect_documents import DIALECTS, MASKS, write
from dialect_masks import SHAPE, area, blob, box, corners

import compactmask as cm

HEIGHT, WIDTH = SHAPE


@pytest.fixture
def ds(tmp_path):
    with cm.open(DIALECTS["saco-image"](tmp_path)) as ds:
        yield ds


def test_boxes_and_areas_are_in_pixels(ds):
    masks = [blob(seed) for seed in (4, 5, 3)]
    expected = np.array([corners(box(mask)) for mask in masks])
    assert np.allclose(ds.detections["xyxy"], expected, rtol=1e-12, atol=1e-12)
    assert np.allclose(ds.detections["data/area"], [area(mask) for mask in masks], rtol=1e-12)
    assert np.allclose(ds[2].xyxy, expected[2:], rtol=1e-12, atol=1e-12)
    assert ds.detections["xyxy"].dtype == np.float64
    same_masks(ds, MASKS["saco-image"]())


def test_what_the_images_say_is_kept(ds):
    assert ds.images["text_input"].tolist() == ["chili", "the fish ball", "la cuchara de té"]
    assert ds.images["queried_category"].tolist() == ["0", "2001", "3"]
    assert ds.images["is_instance_exhaustive"].tolist() == [1, 1, 1]
    assert ds.images["is_pixel_exhaustive"].tolist() == [1, 0, 1]
    assert ds.detections["source"].tolist() == ["manual", "created by SAM3", "manual"]
    assert len(ds[1]) == 0


def test_images_that_share_a_file_name_are_images_of_their_own(tmp_path):
    document = images.saco_image()
    for image in document["images"]:
        image["file_name"] = "1/1001/same.jpeg"
    with cm.open(write(tmp_path, document)) as ds:
        assert ds.images["file_name"].tolist() == ["1/1001/same.jpeg"] * 3
        assert ds.detections["annotation_id"].tolist() == [2, 3, 1]


def test_a_box_that_32_bits_have_rounded_beyond_the_image_is_a_fraction_still(tmp_path):
    document = images.saco_image()
    start, side = (float(np.float32(value)) for value in (0.6, 0.4))
    assert start + side > 1
    document["annotations"][1]["bbox"] = [0.0, start, 1.0, side]
    with cm.open(write(tmp_path, document)) as ds:
        x1, y1, x2, y2 = ds.detections["xyxy"][0]
        assert (x1, x2) == (0, WIDTH)
        assert np.allclose([y1, y2], [0.6 * HEIGHT, HEIGHT], rtol=1e-6)


def unscaled(tmp_path, boxes):
    document = copy.deepcopy(images.saco_image())
    for item, bbox in zip(document["annotations"], boxes, strict=True):
        item |= {"bbox": bbox, "area": 0.5}
    with cm.open(write(tmp_path, document)) as ds:
        assert ds.detections["data/area"].tolist() == [0.5] * 3
        return ds.detections["xyxy"].tolist()


def test_boxes_of_whole_numbers_are_pixels(tmp_path):
    boxes = [[0, 0, 1, 1], [0.0, 1.0, 1.0, 0.0], [1, 0, 0, 1]]
    expected = [corners(boxes[k]) for k in (1, 2, 0)]
    assert unscaled(tmp_path, boxes) == expected


def test_one_box_beyond_1_makes_all_of_them_pixels(tmp_path):
    boxes = [[0.25, 0.5, 0.25, 0.5], [0, 0, 3, 4], [0.5, 0.5, 0.5, 0.5]]
    expected = [corners(boxes[k]) for k in (1, 2, 0)]
    assert unscaled(tmp_path, boxes) == expected


def test_results_are_in_pixels_whatever_they_are(tmp_path):
    document = [item | {"bbox": [0.25, 0.5, 0.25, 0.5]} for item in images.results()]
    with cm.open(write(tmp_path, document)) as ds:
        assert ds.detections["xyxy"].tolist() == [[0.25, 0.5, 0.5, 1.0]] * 3
