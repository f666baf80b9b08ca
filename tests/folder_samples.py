"""Small folders of label images and of YOLO segmentation, and what is in them."""

import numpy as np
import supervision as sv
from PIL import Image

import compactmask as cm

FOUR = np.array(
    [[0, 0, 9, 9, 0, 0], [5, 0, 9, 0, 0, 2], [5, 5, 0, 0, 2, 2], [0, 5, 0, 0, 0, 2]], np.uint8
)
"""A label image of the instances 2, 5 and 9."""


def save_labels(path, labels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path, **options)


def detections(frames, **columns):
    """Give detections of dense masks with tight boxes, x2 and y2 after the last pixel."""
    mask = cm.CompactMask.from_dense(np.asarray(frames, bool))
    return sv.Detections(xyxy=mask.bbox_xyxy + np.array([0.0, 0, 1, 1]), mask=mask, **columns)


def of_labels(labels):
    """Give the detections of a label image."""
    mask, ids = cm.CompactMask.from_label_image(labels, return_ids=True)
    boxes = mask.bbox_xyxy + np.array([0.0, 0, 1, 1])
    return sv.Detections(xyxy=boxes, mask=mask, data={"label": ids.astype(np.int64)})


def make_yolo(folder, texts, size=(20, 10), names=None, suffix=".png", mode="L"):
    """Write label files by name, an image beside each, and a description where there are names."""
    for name, text in texts.items():
        for inner, end in (("labels", ".txt"), ("images", suffix)):
            (folder / inner / f"{name}{end}").parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size).save(folder / "images" / f"{name}{suffix}")
        if text is not None:
            (folder / "labels" / f"{name}.txt").write_text(text)
    if names is not None:
        (folder / "data.yaml").write_text(f"names: {names}\n")
    return folder
