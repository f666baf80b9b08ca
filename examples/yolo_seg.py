"""Label a folder of images with a YOLO segmentation model of Ultralytics, into one HDF5 file.

pip install ultralytics
python examples/yolo_seg.py photos/ labels.h5 --model yolo11n-seg.pt
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import supervision as sv
from labelling import existing_folder, label_folder, run, score, upright
from PIL import Image


def load(name: str) -> Any:
    """Load a model; its weights are downloaded when they are not there."""
    try:
        from ultralytics import YOLO
    except ImportError:
        raise SystemExit("Ultralytics is not installed: pip install ultralytics") from None
    return YOLO(name)


def label(
    folder: Path, path: Path, predict: Callable[[Image.Image], Any], classes: Sequence[str]
) -> dict[str, str]:
    """Label a folder; dense masks are packed when they are appended.

    Parameters
    ----------
    folder, path : Path
        Images, and the HDF5 file, which may exist.
    predict : callable
        Takes an image and gives one result as Ultralytics does.
    classes : sequence of str
        Class names by class id.

    Returns
    -------
    dict of str
        Why images were left out, by their names.
    """

    def detections(image: Path) -> sv.Detections:
        return sv.Detections.from_ultralytics(predict(upright(image)))

    return label_folder(folder, path, detections, classes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and label a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=existing_folder, help="the images")
    parser.add_argument("path", type=Path, help="the HDF5 file, created or continued")
    parser.add_argument("--model", default="yolo11n-seg.pt", help="weights of a -seg model")
    parser.add_argument("--threshold", type=score, default=0.25, help="least score")
    given = parser.parse_args(arguments)
    model = load(given.model)

    def predict(image: Image.Image) -> Any:
        return model(image, conf=given.threshold, retina_masks=True, verbose=False)[0]

    classes = [model.names[i] for i in range(len(model.names))]
    return run(lambda: label(given.folder, given.path, predict, classes))


if __name__ == "__main__":
    raise SystemExit(main())
