"""Documents that are odd rather than broken: what they are read as, and what of them is refused."""

import json
import re
import tracemalloc
from typing import Any

import numpy as np
import pytest
from coco_documents import BAR, DOT, annotation, dataset, image, result, without, write
from dialect_panoptic import id_images, panoptic, write_panoptic
from PIL import Image

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError
from compactmask.formats.coco.reader import CocoSource


def video(key=1, **more):
    return {"id": key, "height": 4, "width": 5, "file_names": ["a.jpg", "b.jpg"]} | more


def track(key=1, segmentations=(DOT, None), **more):
    base = {"id": key, "video_id": 1, "category_id": 3, "segmentations": list(segmentations)}
    return base | more


def videos(*annotations, listed=None):
    listed = [video()] if listed is None else listed
    document = dataset(*annotations, videos=listed)
    del document["images"]
    return document


def refusal(tmp_path, document):
    """Give what is said of a document, without its name."""
    path = write(tmp_path, document)
    with pytest.raises(FormatError) as caught:
        CocoSource(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


# ------------------------------------------------------------------- nothing there


@pytest.mark.parametrize("categories", [[], None])
def test_a_dataset_that_lists_no_categories_has_those_that_occur(tmp_path, categories):
    found = CocoSource(write(tmp_path, dataset(annotation(), categories=categories)))
    assert (found.classes, found.fields(0)["class_id"].tolist()) == (["3"], [0])


def test_a_video_of_no_frames_has_no_images_and_its_objects_no_instances(tmp_path):
    document = videos(
        track(1, []), track(2, [None, BAR], video_id=2), listed=[video(file_names=[]), video(2)]
    )
    with cm.open(write(tmp_path, document)) as ds:
        assert ds.images["video_id"].tolist() == [2, 2]
        assert ds.detections["tracker_id"].tolist() == [2]
        assert ds.detection_range(1) == (0, 1)
        assert ds.detections["area"].tolist() == [4]


def test_an_object_that_is_never_seen_has_no_instances(tmp_path):
    with cm.open(write(tmp_path, videos(track(1, [None, None])))) as ds:
        assert [len(detections) for detections in ds] == [0, 0]
        assert ds.detections["xyxy"].shape == (0, 4)


def test_an_object_may_be_told_of_the_first_frames_only(tmp_path):
    with cm.open(write(tmp_path, videos(track(1, [DOT])))) as ds:
        assert [len(detections) for detections in ds] == [1, 0]


def test_an_image_without_size_and_masks_is_read(tmp_path):
    found = CocoSource(write(tmp_path, dataset(annotation(segmentation=None), images=[{"id": 7}])))
    assert found.images["height"].tolist() == [0]
    assert found.masks(0) is None


# ------------------------------------------------------------------ sizes and ends


HALF = {
    "a video": videos(listed=[video(width=0)]),
    "an image of SA-1B": {
        "image": {"image_id": 1, "file_name": "a.jpg", "height": 4},
        "annotations": [],
    },
}


@pytest.mark.parametrize("what", HALF)
def test_a_height_without_a_width_is_refused(tmp_path, what):
    assert refusal(tmp_path, HALF[what]).endswith(
        "height is 4 and width is 0, expected both or none"
    )


def test_a_masklet_document_needs_both_sides(tmp_path):
    document = {"video_id": "v", "video_height": 4, "masklet_id": [0], "masklet": [[DOT]]}
    message = "video_height is 4 and video_width is 0, expected both or none"
    assert refusal(tmp_path, document) == message


def test_frames_that_a_document_only_counts_are_at_most_a_million(tmp_path):
    listed = [{"id": key, "length": 1 << 19} for key in range(3)]
    message = "videos[2]: length is 524288, expected at most 1,048,576 frames without file_names"
    assert refusal(tmp_path, videos(listed=listed)) == message


def test_a_video_that_counts_its_frames_names_them_by_its_id(tmp_path):
    listed = [without(video(length=2), "file_names")]
    with cm.open(write(tmp_path, videos(track(), listed=listed))) as ds:
        assert ds.images["file_name"].tolist() == ["1/00000", "1/00001"]


SCORED = {
    "video_id": "v",
    "video_height": 4,
    "video_width": 5,
    "masklet_id": [0],
    "masklet": [[DOT]],
}


def test_a_score_of_a_masklet_may_be_infinite(tmp_path):
    path = write(tmp_path, SCORED | {"masklet_stability_score": [[np.inf]]})
    assert CocoSource(path).detections["stability_score"].tolist() == [np.inf]


@pytest.mark.parametrize("scores", [[[[1.0]]], [[10**400]], [1.0], [[1.0, [3.0]]], [["x"]], [[]]])
def test_scores_of_masklets_are_a_number_for_each_object(tmp_path, scores):
    message = refusal(tmp_path, SCORED | {"masklet_stability_score": scores})
    assert message.endswith("score: expected a number for each object of each of the frames")


# ------------------------------------------------------------------------- texts


@pytest.mark.parametrize(
    "document",
    [
        dataset(images=[image("\ud800")]),
        [result("\ud800")],
        videos(listed=[video("\ud800")]),
    ],
)
def test_ids_that_are_no_text_are_refused(tmp_path, document):
    assert r"is '\ud800', expected text" in refusal(tmp_path, document)


def test_a_file_name_with_a_bare_line_break_is_no_json(tmp_path):
    path = write(tmp_path, dataset(images=[image(file_name="aXb")]))
    path.write_bytes(path.read_bytes().replace(b"aXb", b"a\nb"))
    with pytest.raises(FormatError, match=r"images\[0\]: not JSON: Invalid control character"):
        CocoSource(path)


def test_a_key_that_is_named_like_the_column_of_areas_does_not_take_its_place(tmp_path):
    found = CocoSource(write(tmp_path, dataset(annotation(area=2.5, **{"data/area": 9}))))
    assert found.detections["data/area"].tolist() == [2.5]
    assert found.detections["data/area:json"].tolist() == ["9"]


def test_an_annotation_without_an_id_is_named_by_its_place_alone(tmp_path):
    bad = without(annotation(category_id=9), "id")
    path = write(tmp_path, dataset(annotation(), bad))
    start = path.read_bytes().index(json.dumps(bad).encode())
    message = f"{path}: annotation at byte {start}: category_id 9 is not among the 1 categories"
    with pytest.raises(FormatError, match=f"^{re.escape(message)}$"):
        CocoSource(path)


def test_a_first_annotation_with_a_broken_further_key_is_told_when_that_is_read(tmp_path):
    documents: list[Any] = [
        dataset(annotation(1, x=["X"]), annotation(2)),
        [result(x=["X"]), result()],
    ]
    for document in documents:
        path = write(tmp_path, document)
        path.write_bytes(path.read_bytes().replace(b'["X"]', b"[1,,2]"))
        found = CocoSource(path)
        assert found.detections["area"].tolist() == [1, 1]
        with pytest.raises(CompactMaskError, match=f"{re.escape(str(path))}: not JSON: "):
            _ = found.detections["x:json"]


def test_what_is_no_utf8_among_the_frames_of_masklets_is_named(tmp_path):
    document = {"video_id": "v", "video_height": 4, "video_width": 5, "masklet": ["X"]}
    path = write(tmp_path, document | {"masklet_id": [0]})
    path.write_bytes(path.read_bytes().replace(b'"X"', b'"\xe9"'))
    with pytest.raises(FormatError, match=rf"{re.escape(str(path))}: masklet\[0\]: not UTF-8"):
        CocoSource(path)


# ---------------------------------------------------------------------- panoptic


def test_an_image_has_one_annotation_of_segments(tmp_path):
    document = panoptic()
    document["annotations"].append(document["annotations"][0])
    key = document["annotations"][0]["image_id"]
    with pytest.raises(FormatError, match=f"image_id {key} is that of another annotation too"):
        cm.open(write_panoptic(tmp_path, document))


def test_a_png_file_of_another_size_is_refused_before_it_is_decoded(tmp_path):
    path = write_panoptic(tmp_path)
    png = path.with_suffix("") / next(iter(id_images()))
    Image.new("RGB", (9000, 9000)).save(png)
    tracemalloc.start()
    with cm.open(path) as ds:
        i = ds.images["file_name"].tolist().index(png.with_suffix(".jpg").name)
        with pytest.raises(FormatError, match=r"\.png: 9000 rows and 9000 columns, expected \("):
            _ = ds[i]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9000 * 9000


# ------------------------------------------------------------------------ bounds


def many(n):
    """Give a dataset of n annotations in images of 10, each of some hundred bytes."""
    counts = "5" * 200
    items = [
        annotation(k, k // 10, segmentation={"size": [4, 5], "counts": counts}, note=f"n{k}")
        for k in range(n)
    ]
    return dataset(*items, images=[image(i) for i in range(-(-n // 10))])


def test_opening_takes_a_fraction_of_the_document_in_memory(tmp_path):
    path = write(tmp_path, many(40_000))
    tracemalloc.start()
    found = CocoSource(path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.n_detections == 40_000
    size = path.stat().st_size
    assert kept < size / 4
    assert peak < size / 2


def test_reading_an_instance_reads_no_more_of_the_document_than_it(tmp_path):
    document = many(2000)
    document["annotations"][1234]["segmentation"] = DOT
    path = write(tmp_path, document)
    found = CocoSource(path)
    before = found.bytes_read
    assert found.instance(1234).crop.all()
    assert found.bytes_read - before < 300
    with pytest.raises(InvalidMaskError, match=r"annotation 1235 \(byte \d+\): "):
        found.crop(1235)
