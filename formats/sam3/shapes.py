"""Which shape a response has, and where in the outputs of a workflow it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count, islice
from typing import Any, NamedTuple

from supervision import Detections

from compactmask.errors import FormatError

from . import native, predictions, video
from .found import Shape
from .plain import Fields, fields, is_list, listed, opened, short

DEEPEST = 6
"""How far below what a server answers its predictions may lie."""
MOST = 1 << 16
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
OF_MANY = {"scores", "labels", "object_ids", "masks_logits"}
"""Keys beside masks that are those of many instances."""
OF_ONE = (*OF_MANY, *predictions.PREDICTION, *video.MASKLET)
"""What is looked for in the first object of a list."""


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
    if not is_list(response):
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
        if is_list(response) and all(_has(match.response, "prompt_index") for match in matches):
            raise FormatError(
                "the response is the prompts of a concept segmentation by themselves, "
                "expected {'prompt_results': [...]}"
            )
        raise FormatError(
            f"the response holds several results, {listed([match.where for match in matches])}: "
            "parse them one by one"
        )
    return matches[0]


def _matches(value: Any, where: str, depth: int, seen: Iterator[int]) -> Iterator[Match]:
    """Give a value if it is a response, or the responses in it."""
    if next(seen) > MOST:
        raise FormatError(
            f"the response holds more than {MOST:,} objects and lists to search for predictions: "
            "parse that output of it that has them"
        )
    value = _opened(value, where)
    kind = _kind(value)
    if kind is not None:
        yield Match(where, kind, value)
    elif depth < DEEPEST and isinstance(value, Mapping):
        for key, item in value.items():
            if not _is_flat(item):
                yield from _matches(item, f"{where}[{short(key)}]", depth + 1, seen)
    elif depth < DEEPEST and is_list(value):
        for i, item in enumerate(value):
            if not _is_flat(item):
                yield from _matches(item, f"{where}[{i}]", depth + 1, seen)


def _is_flat(value: Any) -> bool:
    """Tell what holds nothing to search: a scalar, or a list of them such as a point."""
    if is_list(value):
        return all(isinstance(item, SCALARS) for item in value)
    return isinstance(value, SCALARS)


def _opened(value: Any, where: str) -> Any:
    """Make an object of a client a mapping; None of what has no key of a response."""
    if is_list(value) or isinstance(value, SCALARS):
        return value
    return opened(value, KEYS, where or "the response")


def _kind(value: Any) -> Kind | None:
    if is_list(value):
        first = opened(value[0], OF_ONE, "[0]") if value and not _is_flat(value[0]) else None
        if first is None:
            return None
        if _is_prediction(first):
            return PREDICTIONS
        return MASKLETS if "segmentations" in first else None
    if not isinstance(value, Mapping) or _is_prediction(value):
        return None
    annotations = value.get("annotations")
    if "videos" in value and isinstance(annotations, list):
        return ANNOTATIONS
    for kind in KINDS:
        for keys in kind.tells:
            if all(key in value and not _is_output(key, value[key]) for key in keys):
                return kind
    return None


def _is_prediction(value: Fields) -> bool:
    """Tell a prediction by itself, with the mask of one instance."""
    if not OF_MANY.isdisjoint(value):
        return False
    if "confidence" in value:
        return not value.keys().isdisjoint(predictions.MASK_KEYS)
    masks = value.get("masks")
    return _has(masks, "counts") or (is_list(masks) and not _is_output("masks", masks))


def _is_output(key: str, value: Any) -> bool:
    """Tell an output of a workflow that happens to be called as a key of a response."""
    if is_list(value) and value and key != "prompt_results":
        value = value[0]
        return isinstance(value, Mapping) and not {"predictions", "prompt_results"}.isdisjoint(
            value
        )
    return isinstance(_opened(value, key), Mapping)


def _has(value: Any, key: str) -> bool:
    return key in value if isinstance(value, Mapping) else hasattr(value, key)


def _unknown(response: Any) -> str:
    """Say what a response that has no shape comes nearest to."""
    if not isinstance(response, Mapping):
        first = response[0]
        if isinstance(first, Mapping) and "segmentation" in first:
            return "the response is a list of COCO results: save it as .json, use compactmask.open"
        if isinstance(first, Mapping) and {"video_id", "category_id"} <= first.keys():
            return (
                "the response resembles a list of masklets, but [0].segmentations is missing, "
                f"found {listed(first)}"
            )
        return f"the response is a list of {short(first)}, expected predictions"
    if _is_prediction(response):
        return "the response is a prediction by itself, expected {'predictions': [...]}"
    keys = set(response)
    if {"images", "annotations"} <= keys:
        return "the response is a COCO dataset: save it as .json, use compactmask.open"
    nearest = max(KINDS, key=lambda kind: _likeness(kind, keys))
    if _likeness(nearest, keys)[0] > 0:
        told = max(nearest.tells, key=lambda told: len({*told} & keys) / len(told))
        missing = [key for key in told if key not in keys]
        odd = [f"{key!r} is {short(response[key])}" for key in told if key in keys]
        problem = f"{listed(missing)} is missing, found {listed(response)}" if missing else odd[0]
        return f"the response resembles {nearest.title}, but {problem}"
    for key in ("message", "detail", "error"):
        if key in keys:
            return f"the response is an error of the server: {short(response[key])}"
    return f"the response has {listed(response)}, expected predictions of SAM 3"


def _likeness(kind: Kind, keys: set[str]) -> tuple[int, int]:
    """Count the keys of a shape that are there; of equals that with fewer others comes first."""
    own = {*kind.also, *chain(*kind.tells)}
    return len(own & keys), -len(own)
