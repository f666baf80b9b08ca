"""Real masks in a file: equal to pycocotools' decode, and small."""

import json
import os

import numpy as np
import pytest
import supervision as sv
from data import DATA, needs_data
from pycocotools import mask as coco_mask

import compactmask as cm

pytestmark = [
    needs_data,
    # pycocotools' own, with NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def ground_truth():
    """Images of COCO val2014: (H, W) and full-image RLEs."""
    path = DATA / "coco-val2014-100" / "instances_val2014_100.json"
    document = json.loads(path.read_text())
    for image in document["images"]:
        shape = image["height"], image["width"]
        rles = []
        for annotation in document["annotations"]:
            if annotation["image_id"] == image["id"]:
                segmentation = annotation["segmentation"]
                parts = coco_mask.frPyObjects(segmentation, *shape)
                rles.append(coco_mask.merge(parts) if isinstance(parts, list) else parts)
        yield shape, rles


def sam3_frames():
    """Frames of a video and the answers of SAM 3."""
    for frame in ("000", "030"):
        document = json.loads((DATA / "sam3-pcs" / f"pcs_f{frame}_rle.json").read_text())
        rles = [
            prediction["masks"]
            for prompt in document["prompt_results"]
            for prediction in prompt["predictions"]
        ]
        yield tuple(rles[0]["size"]), rles


def sav_frames():
    """Frames of a video of SA-V."""
    document = json.loads((DATA / "sav-example" / "sav_000001_auto.json").read_text())
    for rles in document["masklet"]:
        yield tuple(rles[0]["size"]), rles


def distinct():
    yield from ground_truth()
    yield from sam3_frames()
    yield from sav_frames()


def counts_text(rle):
    counts = rle["counts"]
    return counts.decode() if isinstance(counts, bytes) else counts


@pytest.fixture(scope="module")
def images():
    return [
        (shape, [{"size": list(shape), "counts": counts_text(rle)} for rle in rles])
        for shape, rles in distinct()
    ]


def write(path, images, **options):
    """Store the images, and the same content as COCO JSON; give both sizes."""
    annotations = []
    document = {"images": [], "annotations": annotations, "categories": []}
    with cm.create(path, **options) as out:
        for i, (shape, rles) in enumerate(images):
            name = f"image_{i:012d}.jpg"
            document["images"].append(
                {"id": i, "file_name": name, "height": shape[0], "width": shape[1]}
            )
            masks = cm.CompactMask.from_coco_rle(rles, image_shape=shape)
            boxes = np.zeros((len(rles), 4))
            for k, rle in enumerate(rles):
                x, y, w, h = coco_mask.toBbox(rle).tolist()
                boxes[k] = x, y, x + w, y + h
                annotations.append(
                    {
                        "id": len(annotations),
                        "image_id": i,
                        "category_id": 1,
                        "iscrowd": 0,
                        "area": int(coco_mask.area(rle)),
                        "bbox": [x, y, w, h],
                        "segmentation": rle,
                    }
                )
            data = {
                "category_id": np.ones(len(rles), np.int64),
                "annotation_id": np.arange(len(annotations) - len(rles), len(annotations)),
                "iscrowd": np.zeros(len(rles), np.int64),
                "area": masks.area.astype(np.int64),
            }
            detections = sv.Detections(
                xyxy=boxes, mask=masks, class_id=np.zeros(len(rles), np.int64), data=data
            )
            out.append(detections, file_name=name, image_shape=shape)
    return os.path.getsize(path), len(json.dumps(document, separators=(",", ":")))


@pytest.mark.parametrize(("compression", "limit"), [(None, 0.33), ("gzip", 0.25)])
def test_real_masks_come_back_equal_and_take_a_fraction_of_coco_json(
    tmp_path, images, compression, limit
):
    path = tmp_path / "real.h5"
    size, json_size = write(path, images, compression=compression)
    assert size < limit * json_size, f"{size} bytes, JSON {json_size}"
    with cm.open(path) as ds:
        k = 0
        for (_, rles), detections in zip(images, ds, strict=True):
            found = detections.mask.to_dense()
            for rle, mask, (x, y) in zip(rles, found, detections.mask.offsets, strict=True):
                expected = coco_mask.decode(rle).astype(bool)
                assert np.array_equal(mask, expected)
                crop = ds.crop(k)
                assert np.array_equal(crop, expected[y : y + len(crop), x : x + crop.shape[1]])
                assert crop.sum() == expected.sum()
                k += 1
    assert k == 1958
