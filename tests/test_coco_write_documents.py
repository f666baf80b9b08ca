"""Documents that are read and written again: every key, every id, every mask."""

import json

import pytest
from coco_writing import document, rle
from data import DATA, needs_data

import compactmask as cm
from compactmask.formats import coco

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

COCO_2014 = DATA / "coco-val2014-100"
DATASETS = [COCO_2014 / "instances_val2014_100.json", DATA / "photos" / "instances.json"]
RESULTS = COCO_2014 / "instances_val2014_fakesegm100_results.json"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.json"


# real data


@needs_data
@pytest.mark.parametrize("source", DATASETS, ids=lambda path: path.stem)
def test_a_real_dataset_comes_back_with_every_key_and_every_pixel(source, path):
    with cm.open(source) as ds:
        report = coco.write(ds, path)
    before, after = document(source), document(path)
    assert before.keys() - {"annotations"} == after.keys() - {"annotations"}
    for key in before.keys() - {"annotations"}:
        assert before[key] == after[key]
    sizes = {image["id"]: (image["height"], image["width"]) for image in before["images"]}
    by_id = {annotation["id"]: annotation for annotation in after["annotations"]}
    assert len(by_id) == len(before["annotations"]) == report.instances
    for annotation in before["annotations"]:
        own = by_id[annotation["id"]]
        size = sizes[annotation["image_id"]]
        assert own.pop("segmentation") == rle(annotation.pop("segmentation"), *size)
        assert own == annotation
    assert (report.images, report.bytes_out) == (len(sizes), path.stat().st_size)


@needs_data
def test_real_results_without_boxes_come_back_without(path):
    with cm.open(RESULTS) as ds:
        coco.write(ds, path, style="results")
    assert document(path) == document(RESULTS)


@needs_data
@pytest.mark.parametrize("source", DATASETS, ids=lambda path: path.stem)
def test_polygons_of_real_masks_give_them_back(source, path):
    with cm.open(source) as ds:
        coco.write(ds, path, polygons=True)
        masks = [
            own for detections in ds if len(detections) for own in detections.mask.to_coco_rle()
        ]
    written = document(path)["annotations"]
    assert sum(isinstance(own["segmentation"], list) for own in written) > 0.9 * len(written)
    for own, mask in zip(written, masks, strict=True):
        assert rle(own["segmentation"], *mask["size"]) == mask


# documents of many kinds


ODD = {
    "info": {"year": None, "n": [1, {"a": 1e-7}]},
    "images": [
        {"id": 5, "file_name": "ü/a.jpg", "height": 4, "width": 5, "neg": [1, 2], "x": None},
        {"id": 2, "file_name": "b.jpg", "height": 4, "width": 5, "y": 1.5},
        {"id": 9, "height": 4, "width": 5, "neg": []},
    ],
    "annotations": [
        {"id": 8, "image_id": 2, "category_id": 7, "bbox": [0.1, 0.2, 0.7, 3.33], "area": 1.25}
        | {"iscrowd": 1, "attributes": {"a": [None, True]}, "score": 0.25},
        {"id": 3, "image_id": 5, "category_id": 2, "bbox": [1, 1, 1, 1], "area": 1, "iscrowd": 0}
        | {"attributes": None, "caption": "ü", "big": 1 << 62},
        {"id": 4, "image_id": 5, "category_id": 7, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 0}
        | {"segmentation": {"size": [4, 5], "counts": [5, 1, 14]}, "caption": 5, "f": 1.0},
    ],
    "categories": [{"id": 7, "name": "dog", "keypoints": ["a"]}, {"id": 2, "name": "cat"}],
}


def test_odd_keys_of_a_document_come_back_as_they_were(tmp_path, path):
    source = tmp_path / "in.json"
    source.write_text(json.dumps(ODD), encoding="utf-8")
    with cm.open(source) as ds:
        coco.write(ds, path)
    written = document(path)
    assert {key: written[key] for key in ("info", "images", "categories")} == {
        key: ODD[key] for key in ("info", "images", "categories")
    }
    by_id = {own["id"]: own for own in written["annotations"]}
    for annotation in ODD["annotations"]:
        own = dict(by_id[annotation["id"]])
        expected = dict(annotation)
        if "segmentation" in expected:
            assert own.pop("segmentation") == rle(expected.pop("segmentation"), 4, 5)
        assert own == expected


def test_odd_keys_come_back_through_hdf5_too(tmp_path, path):
    source = tmp_path / "in.json"
    source.write_text(json.dumps(ODD), encoding="utf-8")
    with cm.open(source) as ds:
        coco.write(ds, path)
    cm.convert(source, tmp_path / "in.h5")
    with cm.open(tmp_path / "in.h5") as ds:
        coco.write(ds, tmp_path / "again.json")
    assert document(tmp_path / "again.json") == document(path)
