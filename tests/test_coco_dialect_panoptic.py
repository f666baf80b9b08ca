"""COCO panoptic: segments whose pixels are in PNG files beside the document."""

import json
import re

import dialect_panoptic as panoptic
import numpy as np
import pytest
from dialect_checks import same_masks
from dialect_documents import DIALECTS, MASKS
from dialect_masks import corners
from dialect_panoptic import CAR, CROWD, ROAD, SKY, write_panoptic

import compactmask as cm
from compactmask.errors import CompactMaskError


@pytest.fixture
def ds(tmp_path):
    with cm.open(DIALECTS["panoptic"](tmp_path)) as ds:
        yield ds


def segments():
    """Give the segments in the order of the images."""
    second, first = panoptic.panoptic()["annotations"]
    return first["segments_info"] + second["segments_info"]


def test_images_are_those_that_the_document_lists(ds):
    assert ds.images["id"].tolist() == [142238, 439180]
    assert ds.images["file_name"].tolist() == ["000000142238.jpg", "000000439180.jpg"]
    assert ds.images["height"].tolist() == [6, 5]
    assert ds.images["width"].tolist() == [8, 4]
    assert ds.images["license"].tolist() == [4, 4]


def test_each_segment_is_an_instance(ds):
    found = ds.detections
    assert found["segment_id"].tolist() == [ROAD, CAR, SKY, CROWD, SKY]
    assert found["category_id"].tolist() == [1, 8, 187, 8, 187]
    assert found["class_id"].tolist() == [2, 1, 0, 1, 0]
    assert found["iscrowd"].tolist() == [0, 0, 0, 1, 0]
    assert found["data/area"].tolist() == [item["area"] for item in segments()]
    assert found["xyxy"].tolist() == [corners(item["bbox"]) for item in segments()]
    assert ds[1].data["segment_id"].tolist() == [CROWD, SKY]


def test_categories_are_kept_as_they_are(ds):
    document = panoptic.panoptic()
    assert ds.classes == ["sky", "car", "road"]
    assert ds.metadata == {
        key: value for key, value in document.items() if key not in ("images", "annotations")
    }


def test_masks_are_the_pixels_of_the_segments_ids(ds):
    same_masks(ds, MASKS["panoptic"]())


def test_pixels_of_a_segment_that_is_not_listed_belong_to_no_instance(tmp_path):
    document = panoptic.panoptic()
    del document["annotations"][1]["segments_info"][1]
    with cm.open(write_panoptic(tmp_path, document)) as ds:
        assert ds[0].data["segment_id"].tolist() == [ROAD, SKY]
        first, _ = panoptic.id_images().values()
        expected = np.stack([first == ROAD, first == SKY])
        assert np.array_equal(ds[0].mask.to_dense(), expected)


def test_an_image_without_an_annotation_has_no_instance(tmp_path):
    document = panoptic.panoptic()
    del document["annotations"][1]
    with cm.open(write_panoptic(tmp_path, document)) as ds:
        assert [len(detections) for detections in ds] == [0, 2]


def test_an_annotation_without_segments_has_no_instance(tmp_path):
    document = panoptic.panoptic()
    document["annotations"][0]["segments_info"] = []
    with cm.open(write_panoptic(tmp_path, document)) as ds:
        assert [len(detections) for detections in ds] == [3, 0]


def test_the_columns_are_there_without_the_png_files(tmp_path):
    path = write_panoptic(tmp_path, ids={})
    with cm.open(path) as ds:
        assert ds.detections["segment_id"].tolist() == [ROAD, CAR, SKY, CROWD, SKY]
        assert ds.detections["xyxy"].tolist() == [corners(item["bbox"]) for item in segments()]


def touch_both(path):
    """Check that the first image is read, and give the error of the second one."""
    with cm.open(path) as ds:
        assert ds.crop(0).any()
        with pytest.raises((CompactMaskError, OSError)) as caught:
            ds.crop(3)
        with pytest.raises((CompactMaskError, OSError)):
            _ = ds[1].mask.area
    return str(caught.value)


def test_a_png_that_is_missing_is_named_when_it_is_touched(tmp_path):
    path = write_panoptic(tmp_path)
    (path.with_suffix("") / "000000439180.png").unlink()
    assert "000000439180.png" in touch_both(path)


def test_a_png_of_another_size_is_named_with_both_sizes(tmp_path):
    ids = panoptic.id_images()
    ids["000000439180.png"] = ids["000000439180.png"][:, :3]
    message = touch_both(write_panoptic(tmp_path, ids=ids))
    assert "000000439180.png" in message
    assert {"3", "4", "5"} <= set(re.findall(r"\d+", message))


def test_a_png_that_is_none_is_named(tmp_path):
    path = write_panoptic(tmp_path)
    (path.with_suffix("") / "000000439180.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    assert "000000439180.png" in touch_both(path)


def test_a_segment_that_its_png_lacks_is_named(tmp_path):
    ids = panoptic.id_images()
    ids["000000439180.png"][:] = SKY
    message = touch_both(write_panoptic(tmp_path, ids=ids))
    assert "000000439180.png" in message
    assert str(CROWD) in message


@pytest.mark.parametrize("name", ["../000000439180.png", "/000000439180.png", None, 7])
def test_a_png_outside_the_folder_is_not_opened(tmp_path, name):
    document = panoptic.panoptic()
    document["annotations"][0]["file_name"] = name
    path = write_panoptic(tmp_path, document)
    inside = path.with_suffix("") / "000000439180.png"
    (tmp_path / inside.name).write_bytes(inside.read_bytes())
    with pytest.raises(CompactMaskError, match=re.escape(str(path))), cm.open(path) as ds:
        ds.crop(3)


def test_a_segments_bad_id_is_refused(tmp_path):
    document = panoptic.panoptic()
    document["annotations"][0]["segments_info"][0]["id"] = 1 << 24
    path = write_panoptic(tmp_path, document)
    with pytest.raises(CompactMaskError, match="16777216"), cm.open(path) as ds:
        ds.crop(3)


def test_a_document_without_its_folder_names_the_png(tmp_path):
    path = tmp_path / "alone.json"
    path.write_text(json.dumps(panoptic.panoptic()))
    with (
        pytest.raises((CompactMaskError, OSError), match=r"000000142238\.png"),
        cm.open(path) as ds,
    ):
        ds.crop(0)
