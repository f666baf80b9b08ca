"""Write a dataset as a COCO document."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coco import Stretch, Told, chosen

CHUNK = 1000


def ours(path: str, to: str) -> Told:
    import compactmask as cm
    from compactmask.formats import coco, hdf5  # noqa: F401

    cm.CompactMask  # noqa: B018 - supervision is imported when the name is looked up
    stretch = Stretch()
    with cm.open(path) as ds:
        coco.write(ds, to)
    return stretch.end() | {"bytes": os.path.getsize(to)}


def json_dump(prepared: str, to: str) -> Told:
    import json

    document, stretch = _prepared(prepared)
    with open(to, "w", encoding="utf-8") as file:
        json.dump(document, file)
    return stretch.end()


def json_dumps(prepared: str, to: str) -> Told:
    import json

    document, stretch = _prepared(prepared)
    with open(to, "w", encoding="utf-8") as file:
        file.write(json.dumps(document))
    return stretch.end()


def orjson_dumps(prepared: str, to: str) -> Told:
    import orjson

    document, stretch = _prepared(prepared)
    with open(to, "wb") as file:
        file.write(orjson.dumps(document))
    return stretch.end()


def prepare(path: str, prepared: str, chosen_ids: str) -> Told:
    """Make the annotations that the rivals dump; tell what encoding a mask costs, of a sample."""
    from pycocotools import mask as coco
    from pycocotools.coco import COCO

    api = COCO(path)
    annotations = api.dataset["annotations"]
    with open(prepared, "wb") as file:
        pickle.dump({key: api.dataset[key] for key in ("images", "categories")}, file)
        for start in range(0, len(annotations), CHUNK):
            chunk = annotations[start : start + CHUNK]
            pickle.dump([one | {"segmentation": _text(api.annToRLE(one))} for one in chunk], file)
    took = 0.0
    for k in chosen(chosen_ids):
        mask = np.asfortranarray(api.annToMask(api.anns[k]))
        begin = time.thread_time()
        rle = coco.encode(mask)
        took += time.thread_time() - begin
        assert _text(rle) == _text(api.annToRLE(api.anns[k]))
    return {"encode": took / len(chosen(chosen_ids))}


def document(path: str) -> Told:
    """Return the digest of what a document says, whatever the order of its annotations."""
    import hashlib

    import orjson

    found = orjson.loads(Path(path).read_bytes())
    annotations = sorted(found["annotations"], key=lambda one: one["id"])
    said = {"images": found["images"], "annotations": annotations, "cat": found["categories"]}
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return {"digest": hashlib.blake2b(text, digest_size=16).hexdigest(), "n": len(annotations)}


def _text(rle: Any) -> Any:
    counts = rle["counts"]
    return {
        "size": list(rle["size"]),
        "counts": counts.decode() if isinstance(counts, bytes) else counts,
    }


def _prepared(path: str) -> tuple[Any, Stretch]:
    """Load what the rivals dump; the clock starts when it is in RAM."""
    stretch = Stretch()
    annotations: list[Any] = []
    with open(path, "rb") as file:
        found = pickle.load(file)
        while True:
            try:
                annotations += pickle.load(file)
            except EOFError:
                break
    return found | {"annotations": annotations}, stretch.again()
