"""Every path in supervision that meets a CompactMask, as a table.

A row is a function of a `Scene`, whose masks are of the class that is under test; what it returns
is compared by `difference`. `NOT_HERE` and `MODULES` tell where the rest is, so that nothing that
a release adds can be forgotten.
"""

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import supervision as sv
import supervision.metrics as metrics
from supervision.detection.tools.inference_slicer import move_detections
from supervision.metrics.core import MetricTarget
from supervision.metrics.utils import object_size
from supervision_versions import VERSION

from compactmask import CompactMask

# ------------------------------------------------------------- what the rows look at


@cache
def frames_of(name):
    """Give the frames, and boxes that are looser or tighter than the masks."""
    y, x = np.mgrid[:90, :120]

    def disk(cy, cx, ry, rx):
        return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1

    rng = np.random.default_rng(5)
    masks = {
        "many": [
            disk(20, 20, 11, 17),
            disk(24, 27, 11, 17),
            disk(22, 24, 10, 15),
            disk(60, 90, 20, 25) & ~disk(60, 92, 6, 8),  # a hole
            disk(62, 88, 19, 24),
            disk(70, 20, 9, 9) | disk(40, 60, 5, 5),  # two parts
            disk(70, 20, 9, 9),
            disk(0, 119, 30, 30),  # cut by the image
            disk(45, 45, 40, 40) & (rng.random((90, 120)) < 0.5),
            (y == 85) & (x == 3),  # one pixel
            np.zeros((90, 120), bool),
            disk(2, 118, 30, 30),
        ],
        "one": [disk(20, 20, 11, 17)],
        "none": [],
    }[name]
    frames = np.array(masks, bool).reshape(-1, 90, 120)
    boxes = CompactMask.from_dense(frames, image_shape=(90, 120)).bbox_xyxy.astype(np.float32)
    grow = rng.uniform(-2, 4, boxes.shape) * [-1, -1, 1, 1]
    boxes = np.clip(boxes + grow, 0, [119, 89, 119, 89]).astype(np.float32)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    return frames, boxes


@cache
def masks_of(name, whose):
    """Make the masks once, before anything may be installed."""
    frames, boxes = frames_of(name)
    maker = CompactMask if whose == "ours" else sv.CompactMask
    return maker.from_dense(frames, boxes, (90, 120))


for _name in ("many", "one", "none"):
    for _whose in ("ours", "theirs"):
        masks_of(_name, _whose)


@dataclasses.dataclass
class Scene:
    """An image of 120x90 and what is seen on it."""

    name: str
    whose: str  # class of the masks: "ours" or "theirs"
    folder: Path

    @property
    def image(self):
        """Tell each pixel's place, so that a slice knows where it was cut."""
        y, x = np.mgrid[:90, :120].astype(np.uint8)
        return np.dstack([x, y, (x * y) % 251]).astype(np.uint8)

    @property
    def masks(self):
        return copy.deepcopy(masks_of(self.name, self.whose))

    def make(self, frames, boxes, shape):
        """Make masks of the class under test, whatever is installed."""
        ours = CompactMask.from_dense(frames, boxes, shape)
        return ours if self.whose == "ours" else ours.to_supervision()

    @property
    def seen(self):
        boxes = frames_of(self.name)[1].copy()
        n = len(boxes)
        return sv.Detections(
            xyxy=boxes,
            mask=self.masks,
            confidence=np.linspace(0.3, 0.95, n, dtype=np.float32),
            class_id=np.arange(n) % 3,
            tracker_id=np.arange(n) + 10,
            data={"class_name": np.array(["cat", "dog", "cow"])[np.arange(n) % 3]},
            metadata={"camera": 3},
        )

    @property
    def other(self):
        """Give what another model sees: the same, moved, with one missing."""
        seen = self.seen[np.arange(len(self.seen)) != 1]
        seen.mask = seen.mask.with_offset(2, 1, (90, 120))
        seen.confidence = seen.confidence[::-1].copy()
        return seen


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    do: Callable
    needs: str  # a name in supervision that some releases lack
    builds: bool  # supervision makes the masks of the result
    fails: bool  # it is an error
    differs: str  # a row of supervision_versions.TABLE

    @property
    def missing(self):
        """Say what this release lacks."""
        here = sv
        for part in filter(None, self.needs.split(".")):
            if not hasattr(here, part):
                return f"supervision {sv.__version__} has no {self.needs}"
            here = getattr(here, part)
        return ""


ROWS = []


def row(name, do=None, needs="", builds=False, fails=False, differs=""):
    def add(do):
        ROWS.append(Row(name, do, needs, builds, fails, differs))
        return do

    return add if do is None else add(do)


# ------------------------------------------------------------- annotators

LABELS = {"LabelAnnotator", "RichLabelAnnotator"}
INDEX = {"color_lookup": sv.ColorLookup.INDEX}
ANNOTATORS = {
    # class, and the ways to make it
    "BackgroundOverlayAnnotator": [{}, {"force_box": True, "opacity": 0.9}],
    "BlurAnnotator": [{"kernel_size": 5}],
    "BoxAnnotator": [{}, INDEX],
    "BoxCornerAnnotator": [{}],
    "CircleAnnotator": [{}],
    "ColorAnnotator": [{}],
    "CropAnnotator": [{"scale_factor": 1.5}],
    "DotAnnotator": [{}, {"position": sv.Position.CENTER_OF_MASS}],
    "EllipseAnnotator": [{}],
    "HaloAnnotator": [{}, {"kernel_size": 7, **INDEX}],
    "HeatMapAnnotator": [{}, {"position": sv.Position.CENTER_OF_MASS}],
    "IconAnnotator": [{"icon_resolution_wh": (8, 8)}],
    "LabelAnnotator": [
        {},
        {"text_position": sv.Position.CENTER_OF_MASS},
        {"smart_position": True},
    ],
    "MaskAnnotator": [{}, {"opacity": 1.0, **INDEX}],
    "OrientedBoxAnnotator": [{}],
    "PercentageBarAnnotator": [{}],
    "PixelateAnnotator": [{"pixel_size": 4}],
    "PolygonAnnotator": [{}, {"thickness": 1, **INDEX}],
    "RichLabelAnnotator": [{}],
    "RoundBoxAnnotator": [{}],
    "TraceAnnotator": [{}, {"position": sv.Position.CENTER_OF_MASS}],
    "TriangleAnnotator": [{}, {"position": sv.Position.CENTER_OF_MASS}],
}
NOT_HERE = {
    # annotators that meet no detections, or have a row of their own below
    "ComparisonAnnotator": "takes two sets of detections: a row of its own",
    "DepthAnnotator": "draws a DepthMap",
    "EdgeAnnotator": "draws KeyPoints",
    "LineZoneAnnotator": "draws a LineZone: in the LineZone row",
    "PolygonZoneAnnotator": "draws a PolygonZone: in the PolygonZone row",
    "VertexAnnotator": "draws KeyPoints",
    "VertexEllipseAnnotator": "draws KeyPoints",
    "VertexEllipseAreaAnnotator": "draws KeyPoints",
    "VertexEllipseHaloAnnotator": "draws KeyPoints",
    "VertexEllipseOutlineAnnotator": "draws KeyPoints",
    "VertexLabelAnnotator": "draws KeyPoints",
}


def drawn(kind, options):
    def draw(scene):
        annotator = getattr(sv, kind)(**options)
        seen, more = scene.seen, {}
        if kind in LABELS:
            more["labels"] = [f"no {i}" for i in range(len(seen))]
        if kind == "IconAnnotator":
            more["icon_path"] = str(scene.folder / "icon.png")
            cv2.imwrite(more["icon_path"], scene.image[:8, :8])
        if kind == "OrientedBoxAnnotator":
            x1, y1, x2, y2 = seen.xyxy.T
            corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
            seen.data["xyxyxyxy"] = corners.transpose(2, 0, 1)
        pictures = [annotator.annotate(scene.image, seen, **more)]
        moved = scene.seen
        moved.xyxy = moved.xyxy + np.float32(3)
        moved.mask = moved.mask.with_offset(3, 3, (90, 120))
        if kind == "TraceAnnotator":
            pictures.append(annotator.annotate(scene.image, moved))
        return pictures

    return draw


for _kind, _ways in ANNOTATORS.items():
    for _i, _options in enumerate(_ways):
        row(f"sv.{_kind} {_i}", drawn(_kind, _options), needs=_kind)


@row("sv.ComparisonAnnotator")
def _(scene):
    return sv.ComparisonAnnotator().annotate(scene.image, scene.seen, scene.other)


# ------------------------------------------------------------- Detections

SELECTIONS = {
    "int": 3,
    "numpy int": np.int64(-1),
    "slice": slice(1, 9, 3),
    "reversed": slice(None, None, -1),
    "list": [3, 0, 0],
    "empty list": [],
    "array": np.array([2, 5]),
    "bools": np.arange(12) % 2 == 0,
    "list of bools": [i % 3 == 0 for i in range(12)],
    "name": "class_name",
    "no such name": "nothing",
}
for _name, _index in SELECTIONS.items():
    row(f"Detections[{_name}]", lambda scene, index=_index: scene.seen[index])
    row(
        f"Detections.select({_name})",
        lambda scene, index=_index: scene.seen.select(index),
        needs="Detections.select",
        fails=isinstance(_index, str),
    )

row("Detections filtered by confidence", lambda scene: scene.seen[scene.seen.confidence > 0.6])
row("Detections filtered by area", lambda scene: scene.seen[scene.seen.area > 100])
row("Detections filtered by box_area", lambda scene: scene.seen[scene.seen.box_area > 300])
row("iteration over Detections", lambda scene: list(scene.seen))
row("len(Detections)", lambda scene: len(scene.seen))
row("Detections.is_empty", lambda scene: (scene.seen.is_empty(), scene.seen[:0].is_empty()))
row("Detections.area", lambda scene: scene.seen.area)
row("Detections.box_area", lambda scene: scene.seen.box_area)
row("Detections.box_aspect_ratio", lambda scene: scene.seen.box_aspect_ratio)
row("copy of Detections", lambda scene: copy.copy(scene.seen))
row("deepcopy of Detections", lambda scene: copy.deepcopy(scene.seen))
row("pickle of Detections", lambda scene: pickle.loads(pickle.dumps(scene.seen)))
row("replace in Detections", lambda scene: dataclasses.replace(scene.seen, metadata={}))
row(
    "Detections of fewer boxes than masks",
    lambda scene: sv.Detections(np.zeros((2, 4)), mask=scene.masks),
    fails=True,
)


@row("Detections ==")
def _(scene):
    seen, other = scene.seen, scene.other
    dense = scene.seen
    dense.mask = dense.mask.to_dense()
    return (
        [seen == scene.seen, seen == other, seen == seen[::-1], seen != other],
        # a mask against an array needs the masks' own ==
        [seen == dense, dense == seen] if VERSION >= (0, 31) else None,
    )


for _position in sv.Position:
    row(
        f"get_anchors_coordinates({_position.name})",
        lambda scene, position=_position: scene.seen.get_anchors_coordinates(position),
    )


def merged(*parts):
    return lambda scene: sv.Detections.merge([part(scene) for part in parts])


def dense(scene):
    seen = scene.seen
    seen.mask = seen.mask.to_dense()
    return seen


def packed(scene):
    """Give detections whose masks are ours in each case."""
    seen = scene.seen
    seen.mask = CompactMask.from_supervision(seen.mask)
    return seen


row("Detections.merge", merged(lambda s: s.seen, lambda s: s.other), builds=True)
row("Detections.merge of one", merged(lambda s: s.seen), builds=True)
row("Detections.merge with none", merged(lambda s: s.seen[:0], lambda s: s.seen), builds=True)
row("Detections.merge with an array", merged(lambda s: s.seen, dense), builds=True)
row("Detections.merge of both classes", merged(packed, lambda s: s.seen), builds=True)
row(
    "Detections.merge with boxes alone",
    merged(lambda s: s.seen, lambda s: dataclasses.replace(s.seen, mask=None)),
    fails=True,
)
row(
    "Detections.merge of other images",
    merged(
        lambda s: s.seen,
        lambda s: dataclasses.replace(s.seen, mask=s.masks.with_offset(0, 0, (91, 120))),
    ),
    fails=True,
)

for _metric in sv.OverlapMetric:
    for _agnostic in (False, True):
        for _threshold in (0.0, 0.1, 0.5, 0.8, 1.0):
            _how = {"threshold": _threshold, "class_agnostic": _agnostic, "overlap_metric": _metric}
            _text = f"{_threshold}, {_metric.name}, {'agnostic' if _agnostic else 'by class'}"
            row(f"with_nms({_text})", lambda s, how=_how: s.seen.with_nms(**how))
            row(
                f"with_nmm({_text})",
                lambda s, how=_how: s.seen.with_nmm(**how),
                builds=True,
                differs="merged groups",
            )
row("with_nms(2)", lambda s: s.seen.with_nms(2), fails=True)
row(
    "with_nmm without classes",
    lambda s: dataclasses.replace(s.seen, class_id=None).with_nmm(),
    fails=True,
)
row("with_soft_nms", lambda s: s.seen.with_soft_nms(), needs="Detections.with_soft_nms")
row(
    "with_soft_nms by score",
    lambda s: s.seen.with_soft_nms(0.2, class_agnostic=True, score_threshold=0.4),
    needs="Detections.with_soft_nms",
)
row(
    "to_compact_masks of arrays",
    lambda s: dense(s).to_compact_masks(),
    needs="Detections.to_compact_masks",
    builds=True,
)
row(
    "to_compact_masks of packed ones",
    lambda s: s.seen.to_compact_masks(),
    needs="Detections.to_compact_masks",
)


def roboflow(scene, broken=False):
    """Make a result of Roboflow's inference, with RLEs and polygons."""
    packed = CompactMask.from_supervision(scene.masks)
    predictions = []
    for i, rle in enumerate(packed.to_coco_rle()):
        x1, y1, x2, y2 = frames_of(scene.name)[1][i].tolist()
        one = {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2, "width": x2 - x1, "height": y2 - y1}
        one |= {"confidence": 0.5, "class_id": i % 2, "class": "ab"[i % 2]}
        if i % 4 == 3:
            one["points"] = [{"x": x1, "y": y1}, {"x": x2, "y": y1}, {"x": x2, "y": y2 + 30}]
        elif broken and i == 1:
            one["rle"] = {"size": [90, 120], "counts": "P"}
        else:
            one["rle_mask" if i % 2 else "rle"] = rle
        predictions.append(one)
    return {"image": {"width": 120, "height": 90}, "predictions": predictions}


row(
    "from_inference(compact_masks=True)",
    lambda s: sv.Detections.from_inference(roboflow(s), compact_masks=True),
    needs="CompactMask.from_coco_rle",
    builds=True,
)
row(
    "from_inference(compact_masks=True) of a broken one",
    lambda s: sv.Detections.from_inference(roboflow(s, broken=True), compact_masks=True),
    needs="CompactMask.from_coco_rle",
    builds=True,
)

# ------------------------------------------------------------- tools


def sliced(masks, **options):
    """Cut the image, and see in each slice what the scene has there."""

    def do(scene):
        def see(part):
            height, width = part.shape[:2]
            x, y = (int(value) for value in part[0, 0, :2])
            frames, boxes = frames_of(scene.name)
            frames = frames[:, y : y + height, x : x + width]
            is_seen = frames.any(axis=(1, 2))
            frames = frames[is_seen]
            boxes = CompactMask.from_dense(frames, image_shape=(height, width)).bbox_xyxy
            place = (x * 7 + y * 13) % 97 / 1000
            return sv.Detections(
                xyxy=boxes.astype(np.float64),
                mask=frames if masks == "dense" else scene.make(frames, boxes, (height, width)),
                confidence=(0.2 + 0.06 * np.arange(len(is_seen)) + place)[is_seen],
                class_id=(np.arange(len(is_seen)) % 2)[is_seen],
            )

        slicer = sv.InferenceSlicer(
            callback=see,
            slice_wh=(50, 40),
            overlap_wh=(10, 8),
            thread_workers=1,
            compact_masks=True,
            **options,
        )
        result = slicer(scene.image)
        # slices come back in any order
        return result[np.lexsort((*result.xyxy.T, result.confidence))] if len(result) else result

    return do


for _filter in sv.OverlapFilter:
    for _metric in sv.OverlapMetric:
        for _kind in ("dense", "packed"):
            row(
                f"InferenceSlicer of {_kind} masks, {_filter.name} by {_metric.name}",
                sliced(_kind, overlap_filter=_filter, overlap_metric=_metric, iou_threshold=0.3),
                builds=True,
                differs="merged groups" if _filter == sv.OverlapFilter.NON_MAX_MERGE else "",
            )

row("move_detections", lambda s: move_detections(s.seen, np.array([5, -7]), (100, 110)))
row(
    "move_detections out of the image",
    lambda s: move_detections(s.seen, np.array([500, 0]), (100, 110)),
)


@row("DetectionsSmoother", builds=True)
def _(scene):
    smoother = sv.DetectionsSmoother(length=3)
    found = [smoother.update_with_detections(part) for part in (scene.seen, scene.other)]
    # tracks come back in any order
    return [part[np.argsort(part.tracker_id)] if len(part) else part for part in found]


@row("ByteTrack", needs="ByteTrack")
def _(scene):
    tracker = sv.ByteTrack()
    return [tracker.update_with_detections(part) for part in (scene.seen, scene.other, scene.seen)]


@row("LineZone and its annotator")
def _(scene):
    results = []
    for anchors in ([sv.Position.CENTER_OF_MASS], [sv.Position.CENTER, sv.Position.BOTTOM_LEFT]):
        zone = sv.LineZone(sv.Point(0, 30), sv.Point(119, 40), triggering_anchors=anchors)
        for dy in (0, 25, -20):
            seen = scene.seen
            seen.xyxy = seen.xyxy + np.float32([0, dy, 0, dy])
            seen.mask = seen.mask.with_offset(0, dy, (90, 120))
            results.append(zone.trigger(seen))
        results.append((zone.in_count, zone.out_count))
        results.append(sv.LineZoneAnnotator().annotate(scene.image, zone))
    return results


@row("PolygonZone and its annotator")
def _(scene):
    polygon = np.array([[10, 10], [110, 15], [60, 80]])
    zone = sv.PolygonZone(polygon, triggering_anchors=[sv.Position.CENTER_OF_MASS])
    picture = sv.PolygonZoneAnnotator(zone, color=sv.Color.RED)
    return zone.trigger(scene.seen), zone.current_count, picture.annotate(scene.image)


def sunk(kind, name):
    def do(scene):
        path = scene.folder / name
        with getattr(sv, kind)(str(path)) as sink:
            sink.append(scene.seen, custom_data={"frame": 1})
            sink.append(scene.other, custom_data={"frame": 2})
        return path.read_bytes()

    return do


row("CSVSink", sunk("CSVSink", "out.csv"))
row("JSONSink", sunk("JSONSink", "out.json"))

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
    fails=True,
)
row(
    "mask_iou_batch of other images",
    lambda s: sv.mask_iou_batch(s.masks, s.masks.with_offset(0, 0, (91, 130))),
    fails=True,
)

row("calculate_masks_centroids", lambda s: sv.calculate_masks_centroids(s.masks))
row("move_masks", lambda s: sv.move_masks(s.masks, np.array([3, -4]), (100, 95)), fails=True)
row("mask_to_xyxy", lambda s: sv.mask_to_xyxy(s.masks), fails=True)
row("resize_masks", lambda s: sv.detection.utils.masks.resize_masks(s.masks, 64), fails=True)
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
    fails=True,
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
row("np.sum", lambda s: np.sum(s.masks, axis=(1, 2)), fails=True)
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
row(
    "ConfusionMatrix of masks",
    confused(metric_target=MetricTarget.MASKS),
    needs="metrics.detection._validate_masks" if VERSION < (0, 31) else "",
)
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

# ------------------------------------------------------------- where masks are met

MODULES = {
    # every module of supervision that names CompactMask or reads a `.mask`, and its rows
    "__init__": "names of the others",
    "annotators.base": "says which annotators need masks",
    "annotators.core": "ANNOTATORS, sv.ComparisonAnnotator",
    "dataset.formats.labelme": "DetectionDataset.as_labelme",
    "dataset.formats.yolo": "DetectionDataset.as_yolo",
    "depth.core": "DepthMap.measure_detections",
    "detection._geometry_dispatch": "Detections.area, match_detections",
    "detection.compact_mask": "test_mask_supervision.py",
    "detection.core": "Detections",
    "detection.tools.inference_slicer": "InferenceSlicer, move_detections",
    "detection.tools.polygon_zone": "PolygonZone: its own mask is no detection's",
    "detection.utils.converters": "RLEs of arrays: test_coco_string.py",
    "detection.utils.internal": "from_inference",
    "detection.utils.iou_and_nms": "mask_iou_batch, mask_non_max_suppression, mask_non_max_merge",
    "detection.utils.masks": "calculate_masks_centroids, and BackgroundOverlayAnnotator, Halo",
    "metrics._confusion_matrix_metric": "metrics.Precision, Recall, F1Score",
    "metrics.detection": "ConfusionMatrix",
    "metrics.f1_score": "metrics.F1Score",
    "metrics.mean_average_precision": "metrics.MeanAveragePrecision",
    "metrics.mean_average_recall": "metrics.MeanAverageRecall",
    "metrics.precision": "metrics.Precision",
    "metrics.recall": "metrics.Recall",
    "metrics.utils.object_size": "size category",
    "validators.__init__": "validate_mask",
}
