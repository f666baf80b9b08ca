"""Every dialect of COCO by name: how to write an example of it, and the masks that are in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dialect_images as images
import dialect_videos as videos
from dialect_masks import Mask
from dialect_panoptic import panoptic, panoptic_masks, write_panoptic

DOCUMENTS: dict[str, Callable[[], Any]] = {
    "dataset": images.dataset,
    "results": images.results,
    "detectron2": images.detectron2,
    "detectron2-keypoints": images.detectron2_keypoints,
    "lvis": images.lvis,
    "saco-image": images.saco_image,
    "sa1b": images.sa1b,
    "sav-auto": videos.sav_auto,
    "sav-manual": videos.sav_manual,
    "ytvis": videos.ytvis,
    "saco-video": videos.saco_video,
    "ytvis-predictions": videos.ytvis_predictions,
    "veval-predictions": videos.veval_predictions,
    "panoptic": panoptic,
}
"""The dialects that are one JSON file (panoptic has PNG files beside it), as Python objects."""

FOLDER = {"sa_1.json": (1, 60), "sa_10.json": (10, 63), "sa_2.json": (2, 66)}
"""The files of a folder of SA-1B, in their order: the image's id, and where its masks begin."""


def write(folder: Path, document: Any, name: str = "document.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def write_sa1b_folder(folder: Path) -> Path:
    """Write a folder as SA-1B has it: a JPEG file beside each JSON file."""
    path = folder / "sa_000000"
    path.mkdir()
    for name, arguments in reversed(FOLDER.items()):
        write(path, images.sa1b(*arguments), name)
        (path / name).with_suffix(".jpg").write_bytes(b"\xff\xd8\xff\xd9")
    return path


def _writer(name: str) -> Callable[[Path], Path]:
    return lambda folder: write(folder, DOCUMENTS[name](), f"{name}.json")


DIALECTS: dict[str, Callable[[Path], Path]] = (
    {name: _writer(name) for name in DOCUMENTS}
    | {"panoptic": write_panoptic}
    | {"sa1b-folder": write_sa1b_folder}
)
"""Each writes the example of its dialect into a folder and gives the path to open."""

MASKS: dict[str, Callable[[], list[list[Mask]]]] = {
    "dataset": lambda: images.dataset_masks(images.dataset()),
    "results": lambda: images.results_masks(images.results()),
    "detectron2": lambda: images.results_masks(images.detectron2()),
    "detectron2-keypoints": lambda: images.results_masks(images.detectron2_keypoints()),
    "lvis": lambda: images.dataset_masks(images.lvis()),
    "saco-image": lambda: images.dataset_masks(images.saco_image()),
    "sa1b": lambda: images.sa1b_masks(images.sa1b()),
    "sa1b-folder": lambda: [
        frame for item in FOLDER.values() for frame in images.sa1b_masks(images.sa1b(*item))
    ],
    "sav-auto": lambda: videos.sav_masks(videos.sav_auto()),
    "sav-manual": lambda: videos.sav_masks(videos.sav_manual()),
    "ytvis": lambda: videos.ytvis_masks(videos.ytvis()),
    "saco-video": lambda: videos.ytvis_masks(videos.saco_video()),
    "ytvis-predictions": lambda: videos.predictions_masks(videos.ytvis_predictions()),
    "veval-predictions": lambda: videos.predictions_masks(videos.veval_predictions()),
    "panoptic": panoptic_masks,
}
"""The masks of each example, image by image, as pycocotools (for panoptic: NumPy) sees them."""
