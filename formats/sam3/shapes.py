"""Which shape a response has, and where in the outputs of a workflow it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice
from typing import Any, NamedTuple

from supervision import Detections

from compactmask.errors import FormatError

from . import native, predictions, video
from .found import Shape
from .plain import fields, listed, short

DEEPEST = 6
"""How far below what a server answers its predictions may lie."""
MOST = 4096
"""How many objects and lists are searched for them."""
SCALARS = (str, bytes, int, float, type(None))


class Kind(NamedTuple):
    """A shape of response."""

    title: str
    tells: tuple[tuple[str, ...], ...]
    """A response that has all keys of one of these has this shape."""
    also: tuple[str, ...]
    """Further keys of it."""
    read: Callable[[Any, Shape | None], Detections]


KINDS = (
    Kind("a concept segmentation", (("prompt_results",),), (), predictions.concept),
    Kind(
        "a frame of the video predictor",
        (("out_binary_masks",), ("out_obj_ids",)),
        ("out_probs", "out_boxes_xywh", "frame_stats"),
        native.video_frame,
    ),
    Kind(
        "a result of the agent",
        (("pred_masks",),),
        ("orig_img_h", "orig_img_w", "pred_boxes", "pred_scores", "original_image_path"),
        native.agent,
    ),
    Kind(
        "a frame of the tracker",
        (("object_ids",),),
        ("masks", "scores", "boxes", "prompt_to_object_ids"),
        native.tracked_frame,
    ),
    Kind(
        "a post-processed image",
        (("masks_rle",), ("labels", "scores")),
        ("masks", "boxes"),
        native.postprocessed,
    ),
    Kind(
        "a state of the image processor",
        (("masks",),),
        ("scores", "boxes", "masks_logits"),
        native.image,
    ),
    Kind(
        "a visual segmentation or the response of a workflow",
        (("predictions",),),
        ("image", "time", "prompt_index", "echo"),
        predictions.flat,
    ),
)
PREDICTIONS = Kind("a list of predictions", (), (), predictions.bare)
MASKLETS = Kind("a list of masklets", (), (), video.masklets)
ANNOTATIONS = Kind("masklets of ground truth", (), (), video.annotated)
KEYS = tuple(
    dict.fromkeys(key for kind in KINDS for keys in (*kind.tells, kind.also) for key in keys)
)
"""What is looked for in an object of a client."""


class Match(NamedTuple):
    """A response in what a server answered."""

    where: str
    kind: Kind
    response: Any


def recognised(response: Any) -> Match:
    """Find the one response in what was handed over.

    Raises
    ------
    FormatError
        Where there is none, or several.
    """
    if not isinstance(response, list | tuple):
        response = fields(response, KEYS, "the response")
    if not response and not isinstance(response, Mapping):
        raise FormatError(
            "the response is an empty list, which does not tell of what: "
            "expected an object with predictions, which may be none"
        )
    matches = list(islice(_matches(response, "", 0, count(1)), 9))
    if not matches:
        raise FormatError(_unknown(response))
    if len(matches) > 1:
        raise FormatError(
            f"the response holds several results, {listed([match.where for match in matches])}: "
            "parse them one by one"
        )
    return matches[0]


def _matches(value: Any, where: str, depth: int, seen: Iterator[int]) -> Iterator[Match]:
    """Give a value if it is a response, or the responses in it; of a list the first two will do."""
    if next(seen) > MOST:
        raise FormatError(
            f"the response holds more than {MOST:,} objects and lists to search for predictions: "
            "parse that output of it that has them"
        )
    value = _opened(value)
    kind = _kind(value)
    if kind is not None:
        yield Match(where, kind, value)
    elif depth < DEEPEST and isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(item, SCALARS):
                yield from _matches(item, f"{where}[{short(key)}]", depth + 1, seen)
    elif depth < DEEPEST and isinstance(value, list | tuple):
        for i, item in enumerate(value[:2]):
            if not isinstance(item, SCALARS):
                yield from _matches(item, f"{where}[{i}]", depth + 1, seen)


def _opened(value: Any) -> Any:
    """Make an object of a client a mapping; None of what has no key of a response."""
    if isinstance(value, (Mapping, list, tuple, *SCALARS)):
        return value
    try:
        return fields(value, KEYS, "")
    except FormatError:
        return None


def _kind(value: Any) -> Kind | None:
    if isinstance(value, list | tuple):
        first = value[0] if value else None
        if _has(first, "confidence") and any(_has(first, key) for key in predictions.MASK_KEYS):
            return PREDICTIONS
        return MASKLETS if _has(first, "segmentations") else None
    if not isinstance(value, Mapping):
        return None
    annotations = value.get("annotations")
    if "videos" in value and isinstance(annotations, list):
        return ANNOTATIONS
    for kind in KINDS:
        for keys in kind.tells:
            if all(key in value and not _is_output(key, value[key]) for key in keys):
                return kind
    return None


def _is_output(key: str, value: Any) -> bool:
    """Tell an output of a workflow that happens to be called as a key of a response."""
    if isinstance(value, list | tuple) and value and key != "prompt_results":
        value = value[0]
        return isinstance(value, Mapping) and not {"predictions", "prompt_results"}.isdisjoint(
            value
        )
    return isinstance(_opened(value), Mapping)


def _has(value: Any, key: str) -> bool:
    return key in value if isinstance(value, Mapping) else hasattr(value, key)


def _unknown(response: Any) -> str:
    """Say what a response that has no shape comes nearest to."""
    if not isinstance(response, Mapping):
        if isinstance(response[0], Mapping) and "segmentation" in response[0]:
            return "the response is a list of COCO results: save it as .json, use compactmask.open"
        return f"the response is a list of {short(response[0])}, expected predictions"
    keys = set(response)
    if {"images", "annotations"} <= keys:
        return "the response is a COCO dataset: save it as .json, use compactmask.open"
    common = {kind: len(keys & {*kind.also}) for kind in KINDS}
    nearest = max(common, key=lambda kind: common[kind])
    if common[nearest] > 0:
        return (
            f"the response resembles {nearest.title}, but {listed(nearest.tells[0])} "
            f"is missing, found {listed(response)}"
        )
    for key in ("message", "detail", "error"):
        if key in keys:
            return f"the response is an error of the server: {short(response[key])}"
    return f"the response has {listed(response)}, expected predictions of SAM 3"
