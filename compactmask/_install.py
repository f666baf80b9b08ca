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

from compactmask._operand import packed_of
from compactmask._storage import StoredMask
from compactmask._suppression import kept
from compactmask.mask import CompactMask
from compactmask.ops import SINGLE_PRECISION_PIXELS, intersection_area

Function = Callable[..., Any]

_BASE = StoredMask.__mro__[1]  # supervision's class, whatever stands under its name

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
    computed by our kernels. Values stay what they were, and masks made before go on working. What
    our class refuses becomes an error where supervision lets it pass: frames of another size than
    ``image_shape``, an ``image_shape`` of three sides, more boxes than masks, an image without a
    pixel, run lengths that are no integers; and an array beside a bitwise operator, which
    supervision's class takes for frames.

    It may be called any number of times, from any thread; `uninstall` takes it back. Without it
    nothing of supervision is changed. Meanwhile, functions that were replaced and taken from
    supervision before can be called but not pickled: take them again.

    Examples
    --------
    >>> import numpy as np
    >>> import supervision as sv
    >>> import compactmask as cm
    >>> cm.install()
    >>> mask = sv.CompactMask.from_dense(np.ones((1, 4, 4), bool), np.array([[0, 0, 3, 3]]), (4, 4))
    >>> isinstance(mask, cm.CompactMask)
    True
    >>> cm.uninstall()
    """
    with _lock:
        if _methods:
            return
        try:
            _replace()
        except BaseException:
            _restore()
            raise


def uninstall() -> None:
    """Give supervision back everything that `install` replaced.

    Masks made meanwhile stay ours and go on working, and a function of supervision that others
    took meanwhile is supervision's own from now on. What others have replaced since is left as it
    is.

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
        _restore()


def _replace() -> None:
    """Put ours where supervision's are."""
    for name, make in (
        ("from_dense", _constructor),
        ("from_coco_rle", _constructor),
        ("merge", _joining),
    ):
        theirs = vars(_BASE).get(name)
        if theirs is not None:
            _methods[name] = theirs, make(theirs, name)
            setattr(_BASE, name, _methods[name][1])
    for home, name, make_function in _REPLACED:
        theirs = vars(home).get(name)
        if theirs is not None:
            ours = _while_installed(make_function(theirs), theirs)
            _functions.append((theirs, ours))
            _rebind(theirs, ours)


def _restore() -> None:
    """Put supervision's where ours are."""
    for name, (theirs, ours) in _methods.items():
        if vars(_BASE).get(name) is ours:
            setattr(_BASE, name, theirs)
    for theirs, ours in _functions:
        _rebind(ours, theirs)
    _methods.clear()
    _functions.clear()


def _rebind(old: Function, new: Function) -> None:
    """Put one function where the other is, in all of supervision that is loaded."""
    for name, module in list(sys.modules.items()):
        if name == "supervision" or name.startswith("supervision."):
            # None stands for a module that must not be imported
            for attribute, value in list(getattr(module, "__dict__", {}).items()):
                if value is old:
                    setattr(module, attribute, new)


def _while_installed(ours: Function, theirs: Function) -> Function:
    """Make a function that is ours until `uninstall`, then theirs where others still hold it."""

    @functools.wraps(theirs)
    def function(*args: Any, **kwargs: Any) -> Any:
        return (ours if _methods else theirs)(*args, **kwargs)

    return function


def _constructor(theirs: Any, name: str) -> Any:
    """Return a class method that makes our class where supervision's own was asked for."""

    @functools.wraps(getattr(theirs, "__func__", theirs))
    def construct(cls: type[sv.CompactMask], *args: Any, **kwargs: Any) -> Any:
        if _methods and cls is _BASE:
            return getattr(CompactMask, name)(*args, **kwargs)
        bound = theirs.__get__(None, cls) if hasattr(theirs, "__get__") else theirs
        return bound(*args, **kwargs)

    return classmethod(construct)


def _joining(theirs: Any, name: str) -> Any:
    """Return a static method that joins sets of masks into one of our class."""
    return staticmethod(_while_installed(CompactMask.merge, getattr(_BASE, name)))


def _is_single(image_shape: tuple[int, int]) -> bool:
    """Tell whether supervision divides areas in float32, as it does since 0.31."""
    return _HAS_SINGLE and image_shape[0] * image_shape[1] <= SINGLE_PRECISION_PIXELS


def _is_metric(metric: Any) -> bool:
    return metric in (sv.OverlapMetric.IOU, sv.OverlapMetric.IOS)


def _iou_batch(theirs: Function) -> Function:
    def compact_mask_iou_batch(
        masks_true: Any,
        masks_detection: Any,
        overlap_metric: sv.OverlapMetric = sv.OverlapMetric.IOU,
    ) -> npt.NDArray[np.floating]:
        sets = masks_true, masks_detection
        if (
            not all(isinstance(one, sv.CompactMask) for one in sets)
            or masks_true._image_shape != masks_detection._image_shape
            or not _is_metric(overlap_metric)
        ):
            return theirs(masks_true, masks_detection, overlap_metric)  # type: ignore[no-any-return]
        count = np.float32 if _is_single(masks_true._image_shape) else np.float64
        shared = intersection_area(*sets).astype(count)
        first, second = (one.area.astype(count) for one in sets)
        if overlap_metric == sv.OverlapMetric.IOU:
            whole = first[:, None] + second - shared
        else:
            whole = np.minimum(first[:, None], second)
        ratios = np.zeros(shared.shape)
        np.divide(shared, whole, out=ratios, where=whole > 0)
        return ratios

    return compact_mask_iou_batch


def _suppression(theirs: Function) -> Function:
    def mask_non_max_suppression(
        predictions: npt.NDArray[np.floating],
        masks: Any,
        iou_threshold: float = 0.5,
        overlap_metric: sv.OverlapMetric = sv.OverlapMetric.IOU,
        mask_dimension: int = 640,
    ) -> npt.NDArray[np.bool_]:
        if (
            not isinstance(masks, sv.CompactMask)
            or len(predictions) != len(masks)
            or predictions.shape[1:] not in ((5,), (6,))
            or predictions.dtype.kind not in "biuf"
            or np.isnan(predictions[:, 4:]).any()
            or not 0 <= iou_threshold <= 1
            or not _is_metric(overlap_metric)
        ):
            return theirs(predictions, masks, iou_threshold, overlap_metric, mask_dimension)  # type: ignore[no-any-return]
        packed = packed_of(masks, "masks")
        classes = np.zeros(packed.n, np.int64)
        if predictions.shape[1:] == (6,):
            classes = np.unique(predictions[:, 5], return_inverse=True)[1].astype(np.int64)
        return kept(
            packed,
            np.ascontiguousarray(predictions[:, 4].argsort()[::-1], np.int64),
            classes,
            iou_threshold,
            overlap_metric == sv.OverlapMetric.IOS,
            _is_single(packed.image_shape),
            num_threads=1,
        )

    return mask_non_max_suppression


def _united(masks_list: list[sv.CompactMask]) -> CompactMask:
    """Join all masks into one; the crop of one without a pixel is the first of the image."""
    union = CompactMask.merge(masks_list).union()
    if union.area[0]:
        return union
    return CompactMask([[1]], [[1, 1]], [[0, 0]], union.image_shape)


def _grouping(theirs: Function) -> Function:
    """Look for a group only among the masks whose boxes meet it."""

    def _greedy_nmm_via_mask_candidate(
        predictions: npt.NDArray[np.floating],
        masks: Any,
        iou_threshold: float = 0.5,
        overlap_metric: sv.OverlapMetric = sv.OverlapMetric.IOU,
    ) -> list[list[int]]:
        if not isinstance(masks, sv.CompactMask):
            return theirs(predictions, masks, iou_threshold, overlap_metric)  # type: ignore[no-any-return]
        masks = CompactMask.from_supervision(masks)
        boxes = masks.bbox_xyxy
        groups = []
        order = predictions[:, 4].argsort()  # the best last
        while len(order):
            group = [int(order[-1])]
            candidate, order = masks[order[-1:]], order[:-1]
            while len(order):
                box = candidate.bbox_xyxy[0]
                meets = (boxes[order, :2] <= box[2:]) & (boxes[order, 2:] >= box[:2])
                near = meets.all(axis=1)
                overlaps = np.zeros(len(order))
                overlaps[near] = iou_and_nms.compact_mask_iou_batch(
                    masks[order[near]], candidate, overlap_metric
                )[:, 0]
                joins = overlaps >= iou_threshold
                if not joins.any():
                    break
                candidate = _united([masks[order[joins]], candidate])
                group += order[joins][::-1].tolist()
                order = order[~joins]
            groups.append(group)
        return groups

    return _greedy_nmm_via_mask_candidate


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


_THIRD = CompactMask.from_dense(np.array([[[1, 1, 1]], [[1, 0, 0]]]))
_HAS_SINGLE = iou_and_nms.compact_mask_iou_batch(_THIRD[:1], _THIRD[1:])[0, 0] != 1 / 3

# where each function lives, and what makes ours of it; a release has some of them
_REPLACED = [
    (iou_and_nms, "compact_mask_iou_batch", _iou_batch),
    (iou_and_nms, "mask_non_max_suppression", _suppression),
    (iou_and_nms, "_greedy_nmm_via_mask_candidate", _grouping),
    (compact_mask, "_compact_mask_union", lambda theirs: _united),
    (masks, "calculate_masks_centroids", _centroids),
]
if not hasattr(compact_mask, "_compact_mask_union"):
    _REPLACED += [
        (core, "_merge_detection_group", _group),
        (core, "merge_inner_detections_objects_without_iou", _group),
    ]
