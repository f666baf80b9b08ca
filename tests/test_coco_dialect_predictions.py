"""Predictions for videos: the lists that SA-Co/VEval and YouTube-VIS evaluate."""

import dialect_videos as videos
import numpy as np
import pytest
from dialect_checks import same_masks
from dialect_documents import DIALECTS, MASKS, write
from dialect_masks import SHAPE, blob, box, corners

import compactmask as cm


@pytest.fixture
def veval(tmp_path):
    with cm.open(DIALECTS["veval-predictions"](tmp_path)) as ds:
        yield ds


@pytest.fixture
def ytvis(tmp_path):
    with cm.open(DIALECTS["ytvis-predictions"](tmp_path)) as ds:
        yield ds


def test_images_are_the_frames_of_the_videos_in_the_order_of_their_first_appearance(veval, ytvis):
    assert veval.images["video_id"].tolist() == [9, 9, 9, 2, 2]
    assert veval.images["frame"].tolist() == [0, 1, 2, 0, 1]
    assert veval.images["height"].tolist() == [SHAPE[0]] * 5
    assert veval.images["width"].tolist() == [SHAPE[1]] * 5
    assert ytvis.images["video_id"].tolist() == [3, 3, 1, 1, 1]
    assert ytvis.images["frame"].tolist() == [0, 1, 0, 1, 2]


def test_frames_are_named_by_video_and_number(veval):
    assert veval.images["file_name"].tolist() == [
        "9/00000",
        "9/00001",
        "9/00002",
        "2/00000",
        "2/00001",
    ]


def test_a_video_has_as_many_frames_as_its_longest_list(tmp_path):
    document = videos.veval_predictions()
    for key in ("segmentations", "bboxes", "areas"):
        document[0][key] = document[0][key][:1]
    with cm.open(write(tmp_path, document)) as ds:
        assert ds.images["video_id"].tolist() == [9, 9, 9, 2, 2]
        assert ds.detections["tracker_id"].tolist() == [0, 2, 2, 2, 1, 1]
        same_masks(ds, videos.predictions_masks(document))


def test_an_items_position_is_its_tracker_id_and_its_score_the_confidence(veval, ytvis):
    assert veval.detections["tracker_id"].tolist() == [0, 2, 0, 2, 0, 2, 1, 1]
    high, low = 0.7064220309257507, 0.25
    assert veval.detections["confidence"].tolist() == [high, low] * 3 + [0.5, 0.5]
    assert veval[0].tracker_id.tolist() == [0, 2]
    assert ytvis.detections["tracker_id"].tolist() == [0, 2, 2, 1, 1, 1]
    assert ytvis.detections["confidence"].tolist() == [0.125, 0.5, 0.5] + [0.875] * 3


def test_classes_are_the_categories_that_occur(veval):
    assert veval.classes == ["847", "1390"]
    assert veval.detections["category_id"].tolist() == [847] * 6 + [1390] * 2
    assert veval.detections["class_id"].tolist() == [0] * 6 + [1] * 2


def test_an_rle_without_pixels_stays_an_empty_mask_and_null_is_none(veval, ytvis):
    same_masks(veval, MASKS["veval-predictions"]())
    same_masks(ytvis, MASKS["ytvis-predictions"]())


def test_boxes_and_areas_are_those_of_the_frame(veval):
    first, second, third = videos.veval_predictions()
    assert veval.detections["xyxy"].tolist() == [
        corners(item["bboxes"][frame])
        for item, frame in [
            *((item, frame) for frame in range(3) for item in (first, third)),
            (second, 0),
            (second, 1),
        ]
    ]
    assert veval[3].data["area"].tolist() == [second["areas"][0]]
    assert veval.detections["data/area"].dtype == np.float64


def test_boxes_that_are_not_told_are_those_of_the_masks(ytvis):
    expected = [corners(box(blob(seed))) for seed in (50, 54, 55, 51, 52, 53)]
    assert ytvis.detections["xyxy"].tolist() == expected
    assert "data/area" not in ytvis.detections


def test_runs_that_are_not_compressed_are_read(tmp_path):
    runs = {"size": [2, 3], "counts": [1, 2, 3]}
    document = [{"video_id": 4, "category_id": 1, "score": 1, "segmentations": [runs]}]
    with cm.open(write(tmp_path, document)) as ds:
        assert ds[0].mask.to_dense().tolist() == [[[False, True, False], [True, False, False]]]
