"""COCO's own datasets and results: every form of segmentation, id and further key."""

import json
import math
import re

import dialect_images as images
import numpy as np
import pytest
from coco_documents import annotation, dataset, image, result, without
from dialect_checks import parsed, read_all, same_masks
from dialect_documents import DIALECTS, MASKS, write
from dialect_images import BEYOND, SQUARE, TRIANGLE
from dialect_masks import SHAPE, blob, box, corners, dense, nothing, rle, runs

import compactmask as cm
from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError

HEIGHT, WIDTH = SHAPE
LARGE = image(7, height=HEIGHT, width=WIDTH)


@pytest.fixture
def opened(tmp_path):
    """Open a document that is given as Python objects."""
    return lambda document: cm.open(write(tmp_path, document))


@pytest.mark.parametrize("name", ["dataset", "results"])
def test_masks_are_those_of_pycocotools(tmp_path, name):
    with cm.open(DIALECTS[name](tmp_path)) as ds:
        same_masks(ds, MASKS[name]())


def test_columns_of_a_dataset(tmp_path):
    items = images.dataset()["annotations"]
    in_order = [items[k] for k in (1, 2, 4, 0, 3)]
    with cm.open(DIALECTS["dataset"](tmp_path)) as ds:
        found = ds.detections
        assert found["annotation_id"].tolist() == [item["id"] for item in in_order]
        assert found["category_id"].tolist() == [44, 44, 1, 1, 90]
        assert found["class_id"].tolist() == [0, 0, 1, 1, 2]
        assert found["iscrowd"].tolist() == [0, 0, 0, 1, 0]
        assert found["data/area"].tolist() == [item["area"] for item in in_order]
        assert found["xyxy"].tolist() == [corners(item["bbox"]) for item in in_order]
        assert ds.classes == ["bottle", "person", "tooth brush"]
        assert ds.images["id"].tolist() == [397133, 37777, 252219]
        assert {"licenses", "info", "categories"} == ds.metadata.keys()


SEGMENTATIONS = {
    "counts as text": rle(blob(1)),
    "counts as a list": runs(blob(1)),
    "counts that begin with 0": runs(~blob(1) | (np.indices(SHAPE).sum(0) == 0)),
    "no pixels, as text": rle(nothing()),
    "no pixels, as a list": runs(nothing()),
    "all pixels": rle(~nothing()),
    "one part": [SQUARE],
    "two parts": [SQUARE, TRIANGLE],
    "two parts that overlap": [SQUARE, [3, 3, 9, 3, 9, 12]],
    "whole numbers": [[1, 1, 7, 1, 7, 11]],
    "whole numbers and fractions": [[1, 1.5, 7, 1, 7.25, 11]],
    "beyond the image": [BEYOND],
    "outside the image": [[-9.0, -9.0, -5.0, -9.0, -5.0, -5.0]],
    "far outside the image": [[1e4, 1e4, 2e4, 1e4, 2e4, 2e4]],
    "a line": [[1.0, 1.0, 8.0, 1.0, 4.0, 1.0]],
    "one place three times": [[4, 4, 4, 4, 4, 4]],
    "numbers with an exponent": [[1e0, 1e0, 8e0, 1e0, 8e0, 1.2e1]],
}


@pytest.mark.parametrize("name", SEGMENTATIONS)
@pytest.mark.parametrize("iscrowd", [0, 1])
def test_a_segmentation_is_the_mask_that_pycocotools_makes_of_it(opened, name, iscrowd):
    segmentation = SEGMENTATIONS[name]
    document = dataset(annotation(segmentation=segmentation, iscrowd=iscrowd), images=[LARGE])
    with opened(document) as ds:
        same_masks(ds, [[dense(segmentation, HEIGHT, WIDTH)]])
        assert ds.detections["iscrowd"].tolist() == [iscrowd]


def test_all_forms_of_segmentations_of_one_image_keep_their_order(opened):
    forms = list(SEGMENTATIONS.values())
    document = dataset(
        *(annotation(k, segmentation=form) for k, form in enumerate(forms)), images=[LARGE]
    )
    with opened(document) as ds:
        same_masks(ds, [[dense(form, HEIGHT, WIDTH) for form in forms]])


@pytest.mark.parametrize("absent", [None, [], "missing"])
def test_an_annotation_may_have_no_segmentation(opened, absent):
    bare = annotation(2, segmentation=absent)
    if absent == "missing":
        bare = without(bare, "segmentation")
    with opened(dataset(annotation(1), bare)) as ds:
        assert ds[0].data["has_mask"].tolist() == [True, False]
        assert ds[0].mask.area.tolist() == [1, 0]
    with opened(dataset(bare)) as ds:
        assert ds[0].mask is None
        assert ds[0].xyxy.tolist() == [[1, 1, 2, 2]]


def test_a_box_that_is_not_told_is_that_of_the_mask(opened):
    mask = blob(3)
    items = [
        without(annotation(1, segmentation=rle(mask)), "bbox"),
        annotation(2, segmentation=rle(nothing()), bbox=None),
    ]
    with opened(dataset(*items, images=[LARGE])) as ds:
        assert ds.detections["xyxy"].tolist() == [corners(box(mask)), [0, 0, 0, 0]]


SHORT = {
    "two points": [[1, 1, 3, 3]],
    "one point": [[1, 1]],
    "no point": [[]],
    "a short part among others": [[1, 1, 3, 1, 3, 3], [1, 1, 2, 2]],
}


@pytest.mark.parametrize("name", SHORT)
def test_a_polygon_of_fewer_than_3_points_is_refused_by_annotation(opened, name):
    bad = annotation(12, segmentation=SHORT[name])
    with (
        opened(dataset(annotation(11), bad)) as ds,
        pytest.raises(InvalidMaskError, match=r"annotation 12\b.*points?, expected at least 3"),
    ):
        ds.crop(1)


@pytest.mark.parametrize("on_error", ["skip", "collect"])
@pytest.mark.parametrize("name", SHORT)
def test_a_polygon_of_fewer_than_3_points_may_be_left_out(tmp_path, name, on_error):
    bad = annotation(12, segmentation=SHORT[name])
    source = write(tmp_path, dataset(annotation(11), bad, annotation(13)))
    report = cm.convert(source, tmp_path / "out.h5", on_error=on_error)
    assert (report.images, report.instances, report.skipped) == (1, 2, 1)
    assert [bool(re.search(r"annotation 12\b", str(error))) for error in report.errors] == [
        True
    ] * (on_error == "collect")
    with cm.open(tmp_path / "out.h5") as ds:
        assert ds.detections["annotation_id"].tolist() == [11, 13]


def test_duplicated_annotation_ids_are_kept_as_they_are(opened):
    items = [annotation(5), annotation(5, category_id=3, area=9), annotation(5, 8)]
    with opened(dataset(*items, images=[image(7), image(8)])) as ds:
        assert ds.detections["annotation_id"].tolist() == [5, 5, 5]
        assert ds.detections["data/area"].tolist() == [1, 9, 1]


def test_an_annotation_of_an_unknown_image_is_refused_by_name(tmp_path):
    source = write(tmp_path, dataset(annotation(11), annotation(12, image_id=99)))
    with pytest.raises(
        FormatError, match=r"annotation 12\b.*image_id.* 99 is not among the 1 image"
    ):
        read_all(source)


@pytest.mark.parametrize("on_error", ["skip", "collect"])
def test_an_annotation_of_an_unknown_image_may_be_left_out(tmp_path, on_error):
    source = write(tmp_path, dataset(annotation(11), annotation(12, image_id=99)))
    report = cm.convert(source, tmp_path / "out.h5", on_error=on_error)
    assert (report.instances, report.skipped) == (1, 1)
    assert len(report.errors) == (on_error == "collect")


def test_ids_beyond_2_to_the_53_are_exact(opened):
    big = [2**53 + 1, 2**60 + 3, 2**63 - 1]
    document = dataset(
        *(annotation(key, big[2] - k, category_id=big[k], n=key) for k, key in enumerate(big)),
        images=[image(big[2] - k, n=big[k]) for k in range(3)],
        categories=[{"id": key, "name": str(key)} for key in big],
    )
    with opened(document) as ds:
        for name in ("annotation_id", "category_id", "n"):
            assert ds.detections[name].tolist() == big
        assert ds.images["id"].tolist() == [2**63 - 1, 2**63 - 2, 2**63 - 3]
        assert ds.images["n"].tolist() == big


TOO_BIG = {
    "annotation": (dataset(annotation(2**63)), 2**63),
    "negative": (dataset(annotation(-(2**63) - 1)), -(2**63) - 1),
    "image": (dataset(images=[image(2**64)]), 2**64),
    "category": (dataset(categories=[{"id": 2**64, "name": "x"}]), 2**64),
    "image of an annotation": (dataset(annotation(12, 2**64)), 2**64),
    "category of an annotation": (dataset(annotation(12, category_id=2**64)), 2**64),
    "image of a result": ([result(2**64)], 2**64),
    "category of a result": ([result(category_id=2**64)], 2**64),
}


@pytest.mark.parametrize("what", TOO_BIG)
def test_ids_beyond_64_bits_are_refused(tmp_path, what):
    document, number = TOO_BIG[what]
    path = write(tmp_path, document)
    with pytest.raises(FormatError, match=f"{re.escape(str(path))}.* {number}"):
        read_all(path)


def test_text_ids_of_images_are_json_text_and_find_their_annotations(opened):
    document = dataset(
        annotation(1, "x y"),
        annotation(2, "abc"),
        annotation(3, "abc"),
        images=[image("abc"), image("x y"), image("é")],
    )
    with opened(document) as ds:
        assert ds.images["id"].tolist() == [0, 1, 2]
        assert ds.images["id"].dtype == np.int64
        assert ds.images["id:json"].tolist()[:2] == ['"abc"', '"x y"']
        assert parsed(ds.images["id:json"]) == ["abc", "x y", "é"]
        assert ds.detections["annotation_id"].tolist() == [2, 3, 1]
        assert [ds.detection_range(i) for i in range(3)] == [(0, 2), (2, 3), (3, 3)]
        assert ds.images["file_name"].tolist() == ["abc.jpg", "x y.jpg", "é.jpg"]


def test_an_annotation_of_an_unknown_text_id_is_refused(tmp_path):
    path = write(tmp_path, dataset(annotation(12, "ABC"), images=[image("abc")]))
    with pytest.raises(FormatError, match=r"annotation 12\b.*ABC"):
        read_all(path)


def test_two_images_of_one_text_id_are_refused(tmp_path):
    path = write(tmp_path, dataset(images=[image("abc"), image("abc")]))
    with pytest.raises(FormatError, match=r"abc"):
        read_all(path)


def test_a_score_that_is_nan_stays_nan(opened):
    with opened([result(score=math.nan), result(score=0.5), result(score=-math.inf)]) as ds:
        scores = ds.detections["confidence"]
        assert np.isnan(scores[0])
        assert scores[1:].tolist() == [0.5, -math.inf]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, "1", True, 10**400])
@pytest.mark.parametrize("place", range(4))
def test_a_box_that_is_not_4_finite_numbers_is_refused(tmp_path, bad, place):
    bbox = [1, 1, 1, 1]
    bbox[place] = bad
    path = write(tmp_path, dataset(annotation(11), annotation(12, bbox=bbox)))
    with pytest.raises(FormatError, match=r"annotation 12\b.*bbox"):
        read_all(path)


def test_numbers_are_those_that_their_decimals_say(opened):
    texts = [
        "38.65",
        "1e-3",
        "0.1",
        "-0.0",
        "5E2",
        "123456789.123456789",
        "4.9406564584124654e-324",
    ]
    plain = json.dumps(dataset(*(annotation(k, area=k) for k in range(len(texts)))))
    for k, text in enumerate(texts):
        plain = plain.replace(f'"area": {k},', f'"area": {text},')
    with opened(json.loads(plain)) as ds:
        assert ds.detections["data/area"].tolist() == list(map(float, texts))


def test_a_box_is_x_y_and_their_sums_with_width_and_height(opened):
    boxes = [[0.1, 0.2, 0.7, 38.65], [473.07, 395.93, 38.65, 28.67], [-1.5, 0, 0, 1e-9]]
    with opened(dataset(*(annotation(k, bbox=bbox) for k, bbox in enumerate(boxes)))) as ds:
        assert ds.detections["xyxy"].tolist() == list(map(corners, boxes))
        assert ds[0].xyxy.tolist() == list(map(corners, boxes))


def test_what_only_some_annotations_have_is_filled_in(opened):
    bare = without(annotation(2), "id", "area", "iscrowd")
    with opened(dataset(annotation(1, score=0.5), bare)) as ds:
        data = ds[0].data
        assert data["annotation_id"].tolist() == [1, -1]
        assert data["iscrowd"].tolist() == [0, 0]
        assert data["area"][0] == 1
        assert np.isnan([data["area"][1], ds[0].confidence[1]]).all()


def test_names_in_utf_8_and_in_escapes_are_the_same(tmp_path):
    names = ["é.jpg", "日本/写真.jpg", "\U0001f600.png", 'quote".jpg', "back\\slash.jpg"]
    document = dataset(
        annotation(1, 0, note="ü"),
        images=[image(k, file_name=name) for k, name in enumerate(names)],
        categories=[{"id": 3, "name": "кот"}],
        info={"who": "Ω"},
    )
    for ascii_only in (False, True):
        path = tmp_path / "names.json"
        path.write_text(json.dumps(document, ensure_ascii=ascii_only), encoding="utf-8")
        with cm.open(path) as ds:
            assert ds.images["file_name"].tolist() == names
            assert ds.classes == ["кот"]
            assert ds.metadata["info"] == {"who": "Ω"}
            assert ds.detections["note"].tolist() == ["ü"]


def test_whatever_is_refused_names_the_file(tmp_path):
    path = write(tmp_path, dataset(annotation(12, segmentation={"size": [4, 5], "counts": [1]})))
    with pytest.raises(CompactMaskError, match=re.escape(f"{path}: annotation 12 (byte ")):
        read_all(path)
