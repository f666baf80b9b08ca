"""Small but complete documents of the COCO dialects for video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dialect_masks import SHAPE, Mask, area, blob, box, dense, nothing, rle

HEIGHT, WIDTH = SHAPE
BAR = [1.0, 1.0, 8.0, 1.0, 8.0, 5.0, 1.0, 5.0]


def sav_auto() -> dict[str, Any]:
    """A video of SA-V with automatic masklets: 3 frames of 2 objects, one of them hidden once."""
    masks = [[blob(1), blob(2)], [blob(3), nothing()], [blob(4), blob(5)]]
    return _sav(
        [[rle(mask) for mask in frame] for frame in masks],
        masklet_id=[4, 2],
        masklet_first_appeared_frame=[0, 0],
        masklet_edited_frame_count=[0, 0],
        masklet_type=["auto", "auto"],
        masklet_stability_score=[[1.0, 0.99], [0.9375, 1.0], [0.96875, 0.875]],
    )


def sav_manual() -> dict[str, Any]:
    """A video of SA-V with manual masklets, which have no scores: a null for each object."""
    return _sav(
        [[rle(blob(6)), None], [rle(nothing()), rle(blob(7))]],
        masklet_id=[0, 1],
        masklet_first_appeared_frame=[0.0, 1.0],
        masklet_edited_frame_count=[2, 1],
        masklet_type=["manual", "manual"],
        masklet_stability_score=[None, None],
    )


def ytvis() -> dict[str, Any]:
    """Ground truth of YouTube-VIS: two videos of 3 and 2 frames; RLE, polygons and nulls."""
    return {
        "info": {"description": "YouTube-VIS", "year": 2021, "version": "2.0"},
        "licenses": [{"id": 1, "name": "Creative Commons Attribution 4.0 License"}],
        "videos": [_video(7, "0065b171f9", 3), _video(2, "00f88c4f0a", 2)],
        "annotations": [
            _track(5, 2, 26, [rle(blob(20)), rle(blob(21))]),
            _track(1, 7, 3, [rle(blob(22)), None, rle(blob(23))]),
            _track(8, 7, 26, [None, [BAR], rle(blob(24))], iscrowd=1),
        ],
        "categories": [
            {"supercategory": "object", "id": 26, "name": "person"},
            {"supercategory": "object", "id": 3, "name": "bear"},
        ],
    }


def saco_video() -> dict[str, Any]:
    """Ground truth of SA-Co/VEval: noun phrases, and pairs of which one has no masklet."""
    return {
        "info": {"version": "v1", "date": "2025-09-24", "description": "SA-Co/VEval SA-V Test"},
        "videos": [_video(0, "sav_000208", 2) | {"video_name": "sav_000208"}],
        "annotations": [
            _track(167, 0, 1390, [rle(blob(30)), None]) | {"noun_phrase": "a braid"},
            _track(864, 0, 847, [rle(blob(31)), rle(blob(32))]) | {"noun_phrase": "naïve ring"},
        ],
        "categories": [
            {"id": 1, "name": "a monkey"},
            {"id": 847, "name": "naïve ring"},
            {"id": 1390, "name": "a braid"},
            {"id": 50554, "name": "thick gold chain"},
        ],
        "video_np_pairs": [
            _pair(123, 50554, "thick gold chain", 0),
            _pair(977, 1390, "a braid", 1),
            _pair(978, 847, "naïve ring", 1),
        ],
    }


def veval_predictions() -> list[dict[str, Any]]:
    """Predictions as SAM 3's evaluation writes them: what is not there is an empty RLE."""
    return [
        _prediction(9, 847, 0.7064220309257507, [blob(40), nothing(), blob(41)]),
        _prediction(2, 1390, 0.5, [blob(42), blob(43)]),
        _prediction(9, 847, 0.25, [nothing(), nothing(), blob(44)]),
    ]


def ytvis_predictions() -> list[dict[str, Any]]:
    """Predictions with the keys that a submission to YouTube-VIS must have, and nulls."""
    return [
        {
            "video_id": video_id,
            "score": score,
            "category_id": category_id,
            "segmentations": [None if mask is None else rle(mask) for mask in masks],
        }
        for video_id, category_id, score, masks in [
            (3, 12, 0.125, [blob(50), None]),
            (1, 40, 0.875, [blob(51), blob(52), blob(53)]),
            (3, 40, 0.5, [blob(54), blob(55)]),
        ]
    ]


def sav_masks(document: dict[str, Any]) -> list[list[Mask]]:
    """Draw the masks of a video of SA-V, frame by frame."""
    return [
        [dense(item, HEIGHT, WIDTH) for item in frame if item is not None]
        for frame in document["masklet"]
    ]


def ytvis_masks(document: dict[str, Any]) -> list[list[Mask]]:
    """Draw the masks of a document with videos, frame by frame."""
    return [
        _frame(document["annotations"], video["id"], frame)
        for video in document["videos"]
        for frame in range(video["length"])
    ]


def predictions_masks(document: Sequence[dict[str, Any]]) -> list[list[Mask]]:
    """Draw the masks of predictions, frame by frame; videos in the order of their appearance."""
    lengths: dict[int, int] = {}
    for item in document:
        key = item["video_id"]
        lengths[key] = max(lengths.get(key, 0), len(item["segmentations"]))
    return [
        _frame(document, key, frame) for key, length in lengths.items() for frame in range(length)
    ]


def _frame(tracks: Sequence[dict[str, Any]], video_id: int, frame: int) -> list[Mask]:
    segmentations = [
        item["segmentations"][frame]
        for item in tracks
        if item["video_id"] == video_id and frame < len(item["segmentations"])
    ]
    return [dense(item, HEIGHT, WIDTH) for item in segmentations if item is not None]


def _sav(masklet: list[list[Any]], **more: Any) -> dict[str, Any]:
    n = len(masklet[0])
    return {
        "video_id": "sav_000001",
        "video_duration": 20.125,
        "video_frame_count": 4.0 * len(masklet),
        "video_height": float(HEIGHT),
        "video_width": float(WIDTH),
        "video_resolution": float(HEIGHT * WIDTH),
        "video_environment": "Indoor",
        "video_split": "train",
        "masklet": masklet,
        "masklet_id": more.pop("masklet_id"),
        "masklet_size_rel": [0.25] * n,
        "masklet_size_abs": [29.25] * n,
        "masklet_size_bucket": ["small"] * n,
        "masklet_visibility_changes": [0] * n,
        "masklet_frame_count": [len(masklet)] * n,
        **more,
        "masklet_num": n,
    }


def _video(key: int, name: str, length: int) -> dict[str, Any]:
    return {
        "id": key,
        "file_names": [f"{name}/{4 * frame:05}.jpg" for frame in range(length)],
        "height": HEIGHT,
        "width": WIDTH,
        "length": length,
    }


def _track(
    key: int, video_id: int, category_id: int, segmentations: list[Any], iscrowd: int = 0
) -> dict[str, Any]:
    masks = [None if item is None else dense(item, HEIGHT, WIDTH) for item in segmentations]
    return {
        "id": key,
        "segmentations": segmentations,
        "bboxes": [None if mask is None else box(mask) for mask in masks],
        "areas": [None if mask is None else area(mask) + 0.5 for mask in masks],
        "iscrowd": iscrowd,
        "video_id": video_id,
        "height": HEIGHT,
        "width": WIDTH,
        "category_id": category_id,
    }


def _prediction(video_id: int, category_id: int, score: float, masks: list[Mask]) -> dict[str, Any]:
    return {
        "video_id": video_id,
        "category_id": category_id,
        "bboxes": [list(map(int, box(mask))) for mask in masks],
        "score": score,
        "segmentations": [rle(mask) for mask in masks],
        "areas": [area(mask) for mask in masks],
    }


def _pair(key: int, category_id: int, phrase: str, masklets: int) -> dict[str, Any]:
    return {
        "id": key,
        "video_id": 0,
        "category_id": category_id,
        "noun_phrase": phrase,
        "num_masklets": masklets,
    }
