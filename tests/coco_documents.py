"""Small COCO documents for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZE = [4, 5]
DOT = {"size": SIZE, "counts": [5, 1, 14]}
"""One pixel at x=1, y=1 of an image of height 4 and width 5."""
BAR = {"size": SIZE, "counts": [8, 4, 8]}
"""The column x=2."""
NOTHING = {"size": SIZE, "counts": [20]}


def image(image_id: Any = 7, **more: Any) -> dict[str, Any]:
    return {"id": image_id, "file_name": f"{image_id}.jpg", "height": 4, "width": 5} | more


def annotation(annotation_id: Any = 1, image_id: Any = 7, **more: Any) -> dict[str, Any]:
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 3,
        "segmentation": DOT,
        "bbox": [1, 1, 1, 1],
        "area": 1,
        "iscrowd": 0,
    } | more


def result(image_id: Any = 7, **more: Any) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": 3, "score": 0.5, "segmentation": DOT} | more


def dataset(*annotations: Any, images: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "images": [image()] if images is None else images,
        "annotations": list(annotations),
        "categories": [{"id": 3, "name": "cat"}],
    } | more


def without(item: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in keys}


def write(folder: Path, document: Any, name: str = "coco.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
