"""All of the real data, mask by mask against pycocotools."""

import json
from typing import Any

import numpy as np
import pytest
from coco_documents import write
from data import DATA, needs_data
from PIL import Image
from pycocotools import mask as mask_utils

import compactmask as cm
from compactmask.formats import coco
from compactmask.formats.coco.reader import CocoSource

pytestmark = [
    needs_data,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
FOLDER = DATA / "coco-val2014-100"
DATASETS = [FOLDER / "instances_val2014_100.json", DATA / "photos" / "instances.json"]
RESULTS = FOLDER / "instances_val2014_fakesegm100_results.json"


def video_results():
    """Give the masks of the SA-V video as results, an image for each frame."""
    video = json.loads((DATA / "sav-example" / "sav_000001_auto.json").read_text())
    return [
        {"image_id": frame, "category_id": number, "score": 1.0, "segmentation": rle}
        for frame, rles in enumerate(video["masklet"])
        for number, rle in zip(video["masklet_id"], rles, strict=True)
    ]


def concept_results():
    """Give the masks of the SAM 3 responses as results, an image for each response."""
    return [
        {
            "image_id": path.stem,
            "category_id": prompt["prompt_index"],
            "score": prediction["confidence"],
            "segmentation": prediction["masks"],
        }
        for path in sorted((DATA / "sam3-pcs").glob("pcs_*_rle.json"))
        for prompt in json.loads(path.read_text())["prompt_results"]
        for prediction in prompt["predictions"]
    ]


def nuclei_results():
    """Give the label images as results, an instance for each nucleus."""
    results = []
    for path in sorted((DATA / "nuclei").iterdir()):
        labels = np.asarray(Image.open(path))
        for number in np.unique(labels[labels > 0]).tolist():
            rle = mask_utils.encode(np.asfortranarray(labels == number, dtype=np.uint8))
            rle["counts"] = rle["counts"].decode()
            results.append({"image_id": path.stem, "category_id": 1, "segmentation": rle})
    return results


def rle_of(annotation, height, width):
    """Give the RLE of an annotation as pycocotools' own COCO.annToRLE does."""
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, list):
        return mask_utils.merge(mask_utils.frPyObjects(segmentation, height, width))
    if isinstance(segmentation["counts"], list):
        return mask_utils.frPyObjects(segmentation, height, width)
    return segmentation


def by_image(annotations, image_ids):
    groups = {image_id: [] for image_id in image_ids}
    for annotation in annotations:
        groups[annotation["image_id"]].append(annotation)
    return [groups[image_id] for image_id in image_ids]


def check(ds, groups):
    """Compare every mask and box of a dataset with the annotations of its images."""
    k = 0
    shapes = zip(ds.images["height"].tolist(), ds.images["width"].tolist(), strict=True)
    for i, (group, shape) in enumerate(zip(groups, shapes, strict=True)):
        detections = ds[i]
        assert len(detections) == len(group)
        rles = [rle_of(annotation, *shape) for annotation in group]
        for j, (annotation, rle) in enumerate(zip(group, rles, strict=True)):
            expected = mask_utils.decode(rle).astype(bool)
            assert (detections.mask[j] == expected).all()
            instance = ds.instance(k)
            x, y = instance.offset
            height, width = instance.crop.shape
            assert (instance.crop == expected[y : y + height, x : x + width]).all()
            assert instance.crop.sum() == ds.detections["area"][k] == expected.sum()
            x, y, width, height = annotation.get("bbox", mask_utils.toBbox(rle).tolist())
            assert instance.xyxy.tolist() == [x, y, x + width, y + height]
            k += 1
    assert k == len(ds.detections["class_id"])


@pytest.mark.parametrize("path", DATASETS, ids=lambda path: path.parent.name)
def test_every_mask_of_a_real_dataset_is_what_pycocotools_decodes(path):
    document = json.loads(path.read_text())
    with coco.open(path) as ds:
        ids = [image["id"] for image in document["images"]]
        assert ds.images["id"].tolist() == ids
        assert ds.classes == [category["name"] for category in document["categories"]]
        check(ds, by_image(document["annotations"], ids))


def test_every_mask_of_real_results_is_what_pycocotools_decodes():
    results = json.loads(RESULTS.read_text())
    with coco.open(RESULTS) as ds:
        ids = list(dict.fromkeys(result["image_id"] for result in results))
        assert ds.images["id"].tolist() == ids
        groups = by_image(results, ids)
        check(ds, groups)
        scores = [result["score"] for group in groups for result in group]
        assert ds.detections["confidence"].tolist() == scores


@pytest.mark.parametrize(
    ("results", "instances", "empty"),
    [(video_results, 1089, 137), (concept_results, None, 0), (nuclei_results, None, 0)],
    ids=["sa-v", "sam3", "nuclei"],
)
def test_masks_of_other_sources_come_through_a_conversion(tmp_path, results, instances, empty):
    items = results()
    report = cm.convert(write(tmp_path, items), tmp_path / "out.h5")
    assert report.instances == len(items) == (instances or len(items))
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(item["image_id"], []).append(item)
    with cm.open(tmp_path / "out.h5") as ds:
        assert (ds.detections["area"] == 0).sum() == empty
        check(ds, list(groups.values()))


def test_fields_of_a_real_dataset_are_those_of_the_document():
    document = json.loads(DATASETS[0].read_text())
    source = CocoSource(DATASETS[0])
    groups = by_image(document["annotations"], [image["id"] for image in document["images"]])
    ordered = [annotation for group in groups for annotation in group]
    for column, key in [
        ("annotation_id", "id"),
        ("category_id", "category_id"),
        ("iscrowd", "iscrowd"),
        ("data/area", "area"),
    ]:
        assert source.detections[column].tolist() == [item[key] for item in ordered]
    for key in ("license", "coco_url", "date_captured", "flickr_url", "file_name"):
        assert source.images[key].tolist() == [image[key] for image in document["images"]]
    assert np.unique(source.detections["iscrowd"]).tolist() == [0, 1]
    assert source.metadata["licenses"] == document["licenses"]
