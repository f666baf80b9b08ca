"""Responses of Roboflow's endpoints and workflows: lists of predictions that share their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from supervision import Detections

from compactmask.errors import FormatError

from .found import Found, Shape, gathered, same_shape
from .plain import (
    Fields,
    fields,
    index,
    integer,
    is_list,
    is_nothing,
    items,
    listed,
    name,
    needed,
    number,
    short,
)

MASK_KEYS = ("masks", "rle_mask", "rle", "points")
PROMPT = ("prompt_index", "echo", "predictions")
PREDICTION = (*MASK_KEYS, "confidence", "class_id", "class", "class_name", "tracker_id")


def concept(response: Fields, image_shape: Shape | None) -> Detections:
    """Read a concept segmentation: predictions by prompt."""
    prompts = response["prompt_results"]
    if is_nothing(prompts) and "predictions" in response:
        return flat(response, image_shape)
    found: list[Found] = []
    for i, value in enumerate(items(prompts, "'prompt_results'")):
        where = f"prompt_results[{i}]"
        found += _of_prompt(fields(value, PROMPT, where), f"{where}.", i)
    return gathered(found, image_shape)


def flat(response: Fields, image_shape: Shape | None) -> Detections:
    """Read one list of predictions: a visual segmentation, a workflow's, or those of a prompt."""
    shape = _image_shape(response.get("image"))
    if shape is not None:
        image_shape = same_shape(shape, image_shape, "image")
    return gathered(list(_of_prompt(response, "", 0)), image_shape)


def bare(values: Any, image_shape: Shape | None) -> Detections:
    """Read the list of predictions itself, taken out of its response."""
    return flat({"predictions": values}, image_shape)


def _image_shape(image: Any) -> Shape | None:
    """Give the image shape that a workflow names; it does not where nothing was found."""
    if image is None:
        return None
    sides = fields(image, ("height", "width"), "image")
    height, width = sides.get("height"), sides.get("width")
    if height is None or width is None:
        return None
    return integer(height, "image.height"), integer(width, "image.width")


def _of_prompt(prompt: Fields, before: str, place: int) -> Iterator[Found]:
    class_id = index(prompt.get("prompt_index", place), f"{before}prompt_index")
    text = ""
    if prompt.get("echo") is not None:
        echo = fields(prompt["echo"], ("text", "type"), f"{before}echo")
        text = name(echo.get("text"), f"{before}echo.text")
    for i, value in enumerate(items(needed(prompt, "predictions", before), f"{before}predictions")):
        found = _prediction(value, f"{before}predictions[{i}]", class_id, text)
        if found is not None:
            yield found


def _prediction(value: Any, where: str, class_id: int, class_name: str) -> Found | None:
    prediction = fields(value, PREDICTION, where)
    mask = _mask(prediction, where)
    if mask is None:
        return None
    label = prediction.get("class")
    if label is None:
        label = prediction.get("class_name")
    tracker = prediction.get("tracker_id")
    return Found(
        where,
        mask,
        number(prediction.get("confidence", 1.0), f"{where}.confidence"),
        index(prediction.get("class_id", class_id), f"{where}.class_id"),
        # names out of a list that was split at its commas begin with a blank
        class_name if label is None else name(label, f"{where}.class").strip(),
        None if tracker is None else integer(tracker, f"{where}.tracker_id"),
    )


def _mask(prediction: Fields, where: str) -> Any:
    """Give a prediction's polygons or RLE by what they are; None where it has neither.

    What the prediction says of its format, or the request, is not asked: servers that pass a
    request on lose it.
    """
    keys = [key for key in MASK_KEYS if key in prediction]
    if not keys:
        raise FormatError(
            f"{where} has no mask: expected one of {listed(MASK_KEYS)}, found {listed(prediction)}"
        )
    key = next((key for key in keys if not is_nothing(prediction[key])), None)
    if key is None:
        return None
    mask, where = prediction[key], f"{where}.{key}"
    if key == "points":
        return [[_point(one, f"{where}[{i}]") for i, one in enumerate(items(mask, where))]]
    if is_list(mask) or isinstance(mask, Mapping):
        return mask
    if isinstance(mask, str | bytes | np.ndarray | int | float):
        raise FormatError(
            f"{where} is {short(mask)}, expected polygons, or an RLE with 'size' and 'counts'"
        )
    return fields(mask, ("size", "counts"), where)


def _point(value: Any, where: str) -> list[float]:
    """Round a point to whole pixels, as supervision does with those of a workflow."""
    point = fields(value, ("x", "y"), where)
    return [
        float(round(number(needed(point, axis, f"{where}."), f"{where}.{axis}"))) for axis in "xy"
    ]
