"""Results over the interface of pycocotools: prepared as pycocotools does, from anything."""

import json
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from coco_writing import CATEGORIES, both, document, found, quietly
from hdf5_samples import SHAPE, pixels

import compactmask as cm
from compactmask.errors import FormatError
from compactmask.formats import coco

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    with both(tmp_path_factory.mktemp("pair")) as own_and_reference:
        yield own_and_reference


@pytest.fixture(scope="module")
def results(pair, tmp_path_factory):
    """Results as a document, of the same images, with masks that are not those of the boxes."""
    path = tmp_path_factory.mktemp("results") / "results.json"
    images = {image["file_name"]: image["id"] for image in pair[1].dataset["images"]}
    with coco.create(path, style="results") as out:
        out.classes, out.metadata = ["cat", "dog", "größe"], {"categories": CATEGORIES}
        for name in ("3.jpg", "9.jpg", "7.jpg"):
            one = found(4, images[name])
            del one.data["area"], one.data["iscrowd"]
            one.tracker_id = None
            out.append(one, name, image_id=images[name])
    return path


def without_boxes(path, folder):
    document_ = document(path)
    for result in document_:
        del result["bbox"]
    bare = folder / "bare.json"
    bare.write_text(json.dumps(document_))
    return bare


def prepared(reference):
    """The annotations of pycocotools' results, as plain JSON."""
    annotations = []
    for annotation in reference.dataset["annotations"]:
        annotation["bbox"] = np.asarray(annotation["bbox"]).tolist()
        annotations.append(annotation | {"area": float(annotation["area"])})
    return annotations


@pytest.mark.parametrize("has_boxes", [True, False])
@pytest.mark.parametrize("form", [str, Path, document, "HDF5", cm.open])
def test_results_are_prepared_as_pycocotools_does(pair, results, tmp_path, form, has_boxes):
    own, reference = pair
    path = results if has_boxes else without_boxes(results, tmp_path)
    expected = quietly(reference.loadRes, str(path))
    if form == "HDF5":
        cm.convert(path, tmp_path / "results.h5")
        form = lambda path: tmp_path / "results.h5"  # noqa: E731
    prepared_ = own.loadRes(form(path))
    assert list(prepared_.dataset["annotations"]) == prepared(expected)
    assert prepared_.getAnnIds() == expected.getAnnIds()
    for area in (0, 30, 60):
        assert prepared_.getAnnIds(areaRng=[area, 1e5]) == expected.getAnnIds(areaRng=[area, 1e5])
    assert list(prepared_.imgs) == list(expected.imgs)
    assert prepared_.cats == expected.cats
    assert prepared_.dataset["info"] == expected.dataset["info"]


def test_results_of_boxes_have_them_as_polygons(pair, tmp_path):
    own, reference = pair
    items = [{"image_id": 12, "category_id": 3, "score": 0.5, "bbox": [1.5, 2, 3.25, 4]}] * 2
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(items))
    expected = prepared(quietly(reference.loadRes, str(path)))
    for given_ in (path, items):
        assert list(own.loadRes(given_).dataset["annotations"]) == expected
    assert items == json.loads(path.read_text())


def test_an_array_of_results_is_taken(pair):
    own, reference = pair
    array = np.array([[12, 1, 2, 3.5, 4, 0.25, 18], [13, 0, 0, 9, 9, 0.5, 3]])
    expected = quietly(reference.loadRes, array)
    assert list(own.loadRes(array).dataset["annotations"]) == prepared(expected)
    for wrong in (array[:, :6], array[0], [1]):
        with pytest.raises(FormatError, match=r"expected an array of shape \(n, 7\)"):
            own.loadNumpyAnnotations(wrong)


def test_keypoints_and_captions_are_taken_as_they_are(pair, tmp_path):
    own, reference = pair
    for items in (
        [{"image_id": 12, "category_id": 3, "keypoints": [1, 2, 2, 5, 9, 2], "score": 1}],
        [{"image_id": 12, "caption": "a cat"}],
    ):
        path = tmp_path / "items.json"
        path.write_text(json.dumps(items))
        found_ = own.loadRes(path)
        if "keypoints" in items[0]:
            expected = prepared(quietly(reference.loadRes, str(path)))
            assert found_.dataset["annotations"] == expected
        else:
            assert found_.dataset["annotations"] == [items[0] | {"id": 1}]


def test_no_results_are_none(pair, tmp_path):
    own, _ = pair
    path = tmp_path / "none.json"
    path.write_text("[]")
    for given_ in ([], path):
        results = own.loadRes(given_)
        assert (results.getAnnIds(), results.getImgIds()) == ([], own.getImgIds())


def test_results_of_other_images_are_refused(pair):
    own, _ = pair
    item = {"category_id": 3, "score": 0.5, "bbox": [1.5, 2, 3.25, 4]}
    with pytest.raises(
        FormatError, match=r"do not correspond to current coco set: 2 of 3 .*: 1, 2$"
    ):
        own.loadRes([item | {"image_id": number} for number in (12, 1, 2)])


def test_a_long_first_result_is_read_whole(pair, tmp_path):
    own, _ = pair
    item = {"image_id": 12, "note": "x" * (1 << 18), "category_id": 3, "score": 0.5}
    item["bbox"] = [1.5, 2, 3.25, 4]
    path = tmp_path / "long.json"
    path.write_text("\ufeff \n[ " + json.dumps(item) + "]", encoding="utf-8")
    assert own.loadRes(path).anns[1]["area"] == 13


def test_detections_that_have_no_ids_are_told_by_their_names(pair, tmp_path):
    own, reference = pair
    with cm.create(tmp_path / "found.h5", classes=["größe", "cat"]) as out:
        for name in ("9.jpg", "3.jpg"):
            one = found(3, 5)
            one.class_id %= 2
            out.append(one, file_name=name)
    results = own.loadRes(tmp_path / "found.h5")
    ids = {image["file_name"]: image["id"] for image in reference.dataset["images"]}
    annotations = results.dataset["annotations"]
    assert [one["image_id"] for one in annotations] == [ids["9.jpg"]] * 3 + [ids["3.jpg"]] * 3
    assert {one["category_id"] for one in annotations} <= {90, 3}


def test_detections_of_names_that_images_share_are_told_by_their_ids(tmp_path):
    for name, ids in (("truth", (3, 4, 5)), ("found", (3, 5))):
        with coco.create(tmp_path / f"{name}.json", classes=["cat", "dog", "größe"]) as out:
            for number in ids:
                file_name = "b.jpg" if number == 5 else "a.jpg"
                out.append(found(1), file_name, SHAPE, image_id=number)
    results = coco.COCO(tmp_path / "truth.json").loadRes(tmp_path / "found.json")
    assert [one["image_id"] for one in results.dataset["annotations"]] == [3, 5]


@pytest.mark.parametrize("moved", [0, 1])
def test_boxes_of_detections_give_areas_only_where_they_are_not_those_of_the_masks(
    pair, tmp_path, moved
):
    own, _ = pair
    frames = pixels(3)
    frames[2] = False
    mask = cm.CompactMask.from_dense(frames)
    corners = np.hstack((mask.offsets, mask.bbox_xyxy[:, 2:] + 1)) * [[1], [1], [0]]
    corners[0, 2] += moved
    with cm.create(tmp_path / "found.h5") as out:
        out.append(sv.Detections(corners.astype(float), mask=mask), file_name="3.jpg")
    areas = [one["area"] for one in own.loadRes(tmp_path / "found.h5").dataset["annotations"]]
    boxes_ = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    assert areas == (boxes_ if moved else mask.area).tolist()
    assert areas != (mask.area if moved else boxes_).tolist()
