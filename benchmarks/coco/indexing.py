"""Open a document, and read random crops of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.coco import Stretch, Told, chosen, digest

Array = npt.NDArray[Any]


def ours(path: str, chosen_ids: str) -> Told:
    import compactmask as cm
    from compactmask.formats.coco import reader  # noqa: F401

    cm.open  # noqa: B018 - its module is imported when the name is looked up
    stretch = Stretch()
    ds = cm.open(path)
    told = stretch.end()
    columns = ds.detections
    ids = columns["annotation_id"]
    order = np.argsort(ids)
    places = order[np.searchsorted(ids[order], chosen(chosen_ids))].tolist()
    told |= _crops(ds.crop, places)
    counts = [stop - start for start, stop in map(ds.detection_range, range(len(ds)))]
    image_ids = np.repeat(ds.images["id"], counts)
    return told | _facts(ids, image_ids, columns["category_id"], columns["data/area"])


def json_load(path: str) -> Told:
    import json

    stretch = Stretch()
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    return stretch.end() | _facts_of(document)


def orjson_loads(path: str) -> Told:
    import orjson

    stretch = Stretch()
    with open(path, "rb") as file:
        document = orjson.loads(file.read())
    return stretch.end() | _facts_of(document)


def pycocotools(path: str, chosen_ids: str) -> Told:
    from pycocotools.coco import COCO

    stretch = Stretch()
    api = COCO(path)
    told = stretch.end()

    def crop(k: int) -> Array:
        annotation = api.anns[k]
        x, y, w, h = (int(side) for side in annotation["bbox"])
        mask = api.annToMask(annotation)
        return mask[y : y + max(h, 1), x : x + max(w, 1)].astype(bool)  # a crop has a pixel

    return told | _crops(crop, chosen(chosen_ids)) | _facts_of(api.dataset)


def _crops(crop: Callable[[int], Array], places: list[int]) -> Told:
    """Read crops once, which are dropped, and once to compare them."""
    begin = time.thread_time()
    for k in places:
        crop(k)
    took = time.thread_time() - begin
    return {"crop": took / len(places), "crops": digest(map(crop, places))}


def _facts_of(document: Any) -> Told:
    annotations = document["annotations"]
    keys = ("id", "image_id", "category_id", "area")
    return _facts(*(np.array([one[key] for one in annotations]) for key in keys))


def _facts(ids: Array, image_ids: Array, category_ids: Array, areas: Array) -> Told:
    """Return what must be equal whoever read the document: columns in the order of ids."""
    order = np.argsort(ids)
    columns: Iterable[Array] = (ids, image_ids, category_ids, areas.astype(np.int64))
    return {"facts": digest(np.ascontiguousarray(one[order]).view(np.uint8) for one in columns)}
