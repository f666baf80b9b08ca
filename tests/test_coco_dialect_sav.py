"""SA-V: masklets of a video, frame by frame and object by object."""

import json
import re

import dialect_videos as videos
import numpy as np
import pytest
from data import DATA, needs_data
from dialect_checks import read_all, same_masks
from dialect_documents import DIALECTS, MASKS, write
from dialect_masks import SHAPE, blob, box, corners, dense, rle

import compactmask as cm
from compactmask.errors import CompactMaskError

SAMPLE = DATA / "sav-example" / "sav_000001_auto.json"


@pytest.fixture
def auto(tmp_path):
    with cm.open(DIALECTS["sav-auto"](tmp_path)) as ds:
        yield ds


@pytest.fixture
def manual(tmp_path):
    with cm.open(DIALECTS["sav-manual"](tmp_path)) as ds:
        yield ds


def test_each_frame_is_an_image_that_is_named_by_video_and_number(auto):
    assert auto.images["file_name"].tolist() == [f"sav_000001/0000{k}" for k in range(3)]
    assert auto.images["video_id"].tolist() == ["sav_000001"] * 3
    assert auto.images["frame"].dtype == np.int64
    assert auto.images["frame"].tolist() == [0, 1, 2]
    assert auto.images["height"].tolist() == [SHAPE[0]] * 3
    assert auto.images["width"].tolist() == [SHAPE[1]] * 3
    assert len(set(auto.images["id"].tolist())) == 3


def test_there_are_no_classes(auto):
    assert auto.classes == []
    assert auto[0].class_id is None
    assert {"class_id", "category_id"}.isdisjoint(auto.detections)


def test_objects_are_tracked_by_their_masklet_id(auto):
    assert auto.detections["tracker_id"].dtype == np.int64
    assert auto.detections["tracker_id"].tolist() == [4, 2] * 3
    assert auto[1].tracker_id.tolist() == [4, 2]


def test_an_empty_mask_is_an_instance_and_null_is_none(auto, manual):
    same_masks(auto, MASKS["sav-auto"]())
    same_masks(manual, MASKS["sav-manual"]())
    assert manual.detections["tracker_id"].tolist() == [0, 0, 1]


def test_boxes_are_tight_and_zero_for_an_empty_mask(auto):
    document = videos.sav_auto()
    expected = [
        corners(box(dense(item, *SHAPE))) for frame in document["masklet"] for item in frame
    ]
    assert auto.detections["xyxy"].tolist() == expected
    assert expected[3] == [0, 0, 0, 0]


def test_stability_scores_are_a_column_where_the_file_has_them(auto, manual):
    scores = auto.detections["stability_score"]
    assert scores.dtype == np.float64
    assert scores.tolist() == [1.0, 0.99, 0.9375, 1.0, 0.96875, 0.875]
    assert auto[2].data["stability_score"].tolist() == [0.96875, 0.875]
    assert "stability_score" not in manual.detections


@pytest.mark.parametrize("missing", [None, "key"])
def test_a_file_without_stability_scores_has_no_such_column(tmp_path, missing):
    document = videos.sav_auto() | {"masklet_stability_score": None}
    if missing == "key":
        del document["masklet_stability_score"]
    with cm.open(write(tmp_path, document)) as ds:
        assert "stability_score" not in ds.detections
        same_masks(ds, MASKS["sav-auto"]())


@pytest.mark.parametrize("name", ["sav-auto", "sav-manual"])
def test_the_rest_of_the_document_is_metadata(tmp_path, name):
    path = DIALECTS[name](tmp_path)
    document = json.loads(path.read_text())
    with cm.open(path) as ds:
        assert ds.metadata == {
            key: value
            for key, value in document.items()
            if key not in ("masklet", "masklet_stability_score")
        }


def test_what_comes_behind_the_masklets_is_read_when_it_comes_before_them(tmp_path):
    document = dict(reversed(videos.sav_auto().items()))
    with cm.open(write(tmp_path, document)) as ds:
        same_masks(ds, MASKS["sav-auto"]())
        assert ds.detections["tracker_id"].tolist() == [4, 2] * 3
        assert ds.images["video_id"].tolist() == ["sav_000001"] * 3


BAD = {
    "another size": ("masklet", [[rle(blob(1, (9, 13))), None]]),
    "more objects than ids": ("masklet", [[rle(blob(k)) for k in range(3)]]),
    "no list": ("masklet", 7),
    "no list of objects": ("masklet", [7]),
    "an object that is no RLE": ("masklet", [[7, None]]),
    "fewer scores than objects": ("masklet_stability_score", [[1.0, 1.0], [1.0], [1.0, 1.0]]),
    "half a pixel": ("video_height", 13.5),
    "a text for an id": ("masklet_id", ["a", "b"]),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_contradicts_itself_is_refused_by_name(tmp_path, what):
    key, value = BAD[what]
    path = write(tmp_path, videos.sav_auto() | {key: value})
    with pytest.raises(CompactMaskError, match=re.escape(str(path))):
        read_all(path)


@needs_data
def test_the_published_example_has_its_masks_boxes_and_scores():
    document = json.loads(SAMPLE.read_text())
    frames, ids = document["masklet"], document["masklet_id"]
    masks = [[dense(item, 848, 480) for item in frame] for frame in frames]
    flat = [mask for frame in masks for mask in frame]
    with cm.open(SAMPLE) as ds:
        assert (len(ds), len(flat), len(ids)) == (121, 1089, 9)
        same_masks(ds, masks)
        assert (ds.detections["area"] == 0).sum() == 137
        assert ds.detections["xyxy"].tolist() == [corners(box(mask)) for mask in flat]
        assert ds.detections["tracker_id"].tolist() == ids * 121
        assert ds.detections["stability_score"].tolist() == [
            score for frame in document["masklet_stability_score"] for score in frame
        ]
        assert ds.images["file_name"][120] == "sav_000001/00120"
        assert (set(ds.images["height"]), set(ds.images["width"])) == ({848}, {480})
