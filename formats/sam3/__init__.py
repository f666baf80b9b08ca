"""Responses of SAM 3 to `sv.Detections`: see :func:`parse`."""

from __future__ import annotations

import operator
from typing import Any

from supervision import Detections

from compactmask import _check
from compactmask.errors import CompactMaskError, FormatError

from .plain import loaded
from .shapes import recognised

__all__ = ["parse"]


def parse(response: Any, resolution_wh: tuple[int, int] | None = None) -> Detections:
    """Turn a response of SAM 3 to detections whose masks are compact.

    Polygons and RLEs are packed as they are, without a full frame. What a prediction holds tells
    how it is read, not the format that was asked for; one response may mix them.

    Parameters
    ----------
    response : dict, list, str, bytes, or object
        What was answered, as JSON text, parsed, or as the object that a client gives (a pydantic
        model, a dataclass, a named tuple, anything with the keys as attributes). Arrays may be
        tensors.

        - Concept segmentation: `prompt_results`, predictions by prompt.
        - Visual segmentation: `predictions` with `masks`.
        - Workflows: `predictions` with `rle_mask`, `rle` or `points`, also inside the outputs that
          the HTTP API gives.
        - The image processor of facebookresearch/sam3: `masks`, `scores`.
        - PostProcessImage: `masks` or `masks_rle`, `scores`, `labels`.
        - The agent: `pred_masks`, `pred_scores`, `orig_img_h`, `orig_img_w`.
        - A frame of the video predictor: `out_binary_masks`, `out_obj_ids`, `out_probs`.
        - SAM3VideoFrameResult: `masks`, `object_ids`, `scores`, `prompt_to_object_ids`.
        - VEval: a list of objects with `segmentations`, or its ground truth.
    resolution_wh : tuple of int, optional
        ``(width, height)`` of the image. Polygons need it, unless an RLE or the response tells it.

    Returns
    -------
    sv.Detections
        In the order of the response.

        - ``mask``: a :class:`compactmask.CompactMask`. Polygons are filled as
          ``sv.Detections.from_sam3`` of supervision 0.31.2 fills them, `points` of a workflow as
          ``sv.Detections.from_inference`` does, rounded; RLEs are exact. None only
          where nothing was found and the size of the image is not known.
        - ``xyxy``: the tight box of the mask, inclusive, as ``sv.mask_to_xyxy`` gives it; zeros
          where a mask is empty.
        - ``class_id``: the index of the prompt; the label of a post-processed image; 0 where there
          is but one prompt. ``data["class_name"]``: its text, where any is known.
        - ``confidence``; ``tracker_id`` where objects have ids, -1 for those without.

        As in supervision a prediction whose `masks` are null or ``[]`` is left out, and one whose
        mask is empty otherwise, such as ``[[]]`` or an RLE without a pixel, is kept. So are counts
        of fewer than 5 characters, but by the agent, for which they are invalid.

        Of VEval predictions all masks of all frames come, object by object, without those frames
        in which an object is not: ``data["video_id"]``, ``data["frame"]``, ``data["category_id"]``,
        ``tracker_id`` (the place in the list) and as ``class_id`` the index into the sorted
        category ids of all objects. The frames must have one size.

    Raises
    ------
    FormatError
        Where the response has none of these shapes, or lacks something, which the message names.
        An empty list has none: it does not tell what was looked for. ``{"prompt_results": []}``
        does, and nothing was found.
    InvalidMaskError
        Where polygons or counts are not valid.
    ShapeMismatchError
        Where masks are of different sizes, or of another than `resolution_wh`.
    TypeError
        Where `resolution_wh` is not two integers.

    Examples
    --------
    >>> from compactmask.formats import sam3
    >>> polygon = [[1, 1], [4, 1], [4, 3], [1, 3]]
    >>> response = {
    ...     "prompt_results": [
    ...         {
    ...             "prompt_index": 0,
    ...             "echo": {"text": "cat"},
    ...             "predictions": [
    ...                 {"masks": [polygon], "confidence": 0.9, "format": "polygon"},
    ...                 {"masks": {"size": [6, 8], "counts": [7, 4, 37]}, "confidence": 0.5},
    ...             ],
    ...         }
    ...     ]
    ... }
    >>> found = sam3.parse(response)
    >>> found.mask.area.tolist(), found.xyxy[0].tolist(), found.data["class_name"].tolist()
    ([12, 4], [1.0, 1.0, 4.0, 3.0], ['cat', 'cat'])
    """
    image_shape = None if resolution_wh is None else _image_shape(resolution_wh)
    try:
        match = recognised(loaded(response))
        try:
            return match.kind.read(match.response, image_shape)
        except CompactMaskError as error:
            place = f" at {match.where}" if match.where else ""
            raise type(error)(f"{match.kind.title}{place}: {error}") from None
    except RecursionError:
        raise FormatError("the response is nested too deeply") from None


def _image_shape(resolution_wh: Any) -> tuple[int, int]:
    try:
        width, height = map(operator.index, resolution_wh)
    except (TypeError, ValueError):
        raise TypeError(
            f"resolution_wh is {resolution_wh!r}, expected two integers (width, height)"
        ) from None
    return _check.image_shape((height, width))
