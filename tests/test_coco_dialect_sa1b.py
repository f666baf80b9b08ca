"""SA-1B: one image a file, no classes; a folder of such files."""

import json
import re

import dialect_images as images
import numpy as np
import pytest
from dialect_checks import parsed, read_all, same_masks
from dialect_documents import DIALECTS, FOLDER, MASKS, write
from dialect_masks import SHAPE, blob, corners, rle

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError


@pytest.fixture
def ds(tmp_path):
    with cm.open(DIALECTS["sa1b"](tmp_path)) as ds:
        yield ds


@pytest.fixture
def folder(tmp_path):
    return DIALECTS["sa1b-folder"](tmp_path)


def test_a_file_is_a_dataset_of_one_image(ds):
    assert len(ds) == 1
    found = {name: ds.images[name].tolist() for name in ("id", "file_name", "height", "width")}
    assert found == {
        "id": [223750],
        "file_name": ["sa_223750.jpg"],
        "height": [SHAPE[0]],
        "width": [SHAPE[1]],
    }


def test_there_are_no_classes(ds):
    assert ds.classes == []
    assert ds[0].class_id is None
    assert {"class_id", "category_id"}.isdisjoint(ds.detections)
    assert "category_id" not in ds[0].data
    assert ds.instance(0).class_id is None


def test_boxes_are_kept_as_told_though_their_sides_are_one_less_than_the_masks(ds):
    items = images.sa1b()["annotations"]
    assert ds[0].xyxy.tolist() == [corners(item["bbox"]) for item in items]
    tight = ds[0].mask.bbox_xyxy
    assert not np.array_equal(ds.detections["xyxy"][:, 2:], tight[:, 2:] + 1)


def test_scores_and_prompts_are_columns(ds):
    items, data = images.sa1b()["annotations"], ds[0].data
    assert data["annotation_id"].tolist() == [item["id"] for item in items]
    for name in ("area", "predicted_iou", "stability_score"):
        assert data[name].dtype == np.float64
        assert data[name].tolist() == [item[name] for item in items]
    for name in ("crop_box", "point_coords"):
        assert parsed(data[f"{name}:json"]) == [item[name] for item in items]
    assert ds[0].confidence is None
    assert ds[0].tracker_id is None


def test_masks_are_those_that_pycocotools_decodes(ds):
    same_masks(ds, MASKS["sa1b"]())


def test_an_image_without_annotations_is_read(tmp_path):
    with cm.open(write(tmp_path, images.sa1b() | {"annotations": []})) as ds:
        assert (len(ds), len(ds[0]), ds.classes) == (1, 0, [])


def test_the_image_may_come_after_the_annotations(tmp_path):
    document = dict(reversed(images.sa1b().items()))
    with cm.open(write(tmp_path, document)) as ds:
        same_masks(ds, MASKS["sa1b"]())


def test_a_folder_is_a_dataset_of_its_json_files_in_the_order_of_their_names(folder):
    with cm.open(folder) as ds:
        assert ds.images["id"].tolist() == [1, 10, 2]
        assert ds.images["file_name"].tolist() == ["sa_1.jpg", "sa_10.jpg", "sa_2.jpg"]
        assert ds.classes == []
        same_masks(ds, MASKS["sa1b-folder"]())
        expected = [
            item for files in FOLDER.values() for item in images.sa1b(*files)["annotations"]
        ]
        assert ds.detections["xyxy"].tolist() == [corners(item["bbox"]) for item in expected]
        assert parsed(ds.detections["point_coords:json"]) == [
            item["point_coords"] for item in expected
        ]


@pytest.mark.parametrize("other", ["results", "dataset", "sav-auto"])
def test_a_folder_that_holds_json_of_another_kind_is_refused_by_name(folder, tmp_path, other):
    stranger = DIALECTS[other](tmp_path).rename(folder / "sa_11.json")
    with pytest.raises(FormatError, match=re.escape(str(stranger))):
        read_all(folder)


@pytest.mark.parametrize("text", ['{"image": {}', "", "7", '{"image": 1, "annotations": []}'])
def test_a_folder_that_holds_a_broken_file_is_refused_by_name(folder, text):
    broken = folder / "sa_11.json"
    broken.write_text(text)
    with pytest.raises(FormatError, match=re.escape(str(broken))):
        read_all(folder)


def test_a_bad_annotation_in_a_folder_is_named_with_its_file_and_place(folder):
    document = images.sa1b(11)
    document["annotations"][1]["segmentation"] = rle(blob(1, (9, 13)))
    path = write(folder, document, "sa_11.json")
    start = path.read_bytes().index(json.dumps(document["annotations"][1]).encode())
    name = re.escape(f"{path}: annotation 531999999 (byte {start})")
    with pytest.raises(CompactMaskError, match=name):
        read_all(folder)


@pytest.mark.parametrize("key", ["image_id", "category_id"])
def test_ids_of_images_and_categories_tell_nothing_but_are_held_against_their_kind(tmp_path, key):
    document = images.sa1b()
    document["annotations"][0][key] = 7
    with cm.open(write(tmp_path, document)) as ds:
        assert len(ds[0]) == len(document["annotations"])
        assert key not in ds.detections
    document["annotations"][0][key] = 0.5
    with pytest.raises(FormatError, match=f"{key} is 0.5, expected an integer"):
        read_all(write(tmp_path, document))
