"""Datasets to write as COCO JSON, and what it means that a document holds them."""

import contextlib
import io
import json

import numpy as np
import supervision as sv
from hdf5_samples import SHAPE, pixels
from pycocotools import coco as pycoco
from pycocotools import mask as mask_utils

import compactmask as cm
from compactmask.formats import coco

CLASSES = ["cat", "dog", "größe"]
CATEGORY_IDS = [3, 18, 90]
CATEGORIES = [
    {"id": number, "name": name, "supercategory": "animal"}
    for number, name in zip(CATEGORY_IDS, CLASSES, strict=True)
]


def found(count, seed=0, first_id=None, shape=SHAPE, **data):
    """Detections as a COCO dataset gives them, with some further columns."""
    rng = np.random.default_rng(seed)
    class_id = rng.integers(0, 3, count)
    corners = np.round(rng.random((count, 2)) * 30, 2)
    masks = pixels(count, seed, shape)
    columns = {"iscrowd": rng.integers(0, 2, count), "area": np.round(rng.random(count) * 90, 3)}
    if first_id is not None:
        columns["annotation_id"] = np.arange(first_id, first_id + count)
        columns["category_id"] = np.array(CATEGORY_IDS)[class_id]
    return sv.Detections(
        xyxy=np.hstack((corners, corners + np.round(rng.random((count, 2)) * 30, 2))),
        mask=cm.CompactMask.from_dense(masks, image_shape=shape),
        confidence=np.round(rng.random(count), 3),
        class_id=class_id,
        tracker_id=rng.integers(0, 50, count),
        data=columns | data,
    )


def hdf5(path, images, classes=CLASSES, metadata=None, **columns):
    """Write detections by file name, and open what was written."""
    with cm.create(path, classes=classes) as out:
        out.metadata = {"categories": CATEGORIES} if metadata is None else metadata
        for i, (name, detections) in enumerate(images.items()):
            own = {key: values[i] for key, values in columns.items()}
            out.append(detections, file_name=name, image_shape=SHAPE, image_id=10 + i, columns=own)
    return cm.open(path)


def document(path):
    """Read a document, refusing what is no JSON."""

    def refuse(name):
        raise AssertionError(name)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def encoded(mask):
    """Give the RLE that pycocotools writes for a frame."""
    rle = mask_utils.encode(np.asfortranarray(mask, np.uint8))
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def rle(segmentation, height, width):
    """Give a segmentation of any form as the RLE that pycocotools writes for its pixels."""
    if isinstance(segmentation, list):
        drawn = mask_utils.merge(mask_utils.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        drawn = mask_utils.frPyObjects(segmentation, height, width)
    else:
        drawn = segmentation
    return encoded(mask_utils.decode(drawn))


def quietly(function, *arguments):
    """Call what prints as it works."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*arguments)


def one(**more):
    """A detection with a mask and a class."""
    return sv.Detections(
        xyxy=np.array([[1.0, 2, 3, 4]]), mask=pixels(1), class_id=np.array([0]), **more
    )


@contextlib.contextmanager
def both(folder):
    """The interface over an HDF5 file, and pycocotools on the document that is written of it."""
    images = {f"{i}.jpg": found(i % 5, i, 100 * i + 7) for i in range(12)}
    images["none.jpg"] = sv.Detections.empty()
    metadata = {"categories": CATEGORIES, "info": {"year": 2014, "a": "ü"}, "licenses": []}
    ds = hdf5(
        folder / "in.h5",
        images,
        metadata=metadata,
        **{"license": range(13), "neg:json": ["", *["[1, 2]"] * 12]},
    )
    coco.write(ds, folder / "out.json")
    yield coco.COCO(ds), quietly(pycoco.COCO, str(folder / "out.json"))
    ds.close()
