"""Where releases of supervision differ, from the oldest that is supported to today's, 0.31.2.

`compactmask.CompactMask` follows 0.31.2 on all of them. A row of the table tells since when
supervision itself does, NAMES tells which releases have a function. `test_supervision_surface.py`
holds each row of both true of the release that it runs on, and tests that compare with an older
one ask `is_todays` and `is_here`.
"""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import supervision as sv

NEWEST = "0.31.2"
VERSION = tuple(int(part) for part in sv.__version__.split(".")[:2])
NEVER = (1 << 30,)


@dataclasses.dataclass(frozen=True)
class Difference:
    today: str
    before: str
    since: tuple[int, int]
    shows: Callable  # of a class of masks: does it, or supervision with it, as today?
    of_masks: bool = False  # it is the class that differs, not what supervision does with it


def _full(kind, n=1, box=(0, 0, 7, 5)):
    boxes = np.array([box] * n, float)
    return kind.from_dense(np.ones((n, 6, 8), bool), boxes, (6, 8))


def _seen(mask):
    n = len(mask)
    return sv.Detections(
        xyxy=np.tile([0.0, 0, 7, 5], (n, 1)),
        mask=mask,
        confidence=np.linspace(0.5, 0.9, n),
        class_id=np.zeros(n, int),
    )


def _resizes_as_opencv(kind):
    frames = np.indices((1, 33, 47)).sum(axis=0) % 3 == 0
    mask = kind.from_dense(frames, np.array([[1, 2, 44, 30]]), (33, 47))
    frame = mask.to_dense()[0].astype(np.uint8)
    return all(
        np.array_equal(
            mask.resize(shape).to_dense()[0],
            cv2.resize(frame, shape[::-1], interpolation=cv2.INTER_NEAREST),
        )
        for shape in [(20, 61), (70, 11), (16, 24)]
    )


def _refuses_no_copy(kind):
    try:
        _full(kind).__array__(copy=False)
    except ValueError:
        return True
    except TypeError:
        return False
    return False


def _divides_in_float32(kind):
    frames = np.array([[[1, 1, 1]], [[1, 0, 0]]], bool)
    mask = kind.from_dense(frames, np.array([[0, 0, 2, 0]] * 2), (1, 3))
    return sv.mask_iou_batch(mask[:1], mask[1:])[0, 0] == np.float32(1 / 3)


def _merges_exactly(kind):
    """Overlap by a tenth, which is less where every other row is left out."""
    y = np.arange(1280)[:, None]
    frames = np.array([(y % 2 == 0) | (y < 128), (y % 2 == 1) & (y >= 0)])
    mask = kind.from_dense(frames, np.array([[0, 0, 0, 1279]] * 2), (1280, 1))
    scores = np.array([[0, 0, 0, 1279, 0.9], [0, 0, 0, 1279, 0.8]])
    return len(sv.mask_non_max_merge(scores, mask, 0.04)) == 1


def _slices_whole(kind):
    def see(part):
        frames = np.ones((1, *part.shape[:2]), bool)
        return sv.Detections(
            np.array([[1.0, 1, 2, 2]]), frames, np.ones(1), class_id=np.zeros(1, int)
        )

    slicer = sv.InferenceSlicer(see, (8, 6), (0, 0), thread_workers=1, compact_masks=True)
    return slicer(np.zeros((6, 8, 3), np.uint8)).mask.area[0] == 48


TABLE = {
    "boxes outside": Difference(
        "a box wholly outside the image gives an empty 1x1 crop",
        "its nearest row, column or pixel of the image is kept",
        (0, 30),
        lambda kind: _full(kind, box=(9, 1, 12, 3)).area[0] == 0,
        of_masks=True,
    ),
    "resize": Difference(
        "resize is cv2.resize(..., interpolation=cv2.INTER_NEAREST) of the frame",
        "crops are scaled one by one and land some pixels beside it",
        (0, 31),
        _resizes_as_opencv,
        of_masks=True,
    ),
    "from_coco_rle": Difference(
        "CompactMask.from_coco_rle, and from_inference(compact_masks=True) over it",
        "there is none",
        (0, 30),
        lambda kind: hasattr(kind, "from_coco_rle"),
        of_masks=True,
    ),
    "image_shape": Difference(
        "masks have image_shape",
        "there is none",
        (0, 30),
        lambda kind: hasattr(kind, "image_shape"),
        of_masks=True,
    ),
    "copy=False": Difference(
        "masks become no array without a copy: ValueError",
        "__array__ knows no copy",
        (0, 31),
        _refuses_no_copy,
        of_masks=True,
    ),
    "float32": Difference(
        "mask IoU of masks is divided in float32 on images of up to 2**24 pixels",
        "in float64",
        (0, 31),
        _divides_in_float32,
    ),
    "merged groups": Difference(
        "with_nmm gives packed masks",
        "arrays, as soon as two masks are merged",
        (0, 30),
        lambda kind: isinstance(_seen(_full(kind, 2)).with_nmm().mask, sv.CompactMask),
    ),
    "mixed merge": Difference(
        "Detections.merge of packed masks and arrays gives packed masks",
        "arrays",
        (0, 30),
        lambda kind: isinstance(
            sv.Detections.merge([_seen(_full(kind)), _seen(_full(kind).to_dense())]).mask,
            sv.CompactMask,
        ),
    ),
    "exact merging": Difference(
        "mask_non_max_merge compares whole masks",
        "masks are scaled to 640 pixels first, as arrays",
        (0, 30),
        _merges_exactly,
    ),
    "slices": Difference(
        "InferenceSlicer(compact_masks=True) keeps all of a mask",
        "what lies outside the detection's box is lost",
        (0, 30),
        _slices_whole,
    ),
}


NAMES = {
    # what not every release has: since and until which it is there
    "ByteTrack": ((0, 28), (0, 31)),
    "CompactMask.from_coco_rle": ((0, 30), NEVER),
    "DepthMap": ((0, 31), NEVER),
    "DetectionDataset.as_createml": ((0, 30), NEVER),
    "DetectionDataset.as_labelme": ((0, 30), NEVER),
    "Detections.select": ((0, 30), NEVER),
    "Detections.to_compact_masks": ((0, 30), NEVER),
    "Detections.with_soft_nms": ((0, 30), NEVER),
    "MeanAveragePrecision": ((0, 28), (0, 31)),
    "detection.compact_mask._compact_mask_union": ((0, 31), NEVER),
    "detection.core._merge_detection_group": ((0, 29), NEVER),
    "detection.utils.iou_and_nms._greedy_nmm_via_mask_candidate": ((0, 30), NEVER),
    "detection.utils.masks.count_mask_pixels": ((0, 30), NEVER),
    "mask_soft_non_max_suppression": ((0, 30), NEVER),
    "mask_to_roi": ((0, 30), NEVER),
    "match_detections": ((0, 31), NEVER),
}


def is_here(name):
    """Tell whether this release has what the table names, without a look at it."""
    since, until = NAMES[name]
    return since <= VERSION < until


def is_todays(name):
    """Tell whether this release does as 0.31.2 where the table has a difference."""
    return TABLE[name].since <= VERSION
