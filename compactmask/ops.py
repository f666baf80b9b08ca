"""Functions of two and more sets of masks."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import supervision as sv

from compactmask import _check
from compactmask._kernels import boolean, morphology, spread
from compactmask._matrix import matrix
from compactmask._operand import packed_of
from compactmask._suppression import kept
from compactmask._threads import map_blocks, thread_count
from compactmask.packed import Packed

Metric = Literal["iou", "ios"]

SINGLE_PRECISION_PIXELS = 2**24
"""Images up to which supervision computes overlaps in float32."""


def intersection_area(
    a: sv.CompactMask, b: sv.CompactMask, *, num_threads: int = 1
) -> npt.NDArray[np.int64]:
    """Count the pixels that each mask of one set shares with each of another.

    Parameters
    ----------
    a, b : supervision.CompactMask
        ``n`` and ``m`` masks of images of one shape. Where they are the same object, each
        pair is compared once.
    num_threads : int
        Threads that compare a part of the rows each; one unpacks the masks.

    Returns
    -------
    ndarray of int64, shape (n, m)
        True pixels that ``a[i]`` and ``b[j]`` have in common.

    Raises
    ------
    ShapeMismatchError
        If the image shapes differ.
    TypeError
        If `a` or `b` is an array.
    ValueError
        If `num_threads` is below 1.

    Notes
    -----
    Only pairs whose tight boxes meet are compared, and of those only what is inside both.
    Masks are unpacked in two tiles of some 16 MiB at a time; beside them and the matrix no
    memory is used. Zeros are not written, so where the system gives memory page by page, it gives
    only the pages of the matrix that have something else.

    Examples
    --------
    >>> import numpy as np
    >>> from compactmask import CompactMask, intersection_area
    >>> frames = np.zeros((2, 4, 6), bool)
    >>> frames[0, :, :4] = frames[1, :2, 2:] = True
    >>> mask = CompactMask.from_dense(frames)
    >>> intersection_area(mask, mask)
    array([[16,  4],
           [ 4,  8]])
    """
    return matrix("intersection", *_two_sets(a, b), num_threads)


def mask_iou(
    a: sv.CompactMask,
    b: sv.CompactMask,
    iscrowd: npt.ArrayLike | None = None,
    *,
    num_threads: int = 1,
) -> npt.NDArray[np.float64]:
    """Divide the intersection of each two masks by their union.

    Parameters
    ----------
    a, b : supervision.CompactMask
        ``n`` and ``m`` masks of images of one shape: detections and ground truth, where
        `iscrowd` is given.
    iscrowd : array_like of bool or int, shape (m,), optional
        Masks of `b` that are regions full of objects. The union with such a one is ``a[i]``
        alone, so that a detection inside it overlaps it wholly, as COCO's evaluation has it.
    num_threads : int
        Threads that compare a part of the rows each; one unpacks the masks.

    Returns
    -------
    ndarray of float64, shape (n, m)
        From 0 to 1, bit for bit ``pycocotools.mask.iou``; 0 where both masks are empty.

    Raises
    ------
    ShapeMismatchError
        If the image shapes differ, or `iscrowd` does not have an entry for each mask of `b`.
    TypeError
        If `a` or `b` is an array, or `iscrowd` not of bools or integers.
    ValueError
        If `num_threads` is below 1.

    See Also
    --------
    intersection_area : what it costs.

    Examples
    --------
    >>> import numpy as np
    >>> from compactmask import CompactMask, mask_iou
    >>> frames = np.zeros((2, 4, 6), bool)
    >>> frames[0, :, :4] = frames[1, :2, 2:] = True
    >>> mask = CompactMask.from_dense(frames)
    >>> mask_iou(mask, mask)
    array([[1. , 0.2],
           [0.2, 1. ]])
    >>> mask_iou(mask, mask, iscrowd=[0, 1])
    array([[1.  , 0.25],
           [0.2 , 1.  ]])
    """
    first, second = _two_sets(a, b)
    return matrix("iou", first, second, num_threads, _crowds(iscrowd, second.n))


def mask_ioa(
    a: sv.CompactMask, b: sv.CompactMask, *, num_threads: int = 1
) -> npt.NDArray[np.float64]:
    """Divide the intersection of each two masks by the area of the first.

    Parameters
    ----------
    a, b : supervision.CompactMask
        ``n`` and ``m`` masks of images of one shape.
    num_threads : int
        Threads that compare a part of the rows each; one unpacks the masks.

    Returns
    -------
    ndarray of float64, shape (n, m)
        What part of ``a[i]`` lies in ``b[j]``, from 0 to 1; 0 where ``a[i]`` is empty. It is
        not supervision's IOS, which divides by the smaller area of the two: that is
        ``np.maximum(mask_ioa(a, b), mask_ioa(b, a).T)``.

    Raises
    ------
    ShapeMismatchError
        If the image shapes differ.
    TypeError
        If `a` or `b` is an array.
    ValueError
        If `num_threads` is below 1.

    See Also
    --------
    intersection_area : what it costs.

    Examples
    --------
    >>> import numpy as np
    >>> from compactmask import CompactMask, mask_ioa
    >>> frames = np.zeros((2, 4, 6), bool)
    >>> frames[0, :, :4] = frames[1, :2, 2:] = True
    >>> mask = CompactMask.from_dense(frames)
    >>> mask_ioa(mask, mask)
    array([[1.  , 0.25],
           [0.5 , 1.  ]])
    """
    return matrix("ioa", *_two_sets(a, b), num_threads)


def boundary_iou(
    a: sv.CompactMask,
    b: sv.CompactMask,
    dilation_ratio: float = 0.02,
    iscrowd: npt.ArrayLike | None = None,
    *,
    num_threads: int = 1,
) -> npt.NDArray[np.float64]:
    """Compute Boundary IoU: that of the pixels of each two masks that are near their borders.

    Parameters
    ----------
    a, b : supervision.CompactMask
        ``n`` and ``m`` masks of images of one shape.
    dilation_ratio : float
        How far the boundary goes inside, as a part of the image's diagonal: at least one
        pixel, rounded half to even. The image's own sides are a border too.
    iscrowd : array_like of bool or int, shape (m,), optional
        Masks of `b` with which the union is the boundary of ``a[i]`` alone, as in `mask_iou`.
    num_threads : int
        Threads that take a part of the masks each.

    Returns
    -------
    ndarray of float64, shape (n, m)
        From 0 to 1; 0 where both masks are empty. What COCO's evaluation takes is
        ``np.minimum(mask_iou(a, b), boundary_iou(a, b))``.

    Raises
    ------
    ShapeMismatchError
        If the image shapes differ, or `iscrowd` does not have an entry for each mask of `b`.
    TypeError
        If `a` or `b` is an array, or `iscrowd` not of bools or integers.
    ValueError
        If `dilation_ratio` is not a number from 0 to 1, or `num_threads` is below 1.

    Notes
    -----
    Cheng, Girshick, Dollar, Berg, Kirillov: Boundary IoU, CVPR 2021. A boundary is a mask less
    its erosion by a square that is once larger than twice the distance, as in the authors' code.

    Examples
    --------
    >>> import numpy as np
    >>> from compactmask import CompactMask, boundary_iou, mask_iou
    >>> frames = np.zeros((2, 9, 9), bool)
    >>> frames[0, :8, :8] = frames[1, 2:6, 2:6] = True
    >>> mask = CompactMask.from_dense(frames)
    >>> float(mask_iou(mask, mask)[0, 1]), float(boundary_iou(mask, mask)[0, 1])
    (0.25, 0.0)
    """
    _check.part(dilation_ratio, "dilation_ratio")
    first, second = _two_sets(a, b)
    height, width = first.image_shape
    distance = max(1, round(dilation_ratio * float(np.sqrt(height**2 + width**2))))

    square = spread.ELEMENTS.index("square")

    def edge(block: bytes) -> bytes:
        inside = morphology.erode(block, distance, square, False)
        return boolean.difference(block, inside)

    one = map_blocks(edge, [first], num_threads)
    other = one if second is first else map_blocks(edge, [second], num_threads)
    return matrix("iou", one, other, num_threads, _crowds(iscrowd, second.n))


def mask_nms(
    masks: sv.CompactMask,
    scores: npt.ArrayLike,
    iou_threshold: float = 0.5,
    class_id: npt.ArrayLike | None = None,
    metric: Metric = "iou",
    *,
    num_threads: int = 1,
) -> npt.NDArray[np.bool_]:
    """Drop each mask that overlaps a better one, greedily: non-maximum suppression.

    Parameters
    ----------
    masks : supervision.CompactMask
        ``n`` masks of one image.
    scores : array_like of numbers, shape (n,)
        The higher one is better. Equal ones stand in the order of ``argsort()[::-1]`` of
        float64, as in supervision.
    iou_threshold : float
        From 0 to 1. A mask is dropped where its overlap with one that is kept is above it.
    class_id : array_like of int, shape (n,), optional
        Only masks of the same class drop each other.
    metric : {"iou", "ios"}
        Overlap: intersection over union, or over the smaller mask. Empty masks overlap none.
    num_threads : int
        Threads that share the masks behind the best ones, as many of which as fill 16 MiB
        unpacked are compared with each other by one.

    Returns
    -------
    ndarray of bool, shape (n,)
        Which masks are kept, equal to ``supervision.mask_non_max_suppression``.

    Raises
    ------
    ShapeMismatchError
        If there is not one score, and one class, for each mask.
    TypeError
        If `masks` is an array, scores are no numbers, or classes no integers.
    ValueError
        If a score is NaN, the threshold outside 0 to 1, the metric unknown, or `num_threads`
        below 1.

    Notes
    -----
    Like supervision, it computes an overlap in float32 on images of up to 2**24 pixels, which
    decides where one is the threshold exactly. There is no matrix: the pixels of two masks are
    compared only when the better one is kept, the boxes meet, and their areas and what the
    boxes share allow an overlap above the threshold. Memory is some 16 MiB of unpacked masks
    and 40 bytes a mask.

    Examples
    --------
    >>> import numpy as np
    >>> from compactmask import CompactMask, mask_nms
    >>> frames = np.zeros((3, 4, 6), bool)
    >>> frames[0, :, :4] = frames[1, :, :3] = frames[2, :, 4:] = True
    >>> mask_nms(CompactMask.from_dense(frames), [0.8, 0.9, 0.7])
    array([False,  True,  True])
    """
    packed = packed_of(masks, "masks")
    values = _check.column(scores, "scores", packed.n, "buif", "numbers").astype(np.float64)
    if np.isnan(values).any():
        i = int(np.isnan(values).argmax())
        raise ValueError(f"score {i} is NaN, expected a number")
    classes = np.zeros(packed.n, np.int64)
    if class_id is not None:
        classes = _check.column(class_id, "class_id", packed.n, "bui", "integers")
        classes = np.ascontiguousarray(classes, np.int64)
    _check.part(iou_threshold, "iou_threshold")
    _check.choice(metric, "metric", get_args(Metric))
    height, width = packed.image_shape
    best_first = np.ascontiguousarray(values.argsort()[::-1], np.int64)
    is_single = height * width <= SINGLE_PRECISION_PIXELS
    threads = thread_count(num_threads)
    return kept(packed, best_first, classes, iou_threshold, metric == "ios", is_single, threads)


def _two_sets(a: sv.CompactMask, b: sv.CompactMask) -> tuple[Packed, Packed]:
    """Return the storage of two sets of one image; one object where both are the same."""
    first = packed_of(a, "a")
    return first, first if b is a else packed_of(b, "b", first.image_shape)


def _crowds(iscrowd: npt.ArrayLike | None, n: int) -> npt.NDArray[np.uint8] | None:
    """Return which of n masks are crowds, None where nobody says."""
    if iscrowd is None:
        return None
    column = _check.column(iscrowd, "iscrowd", n, "bui", "bools or integers")
    return np.asarray(column != 0, np.uint8)
