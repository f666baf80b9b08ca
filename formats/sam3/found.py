"""From predictions to one `sv.Detections` whose masks never were full frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from supervision import Detections

from compactmask import _check
from compactmask.errors import CompactMaskError, FormatError, InvalidMaskError, ShapeMismatchError
from compactmask.mask import CompactMask

from .plain import Array, short

Shape = tuple[int, int]


class Found(NamedTuple):
    """One prediction."""

    where: str
    """Its place in the response."""
    mask: Any
    """Polygons, or an RLE as a mapping with ``size`` and ``counts``."""
    confidence: float | None
    class_id: int
    class_name: str = ""
    tracker_id: int | None = None


def gathered(
    found: Sequence[Found], image_shape: Shape | None, data: Mapping[str, Array] | None = None
) -> Detections:
    """Join predictions.

    Parameters
    ----------
    found : sequence of Found
        In the order of the response.
    image_shape : tuple of int, optional
        ``(H, W)``; RLEs know theirs.
    data : mapping, optional
        Further columns.
    """
    names = [one.class_name for one in found]
    trackers = [one.tracker_id for one in found]
    scores = [one.confidence for one in found]
    columns = {"class_name": np.array(names)} if any(names) else {}
    return detections(
        drawn(found, image_shape),
        np.array([one.class_id for one in found], np.int64),
        None if None in scores else np.array(scores, np.float32),
        tracker_id=(
            np.array([-1 if one is None else one for one in trackers], np.int64)
            if any(one is not None for one in trackers)
            else None
        ),
        data=columns | dict(data or {}),
    )


def detections(
    mask: CompactMask | None,
    class_id: Array,
    confidence: Array | None,
    *,
    tracker_id: Array | None = None,
    data: Mapping[str, Array] | None = None,
) -> Detections:
    """Put columns beside masks; their tight boxes are those of `sv.mask_to_xyxy`."""
    boxes = np.empty((0, 4)) if mask is None else mask.bbox_xyxy
    return Detections(
        xyxy=boxes.astype(np.float32),
        mask=mask,
        class_id=class_id.astype(np.int64),
        confidence=None if confidence is None else confidence.astype(np.float32),
        tracker_id=tracker_id,
        data=dict(data or {}),
    )


def drawn(found: Sequence[Found], image_shape: Shape | None) -> CompactMask | None:
    """Pack polygons and RLEs, in their order; None where there are none and no image shape."""
    rles = [i for i, one in enumerate(found) if isinstance(one.mask, Mapping)]
    for i in rles:
        image_shape = same_shape(_size(found[i]), image_shape, f"{found[i].where}: size")
    polygons = sorted({*range(len(found))} - {*rles})
    if image_shape is None:
        if polygons:
            raise FormatError(
                f"{found[polygons[0]].where} has polygons, which do not tell the size of their "
                "image: give resolution_wh=(width, height)"
            )
        return None
    parts = [
        _pack([found[i] for i in chosen], image_shape) for chosen in (polygons, rles) if chosen
    ]
    if not parts:
        return CompactMask.empty(image_shape)
    if len(parts) == 1:
        return parts[0]
    back: CompactMask = CompactMask.merge(parts)[np.argsort(polygons + rles)]
    return back


def same_shape(shape: Shape, image_shape: Shape | None, where: str) -> Shape:
    """Refuse an image shape that is another than the one known so far."""
    if image_shape is not None and shape != image_shape:
        raise ShapeMismatchError(f"{where} is {shape}, expected {image_shape} (height, width)")
    return shape


def _size(one: Found) -> Shape:
    if "size" not in one.mask or "counts" not in one.mask:
        raise FormatError(
            f"{one.where}: its mask has {short(list(one.mask))}, expected 'size' and 'counts'"
        )
    size = one.mask["size"]
    if isinstance(size, np.ndarray):
        size = size.tolist()
    try:
        return _check.image_shape(size)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # whatever the numbers of a client raise, such as masked ones of NumPy
        raise FormatError(f"{one.where}: size is {short(size)}, expected [height, width]") from None


def _pack(found: Sequence[Found], image_shape: Shape) -> CompactMask:
    """Pack predictions that are all polygons, or all RLEs."""
    masks = [one.mask for one in found]
    try:
        if isinstance(masks[0], Mapping):
            return CompactMask.from_coco_rle(masks, image_shape=image_shape)
        for one in found:
            _check_points(one)
        return CompactMask.from_polygons(masks, image_shape, rule="fill")
    except InvalidMaskError as error:
        raise _placed(error, found) from None


def _check_points(one: Found) -> None:
    """Refuse flat parts, which `from_polygons` would take."""
    for i, part in enumerate(one.mask):
        if isinstance(part, np.ndarray):
            part = part.tolist()
        if not isinstance(part, list | tuple):
            raise FormatError(f"{one.where}: polygon {i} is {short(part)}, expected points [x, y]")
        if len(part) and not isinstance(part[0], list | tuple | np.ndarray):
            raise FormatError(
                f"{one.where}: polygon {i} begins with {short(part[0])}, expected points [x, y]"
            )


def _placed(error: CompactMaskError, found: Sequence[Found]) -> CompactMaskError:
    """Say where in the response a mask is that an error names by its number."""
    number, _, message = str(error).removeprefix("mask ").partition(": ")
    if not number.isdecimal():
        return error
    return type(error)(f"{found[int(number)].where}: {message}")
