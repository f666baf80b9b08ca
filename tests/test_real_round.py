"""All of the real data: in, to HDF5, out to COCO, and in again; the same at every step."""

import json

import numpy as np
import pytest
from coco_documents import annotation, dataset, image, write
from data import DATA, needs_data
from PIL import Image
from pycocotools import mask as mask_utils
from test_coco_real import by_image, rle_of

import compactmask as cm
from compactmask.formats import coco, sam3
from compactmask.formats.source import Record

pytestmark = [
    needs_data,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
FOLDER = DATA / "coco-val2014-100"
ADDED = {"annotation_id", "area", "data/area", "iscrowd", "category_id", "class_id"}


def packed(frame):
    """Encode a mask with pycocotools."""
    return mask_utils.encode(np.asfortranarray(frame, dtype=np.uint8))


def instances(path):
    """Give a document's RLEs by pycocotools, image by image, in the order of its images."""
    document = json.loads(path.read_text())
    if isinstance(document, list):
        ids = list(dict.fromkeys(item["image_id"] for item in document))
        return [[item["segmentation"] for item in group] for group in by_image(document, ids)]
    if "masklet" in document:
        return document["masklet"]
    shapes = [(image["height"], image["width"]) for image in document["images"]]
    groups = by_image(document["annotations"], [image["id"] for image in document["images"]])
    return [
        [rle_of(item, *shape) for item in group]
        for group, shape in zip(groups, shapes, strict=True)
    ]


def nuclei(folder):
    """Give the RLEs of label images."""
    images = [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]
    return [[packed(image == key) for key in np.unique(image[image > 0])] for image in images]


SOURCES = {
    "dataset": (FOLDER / "instances_val2014_100.json", instances, 839),
    "results": (FOLDER / "instances_val2014_fakesegm100_results.json", instances, 734),
    "photographs": (DATA / "photos" / "instances.json", instances, 49),
    "video": (DATA / "sav-example" / "sav_000001_auto.json", instances, 1089),
    "nuclei": (DATA / "nuclei", nuclei, 474),
}


def check_masks(ds, expected):
    """Compare every mask with what pycocotools makes of the source."""
    for i, rles in enumerate(expected):
        masks = ds[i].mask
        if not rles:
            assert masks is None or len(masks) == 0
            continue
        for frame, rle in zip(masks.to_dense(), rles, strict=True):
            assert np.array_equal(frame, mask_utils.decode(rle))
    assert len(ds) == len(expected)


def check_columns(before, after):
    """Compare all columns of images and instances."""
    for kind in ("images", "detections"):
        one, other = getattr(before, kind), getattr(after, kind)
        assert set(one) <= set(other)
        assert set(other) - set(one) <= ADDED
        for name in one:
            assert one[name].dtype == other[name].dtype, name
            is_float = one[name].dtype.kind == "f"
            assert np.array_equal(one[name], other[name], equal_nan=is_float), name


@pytest.mark.parametrize("name", SOURCES)
def test_masks_and_columns_are_the_same_after_hdf5_and_coco(tmp_path, name):
    path, read, n = SOURCES[name]
    expected = read(path)
    form = "coco-results" if name == "results" else "coco"
    steps = [path, tmp_path / "kept.h5", tmp_path / "written.json", tmp_path / "again.h5"]
    assert cm.convert(steps[0], steps[1]).instances == n
    assert not cm.convert(steps[1], steps[2], format=form).loss
    assert cm.convert(steps[2], steps[3]).instances == n
    with cm.open(steps[0]) as first:
        for step in steps:
            with cm.open(step) as ds:
                check_masks(ds, expected)
                check_columns(first, ds)
                assert ds.classes == first.classes or not first.classes


@pytest.mark.parametrize("style", ["dataset", "results"])
@pytest.mark.parametrize(
    "pattern", ["pcs_*_rle.json", "pcs_*_polygon.json", "pvs_*.json", "workflow_*.json"]
)
def test_responses_of_sam_3_come_through_hdf5_and_coco(tmp_path, pattern, style):
    paths = sorted((DATA / "sam3-pcs").glob(pattern))
    assert len(paths) == 2
    found = [sam3.parse(path.read_bytes(), resolution_wh=(720, 1280)) for path in paths]
    with cm.create(tmp_path / "found.h5") as out:
        for path, detections in zip(paths, found, strict=True):
            out.append(detections, file_name=path.name)
    with cm.open(tmp_path / "found.h5") as ds:
        records = [Record(i, i, path.name, (1280, 720), ds[i]) for i, path in enumerate(paths)]
        coco.write(records, tmp_path / "found.json", style=style, allow_lossy=style == "results")
    with cm.open(tmp_path / "found.h5") as kept, cm.open(tmp_path / "found.json") as written:
        for i, detections in enumerate(found):
            for ds in (kept, written):
                assert ds[i].mask == detections.mask
                assert np.array_equal(ds[i].xyxy, detections.xyxy)
                assert np.array_equal(ds[i].confidence, detections.confidence)
            if detections.class_id is not None and "class_name" in detections.data:
                assert np.array_equal(written[i].data["class_name"], detections["class_name"])


def test_results_that_were_written_are_the_first_ones(tmp_path):
    path, _, _ = SOURCES["results"]
    cm.convert(path, tmp_path / "kept.h5")
    cm.convert(tmp_path / "kept.h5", tmp_path / "written.json", format="coco-results")
    first = json.loads(path.read_text())
    ids = list(dict.fromkeys(item["image_id"] for item in first))
    ordered = [item for group in by_image(first, ids) for item in group]
    assert json.loads((tmp_path / "written.json").read_text()) == ordered


def test_a_document_that_was_written_equals_the_first_but_for_polygons(tmp_path):
    path, read, _ = SOURCES["dataset"]
    cm.convert(path, tmp_path / "kept.h5")
    cm.convert(tmp_path / "kept.h5", tmp_path / "written.json")
    first = json.loads(path.read_text())
    written = json.loads((tmp_path / "written.json").read_text())
    assert {key: first[key] for key in first if key != "annotations"} == {
        key: written[key] for key in written if key != "annotations"
    }
    rles = {
        item["id"]: rle
        for image, group in zip(first["images"], read(path), strict=True)
        for item, rle in zip(
            [item for item in first["annotations"] if item["image_id"] == image["id"]],
            group,
            strict=True,
        )
    }
    by_id = {item["id"]: item for item in written["annotations"]}
    assert len(by_id) == len(first["annotations"])
    for item in first["annotations"]:
        rle = rles[item["id"]]
        counts = rle["counts"]
        expected = {"size": list(rle["size"]), "counts": counts.decode()}
        assert by_id[item["id"]] == item | {"segmentation": expected}


def test_results_with_boxes_and_text_ids_come_back(tmp_path):
    rle = {"size": [4, 5], "counts": "51>"}
    items = [
        {"image_id": "b", "category_id": 1, "bbox": [1.0, 1.0, 1.0, 1.0], "score": 0.5},
        {"image_id": "a", "category_id": 1, "bbox": [0.1, 0.2, 3.3, 4.4], "score": 0.25},
    ]
    for item in items:
        item["segmentation"] = rle
    cm.convert(write(tmp_path, items, "r.json"), tmp_path / "kept.h5")
    report = cm.convert(tmp_path / "kept.h5", tmp_path / "again.json", format="coco-results")
    assert json.loads((tmp_path / "again.json").read_text()) == items
    assert not report.loss


def test_a_dataset_with_text_ids_comes_back(tmp_path):
    items = [annotation(1, "b"), annotation(2, "a")]
    document = dataset(*items, images=[image("a"), image("b")])
    cm.convert(write(tmp_path, document, "d.json"), tmp_path / "kept.h5")
    report = cm.convert(tmp_path / "kept.h5", tmp_path / "again.json")
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["images"] == document["images"]
    assert {item["id"]: item["image_id"] for item in again["annotations"]} == {1: "b", 2: "a"}
    assert not report.loss
