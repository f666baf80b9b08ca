"""A COCO dataset of any number of annotations, made of real silhouettes.

Run as ``python -m benchmarks.synthetic_coco PATH [--annotations N]``. The silhouettes are those of
the real data beside the checkout: polygons and crowds of COCO's ground truth, RLE of COCO's results
and of SA-V, each on images of its own size. Where that data is not, they are synthetic people.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from pycocotools import mask as coco

from benchmarks.scenes import DATA, people_1080p

CATEGORIES = 80


class Scene(NamedTuple):
    """An image that is repeated: its size; its segmentations as JSON text, with boxes and areas."""

    height: int
    width: int
    annotations: list[tuple[str, list[float], float]]


@functools.cache
def scenes() -> list[Scene]:
    """Give the images whose annotations are repeated."""
    if not DATA.is_dir():
        return [_scene(1080, 1920, image.rles) for image in people_1080p(20).images]
    folder = DATA / "coco-val2014-100"
    truth = json.loads((folder / "instances_val2014_100.json").read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    results = json.loads((folder / "instances_val2014_fakesegm100_results.json").read_text())
    video = json.loads((DATA / "sav-example" / "sav_000001_auto.json").read_text())
    found = [
        _scene(*sizes[image_id], [item["segmentation"] for item in group])
        for items in (truth["annotations"], results)
        for image_id, group in _by_image(items)
    ]
    return found + [_scene(848, 480, rles) for rles in video["masklet"]]


def _by_image(items: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    def key(item: dict[str, Any]) -> int:
        number: int = item["image_id"]
        return number

    for image_id, group in itertools.groupby(sorted(items, key=key), key):
        yield image_id, list(group)


def _scene(height: int, width: int, segmentations: list[Any]) -> Scene:
    annotations = []
    for segmentation in segmentations:
        if isinstance(segmentation, list):
            rle = coco.merge(coco.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation["counts"], list):
            rle = coco.frPyObjects(segmentation, height, width)
        else:
            rle = segmentation
        if isinstance(segmentation, dict) and isinstance(segmentation["counts"], bytes):
            segmentation = segmentation | {"counts": segmentation["counts"].decode()}
        box = [round(float(side), 2) for side in coco.toBbox(rle)]
        annotations.append((json.dumps(segmentation), box, float(coco.area(rle))))
    return Scene(height, width, annotations)


def write(file: TextIO, n: int, seed: int = 0) -> None:
    """Write a dataset of ``n`` annotations, in no order of images, as COCO's own files are."""
    rng = np.random.default_rng(seed)
    chosen = scenes()
    counts = np.array([len(scene.annotations) for scene in chosen])
    rounds = -(-n // int(counts.sum()))
    of_image = np.tile(np.arange(len(chosen)), rounds)[
        : np.searchsorted(np.cumsum(np.tile(counts, rounds)), n) + 1
    ]
    image_ids = np.cumsum(rng.integers(1, 9, len(of_image)))
    pairs = np.repeat(np.arange(len(of_image)), counts[of_image])[:n]
    starts = np.cumsum(counts[of_image]) - counts[of_image]
    within = np.arange(n) - np.repeat(starts, counts[of_image])[:n]
    file.write('{"info": {"description": "repeated silhouettes"}, "images": [')
    for i, scene in enumerate(of_image.tolist()):
        entry = {
            "id": int(image_ids[i]),
            "file_name": f"{image_ids[i]:012d}.jpg",
            "height": chosen[scene].height,
            "width": chosen[scene].width,
        }
        file.write(", " * (i > 0) + json.dumps(entry))
    file.write('], "annotations": [')
    category = rng.integers(1, CATEGORIES + 1, n).tolist()
    for k, at in enumerate(rng.permutation(n).tolist()):
        i = int(pairs[at])
        segmentation, box, area = chosen[int(of_image[i])].annotations[int(within[at])]
        file.write(
            ", " * (k > 0) + f'{{"segmentation": {segmentation}, "area": {area}, "iscrowd": 0, '
            f'"image_id": {image_ids[i]}, "bbox": {json.dumps(box)}, '
            f'"category_id": {category[k]}, "id": {at + 1}}}'
        )
    categories = [{"id": key, "name": f"class {key}"} for key in range(1, CATEGORIES + 1)]
    file.write(f'], "categories": {json.dumps(categories)}}}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--annotations", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with arguments.path.open("w", encoding="utf-8") as file:
        write(file, arguments.annotations)


if __name__ == "__main__":
    main()
