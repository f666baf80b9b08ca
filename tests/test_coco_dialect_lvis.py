"""LVIS v1: images that have lists and no file name, categories that have more than a name."""

import dialect_images as images
import pytest
from dialect_checks import parsed, same_masks
from dialect_documents import DIALECTS, MASKS, write
from dialect_masks import corners

import compactmask as cm


@pytest.fixture
def ds(tmp_path):
    with cm.open(DIALECTS["lvis"](tmp_path)) as ds:
        yield ds


def test_lists_of_the_images_are_columns_of_json_text(ds):
    found = ds.images
    assert parsed(found["neg_category_ids:json"]) == [[4, 1203], [], [1]]
    assert parsed(found["not_exhaustive_category_ids:json"]) == [[], [1], [4, 1203]]
    assert {"neg_category_ids", "not_exhaustive_category_ids"}.isdisjoint(found)


def test_an_image_without_a_file_name_keeps_its_url_in_a_column_of_its_own(ds):
    assert ds.images["file_name"].tolist() == ["", "", ""]
    assert ds.images["coco_url"].tolist() == [item["coco_url"] for item in images.lvis()["images"]]
    assert ds.images["id"].tolist() == [446522, 2299, 17182]
    assert ds.images["license"].tolist() == [4, 4, 4]
    assert ds.images["date_captured"].tolist() == ["2013-11-14 17:02:52"] * 3


def test_classes_are_the_names_in_the_files_order_and_metadata_keeps_all_else(ds):
    document = images.lvis()
    assert ds.classes == ["airplane", "acorn", "zucchini"]
    assert ds.metadata == {
        key: value for key, value in document.items() if key not in ("images", "annotations")
    }


def test_annotations_are_grouped_by_image(ds):
    by_image = [12, 13, 31]
    items = {item["id"]: item for item in images.lvis()["annotations"]}
    found = ds.detections
    assert found["annotation_id"].tolist() == by_image
    assert found["category_id"].tolist() == [1, 4, 1203]
    assert found["class_id"].tolist() == [1, 0, 2]
    assert found["data/area"].tolist() == [items[key]["area"] for key in by_image]
    assert found["xyxy"].tolist() == [corners(items[key]["bbox"]) for key in by_image]
    assert "iscrowd" not in found


def test_polygons_are_drawn_as_pycocotools_draws_them(ds):
    same_masks(ds, MASKS["lvis"]())


def test_lists_that_only_some_images_have_are_empty_text_for_the_others(tmp_path):
    document = images.lvis()
    del document["images"][1]["neg_category_ids"]
    document["images"][2]["neg_category_ids"] = None
    with cm.open(write(tmp_path, document)) as ds:
        assert parsed(ds.images["neg_category_ids:json"]) == [[4, 1203], "", None]
