"""YouTube-VIS and SA-Co/VEval ground truth: tracks that hold a list with an item a frame."""

import json
import re

import dialect_images as images
import dialect_videos as videos
import numpy as np
import pytest
from dialect_checks import read_all, same_masks
from dialect_documents import DIALECTS, MASKS, write
from dialect_masks import SHAPE, blob, box, corners, rle

import compactmask as cm
from compactmask.errors import CompactMaskError


@pytest.fixture
def ds(tmp_path):
    with cm.open(DIALECTS["ytvis"](tmp_path)) as ds:
        yield ds


def of_each_instance(document, key, per_frame=True):
    """Give a value for each instance in the order of frames, the absent ones left out."""
    return [
        item[key][frame] if per_frame else item[key]
        for video in document["videos"]
        for frame in range(video["length"])
        for item in document["annotations"]
        if item["video_id"] == video["id"] and item["segmentations"][frame] is not None
    ]


def test_each_frame_of_each_video_is_an_image_in_order(ds):
    first, second = videos.ytvis()["videos"]
    assert ds.images["id"].tolist() == [0, 1, 2, 3, 4]
    assert ds.images["file_name"].tolist() == first["file_names"] + second["file_names"]
    assert ds.images["video_id"].tolist() == [7, 7, 7, 2, 2]
    assert ds.images["frame"].tolist() == [0, 1, 2, 0, 1]
    assert ds.images["height"].tolist() == [SHAPE[0]] * 5
    assert ds.images["width"].tolist() == [SHAPE[1]] * 5


def test_frames_without_file_names_are_named_by_video_and_number(tmp_path):
    document = videos.ytvis()
    del document["videos"][0]["file_names"]
    with cm.open(write(tmp_path, document)) as ds:
        assert ds.images["file_name"].tolist() == [
            *(f"7/0000{k}" for k in range(3)),
            *document["videos"][1]["file_names"],
        ]


def test_an_annotation_is_an_instance_in_each_frame_where_it_is_not_null(ds):
    document, found = videos.ytvis(), ds.detections
    assert found["tracker_id"].dtype == np.int64
    assert found["tracker_id"].tolist() == of_each_instance(document, "id", per_frame=False)
    assert found["tracker_id"].tolist() == [1, 8, 1, 8, 5, 5]
    assert found["category_id"].tolist() == [3, 26, 3, 26, 26, 26]
    assert found["class_id"].tolist() == [1, 0, 1, 0, 0, 0]
    assert found["iscrowd"].tolist() == [0, 1, 0, 1, 0, 0]
    assert ds.classes == ["person", "bear"]
    same_masks(ds, MASKS["ytvis"]())


def test_boxes_and_areas_are_those_of_the_frame(ds):
    document = videos.ytvis()
    boxes = of_each_instance(document, "bboxes")
    assert ds.detections["xyxy"].tolist() == list(map(corners, boxes))
    assert ds.detections["data/area"].tolist() == of_each_instance(document, "areas")
    assert ds[2].data["area"].tolist() == of_each_instance(document, "areas")[2:4]


def test_a_frame_whose_box_is_null_has_the_box_of_its_mask(tmp_path):
    document = videos.ytvis()
    document["annotations"][0]["bboxes"] = [None, [1.5, 2, 3, 4]]
    del document["annotations"][1]["bboxes"]
    with cm.open(write(tmp_path, document)) as ds:
        boxes = ds.detections["xyxy"].tolist()
    assert boxes[4] == corners(box(blob(20)))
    assert boxes[5] == [1.5, 2, 4.5, 6]
    assert [boxes[0], boxes[2]] == [corners(box(blob(22))), corners(box(blob(23)))]


def test_a_frame_without_area_is_nan_where_others_have_one(tmp_path):
    document = videos.ytvis()
    document["annotations"][0]["areas"] = [None, 7]
    with cm.open(write(tmp_path, document)) as ds:
        areas = ds.detections["data/area"]
    assert np.isnan(areas).tolist() == [False] * 4 + [True, False]
    assert areas[5] == 7


def test_further_keys_are_repeated_for_each_instance(tmp_path):
    with cm.open(DIALECTS["saco-video"](tmp_path)) as ds:
        assert ds.detections["noun_phrase"].tolist() == ["a braid", "naïve ring", "naïve ring"]
        assert ds.detections["tracker_id"].tolist() == [167, 864, 864]


def test_metadata_keeps_what_else_a_video_document_says(tmp_path):
    document = videos.saco_video()
    with cm.open(DIALECTS["saco-video"](tmp_path)) as ds:
        for key in ("info", "categories", "video_np_pairs"):
            assert ds.metadata[key] == document[key]
        assert ds.classes == ["a monkey", "naïve ring", "a braid", "thick gold chain"]
        same_masks(ds, MASKS["saco-video"]())


def test_a_video_without_annotations_has_its_frames(tmp_path):
    document = videos.ytvis() | {"annotations": []}
    with cm.open(write(tmp_path, document)) as ds:
        assert [len(detections) for detections in ds] == [0] * 5


def test_annotations_may_come_before_the_videos(tmp_path):
    document = dict(reversed(videos.ytvis().items()))
    with cm.open(write(tmp_path, document)) as ds:
        same_masks(ds, MASKS["ytvis"]())


def test_a_document_that_lists_images_too_is_a_dataset_of_these(tmp_path):
    document = images.dataset() | {"videos": videos.ytvis()["videos"]}
    for k, image in enumerate(document["images"]):
        image |= {"video_id": 7, "frame_id": k}
    with cm.open(write(tmp_path, document)) as ds:
        same_masks(ds, images.dataset_masks(document))
        assert ds.images["video_id"].tolist() == [7, 7, 7]
        assert ds.images["frame_id"].tolist() == [0, 1, 2]
        assert ds.metadata["videos"] == document["videos"]


BAD = {
    "another size": {"segmentations": [rle(blob(1, (9, 13))), None]},
    "an unknown video": {"video_id": 99},
    "an unknown category": {"category_id": 99},
    "a short polygon": {"segmentations": [[[1, 1, 2, 2]], None]},
    "no list": {"segmentations": 7},
    "more frames than the video": {"segmentations": [None, None, rle(blob(1))]},
    "a box that is not finite": {"bboxes": [[1, 2, float("nan"), 4], None]},
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_annotation_is_refused_by_id_and_place(tmp_path, what):
    document = videos.ytvis()
    document["annotations"][0] |= BAD[what]
    path = write(tmp_path, document)
    start = path.read_bytes().index(json.dumps(document["annotations"][0]).encode())
    with pytest.raises(CompactMaskError, match=re.escape(f"{path}: annotation 5 (byte {start})")):
        read_all(path)
