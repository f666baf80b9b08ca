"""Turn a whole document to packed masks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.coco import Stretch, Told, chosen, digest


def ours(path: str, to: str) -> Told:
    import compactmask as cm
    from compactmask.formats import hdf5  # noqa: F401
    from compactmask.formats.coco import reader  # noqa: F401

    cm.convert  # noqa: B018 - its module is imported when the name is looked up
    cm.CompactMask  # noqa: B018 - and so is supervision
    stretch = Stretch()
    report = cm.convert(path, to)
    return stretch.end() | {"instances": report.instances, "bytes": report.bytes_out}


def stored(path: str, chosen_ids: str) -> Told:
    """Return the digest of chosen masks as full frames, as a converted file has them."""
    import compactmask as cm

    ds = cm.open(path)
    ids = ds.detections["annotation_id"]
    places = {number: k for k, number in enumerate(ids.tolist())}
    heights, widths = ds.images["height"], ds.images["width"]

    def frame(number: int) -> Any:
        found = ds.instance(places[number])
        (x, y), (h, w) = found.offset, found.crop.shape
        mask = np.zeros((heights[found.image], widths[found.image]), bool)
        mask[y : y + h, x : x + w] = found.crop
        return mask

    return {"masks": digest(map(frame, chosen(chosen_ids)))}


def supervision(path: str, chosen_ids: str) -> Told:
    """Do chosen masks two ways; the document has been loaded before the clock starts."""
    from pycocotools.coco import COCO
    from supervision import CompactMask

    api = COCO(path)
    annotations = [api.anns[k] for k in chosen(chosen_ids)]

    def box(annotation: Any) -> Any:
        x, y, w, h = annotation["bbox"]
        return np.array([[x, y, x + w, y + h]])

    def by_frame(annotation: Any) -> Any:
        mask = api.annToMask(annotation).astype(bool)
        return CompactMask.from_dense(mask[None], box(annotation), mask.shape)

    def by_rle(annotation: Any) -> Any:
        rle = api.annToRLE(annotation)
        return CompactMask.from_coco_rle([rle], box(annotation), tuple(rle["size"]))

    return {
        "frame": _each(by_frame, annotations),
        "rle": _each(by_rle, annotations),
        "masks": digest(map(api.annToMask, annotations)),
        "frame masks": digest(by_frame(one).to_dense()[0] for one in annotations),
        "rle masks": digest(by_rle(one).to_dense()[0] for one in annotations),
    }


def _each(call: Callable[[Any], Any], items: list[Any]) -> float:
    """Return the seconds of processor time that a call takes."""
    begin = time.thread_time()
    for item in items:
        call(item)
    return (time.thread_time() - begin) / len(items)
