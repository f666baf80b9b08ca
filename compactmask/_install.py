"""supervision made to build and to use our masks: opt in, and taken back exactly.

supervision names its own class wherever it builds masks, and asks ``isinstance`` wherever it
meets them. So its class stays what it is and only the functions that matter are replaced: the
ways in which the class is made, and the loops over pixels of masks. A function is replaced in
every module of supervision that holds it, whatever a release calls that module.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import supervision as sv
from supervision.detection import compact_mask, core
from supervision.detection.utils import iou_and_nms, masks

from compactmask.mask import CompactMask
from compactmask.ops import intersection_area

Function = Callable[..., Any]

_lock = threading.Lock()
_methods: dict[str, tuple[Any, Any]] = {}  # of supervision's class: what was there, what is
_functions: list[tuple[Function, Function]] = []


def install() -> None:
    """Let supervision build `compactmask.CompactMask` and work with its kernels.

    Afterwards every mask that supervision makes is ours: in ``Detections.merge``, ``with_nmm``,
    ``to_compact_masks``, ``from_inference(compact_masks=True)``,
    ``InferenceSlicer(compact_masks=True)`` and ``DetectionsSmoother``, and in
    ``supervision.CompactMask.from_dense``, ``from_coco_rle`` and ``merge``. Mask IoU, and with it
    NMS, soft NMS, NMM and the metrics on masks, the union of merged masks and centroids are
    computed by our kernels. Values stay what they were. Masks made before go on working.

    It may be called any number of times, from any thread; `uninstall` takes it back. Without it
    nothing of supervision is changed.

    Examples
    --------
    >>> import numpy as np
    >>> import supervision as sv
    >>> import compactmask as cm
    >>> cm.install()
    >>> detections = sv.Detections(np.array([[0, 0, 3, 3]]), mask=np.ones((1, 4, 4), bool))
    >>> detections.to_compact_masks().mask
    CompactMask(1 masks of 4x4, 195 bytes)
    >>> cm.uninstall()
    """
    with _lock:
        if _methods:
            return
        for name in ("from_dense", "from_coco_rle"):
            if name in vars(sv.CompactMask):
                _methods[name] = vars(sv.CompactMask)[name], _constructor(name)
        _methods["merge"] = vars(sv.CompactMask)["merge"], staticmethod(CompactMask.merge)
        for name, (_, ours) in _methods.items():
            setattr(sv.CompactMask, name, ours)
        for home, name, make in _REPLACED:
            theirs = vars(home).get(name)
            if theirs is not None:
                ours = functools.wraps(theirs)(make(theirs))
                _functions.append((theirs, ours))
                _rebind(theirs, ours)


def uninstall() -> None:
    """Give supervision back everything that `install` replaced.

    Masks made meanwhile stay ours and go on working. What others have replaced since is left
    as it is.

    Examples
    --------
    >>> import supervision as sv
    >>> import compactmask as cm
    >>> before = sv.calculate_masks_centroids
    >>> cm.install()
    >>> cm.uninstall()
    >>> sv.calculate_masks_centroids is before
    True
    """
    with _lock:
        for name, (theirs, ours) in _methods.items():
            if vars(sv.CompactMask).get(name) is ours:
                setattr(sv.CompactMask, name, theirs)
        for theirs, ours in _functions:
            _rebind(ours, theirs)
        _methods.clear()
        _functions.clear()


def _rebind(old: Function, new: Function) -> None:
    """Put one function where the other is, in all of supervision that is loaded."""
    for name, module in list(sys.modules.items()):
        if name == "supervision" or name.startswith("supervision."):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)


def _constructor(name: str) -> Any:
    """Return a class method that makes our class where supervision's own was asked for."""
    theirs = vars(sv.CompactMask)[name]

    @functools.wraps(theirs.__func__)
    def construct(cls: type[sv.CompactMask], *args: Any, **kwargs: Any) -> Any:
        if cls is sv.CompactMask:
            return getattr(CompactMask, name)(*args, **kwargs)
        return theirs.__func__(cls, *args, **kwargs)

    return classmethod(construct)


def _iou_batch(theirs: Function) -> Function:
    pair = CompactMask.from_dense(np.array([[[1, 1, 1]], [[1, 0, 0]]]))
    is_exact = theirs(pair[:1], pair[1:])[0, 0] == 1 / 3  # before 0.30; since then in float32

    def compact_mask_iou_batch(
        masks_true: Any,
        masks_detection: Any,
        overlap_metric: sv.OverlapMetric = sv.OverlapMetric.IOU,
    ) -> npt.NDArray[np.floating]:
        sets = masks_true, masks_detection
        if (
            not all(isinstance(one, sv.CompactMask) for one in sets)
            or masks_true._image_shape != masks_detection._image_shape
            or overlap_metric not in (sv.OverlapMetric.IOU, sv.OverlapMetric.IOS)
        ):
            return theirs(masks_true, masks_detection, overlap_metric)  # type: ignore[no-any-return]
        height, width = masks_true._image_shape
        count = np.float64 if is_exact or height * width > 2**24 else np.float32
        shared = intersection_area(*sets).astype(count)
        first, second = (one.area.astype(count) for one in sets)
        if overlap_metric == sv.OverlapMetric.IOU:
            whole = first[:, None] + second - shared
        else:
            whole = np.minimum(first[:, None], second)
        ratios = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
        return ratios.astype(np.float64)

    return compact_mask_iou_batch


def _united(sets: list[sv.CompactMask]) -> CompactMask:
    """Join all masks into one; the crop of one without a pixel is the first of the image."""
    union = CompactMask.merge(sets).union()
    if union.area[0]:
        return union
    return CompactMask([[1]], [[1, 1]], [[0, 0]], union.image_shape)


def _union(theirs: Function) -> Function:
    def _compact_mask_union(masks_list: list[sv.CompactMask]) -> CompactMask:
        return _united(masks_list)

    return _compact_mask_union


def _group(theirs: Function) -> Function:
    """Keep the masks of a merged group packed, which supervision before 0.31 does not."""

    def merge_group(detections: list[sv.Detections]) -> sv.Detections:
        sets = [one.mask for one in detections]
        if len(sets) < 2 or not all(isinstance(one, sv.CompactMask) for one in sets):
            return theirs(detections)  # type: ignore[no-any-return]
        result: sv.Detections = theirs([replace(one, mask=None) for one in detections])
        result.mask = _united(sets)  # type: ignore[arg-type]
        return result

    return merge_group


def _centroids(theirs: Function) -> Function:
    def calculate_masks_centroids(masks: Any) -> npt.NDArray[np.int_]:
        if not isinstance(masks, sv.CompactMask):
            return theirs(masks)  # type: ignore[no-any-return]
        packed = CompactMask.from_supervision(masks)
        centroid = np.where(packed.area[:, None] > 0, packed.centroid + 0.5, 0)
        return centroid.astype(int)

    return calculate_masks_centroids


# where each function lives, and what makes ours of it; a release has some of them
_REPLACED = [
    (iou_and_nms, "compact_mask_iou_batch", _iou_batch),
    (compact_mask, "_compact_mask_union", _union),
    (masks, "calculate_masks_centroids", _centroids),
]
if not hasattr(compact_mask, "_compact_mask_union"):
    _REPLACED += [
        (core, "_merge_detection_group", _group),
        (core, "merge_inner_detections_objects_without_iou", _group),
    ]
