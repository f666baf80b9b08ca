"""Files: how large they are, and how fast one instance is reached in one.

Run as ``python -m benchmarks.bench_files [--smoke]``. Needs orjson for the rival's best reader.
"""

from __future__ import annotations

import ast
import functools
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import supervision as sv
from pycocotools import mask as coco

import compactmask as cm
from benchmarks.scenes import DATA, Image, coco_gt, coco_results, people_1080p, sam3, sav
from benchmarks.timing import compare, environment, table, verdict
from compactmask._kernels import dense
from compactmask.formats.dataset import SegmentationDataset

BATCH = 16
SIZES = """\
### Sizes

The {0} distinct masks of {1} on {2} images,
with ids, boxes, areas, category ids and crowd flags: a COCO dataset (no spaces, counts as
compressed RLE) and what `cm.convert` makes of it.
"""
READING = """\
### Reading one instance

Real masks repeated to {0} instances on {1} images; {2} places in random order, in batches of {3}
that are dropped; every crop was compared with pycocotools' before. **h5py, index in RAM** knows
start, stop, h and w, slices the open dataset of mask bytes and decodes with the same kernel as
ours, without looking at the checksum. **h5py, index too** slices the open datasets of starts and
shapes as well. **JSON in RAM** is parsed already; pycocotools decodes the full frame, which is cut.
"""
FRESH = """\
### A fresh process: open, read one crop

Median of {0} processes. Milliseconds of processor time from after the imports to the decoded crop,
the file cached by the system. The rival loads the JSON with orjson, decodes with pycocotools and
cuts to the box.
"""


def sources(smoke: bool) -> list[list[Image]]:
    """Return the images of each scene: the real ones where they are."""
    if not DATA.is_dir():
        return [people_1080p(1 if smoke else 20).images]
    found = [scene().images for scene in (coco_gt, sam3, sav)]
    return [images[:3] for images in found] if smoke else found


def as_coco(images: list[Image], seed: int = 0) -> dict[str, Any]:
    """Return images as a COCO dataset, whose ids have gaps and whose categories are mixed."""
    rng = np.random.default_rng(seed)
    image_ids = np.cumsum(rng.integers(1, 12_000, len(images))).tolist()
    annotations: list[dict[str, Any]] = []
    for image_id, image in zip(image_ids, images, strict=True):
        for rle, box in zip(image.rles, coco.toBbox(image.rles).tolist(), strict=True):
            annotations.append(
                {
                    "id": int(rng.integers(1, 2_000_000)),
                    "image_id": image_id,
                    "category_id": int(rng.integers(1, 81)),
                    "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                    "area": int(coco.area(rle)),
                    "bbox": box,
                    "iscrowd": 0,
                }
            )
    return {
        "images": [
            {
                "id": image_id,
                "file_name": f"{image_id:012}.jpg",
                "height": image.image_shape[0],
                "width": image.image_shape[1],
            }
            for image_id, image in zip(image_ids, images, strict=True)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": f"class {i}"} for i in range(1, 81)],
    }


def write_json(images: list[Image], path: Path) -> dict[str, Any]:
    """Write images as a COCO dataset and return it."""
    document = as_coco(images)
    path.write_text(json.dumps(document, separators=(",", ":")))
    return document


def sizes(smoke: bool, folder: Path) -> str:
    """Return the table of sizes."""
    images = [image for found in sources(smoke) for image in found]
    document = write_json(images, folder / "masks.json")
    cm.convert(folder / "masks.json", folder / "masks.h5")
    cm.convert(folder / "masks.json", folder / "masks_gzip.h5", compression="gzip")
    (folder / "masks.json.gz").write_bytes(gzip.compress((folder / "masks.json").read_bytes()))
    crowd = people_1080p(1).images[0]
    detections = sv.Detections(
        xyxy=crowd.boxes.astype(np.float32),
        mask=cm.CompactMask.from_coco_rle(crowd.rles),
        confidence=np.linspace(0.3, 0.9, 28, dtype=np.float32),
        class_id=np.zeros(28, np.int64),
        data={"class_name": np.array(["person"] * 28)},
    )
    cm.save(detections, folder / "crowd.h5")
    json_size = (folder / "masks.json").stat().st_size
    n_masks = len(document["annotations"])
    rows = []
    for name, file, target in (
        ("COCO JSON, compressed RLE", "masks.json", None),
        (".json.gz", "masks.json.gz", None),
        ("ours, mask bytes unfiltered", "masks.h5", 0.33),
        ('ours, compression="gzip"', "masks_gzip.h5", 0.29),
    ):
        size = (folder / file).stat().st_size
        ratio = size / json_size
        goal = verdict(ratio, target, at_least=False) if target else ""
        rows.append([name, f"{size:,}", f"{size / n_masks:.0f}", f"{ratio:.3f}", goal])
    size = (folder / "crowd.h5").stat().st_size
    goal = verdict(size, 20_480, at_least=False)
    rows.append(["cm.save of one image, 28 people", f"{size:,}", f"{size / 28:.0f}", "", goal])
    described = "COCO ground truth, two SAM 3 frames and an SA-V video"
    about = SIZES.format(n_masks, described if DATA.is_dir() else "people_1080p", len(images))
    return f"{about}\n{table(['', 'bytes', 'bytes a mask', 'to JSON', 'target'], rows)}\n"


def repeated(n_masks: int) -> list[Image]:
    """Return the real images over and over, until there are `n_masks`."""
    images = [image for found in sources(False) for image in found]
    images += coco_results().images if DATA.is_dir() else []
    result: list[Image] = []
    left = n_masks
    while left > 0:
        for image in images:
            rles = image.rles[:left]
            if rles:
                result.append(Image(image.image_shape, rles, image.boxes[: len(rles)]))
            left -= len(rles)
    return result


def reading(smoke: bool, folder: Path) -> str:
    """Return the tables of reading speed."""
    images = repeated(500 if smoke else 36_000)
    document = write_json(images, folder / "many.json")
    cm.convert(folder / "many.json", folder / "many.h5")
    cm.convert(folder / "many.json", folder / "many_gzip.h5", compression="gzip")
    annotations = document["annotations"]
    rng = np.random.default_rng(0)
    places = rng.permutation(len(annotations))[:2000].tolist()
    batches = [places[i : i + BATCH] for i in range(0, len(places), BATCH)]
    expected = {k: cut(annotations[k]) for k in places}
    rows = []
    for name, file, target in (
        ("unfiltered", "many.h5", 5.0),
        ("gzip", "many_gzip.h5", None),
    ):
        with cm.open(folder / file) as ds, h5py.File(folder / file) as raw:
            found = readers(ds, raw, annotations)
            for read in found.values():
                for batch in batches:
                    assert all(map(np.array_equal, read(batch), map(expected.get, batch)))
            timing = compare(
                {who: functools.partial(read_all, read, batches) for who, read in found.items()}
            )
        per = {key: 1e6 * timing.seconds(key) / len(places) for key in timing}
        rows.append(
            [
                name,
                f"{per['ours']:.1f}",
                f"{per['many']:.1f}",
                f"{per['h5py']:.1f} ({timing.ratio('h5py'):.1f}x)",
                f"{per['h5py all']:.1f} ({timing.ratio('h5py all'):.1f}x)",
                f"{per['json']:.1f} ({timing.ratio('json'):.1f}x)",
                f"{100 * timing.noise('h5py'):.0f} %",
                verdict(timing.ratio("h5py"), target) if target else "",
            ]
        )
    head = [
        "us an instance",
        "ds.crop(k)",
        "ds.crops(ks)",
        "h5py, index in RAM",
        "h5py, index too",
        "JSON in RAM",
        "noise",
        "target",
    ]
    about = READING.format(len(annotations), len(images), len(places), BATCH)
    times = 3 if smoke else 9
    k = places[0]
    told: dict[str, list[dict[str, float]]] = {"ours": [], "json": []}
    for _ in range(times):
        told["ours"].append(fresh("ours", folder / "many.h5", k))
        told["json"].append(fresh("json", folder / "many.json", k))
    return f"{about}\n{table(head, rows)}\n\n{FRESH.format(times)}\n{fresh_table(told)}\n"


def read_all(read: Callable[[list[int]], list[Any]], batches: list[list[int]]) -> None:
    """Read batch after batch, each dropped before the next, as a training loop does."""
    for batch in batches:
        read(batch)


def readers(
    ds: SegmentationDataset, raw: h5py.File, annotations: list[dict[str, Any]]
) -> dict[str, Callable[[list[int]], list[Any]]]:
    """Return the ways to read the crops at a few places."""
    stored, starts, sides = (raw[f"masks/{name}"] for name in ("bytes", "indptr", "crop_shapes"))
    indptr, shapes = starts[:].tolist(), sides[:].tolist()

    def sliced(k: int) -> Any:
        return dense.decode_crop(stored[indptr[k] : indptr[k + 1]], *shapes[k])

    def sliced_all(k: int) -> Any:
        start, stop = starts[k : k + 2].tolist()
        return dense.decode_crop(stored[start:stop], *sides[k].tolist())

    return {
        "ours": lambda ks: [ds.crop(k) for k in ks],
        "many": ds.crops,
        "h5py": lambda ks: [sliced(k) for k in ks],
        "h5py all": lambda ks: [sliced_all(k) for k in ks],
        "json": lambda ks: [cut(annotations[k]) for k in ks],
    }


def cut(annotation: dict[str, Any]) -> Any:
    """Return an annotation's crop as pycocotools decodes it."""
    x, y, w, h = (int(side) for side in annotation["bbox"])
    return coco.decode(annotation["segmentation"])[y : y + h, x : x + w].astype(bool)


def fresh_table(found: dict[str, list[dict[str, float]]]) -> str:
    """Return the table of what fresh processes told."""
    assert len({one["area"] for runs in found.values() for one in runs}) == 1
    middle = {
        name: {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        for name, runs in found.items()
    }
    ours, theirs = middle["ours"], middle["json"]
    rows = []
    for one in middle.values():
        one["grown"] = one["peak"] - one["imports"]
    for key, label, digits, target in (
        ("ms", "open + one crop, ms", 2, 20),
        ("grown", "memory it took, at its peak, MB", 1, 4),
        ("rss", "memory of the process then, MB", 1, 4),
        ("peak", "memory of the process, at its peak, MB", 1, None),
        ("imports", "memory of the process after the imports, MB", 1, None),
    ):
        ratio = theirs[key] / max(ours[key], 0.01)
        rows.append(
            [
                label,
                f"{ours[key]:.{digits}f}",
                f"{theirs[key]:.{digits}f} ({ratio:.1f}x)",
                verdict(ratio, target) if target else "",
            ]
        )
    return table(["", "ours", "orjson + pycocotools", "target"], rows)


def fresh(who: str, path: Path, k: int) -> dict[str, float]:
    """Return what a fresh process told that opened a file and read one crop."""
    call = [sys.executable, "-m", "benchmarks.fresh", who, str(path), str(k)]
    return ast.literal_eval(subprocess.check_output(call, text=True))


def run(smoke: bool = False) -> str:
    """Return the report as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return f"## Files\n\n{sizes(smoke, folder)}\n{reading(smoke, folder)}"


if __name__ == "__main__":
    print(environment(), run("--smoke" in sys.argv[1:]), sep="\n\n")
