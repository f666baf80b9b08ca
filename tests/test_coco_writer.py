"""Datasets and results as COCO JSON: every key, every id, every mask."""

import json
import os
import re

import numpy as np
import pytest
import supervision as sv
from coco_writing import CATEGORIES, CLASSES, document, encoded, found, hdf5, one
from hdf5_samples import SHAPE, boxes, pixels

import compactmask as cm
from compactmask.errors import FormatError, ShapeMismatchError
from compactmask.formats import coco
from compactmask.formats.source import Record

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json"


@pytest.fixture
def dataset(tmp_path):
    images = {"a.jpg": found(4, 1, 100), "b.jpg": sv.Detections.empty(), "c.jpg": found(3, 2, 200)}
    with hdf5(
        tmp_path / "in.h5", images, license=[1, 2, 3], coco_url=["http://a", "", "http://ü"]
    ) as ds:
        yield ds


def uneven():
    """A detection that was changed after supervision looked at it."""
    detections = one(data={"a": [1]})
    detections.data["a"].append(2)
    return detections


def infinite():
    """A box that was changed after supervision looked at it."""
    detections = one()
    detections.xyxy[0, 2] = np.inf
    return detections


def annotations(path, *images, **options):
    coco.write(images, path, **options)
    return document(path)["annotations"]


# what becomes what


def test_an_annotation_has_all_that_the_dataset_has(dataset, path):
    coco.write(dataset, path)
    written = document(path)
    assert list(written) == ["images", "annotations", "categories"]
    assert written["categories"] == CATEGORIES
    height, width = SHAPE
    assert written["images"] == [
        {"id": 10, "file_name": "a.jpg", "height": height, "width": width}
        | {"license": 1, "coco_url": "http://a"},
        {"id": 11, "file_name": "b.jpg", "height": height, "width": width}
        | {"license": 2, "coco_url": ""},
        {"id": 12, "file_name": "c.jpg", "height": height, "width": width}
        | {"license": 3, "coco_url": "http://ü"},
    ]
    k = 0
    for i, detections in enumerate(dataset):
        frames = None if detections.mask is None else detections.mask.to_dense()
        for j in range(len(detections)):
            own = written["annotations"][k]
            x, y, w, h = own["bbox"]
            assert [x, y, x + w, y + h] == detections.xyxy[j].tolist()
            assert own == {
                "id": int(detections.data["annotation_id"][j]),
                "image_id": 10 + i,
                "category_id": int(detections.data["category_id"][j]),
                "segmentation": encoded(frames[j]),
                "bbox": own["bbox"],
                "score": float(detections.confidence[j]),
                "tracker_id": int(detections.tracker_id[j]),
                "area": float(detections.data["area"][j]),
                "iscrowd": int(detections.data["iscrowd"][j]),
            }
            k += 1
    assert k == len(written["annotations"])


def test_a_written_dataset_opens_as_an_equal_one(dataset, path):
    coco.write(dataset, path)
    with cm.open(path) as ds:
        assert ds.classes == dataset.classes
        for name in ("id", "file_name", "height", "width", "license", "coco_url"):
            assert ds.images[name].tolist() == dataset.images[name].tolist()
        for name in ("xyxy", "class_id", "confidence", "annotation_id", "iscrowd", "data/area"):
            assert np.array_equal(ds.detections[name], dataset.detections[name])
        for own, expected in zip(ds, dataset, strict=True):
            assert (own.mask is None and len(expected) == 0) or own.mask == expected.mask


def test_further_columns_are_further_keys(path):
    data = {
        "note": np.array(["a", "ü"], object),
        "keypoints": np.arange(12).reshape(2, 6),
        "flags": [True, False],
        "text": np.array(["x", "yy"]),
        "half": np.array([0.5, 1.5], np.float16),
        "attributes:json": np.array(['{"a": [1, null]}', ""], object),
    }
    first, second = annotations(path, found(2, **data))
    assert first["note"] == "a"
    assert second["note"] == "ü"
    assert (first["keypoints"], second["keypoints"]) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11])
    assert (first["flags"], first["text"], second["half"]) == (True, "x", 1.5)
    assert first["attributes"] == {"a": [1, None]}
    assert "attributes" not in second
    assert not [key for key in first if key.endswith(":json")]


def test_json_text_is_spliced_as_it_is(path):
    text = '{"a": 1.50e3,\n "b": 123456789012345678901234567890, "a": "\\u00fc"}'
    annotations(path, found(1, **{"k:json": np.array([text], object)}))
    assert '"k":' + text.replace("\n", " ") in path.read_text()


def test_json_columns_of_images_are_spliced_too(tmp_path, path):
    with hdf5(
        tmp_path / "in.h5",
        {"a": found(1), "b": found(1)},
        **{"neg:json": ["[1, 2]", ""], "plain": [1, 2]},
    ) as ds:
        coco.write(ds, path)
    first, second = document(path)["images"]
    assert (first["neg"], first["plain"], second["plain"]) == ([1, 2], 1, 2)
    assert second.keys() == first.keys() - {"neg"}


@pytest.mark.parametrize("text", ["{", "NaN", "[Infinity]", "1 2", '"\ud800"'])
def test_json_text_that_is_none_is_refused(path, text):
    with pytest.raises(FormatError, match=r"image 0: instance 0: k: .* is not valid JSON"):
        annotations(path, found(1, **{"k:json": np.array([text], object)}))
    assert os.listdir(path.parent) == []


def test_a_column_whose_key_is_taken_is_counted_as_lost(path):
    with coco.create(path) as out:
        out.append(found(1, id=np.array([1]), score=np.array([2]), k=[3], **{"k:json": ["[4]"]}))
        assert out.loss.fields == {"id", "score", "k:json"}
    own = document(path)["annotations"][0]
    assert (own["id"], own["k"]) == (1, 3)


@pytest.mark.parametrize("style", ["dataset", "results"])
@pytest.mark.parametrize("key", ["score", "tracker_id", "segmentations", "segments_info"])
def test_what_readers_take_for_something_else_is_no_further_key(path, style, key):
    detections = found(1, **{key: ["x"], f"{key}:json": ["true"], "image": ["y"]})
    detections.tracker_id = None
    if style == "dataset":
        detections.confidence = None
    with coco.create(path, style=style) as out:
        out.append(detections)
        assert {key, f"{key}:json"} <= out.loss.fields
    with cm.open(path) as ds:
        assert (len(ds[0]), ds[0].data["image"].tolist()) == (1, ["y"])


def test_metadata_of_detections_is_counted_as_lost(path):
    with coco.create(path) as out:
        out.append(sv.Detections(xyxy=np.empty((0, 4)), metadata={"frame": 7}))
        assert (out.loss.fields, bool(out.loss)) == ({"metadata"}, True)


def test_nan_is_an_area_or_a_score_that_is_not_there(path):
    detections = found(2)
    detections.confidence[1] = detections.data["area"][1] = np.nan
    first, second = annotations(path, detections)
    assert "score" in first
    assert "score" not in second
    assert second["area"] == int(detections.mask.area[1])


def test_without_an_annotated_area_it_is_the_pixels_or_that_of_the_box(path):
    masked, boxed = annotations(
        path, one(), sv.Detections(np.array([[1.0, 2, 4, 8]]), class_id=np.array([0]))
    )
    assert (masked["area"], masked["iscrowd"]) == (int(pixels(1).sum()), 0)
    assert (boxed["area"], "segmentation" in boxed) == (18, False)


def test_an_instance_without_a_mask_has_no_segmentation(path):
    written = annotations(path, found(3, has_mask=np.array([True, False, True])))
    assert ["segmentation" in own for own in written] == [True, False, True]
    assert not any("has_mask" in own for own in written)


def test_a_mask_without_pixels_is_an_rle_without_pixels(path):
    detections = one()
    detections.mask = np.zeros((1, *SHAPE), bool)
    (own,) = annotations(path, detections)
    assert own["segmentation"] == encoded(np.zeros(SHAPE))


def test_image_without_name_or_size_says_nothing_of_them(path):
    coco.write([boxes(0)], path)
    assert document(path)["images"] == [{"id": 0}]


def test_other_metadata_stands_first(tmp_path, path):
    metadata = {"info": {"year": 2014, "ü": None}, "licenses": [], "videos": [{"id": 1}]}
    with hdf5(tmp_path / "in.h5", {"a": found(1)}, metadata=metadata) as ds:
        coco.write(ds, path)
    written = document(path)
    assert list(written) == ["info", "licenses", "videos", "images", "annotations", "categories"]
    assert {key: written[key] for key in metadata} == metadata


def test_masks_of_any_kind_are_written(path):
    frames = pixels(2)
    masks = [frames, cm.CompactMask.from_dense(frames), None]
    masks[2] = masks[1].to_supervision()
    images = [sv.Detections(np.zeros((2, 4)), mask=mask) for mask in masks]
    written = annotations(path, *images)
    expected = [encoded(frame) for frame in frames] * 3
    assert [own["segmentation"] for own in written] == expected


def test_a_mask_that_is_none_is_refused_by_name(path):
    detections = one()
    detections.mask = np.ones((1, 3), bool)
    with pytest.raises(ShapeMismatchError, match="image 0: masks have shape"):
        coco.write([detections], path)


def test_images_are_written_as_they_are_followed(tmp_path, path):
    with hdf5(tmp_path / "in.h5", {"a": found(2), "b": found(1)}) as ds:
        coco.write(ds.follow(start=0, timeout=0), path)
    written = document(path)
    assert [image["file_name"] for image in written["images"]] == ["a", "b"]
    assert [image["id"] for image in written["images"]] == [10, 11]
    assert json.dumps(written)
    assert not re.search(r"NaN|Infinity", path.read_text())


# ids


def test_ids_that_are_missing_or_not_unique_are_counted_anew(path):
    good, again, missing = found(2, 1, 5), found(2, 2, 6), found(2, 3)
    missing.data["annotation_id"] = np.array([9, -1])
    assert [own["id"] for own in annotations(path, good)] == [5, 6]
    for second in (again, missing, found(2)):
        written = annotations(path, good, second, overwrite=True)
        assert [own["id"] for own in written] == [1, 2, 3, 4]


def test_images_without_ids_get_the_next_free_one(path):
    with coco.create(path) as out:
        for number in (None, 2, None, None):
            out.append(boxes(0), image_id=number)
    assert [image["id"] for image in document(path)["images"]] == [0, 2, 3, 4]


def test_an_image_id_that_exists_is_refused(path):
    with coco.create(path) as out:
        out.append(boxes(0), image_id=7)
        with pytest.raises(FormatError, match=r"image 1: the document has an image of id 7"):
            out.append(boxes(0), image_id=7)
        assert len(out) == 1
    assert len(document(path)["images"]) == 1


def test_images_may_share_a_name(path):
    with coco.create(path) as out:
        out.append(boxes(0), "a.jpg", image_id=1)
        out.append(boxes(0), "a.jpg", image_id=2)
        assert out.has(file_name="a.jpg", id=2)
        assert not out.has(file_name="b.jpg")
        assert not out.has(file_name="a.jpg", id=3)
        assert (out.has(id=1), out.has(id=0)) == (True, False)
        with pytest.raises(TypeError, match="a file_name or an id expected"):
            out.has()


# categories


def test_categories_are_those_of_the_metadata_where_they_are_those_of_the_classes(tmp_path, path):
    with hdf5(tmp_path / "in.h5", {"a": found(5)}) as ds:
        coco.write(ds, path)
    written = document(path)
    assert written["categories"] == CATEGORIES
    assert {own["category_id"] for own in written["annotations"]} <= {3, 18, 90}


def test_categories_of_other_classes_are_not_taken(tmp_path, path):
    with hdf5(tmp_path / "in.h5", {"a": found(5)}, classes=["cat", "dog", "cow"]) as ds:
        coco.write(ds, path)
    assert document(path)["categories"] == [
        {"id": 1, "name": "cat"},
        {"id": 2, "name": "dog"},
        {"id": 3, "name": "cow"},
    ]


def test_category_ids_of_the_data_name_the_classes(tmp_path, path):
    with hdf5(tmp_path / "in.h5", {"a": found(9, 1, 1)}, metadata={}) as ds:
        coco.write(ds, path)
    written = document(path)
    assert written["categories"] == [
        {"id": category["id"], "name": category["name"]} for category in CATEGORIES
    ]


def test_a_class_without_instances_gets_an_id_that_is_free(path):
    detections = one(data={"category_id": np.array([2])})
    with coco.create(path, classes=["cat", "dog"]) as out:
        out.append(detections)
    assert document(path)["categories"] == [{"id": 2, "name": "cat"}, {"id": 3, "name": "dog"}]


def test_classes_without_any_instances_are_categories_too(path):
    with coco.create(path, classes=["cat", "dog"]) as out:
        out.append(boxes(0))
    assert document(path)["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def test_classes_may_grow_and_may_be_missing(path):
    with coco.create(path, classes=["cat"]) as out:
        out.append(one())
        out.classes += ["dog"]
        second, third = one(data={"class_name": np.array(["cow"])}), one()
        second.class_id[:], third.class_id[:] = 4, 6
        out.append(second)
        out.append(third)
    assert document(path)["categories"] == [
        {"id": 1, "name": "cat"},
        {"id": 2, "name": "dog"},
        {"id": 5, "name": "cow"},
        {"id": 7, "name": "7"},
    ]


def test_instances_without_a_class_are_objects(path):
    coco.write([boxes(2)], path)
    written = document(path)
    assert {own["category_id"] for own in written["annotations"]} == {1}
    assert written["categories"] == [{"id": 1, "name": "object"}]


def test_a_dataset_of_instances_with_and_without_classes_is_refused(path):
    with pytest.raises(FormatError, match=r"image 1: .*some instances .* have a class_id"):
        coco.write([one(), boxes(1)], path)


@pytest.mark.parametrize(
    ("class_ids", "category_ids", "message"),
    [
        ([0, 0], [1, 2], "image 1: class 0 has category_id 1 and 2, expected one"),
        ([0, 1], [1, 1], "image 1: category_id 1 is that of class 0 and of class 1"),
        ([0, -1], [1, 2], "image 1: class_id -1, expected 0 at least"),
    ],
)
def test_classes_and_category_ids_that_contradict_are_refused(
    path, class_ids, category_ids, message
):
    images = []
    for class_id, category_id in zip(class_ids, category_ids, strict=True):
        images.append(one(data={"category_id": np.array([category_id])}))
        images[-1].class_id[:] = class_id
    with coco.create(path) as out:
        out.append(images[0])
        with pytest.raises(FormatError, match=message):
            out.append(images[1])
        out.append(images[0])
    assert len(document(path)["annotations"]) == 2


# results


def test_results_have_what_results_have(path):
    detections = found(2, 1, 5, note=["a", "b"])
    del detections.data["area"]
    coco.write([detections], path, style="results")
    first, _ = document(path)
    assert first.keys() == {
        *("image_id", "category_id", "segmentation", "score", "bbox"),
        *("tracker_id", "iscrowd", "note", "id"),
    }
    assert (first["id"], first["image_id"], first["score"]) == (5, 0, detections.confidence[0])


def test_a_result_without_a_score_is_refused(path):
    with pytest.raises(FormatError, match=r"image 1 \('b'\): instance 0 has no confidence"):
        coco.write(
            [
                Record(0, 1, "a", (0, 0), found(1)),
                Record(1, 2, "b", (0, 0), one()),
            ],
            path,
            style="results",
        )
    assert os.listdir(path.parent) == []


def test_results_count_what_they_say_nothing_of(path):
    with coco.create(path, style="results") as out:
        out.append(found(1))
        assert not out.loss
        out.append(found(1), "a.jpg", SHAPE, columns={"license": 1, "neg:json": "[]"})
        assert out.loss.fields == {"file_name", "license", "neg"}
        out.append(boxes(0), image_shape=SHAPE)
        assert out.loss.fields == {"file_name", "license", "neg", "id", "height", "width"}
    assert len(document(path)) == 2


def test_a_result_has_a_box_unless_it_says_that_it_has_none(path):
    detections = found(3, 1, has_box=np.array([True, False, False]))
    detections.data["has_mask"] = np.array([True, True, False])
    coco.write([detections], path, style="results")
    assert ["bbox" in own for own in document(path)] == [True, False, True]
    assert not any("has_box" in own for own in document(path))
    assert all("bbox" in own for own in annotations(path, detections, overwrite=True))


def test_a_result_whose_box_is_that_of_its_mask_has_it(path):
    detections = one(confidence=np.array([0.5]))
    detections.xyxy = sv.mask_to_xyxy(pixels(1)) + np.array([0, 0, 1, 1.0])
    coco.write([detections], path, style="results")
    x, y, w, h = document(path)[0]["bbox"]
    assert [x, y, x + w, y + h] == detections.xyxy[0].tolist()


def test_no_results_are_an_empty_list(path):
    coco.write([], path, style="results")
    assert document(path) == []


# refusals


@pytest.mark.parametrize(
    ("detections", "error", "message"),
    [
        ([1, 2], TypeError, "image 1: sv.Detections expected, not list"),
        (uneven(), ShapeMismatchError, "image 1: a: 2 values for 1 boxes"),
        (found(1, a=np.array([np.nan])), FormatError, "instance 0: a nan: JSON has no such value"),
        (found(1, a=[b"bytes"]), FormatError, "instance 0: a b'bytes': JSON has no such value"),
        (found(1, a=["\ud800"]), FormatError, r"instance 0: a '\\ud800': JSON has no such value"),
        (infinite(), FormatError, "box 0 .*expected finite"),
        (
            sv.Detections(np.zeros((1, 4)), mask=np.ones((2, 3, 3), bool)[:1]),
            ShapeMismatchError,
            r"image_shape \(60, 80\), its masks have \(3, 3\)",
        ),
    ],
)
def test_an_image_that_is_refused_changes_nothing(path, detections, error, message):
    with coco.create(path, classes=CLASSES) as out:
        out.append(found(1))
        with pytest.raises(error, match=message):
            out.append(detections, image_shape=SHAPE)
        out.append(found(2))
    written = document(path)
    assert [len(written["images"]), len(written["annotations"])] == [2, 3]


def test_values_that_json_has_not_are_left_out_and_counted_where_that_is_allowed(path):
    with coco.create(path, allow_lossy=True) as out:
        out.append(found(2, a=np.array([np.nan, 1]), b=np.array([[1, np.inf], [1, 2]])))
        assert out.loss.fields == {"a", "b"}
    first, second = document(path)["annotations"]
    assert first.keys() == second.keys() - {"a", "b"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"file_name": 7}, TypeError, "file_name: str expected, not int"),
        ({"image_id": "7"}, TypeError, "image_id '7', an integer expected"),
        ({"image_id": 1 << 63}, FormatError, "image_id 9223372036854775808, expected 64 bits"),
        ({"image_shape": 7}, TypeError, "image_shape 7, expected two integers"),
        ({"image_shape": (0, 7)}, ShapeMismatchError, r"\(0, 7\), expected sides of 1 at least"),
        ({"columns": {"a": object()}}, FormatError, "a <object .*JSON has no such value"),
    ],
)
def test_arguments_that_make_no_image_are_refused(path, arguments, error, message):
    with coco.create(path) as out, pytest.raises(error, match=message):
        out.append(boxes(0), **arguments)


def test_metadata_that_is_no_json_is_refused_with_the_first_image(path):
    with coco.create(path) as out:
        out.metadata["info"] = float("nan")
        with pytest.raises(FormatError, match="metadata: cannot be written as JSON"):
            out.append(one())
        out.metadata["info"] = 1.5
        out.append(one())
    assert document(path)["info"] == 1.5


def test_options_that_are_none_are_refused(path):
    with pytest.raises(ValueError, match="style 'list', expected 'dataset' or 'results'"):
        coco.write([], path, style="list")
    with pytest.raises(ValueError, match="mode 'r', expected 'x', 'w' or 'a'"):
        coco.create(path, "r")
    with pytest.raises(TypeError, match="classes 'cat', a list of names expected"):
        coco.create(path, classes="cat")
    with pytest.raises(TypeError, match="classes: 7, str expected"):
        coco.create(path, "w", classes=["cat", 7])
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_metadata_that_has_no_place_is_counted(path, key):
    with coco.create(path, classes=["cat"]) as out:
        assert not out.loss
        out.metadata[key] = "mine"
    assert out.loss.fields == {"metadata"}
    assert isinstance(document(path)[key], list)


@pytest.mark.parametrize("ids", [(3, 3), (3, 1 << 63)])
def test_a_list_of_categories_that_would_not_be_read_does_not_count(path, ids):
    classes = ["cat", "dog"]
    listed = [{"id": i, "name": name} for i, name in zip(ids, classes, strict=True)]
    with coco.create(path, classes=classes) as out:
        out.metadata["categories"] = listed
    assert out.loss.fields == {"metadata"}
    with cm.open(path) as ds:
        assert ds.classes == classes
