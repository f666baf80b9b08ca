"""What masks cost in RAM: the growth of a fresh process, every object counted.

Run as ``python -m benchmarks.bench_memory [--smoke]``; Linux only. Each way of holding masks has
processes of its own, which look at /proc/self/statm before they read and after they have built.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from benchmarks.scenes import DATA, Image, coco_gt, coco_results, jittered, n_runs, people_1080p
from benchmarks.timing import environment, table, verdict

WAYS = ("image by image", "whole")
ABOUT = """\
Different masks, made of the real ones of COCO by stretching and moving each, together with the
others of their image as in real data ({0} masks on {1} images, {2:.1f} an image, {3:.0f} runs a
mask). Resident memory of a fresh process that has read them as JSON, built its objects, dropped
the JSON and called `gc.collect()` and `malloc_trim(0)`, less that of one that did the same and
kept nothing. *Image by image*: the JSON has a line an image and one is parsed at a time, so the
figure is what the objects cost. *Whole*: one document, all of it parsed before the first object is
built; Python then keeps arenas of 1 MB in which a few objects have ended up among the JSON's.
pycocotools holds dicts with counts as bytes.
"""


def from_coco(kind: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda image: kind.from_coco_rle(
        image["rles"], np.array(image["boxes"]), tuple(image["image_shape"])
    )


def hold_ours() -> Callable[[dict[str, Any]], Any]:
    from compactmask import CompactMask

    return from_coco(CompactMask)


def hold_supervision() -> Callable[[dict[str, Any]], Any]:
    from supervision import CompactMask

    return from_coco(CompactMask)


def hold_pycocotools() -> Callable[[dict[str, Any]], Any]:
    return lambda image: [
        {"size": list(rle["size"]), "counts": rle["counts"].encode()} for rle in image["rles"]
    ]


def hold_rlemasklib() -> Callable[[dict[str, Any]], Any]:
    from rlemasklib import RLEMask

    return lambda image: [RLEMask.from_dict(rle) for rle in image["rles"]]


def hold_nothing() -> Callable[[dict[str, Any]], Any]:
    return lambda image: None


HOLDERS = {
    "nothing": hold_nothing,
    "ours": hold_ours,
    "supervision": hold_supervision,
    "pycocotools": hold_pycocotools,
    "rlemasklib": hold_rlemasklib,
}


def areas(held: Any) -> int:
    """Return the True pixels of one image's masks, however they are held."""
    if held is None:
        return 0
    if isinstance(held, list):
        return sum(int(coco.area(one) if isinstance(one, dict) else one.area()) for one in held)
    return int(held.area.sum())


def child(holder: str, way: str, path: str) -> None:
    """Hold the masks of a file and print by how many bytes the process grew."""
    build = HOLDERS[holder]()
    with open(path, "rb") as file:
        areas(build(json.loads(file.readline())))  # imports and first calls are paid here
    before = settled()
    with open(path, "rb") as file:
        if way == "whole":
            images = json.loads(b"[" + b",".join(file) + b"]")
            held = [build(image) for image in images]
            del images
        else:
            held = [build(json.loads(line)) for line in file]
    grown = settled() - before
    with open(path, "rb") as file:
        for one, line in zip(held, file, strict=True):
            assert one is None or areas(one) == json.loads(line)["area"], holder
    print(grown)


def settled() -> int:
    """Return the resident memory in bytes, after what is free has been given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run(smoke: bool = False) -> str:
    """Return the report as Markdown."""
    if not Path("/proc/self/statm").exists():
        return "## RAM\n\nSkipped: only Linux tells the resident memory in /proc/self/statm.\n"
    if DATA.is_dir():
        sources = [image for scene in (coco_gt(), coco_results()) for image in scene.images]
    else:
        sources = people_1080p(4).images
    n_masks = 500 if smoke else 24_000
    images = list(jittered(sources, n_masks))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "masks.jsonl")
        path.write_text("\n".join(json.dumps(as_json(image)) for image in images))
        grown = {
            holder: [measure(holder, way, path, 1 if smoke else 3) for way in WAYS]
            for holder in HOLDERS
            if holder != "rlemasklib" or importlib.util.find_spec(holder)
        }
    nothing = grown.pop("nothing")
    cost = {holder: np.subtract(grown[holder], nothing).clip(1) for holder in grown}
    rows = []
    for holder, found in cost.items():
        ratios = found / cost["ours"]
        row = [holder]
        for bytes_held, ratio in zip(found, ratios, strict=True):
            row.append(f"{bytes_held / n_masks:.0f} ({ratio:.1f}x)")
        row.append(f"{verdict(min(ratios), 6)} (aim 9)" if holder == "supervision" else "")
        rows.append(row)
    runs = np.mean([n_runs(rle) for image in images for rle in image.rles])
    about = ABOUT.format(n_masks, len(images), n_masks / len(images), runs)
    return f"## RAM\n\n{about}\n{table(['bytes a mask', *WAYS, 'target'], rows)}\n"


def as_json(image: Image) -> dict[str, Any]:
    """Return an image as a document, with the area that its masks must have."""
    return {
        "image_shape": image.image_shape,
        "rles": [{**rle, "counts": rle["counts"].decode()} for rle in image.rles],
        "boxes": image.boxes.tolist(),
        "area": sum(int(coco.area(rle)) for rle in image.rles),
    }


def measure(holder: str, way: str, path: Path, times: int) -> int:
    """Return the growth of a fresh process in bytes, the median of some."""
    call = [sys.executable, "-m", "benchmarks.bench_memory", "--hold", holder, way, str(path)]
    return statistics.median(int(subprocess.check_output(call)) for _ in range(times))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hold"]:
        child(*sys.argv[2:])
    else:
        print(environment(), run("--smoke" in sys.argv[1:]), sep="\n\n")
