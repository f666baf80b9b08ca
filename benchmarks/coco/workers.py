"""Forked workers, as a training loader has them, that go twice over all images of a dataset.

What a worker writes to, a count of references too, is copied and is then its own.
"""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coco import Told
from benchmarks.fresh import memory

Sums = tuple[int, int, int]
DECODED = 20
"""One in so many images has its masks decoded: pycocotools takes long."""


def api_ours(path: str, workers: str) -> Told:
    from compactmask.formats import hdf5  # noqa: F401
    from compactmask.formats.coco import COCO

    return _forked(_loader(COCO(path)), int(workers))


def api_pycocotools(path: str, workers: str) -> Told:
    from pycocotools.coco import COCO

    return _forked(_loader(COCO(path)), int(workers))


def crops(path: str, workers: str) -> Told:
    """Read every crop of our file, image by image, without annotations."""
    import compactmask as cm

    ds = cm.open(path)

    def walk(seed: int) -> Sums:
        ids = ds.detections["annotation_id"]
        categories = ds.detections["category_id"]
        area = 0
        for i in np.random.default_rng(seed).permutation(len(ds)).tolist():
            for k in range(*ds.detection_range(i)):
                crop = ds.crop(k)
                area += int(crop.sum()) if i % DECODED == 0 else 0
        return int(ids.sum()), int(categories.sum()), area

    return _forked(walk, int(workers))


def _loader(api: Any) -> Callable[[int], Sums]:
    """Return what a worker does with an interface of pycocotools, as torchvision's dataset does."""
    image_ids = sorted(api.imgs.keys())

    def walk(seed: int) -> Sums:
        ids = categories = area = 0
        for i in np.random.default_rng(seed).permutation(len(image_ids)).tolist():
            for annotation in api.loadAnns(api.getAnnIds(image_ids[i])):
                ids += annotation["id"]
                categories += annotation["category_id"]
                if i % DECODED == 0:
                    area += int(api.annToMask(annotation).sum())
        return ids, categories, area

    return walk


def _forked(walk: Callable[[int], Sums], workers: int) -> Told:
    """Return what workers told, all of them alive until the last has measured."""
    parent = memory()
    answers, answer = os.pipe()
    end, wait = os.pipe()  # closing `wait` lets them go
    children = []
    for seed in range(workers):
        child = os.fork()
        if child == 0:
            os.close(wait)
            _work(walk, seed, answer, end)
        children.append(child)
    os.close(answer)
    with os.fdopen(answers) as file:
        told = [ast.literal_eval(file.readline()) for _ in children]
    os.close(wait)
    for child in children:
        os.waitpid(child, 0)
    sums = {one["sums"] for one in told}
    assert len(sums) == 1, sums
    return {
        "parent": parent,
        "before": [one["before"] for one in told],
        "after": [one["after"] for one in told],
        "again": [one["again"] for one in told],
        "cpu": [one["cpu"] for one in told],
        "sums": sums.pop(),
    }


def _work(walk: Callable[[int], Sums], seed: int, answer: int, end: int) -> None:
    try:
        before, begin = private(), time.process_time()
        sums = walk(seed)
        cpu, after = time.process_time() - begin, private()
        walk(seed)
        found = {"before": before, "after": after, "again": private(), "cpu": cpu, "sums": sums}
        os.write(answer, f"{found}\n".encode())
        os.close(answer)
        os.read(end, 1)
    finally:
        os._exit(0)


def private() -> float:
    """Return the memory in MB that this process shares with none."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
