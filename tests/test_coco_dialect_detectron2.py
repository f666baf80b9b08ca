"""Detectron2's results: what its evaluator writes as coco_instances_results.json."""

import dialect_images as images
import numpy as np
import pytest
from dialect_checks import parsed, same_masks
from dialect_documents import DIALECTS, MASKS, write
from dialect_masks import corners

import compactmask as cm


@pytest.mark.parametrize("name", ["detectron2", "detectron2-keypoints"])
def test_each_item_is_an_instance_of_its_image(tmp_path, name):
    items = images.detectron2()
    with cm.open(DIALECTS[name](tmp_path)) as ds:
        assert ds.images["id"].tolist() == [139, 285]
        assert ds.detections["xyxy"].dtype == np.float64
        assert ds.detections["xyxy"].tolist() == [corners(item["bbox"]) for item in items]
        assert ds.detections["confidence"].tolist() == [item["score"] for item in items]
        assert ds.detections["category_id"].tolist() == [62, 1, 23]
        assert ds.classes == ["1", "23", "62"]
        same_masks(ds, MASKS[name]())


def test_keypoints_that_some_items_have_are_json_text(tmp_path):
    points = images.detectron2_keypoints()[0]["keypoints"]
    with cm.open(DIALECTS["detectron2-keypoints"](tmp_path)) as ds:
        assert parsed(ds.detections["keypoints:json"]) == [points, "", points]
        assert parsed(ds[0].data["keypoints:json"]) == [points, ""]
        assert "keypoints" not in ds.detections
        assert all(type(value) is float for value in parsed(ds.detections["keypoints:json"])[0])


def test_without_keypoints_there_is_no_such_column(tmp_path):
    with cm.open(DIALECTS["detectron2"](tmp_path)) as ds:
        assert {"keypoints", "keypoints:json"}.isdisjoint(ds.detections)


def test_boxes_alone_are_results_without_masks(tmp_path):
    items = [
        {key: value for key, value in item.items() if key != "segmentation"}
        for item in images.detectron2()
    ]
    with cm.open(write(tmp_path, items)) as ds:
        assert [detections.mask for detections in ds] == [None, None]
        assert ds.detections["xyxy"].tolist() == [corners(item["bbox"]) for item in items]
