"""Where a row of `supervision_paths` or `supervision_functions` is an error, and why.

Nowhere else may a row raise, with supervision's own masks or with ours.
"""

import dataclasses

from supervision_versions import NEVER, VERSION

ALL = ("many", "one", "none")
SOME = ("many", "one")


@dataclasses.dataclass(frozen=True)
class Error:
    row: str
    scenes: tuple[str, ...]
    says: str  # part of supervision's message
    reason: str
    since: tuple[int, ...] = (0, 28)
    until: tuple[int, ...] = NEVER


ERRORS = [
    # ------------------------------------------------------------- asked for what there is not
    *(
        Error(row, SOME, "out of bounds", "there is none of this index")
        for row in ("Detections[int too large]", "Detections.select(int too large)")
    ),
    *(
        Error(row, SOME, "boolean index did not match", "a bool for each detection is needed")
        for row in ("Detections[too many bools]", "Detections.select(too many bools)")
    ),
    *(
        Error(row, SOME, "only integers, slices", "it selects detections, not data")
        for row in ("Detections.select(name)", "Detections.select(no such name)")
    ),
    Error(
        "Detections of fewer boxes than masks",
        ALL,
        "mask must contain 2 masks",
        "each mask needs a box",
    ),
    Error("validate_mask of another length", ALL, "must contain 99 masks", "there are not 99"),
    Error(
        "Detections.merge with boxes alone",
        SOME,
        "All or none of the 'mask' fields",
        "all have masks, or none",
    ),
    Error(
        "Detections.merge of other images",
        SOME,
        "different image shapes",
        "masks of one image only",
    ),
    Error("with_nms(2)", SOME, "in the closed range from 0 to 1", "no overlap is above 1"),
    Error("with_nmm without classes", SOME, "class_id must be given", "it merges by class"),
    Error("mask_iou_batch by no metric", SOME, "nothing is not supported", "there is none such"),
    Error(
        "mask_iou_batch by no metric",
        ("none",),
        "nothing is not supported",
        "the metric is looked at before the masks",
        since=(0, 31),
    ),
    Error(
        "mask_iou_batch of other images",
        ALL,
        "must share the same (H, W)",
        "compared since 0.31",
        since=(0, 31),
    ),
    # ------------------------------------------------------------- functions for arrays alone
    Error("move_masks", ALL, "not 'slice'", "it takes arrays"),
    Error("mask_to_xyxy", ALL, "no attribute 'size'", "it takes arrays", since=(0, 30)),
    Error("resize_masks", ALL, "setting an array element", "it takes arrays"),
    Error("np.sum", ALL, "unexpected keyword argument 'out'", "masks.sum has no out"),
    # ------------------------------------------------------------- what older releases cannot do
    Error(
        "Detections[numpy int]",
        SOME,
        "xyxy must be a 2D np.ndarray",
        "before 0.30 only a Python int is taken for one detection",
        until=(0, 30),
    ),
    Error(
        "ConfusionMatrix of masks",
        ALL,
        "unexpected keyword argument 'metric_target'",
        "before 0.29 there is no choice",
        until=(0, 29),
    ),
    Error(
        "ConfusionMatrix of masks",
        ALL,
        "MetricTarget.MASKS is not currently supported",
        "before 0.31 boxes are the only choice",
        since=(0, 29),
        until=(0, 31),
    ),
    Error(
        "DetectionDataset.as_pascal_voc and from_pascal_voc",
        ("none",),
        "mask must be a 3D np.ndarray",
        "before 0.30 a file without an object is read as masks of shape (0,)",
        until=(0, 30),
    ),
]


def error_of(row, scene):
    """Find what a row raises on a scene in this release, None if it must not."""
    for error in ERRORS:
        if error.row == row and scene in error.scenes and error.since <= VERSION < error.until:
            return error
    return None
