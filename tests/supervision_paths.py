"""Every path in supervision that meets a CompactMask, as a table.

A row is a function of a `Scene`, whose masks are of the class that is under test. `NOT_HERE` and
`MODULES` tell where the rest is, so that nothing that a release adds can be forgotten. The rows
of functions, metrics and datasets are in `supervision_functions`.
"""

import copy
import dataclasses
import pickle

import cv2
import numpy as np
import supervision as sv
from supervision.detection.tools.inference_slicer import move_detections
from supervision_scene import frames_of, table
from supervision_versions import VERSION

from compactmask import CompactMask

PATHS, row = table()

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
        if kind == "CropAnnotator":
            # before 0.30 it cannot enlarge a crop without a pixel
            seen = seen[(seen.xyxy[:, 2:] - seen.xyxy[:, :2] > 2).all(axis=1)]
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
        row(f"sv.{_kind} {_i}", drawn(_kind, _options))


@row("sv.ComparisonAnnotator")
def _(scene):
    return sv.ComparisonAnnotator().annotate(scene.image, scene.seen, scene.other)


# ------------------------------------------------------------- Detections

SELECTIONS = {
    # of n detections
    "int": lambda n: n // 4,
    "numpy int": lambda n: np.int64(-1),
    "int too large": lambda n: n,
    "slice": lambda n: slice(n // 12, n - n // 4, 3),
    "reversed": lambda n: slice(None, None, -1),
    "list": lambda n: [n // 4, 0, 0],
    "empty list": lambda n: [],
    "array": lambda n: np.array([n // 6, n // 2]),
    "bools": lambda n: np.arange(n) % 2 == 0,
    "list of bools": lambda n: [i % 3 == 0 for i in range(n)],
    "too many bools": lambda n: np.ones(n + 1, bool),
    "name": lambda n: "class_name",
    "no such name": lambda n: "nothing",
}
for _name, _index in SELECTIONS.items():
    row(
        f"Detections[{_name}]",
        lambda scene, index=_index: scene.seen[index(len(scene.seen))],
    )
    row(
        f"Detections.select({_name})",
        lambda scene, index=_index: scene.seen.select(index(len(scene.seen))),
        needs="Detections.select",
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
)
row(
    "Detections.merge of other images",
    merged(
        lambda s: s.seen,
        lambda s: dataclasses.replace(s.seen, mask=s.masks.with_offset(0, 0, (91, 120))),
    ),
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
row("with_nms(2)", lambda s: s.seen.with_nms(2))
row(
    "with_nmm without classes",
    lambda s: dataclasses.replace(s.seen, class_id=None).with_nmm(),
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
