"""A small but complete COCO panoptic document, and the PNG files that it needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dialect_images import INFO, LICENSES
from dialect_masks import Mask, area, box
from PIL import Image

Ids = npt.NDArray[np.int64]

SKY, CAR, CROWD, ROAD = 1 + 256 * 2 + 65536 * 3, 65536 * 255, 255, 256 * 200
VOID = 0


def id_images() -> dict[str, Ids]:
    """Give, for each PNG file, the id of the segment of each of its pixels."""
    first = np.full((6, 8), SKY)
    first[3:, :] = ROAD
    first[2:5, 1:4] = CAR
    first[0, 7] = VOID
    first[5, 0] = CAR  # a segment may have several parts
    second = np.full((5, 4), CROWD)
    second[:, 3] = SKY
    return {"000000142238.png": first, "000000439180.png": second}


def panoptic() -> dict[str, Any]:
    """Give the document; its ids repeat from image to image, as they do in COCO's."""
    first, second = id_images().items()
    return {
        "info": INFO,
        "licenses": LICENSES,
        "images": [
            _image(142238, *first[1].shape),
            _image(439180, *second[1].shape),
        ],
        "annotations": [
            _annotation(439180, *second, {CROWD: (8, 1), SKY: (187, 0)}),
            _annotation(142238, *first, {ROAD: (1, 0), CAR: (8, 0), SKY: (187, 0)}),
        ],
        "categories": [
            {
                "supercategory": "sky",
                "color": [70, 130, 180],
                "isthing": 0,
                "id": 187,
                "name": "sky",
            },
            {"supercategory": "vehicle", "color": [0, 0, 70], "isthing": 1, "id": 8, "name": "car"},
            {"supercategory": "ground", "color": [9, 8, 7], "isthing": 0, "id": 1, "name": "road"},
        ],
    }


def write_panoptic(folder: Path, document: Any = None, ids: dict[str, Ids] | None = None) -> Path:
    """Write the document and, in the folder that is named like it, its PNG files."""
    path = folder / "panoptic_val2017.json"
    path.write_text(json.dumps(panoptic() if document is None else document), encoding="utf-8")
    pngs = path.with_suffix("")
    pngs.mkdir()
    for name, pixels in (id_images() if ids is None else ids).items():
        colors = np.stack([pixels % 256, pixels // 256 % 256, pixels // 65536], axis=-1)
        Image.fromarray(colors.astype(np.uint8)).save(pngs / name)
    return path


def panoptic_masks() -> list[list[Mask]]:
    """Give the masks of the segments, image by image."""
    document, ids = panoptic(), id_images()
    return [
        [
            ids[item["file_name"]] == segment["id"]
            for item in document["annotations"]
            if item["image_id"] == image["id"]
            for segment in item["segments_info"]
        ]
        for image in document["images"]
    ]


def _image(key: int, height: int, width: int) -> dict[str, Any]:
    return {
        "license": 4,
        "file_name": f"{key:012}.jpg",
        "coco_url": f"http://images.cocodataset.org/val2017/{key:012}.jpg",
        "height": height,
        "width": width,
        "date_captured": "2013-11-20 16:47:35",
        "flickr_url": f"http://farm5.example.org/{key}_z.jpg",
        "id": key,
    }


def _annotation(
    image_id: int, file_name: str, ids: Ids, segments: dict[int, tuple[int, int]]
) -> dict[str, Any]:
    return {
        "segments_info": [
            {
                "area": area(ids == key),
                "category_id": category,
                "iscrowd": iscrowd,
                "id": key,
                "bbox": list(map(int, box(ids == key))),
            }
            for key, (category, iscrowd) in segments.items()
        ],
        "file_name": file_name,
        "image_id": image_id,
    }
