"""Evaluate results by COCOeval."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.coco import Stretch, Told, digest

CURVES = ("precision", "recall", "scores")


def ours(truth: str, results: str, kind: str) -> Told:
    from pycocotools.cocoeval import COCOeval

    from compactmask.formats import hdf5  # noqa: F401
    from compactmask.formats.coco import COCO

    return _evaluated(COCO, COCOeval, truth, results, kind)


def pycocotools(truth: str, results: str, kind: str) -> Told:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _evaluated(COCO, COCOeval, truth, results, kind)


def _evaluated(api: Any, evaluator: Any, truth: str, results: str, kind: str) -> Told:
    stretch = Stretch()
    ground_truth = api(truth)
    found = ground_truth.loadRes(results)
    loaded = stretch.end()
    evaluation = evaluator(ground_truth, found, kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return stretch.end() | {
        "load": loaded["cpu"],
        "stats": evaluation.stats.tolist(),
        "curves": digest(evaluation.eval[key].view(np.uint8) for key in CURVES),
    }
