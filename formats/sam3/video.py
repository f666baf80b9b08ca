"""Masklets: the predictions of a whole video, a mask for each object and frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from supervision import Detections

from compactmask.mask import CompactMask

from .found import Found, Shape, gathered
from .plain import Fields, fields, integer, items, name, needed, number

MASKLET = ("segmentations", "category_id", "video_id", "score", "noun_phrase", "id")


def annotated(response: Fields, image_shape: Shape | None) -> Detections:
    """Read the ground truth of such predictions, which is a list of the same objects."""
    return masklets(items(response["annotations"], "annotations"), image_shape)


def masklets(values: Sequence[Any], image_shape: Shape | None) -> Detections:
    """Read every mask of every object, object by object, its frames ascending.

    A frame whose RLE is null or has no pixel is one where the object is not.
    """
    found: list[Found] = []
    categories: list[int] = []
    known: set[int] = set()
    places: list[tuple[int, int]] = []
    for i, value in enumerate(values):
        where = f"[{i}]"
        one = fields(value, MASKLET, where)
        frames = items(needed(one, "segmentations", f"{where}."), f"{where}.segmentations")
        category = integer(needed(one, "category_id", f"{where}."), f"{where}.category_id")
        known.add(category)
        video = integer(needed(one, "video_id", f"{where}."), f"{where}.video_id")
        score = number(one["score"], f"{where}.score") if "score" in one else None
        label = name(one.get("noun_phrase"), f"{where}.noun_phrase")
        tracker = integer(one.get("id", i), f"{where}.id")
        for frame, rle in enumerate(frames):
            if rle is not None:
                place = f"{where}.segmentations[{frame}]"
                mask = fields(rle, ("size", "counts"), place)
                found.append(Found(place, mask, score, 0, label, tracker))
                categories.append(category)
                places.append((video, frame))
    category_id = np.array(categories, np.int64)
    at = np.array(places, np.int64).reshape(-1, 2)
    columns = {
        "category_id": category_id,
        "video_id": at[:, 0],
        "frame": at[:, 1],
    }
    result = gathered(found, image_shape, columns)
    result.class_id = np.searchsorted(sorted(known), category_id).astype(np.int64)
    if not isinstance(result.mask, CompactMask):
        return result
    return cast(Detections, result[result.mask.area > 0])
