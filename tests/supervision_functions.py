"""The rows of functions on masks, of metrics and of datasets: see `supervision_paths`."""

import re
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
import supervision.metrics as metrics
from supervision.metrics.core import MetricTarget
from supervision.metrics.utils import object_size
from supervision_scene import table

FUNCTIONS, row = table()

# ------------------------------------------------------------- functions


def scored(scene, columns=6):
    seen = scene.seen
    parts = (seen.xyxy, seen.confidence[:, None], seen.class_id[:, None])
    return np.hstack(parts)[:, :columns]


def from_iou_and_nms(name):
    return getattr(sv.detection.utils.iou_and_nms, name)


def matrices(function):
    def do(scene):
        a, b = scene.masks, scene.other.mask
        return [function(a, b), function(a, a), function(b, a), function(a[:0], b)]

    return do


for _metric in sv.OverlapMetric:
    row(
        f"mask_iou_batch, {_metric.name}",
        matrices(lambda a, b, metric=_metric: sv.mask_iou_batch(a, b, metric)),
    )
    row(
        f"mask_iou_batch with an array, {_metric.name}",
        lambda s, metric=_metric: sv.mask_iou_batch(s.masks, s.other.mask.to_dense(), metric),
    )
    row(
        f"compact_mask_iou_batch, {_metric.name}",
        matrices(
            lambda a, b, metric=_metric: from_iou_and_nms("compact_mask_iou_batch")(a, b, metric)
        ),
    )
    for _threshold in (0.0, 0.1, 0.5, 1.0):
        for _columns in (5, 6):
            _text = f"{_threshold}, {_metric.name}, {_columns} columns"
            row(
                f"mask_non_max_suppression({_text})",
                lambda s, t=_threshold, m=_metric, c=_columns: sv.mask_non_max_suppression(
                    scored(s, c), s.masks, t, m
                ),
            )
            row(
                f"mask_non_max_merge({_text})",
                lambda s, t=_threshold, m=_metric, c=_columns: sv.mask_non_max_merge(
                    scored(s, c), s.masks, t, overlap_metric=m
                ),
            )
    row(
        f"mask_soft_non_max_suppression, {_metric.name}",
        lambda s, m=_metric: sv.mask_soft_non_max_suppression(scored(s), s.masks, 0.3, m),
        needs="mask_soft_non_max_suppression",
    )
row(
    "mask_iou_batch by no metric",
    lambda s: sv.mask_iou_batch(s.masks[:2], s.masks[:2], "nothing"),
)
row(
    "mask_iou_batch of other images",
    lambda s: sv.mask_iou_batch(s.masks, s.masks.with_offset(0, 0, (91, 130))),
)

row("calculate_masks_centroids", lambda s: sv.calculate_masks_centroids(s.masks))
row("move_masks", lambda s: sv.move_masks(s.masks, np.array([3, -4]), (100, 95)))
row("mask_to_xyxy", lambda s: sv.mask_to_xyxy(s.masks))
row("resize_masks", lambda s: sv.detection.utils.masks.resize_masks(s.masks, 64))
row("contains_holes", lambda s: [sv.contains_holes(mask) for mask in s.masks])
row(
    "contains_multiple_segments",
    lambda s: [sv.contains_multiple_segments(mask, 8) for mask in s.masks],
)
row("mask_to_polygons", lambda s: [sv.mask_to_polygons(mask) for mask in s.masks])
row("mask_to_rle", lambda s: [sv.mask_to_rle(mask, compressed=True) for mask in s.masks])
row(
    "filter_segments_by_distance",
    lambda s: [
        sv.filter_segments_by_distance(s.masks[i], absolute_distance=30)
        for i in range(min(9, len(s.masks)))
    ],
)
row("mask_to_roi", lambda s: [sv.mask_to_roi(mask) for mask in s.masks], needs="mask_to_roi")
row(
    "count_mask_pixels",
    lambda s: sv.detection.utils.masks.count_mask_pixels(s.masks),
    needs="detection.utils.masks.count_mask_pixels",
)
row(
    "match_detections",
    lambda s: [sv.match_detections(s.seen, s.other, iou_threshold=t) for t in (0.1, 0.5)],
    needs="match_detections",
)
row("validate_mask", lambda s: sv.validators.validate_mask(s.masks, len(s.masks)))
row(
    "validate_mask of another length",
    lambda s: sv.validators.validate_mask(s.masks, 99),
)


@row("DepthMap.measure_detections", needs="DepthMap")
def _(scene):
    depth = (np.arange(90)[:, None] * 0.5 + np.arange(120) + 1).astype(np.float32)
    depth[50:60] = np.nan
    return sv.DepthMap(depth, kind="depth_m").measure_detections(scene.seen)


# ------------------------------------------------------------- NumPy on a CompactMask

row("np.asarray", lambda s: [np.asarray(s.masks), np.asarray(s.masks, dtype=np.uint8)])
row(
    "np.any, np.logical_or, np.concatenate",
    lambda s: [
        np.any(s.masks, axis=0),
        np.logical_or(s.masks, s.masks[::-1]),
        np.concatenate([s.masks, s.masks]),
    ],
)
row(
    "array == masks, np.maximum",
    lambda s: [
        s.masks.to_dense() == s.masks,
        np.maximum(s.masks, s.masks),
        np.equal(s.masks, True),
    ],
)
row("np.sum", lambda s: np.sum(s.masks, axis=(1, 2)))
row("masks.sum", lambda s: [s.masks.sum(axis=axis) for axis in (None, 0, (1, 2), (0, 1, 2))])
row(
    "len, shape, dtype, area",
    lambda s: [
        len(s.masks),
        s.masks.shape,
        s.masks.dtype,
        s.masks.area,
        s.masks.offsets,
        s.masks.bbox_xyxy,
    ],
)
row("masks.crop", lambda s: [s.masks.crop(i) for i in range(len(s.masks))])
row("masks.repack", lambda s: s.masks.repack())
row("masks.with_offset", lambda s: s.masks.with_offset(-30, 40, (80, 100)))
row(
    "masks ==",
    lambda s: [s.masks == s.masks, s.masks == s.other.mask, s.masks == s.masks.to_dense()],
)

# ------------------------------------------------------------- metrics


def measured(kind, target):
    def do(scene):
        metric = getattr(metrics, kind)(metric_target=target)
        metric.update([scene.other, scene.seen[::2]], [scene.seen, scene.seen])
        return metric.compute()

    return do


for _kind in ("MeanAveragePrecision", "MeanAverageRecall", "F1Score", "Precision", "Recall"):
    for _target in (MetricTarget.MASKS, MetricTarget.BOXES):
        row(f"metrics.{_kind}, {_target.name}", measured(_kind, _target))


def confused(**options):
    return lambda scene: (
        sv.ConfusionMatrix.from_detections(
            predictions=[scene.other],
            targets=[scene.seen],
            classes=["cat", "dog", "cow"],
            conf_threshold=0.2,
            iou_threshold=0.4,
            **options,
        ).matrix
    )


row("ConfusionMatrix of boxes", confused())
row("ConfusionMatrix of masks", confused(metric_target=MetricTarget.MASKS))
row(
    "MeanAveragePrecision of old",
    lambda s: vars(
        sv.MeanAveragePrecision.from_detections(predictions=[s.other], targets=[s.seen])
    ),
    needs="MeanAveragePrecision",
)
row("size category of masks", lambda s: object_size.get_mask_size_category(s.masks))
row(
    "size category of detections",
    lambda s: [
        object_size.get_detection_size_category(s.seen, metric_target=target)
        for target in (MetricTarget.MASKS, MetricTarget.BOXES)
    ],
)

# ------------------------------------------------------------- datasets


def dataset(scene):
    paths = [str(scene.folder / f"{name}.png") for name in "ab"]
    for path in paths:
        cv2.imwrite(path, scene.image)
    drawable = (scene.seen.area > 3) & (np.arange(len(scene.seen)) != 8)  # not the noise
    seen = scene.seen[drawable]
    annotations = dict(zip(paths, [seen, seen[::3]], strict=True))
    return sv.DetectionDataset(["cat", "dog", "cow"], paths, annotations)


def read_back(data):
    return [(Path(path).name, seen) for path, _, seen in data]


def written(folder):
    """Give all files under a folder, without the time of writing and the folder's name."""
    result = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_bytes().replace(str(folder).encode(), b"")
            result[path.name] = re.sub(rb'"date_\w+": "[^"]*"', b"", text)
    return result


@row("DetectionDataset.as_coco and from_coco")
def _(scene):
    path = scene.folder / "out" / "annotations.json"
    path.parent.mkdir()
    dataset(scene).as_coco(annotations_path=str(path))
    again = sv.DetectionDataset.from_coco(str(scene.folder), str(path), force_masks=True)
    return written(path.parent), read_back(again)


@row("DetectionDataset.as_yolo and from_yolo")
def _(scene):
    out = scene.folder / "out"
    dataset(scene).as_yolo(
        annotations_directory_path=str(out / "labels"), data_yaml_path=str(out / "data.yaml")
    )
    again = sv.DetectionDataset.from_yolo(
        str(scene.folder), str(out / "labels"), str(out / "data.yaml"), force_masks=True
    )
    return written(out), read_back(again)


@row("DetectionDataset.as_pascal_voc and from_pascal_voc")
def _(scene):
    out = scene.folder / "out"
    dataset(scene).as_pascal_voc(annotations_directory_path=str(out))
    again = sv.DetectionDataset.from_pascal_voc(str(scene.folder), str(out), force_masks=True)
    return written(out), read_back(again)


@row("DetectionDataset.as_labelme", needs="DetectionDataset.as_labelme")
def _(scene):
    out = scene.folder / "out"
    dataset(scene).as_labelme(annotations_directory_path=str(out))
    return written(out)


@row("DetectionDataset.as_createml", needs="DetectionDataset.as_createml")
def _(scene):
    out = scene.folder / "out"
    out.mkdir()
    dataset(scene).as_createml(annotations_path=str(out / "annotations.json"))
    return written(out)


row("DetectionDataset ==", lambda s: dataset(s) == dataset(s))
row(
    "DetectionDataset.split",
    lambda s: [[read_back(part) for part in dataset(s).split(0.5, random_state=1)]],
)
