"""What the model's own code gives: dense masks, and the JSON of its agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from supervision import Detections

from compactmask.errors import FormatError
from compactmask.mask import CompactMask

from .found import Found, Shape, detections, gathered, same_shape
from .plain import (
    FLOATS,
    INTEGERS,
    LARGEST,
    Array,
    Fields,
    array,
    column,
    fields,
    integer,
    items,
    name,
    needed,
    number,
)

SHORTEST_COUNTS = 5
"""Characters of a counts string; the agent takes shorter ones for invalid."""


def image(response: Fields, image_shape: Shape | None) -> Detections:
    """Read the state of the image processor: one prompt, so that every class id is 0."""
    mask = _masks(needed(response, "masks", ""), "masks", image_shape)
    scores = column(needed(response, "scores", ""), _count(mask), FLOATS, "scores")
    return detections(mask, np.zeros(_count(mask)), _finite(scores, "scores"))


def postprocessed(response: Fields, image_shape: Shape | None) -> Detections:
    """Read what PostProcessImage makes of an image: dense masks or RLEs, and a label for each."""
    if response.get("masks_rle") is None:
        mask = _masks(needed(response, "masks", ""), "masks", image_shape)
        scores = column(needed(response, "scores", ""), _count(mask), FLOATS, "scores")
        labels = column(needed(response, "labels", ""), _count(mask), INTEGERS, "labels")
        return detections(mask, labels, _finite(scores, "scores"))
    rles = items(response["masks_rle"], "masks_rle")
    scores = column(needed(response, "scores", ""), len(rles), FLOATS, "scores")
    labels = column(needed(response, "labels", ""), len(rles), INTEGERS, "labels")
    found = [
        Found(where, fields(rle, ("size", "counts"), where), score, label)
        for where, rle, score, label in zip(
            (f"masks_rle[{i}]" for i in range(len(rles))),
            rles,
            _finite(scores, "scores").tolist(),
            labels.tolist(),
            strict=True,
        )
    ]
    return gathered(found, image_shape)


def video_frame(response: Fields, image_shape: Shape | None) -> Detections:
    """Read a frame of the video predictor."""
    mask = _masks(needed(response, "out_binary_masks", ""), "out_binary_masks", image_shape)
    n = _count(mask)
    ids = column(needed(response, "out_obj_ids", ""), n, INTEGERS, "out_obj_ids")
    scores = column(needed(response, "out_probs", ""), n, FLOATS, "out_probs")
    return detections(
        mask, np.zeros(n), _finite(scores, "out_probs"), tracker_id=ids.astype(np.int64)
    )


def tracked_frame(response: Fields, image_shape: Shape | None) -> Detections:
    """Read a frame of the streaming tracker, which knows the prompt of each object."""
    mask = _masks(needed(response, "masks", ""), "masks", image_shape)
    n = _count(mask)
    ids = column(needed(response, "object_ids", ""), n, INTEGERS, "object_ids").tolist()
    scores = column(needed(response, "scores", ""), n, FLOATS, "scores")
    prompts = response.get("prompt_to_object_ids")
    classes, data = np.zeros(n, np.int64), {}
    if prompts is not None:
        texts, index = _prompts(prompts)
        for i, one in enumerate(ids):
            if one not in index:
                raise FormatError(f"object_ids[{i}]: prompt_to_object_ids has no object {one}")
            classes[i] = index[one]
        data = {"class_name": np.array([texts[k] for k in classes], str)}
    return detections(
        mask,
        classes,
        _finite(scores, "scores"),
        tracker_id=np.array(ids, np.int64),
        data=data,
    )


def agent(response: Fields, image_shape: Shape | None) -> Detections:
    """Read the JSON of the agent: one prompt, counts of full images, no sizes beside them."""
    if "orig_img_h" in response or "orig_img_w" in response or image_shape is None:
        height = integer(needed(response, "orig_img_h", ""), "orig_img_h")
        width = integer(needed(response, "orig_img_w", ""), "orig_img_w")
        image_shape = same_shape((height, width), image_shape, "orig_img_h, orig_img_w")
    masks = items(response["pred_masks"], "pred_masks")
    scores = items(needed(response, "pred_scores", ""), "pred_scores")
    if len(scores) != len(masks):
        raise FormatError(f"{len(masks)} pred_masks and {len(scores)} pred_scores")
    found = [
        Found(
            f"pred_masks[{i}]",
            {"size": image_shape, "counts": counts},
            number(score, f"pred_scores[{i}]"),
            0,
        )
        for i, (counts, score) in enumerate(zip(masks, scores, strict=True))
        if not isinstance(counts, str | bytes) or len(counts) >= SHORTEST_COUNTS
    ]
    return gathered(found, image_shape)


def _masks(value: Any, where: str, image_shape: Shape | None) -> CompactMask | None:
    """Pack dense masks, (n, H, W) or (n, 1, H, W); None where there are none of unknown shape."""
    frames = array(value, where)
    if frames.ndim == 4 and frames.shape[1] == 1:
        frames = frames[:, 0]
    if frames.ndim != 3 and frames.shape[:1] == (0,):
        return None if image_shape is None else CompactMask.empty(image_shape)
    if frames.ndim != 3:
        raise FormatError(f"{where} has shape {frames.shape}, expected (n, H, W) or (n, 1, H, W)")
    if frames.dtype.kind == "f" and not ((frames == 0) | (frames == 1)).all():
        raise FormatError(f"{where} has dtype {frames.dtype} and is not all 0 and 1: logits?")
    if frames.dtype.kind == "i" and frames.size and frames.min() < 0:
        raise FormatError(f"{where} has {frames.min()}, expected integers of 0 or more: logits?")
    height, width = frames.shape[1:]
    return CompactMask.from_dense(
        frames, image_shape=same_shape((height, width), image_shape, f"{where}: shape")
    )


def _count(mask: CompactMask | None) -> int:
    return 0 if mask is None else len(mask)


def _finite(scores: Array, where: str) -> Array:
    good = np.abs(scores.astype(np.float64)) <= LARGEST
    if not good.all():
        at = int(np.argmin(good))
        raise FormatError(f"{where}[{at}] is {scores[at]}, expected a finite number")
    return scores


def _prompts(value: Any) -> tuple[list[str], dict[int, int]]:
    """Give the texts, and the index of the text that claims each object."""
    if not isinstance(value, Mapping):
        raise FormatError(f"prompt_to_object_ids is {type(value).__name__}, expected a dict")
    texts = [name(text, "prompt_to_object_ids: a prompt") for text in value]
    index: dict[int, int] = {}
    for k, (text, ids) in enumerate(value.items()):
        where = f"prompt_to_object_ids[{text!r}]"
        for one in array(ids, where).ravel().tolist():
            index.setdefault(integer(one, where), k)
    return texts, index
