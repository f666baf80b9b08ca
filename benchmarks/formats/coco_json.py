"""A COCO document with compressed RLE: read as most do it, and as fast as we know how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import supervision as sv
from pycocotools import mask as coco
from rlemasklib import RLEMask

from benchmarks.formats import Array, BoolMask, Format, Item, compact, detections

Annotation = dict[str, Any]


class CocoJson(Format):
    """Parsed by json, decoded by pycocotools: full frames, of which crops are cut."""

    extension = "json"

    @classmethod
    def write(cls, given: list[Item], path: Path) -> None:
        """Write one document without spaces."""
        path.write_bytes(cls.dumps({"images": images(given), "annotations": annotations(given)}))

    @staticmethod
    def dumps(document: dict[str, Any]) -> bytes:
        """Return the document as text."""
        return json.dumps(document, separators=(",", ":")).encode()

    loads = staticmethod(json.loads)

    def __init__(self, path: Path) -> None:
        document = self.loads(path.read_bytes())
        self.images, self.annotations = document["images"], document["annotations"]
        self.of_image: dict[int, list[Annotation]] = {one["id"]: [] for one in self.images}
        for one in self.annotations:
            self.of_image[one["image_id"]].append(one)

    def key(self, i: int) -> tuple[int, str]:
        """Return the id and the file name of image ``i``."""
        return self.images[i]["id"], self.images[i]["file_name"]

    def image(self, i: int) -> sv.Detections:
        """Return image ``i``."""
        about = self.images[i]
        found = self.of_image[about["id"]]
        boxes = np.array([one["bbox"] for one in found], np.float32)
        boxes[:, 2:] += boxes[:, :2] - 1
        return detections(
            boxes,
            np.array([one["category_id"] for one in found]),
            np.array([one["score"] for one in found], np.float32),
            self.masks(found, boxes, (about["height"], about["width"])),
        )

    def masks(self, found: list[Annotation], boxes: Array, image_shape: tuple[int, int]) -> Any:
        """Return the masks of an image: a view of the frames."""
        frames = coco.decode([one["segmentation"] for one in found])
        return frames.transpose(2, 0, 1).view(np.bool_)

    def crop(self, k: int) -> BoolMask:
        """Decode the crop of instance ``k``."""
        return self.decode(self.annotations[k])

    @staticmethod
    def decode(annotation: Annotation) -> BoolMask:
        """Decode one crop."""
        x, y, w, h = annotation["bbox"]
        return coco.decode(annotation["segmentation"])[y : y + h, x : x + w].view(np.bool_)

    def scan(self) -> Iterator[BoolMask]:
        """Decode the crops of one image after the other."""
        for about in self.images:
            for one in self.of_image[about["id"]]:
                yield self.decode(one)


class CocoOrjson(CocoJson):
    """The same document parsed by orjson, cropped as runs by rlemasklib."""

    dumps = staticmethod(orjson.dumps)
    loads = staticmethod(orjson.loads)

    def masks(self, found: list[Annotation], boxes: Array, image_shape: tuple[int, int]) -> Any:
        """Return the masks of an image: supervision's, without frames."""
        runs = [cropped(one).counts.view(np.int32) for one in found]
        return compact(runs, boxes.astype(np.int32), image_shape)

    @staticmethod
    def decode(annotation: Annotation) -> BoolMask:
        """Decode one crop."""
        return cropped(annotation).to_array().view(np.bool_)


def cropped(annotation: Annotation) -> RLEMask:
    """Return the runs of an annotation's box."""
    return RLEMask.from_dict(annotation["segmentation"]).crop(annotation["bbox"], inplace=True)


def images(items: list[Item]) -> list[dict[str, Any]]:
    """Return the images of a COCO document."""
    return [
        {
            "id": item.image_id,
            "file_name": item.file_name,
            "height": item.image_shape[0],
            "width": item.image_shape[1],
        }
        for item in items
    ]


def annotations(items: list[Item]) -> list[Annotation]:
    """Return the annotations of a COCO document, scores with the four digits that they have."""
    found: list[Annotation] = []
    for item in items:
        boxes = item.boxes.astype(np.int64)
        boxes[:, 2:] -= boxes[:, :2] - 1
        for box, class_id, score, rle in zip(
            boxes.tolist(), item.class_ids.tolist(), item.scores.tolist(), item.rles, strict=True
        ):
            found.append(
                {
                    "id": len(found) + 1,
                    "image_id": item.image_id,
                    "category_id": class_id,
                    "bbox": box,
                    "score": round(score, 4),
                    "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                }
            )
    return found
