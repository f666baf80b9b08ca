"""One scene as every response of SAM 3, built from what is published of each shape."""

from __future__ import annotations

import numpy as np
import supervision as sv
from pycocotools import mask as coco

SHAPE = (12, 16)
WH = (16, 12)
POLYGONS = [
    [[[1, 1], [6, 1], [6, 5], [1, 5]], [[9, 2], [12, 6]], [[14, 10]]],
    [[[3, 4], [9, 8], [4, 11]]],
    [[]],
    [[[7, 0], [15, 0], [15, 3]], []],
]
"""Of each instance its parts: some of one point and of two, one instance without a pixel."""
SCORES = [0.875, 0.75, 0.5, 0.25]
PROMPTS = [0, 0, 1, 2]
TEXTS = ["cat", "a red dog", "bird"]


def expected(polygons=None, wh=WH):
    """What supervision makes of polygons."""
    predictions = [{"masks": parts} for parts in POLYGONS if polygons is None] or [
        {"masks": parts} for parts in polygons
    ]
    return sv.Detections.from_sam3({"predictions": predictions}, resolution_wh=wh).mask


FRAMES = expected()


def rle(frame):
    """Encode a frame as the servers do, its counts as text."""
    found = coco.encode(np.asfortranarray(frame, np.uint8))
    return {"size": list(found["size"]), "counts": found["counts"].decode()}


def runs(frame):
    """Encode a frame as run lengths."""
    flat = frame.ravel(order="F").astype(np.int8)
    ends = np.flatnonzero(np.diff(flat, prepend=0))
    return {
        "size": list(frame.shape),
        "counts": np.diff(ends, prepend=0, append=flat.size).tolist(),
    }


RLES = [rle(frame) for frame in FRAMES]


def prediction(masks, confidence, form):
    return {"masks": masks, "confidence": confidence, "format": form}


def polygon_predictions():
    return [prediction(m, s, "polygon") for m, s in zip(POLYGONS, SCORES, strict=True)]


def rle_predictions():
    return [prediction(m, s, "rle") for m, s in zip(RLES, SCORES, strict=True)]


def concept(predictions, texts=TEXTS):
    """Group predictions by prompt."""
    return {
        "prompt_results": [
            {
                "prompt_index": i,
                "echo": {"prompt_index": i, "type": "text", "text": text, "num_boxes": 0},
                "predictions": [p for p, k in zip(predictions, PROMPTS, strict=True) if k == i],
            }
            for i, text in enumerate(texts)
        ],
        "time": 0.25,
    }


def visual(predictions):
    return {"predictions": predictions, "time": 0.25}


def workflow(key="rle_mask", blank="", **more):
    """A workflow's predictions; boxes are centre, width and height."""
    predictions = []
    for i, (found, frame) in enumerate(zip(RLES, FRAMES, strict=True)):
        x, y, w, h = coco.toBbox(coco.frPyObjects(runs(frame), *SHAPE)).tolist()
        predictions.append(
            {
                "width": w,
                "height": h,
                "x": x + w / 2,
                "y": y + h / 2,
                "confidence": SCORES[i],
                "class_id": PROMPTS[i],
                "class": blank + TEXTS[PROMPTS[i]],
                "detection_id": f"id-{i}",
                "parent_id": "image",
                key: found,
            }
            | more
        )
    return {"image": {"width": WH[0], "height": WH[1]}, "predictions": predictions}


def state():
    """The state of the image processor."""
    return {
        "original_height": SHAPE[0],
        "original_width": SHAPE[1],
        "backbone_out": {"vision_features": np.zeros((1, 2))},
        "masks_logits": np.where(FRAMES, 0.9, 0.1)[:, None],
        "masks": FRAMES[:, None],
        "boxes": sv.mask_to_xyxy(FRAMES).astype(np.float32),
        "scores": np.array(SCORES, np.float32),
    }


def agent():
    boxes = sv.mask_to_xyxy(FRAMES) / [*WH, *WH]
    boxes[:, 2:] -= boxes[:, :2]
    return {
        "output_image_path": "out.png",
        "original_image_path": "in.jpg",
        "orig_img_h": SHAPE[0],
        "orig_img_w": SHAPE[1],
        "pred_boxes": boxes.tolist(),
        "pred_masks": [found["counts"] for found in RLES],
        "pred_scores": SCORES,
    }


def postprocessed(*, dense):
    masks = {"masks": FRAMES[:, None]} if dense else {"masks_rle": RLES}
    return {
        "scores": np.array(SCORES, np.float32),
        "labels": np.array(PROMPTS),
        "boxes": sv.mask_to_xyxy(FRAMES).astype(np.float32),
    } | masks


def video_frame():
    """A frame of the video predictor, which leaves empty masks out."""
    kept = FRAMES.any((1, 2))
    boxes = sv.mask_to_xyxy(FRAMES[kept]) / [*WH, *WH]
    return {
        "out_obj_ids": np.array([4, 0, 7], np.int64),
        "out_probs": np.array(SCORES, np.float32)[kept],
        "out_boxes_xywh": boxes.astype(np.float32),
        "out_binary_masks": FRAMES[kept],
        "frame_stats": None,
    }


def masklets():
    """VEval predictions of one video: the scene, twice, and an object that is in no frame."""
    nothing = rle(np.zeros(SHAPE, bool))
    there = [found for found, frame in zip(RLES, FRAMES, strict=True) if frame.any()]
    return [
        {
            "video_id": 3,
            "category_id": category,
            "score": score,
            "bboxes": [[0, 0, 0, 0]] * len(rles),
            "segmentations": rles,
            "areas": [int(coco.area(found)) for found in rles],
        }
        for category, score, rles in (
            (41, 0.875, [there[0], nothing, there[1]]),
            (17, 0.5, [nothing, nothing, nothing]),
            (12, 0.25, [nothing, there[2], there[2]]),
        )
    ]
