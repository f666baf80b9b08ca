"""Label a folder of images with RF-DETR Seg, into one HDF5 file.

pip install rfdetr
python examples/rfdetr_seg.py photos/ labels.h5 --size Medium
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import supervision as sv
from labelling import existing_folder, label_folder, run, score, upright
from PIL import Image

SIZES = ["Nano", "Small", "Medium", "Large", "XLarge", "2XLarge"]


def load(size: str) -> Any:
    """Load a model; its weights are downloaded when they are not there."""
    try:
        import rfdetr
    except ImportError:
        raise SystemExit("RF-DETR is not installed: pip install rfdetr") from None
    return getattr(rfdetr, f"RFDETRSeg{size}")()


def class_names(names: Mapping[int, str] | Sequence[str]) -> list[str]:
    """List class names by class id; the ids of COCO have gaps, which get their number as name."""
    if not isinstance(names, Mapping):
        return list(names)
    return [names.get(i, str(i)) for i in range(max(names, default=-1) + 1)]


def label(
    folder: Path,
    path: Path,
    predict: Callable[[Image.Image], sv.Detections],
    classes: Sequence[str],
) -> dict[str, str]:
    """Label a folder; dense masks are packed when they are appended.

    Parameters
    ----------
    folder, path : Path
        Images, and the HDF5 file, which may exist.
    predict : callable
        Takes an image and gives its detections.
    classes : sequence of str
        Class names by class id.

    Returns
    -------
    dict of str
        Why images were left out, by their names.
    """

    def detections(image: Path) -> sv.Detections:
        found = predict(upright(image))
        for columns in (found.data, found.metadata):  # the pixels of the image itself
            columns.pop("source_image", None)
            columns.pop("source_shape", None)
        return found

    return label_folder(folder, path, detections, classes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and label a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=existing_folder, help="the images")
    parser.add_argument("path", type=Path, help="the HDF5 file, created or continued")
    parser.add_argument("--size", choices=SIZES, default="Medium", help="of the model")
    parser.add_argument("--threshold", type=score, default=0.5, help="least score")
    given = parser.parse_args(arguments)
    model = load(given.size)

    def predict(image: Image.Image) -> sv.Detections:
        return model.predict(image, threshold=given.threshold)

    classes = class_names(model.class_names)
    return run(lambda: label(given.folder, given.path, predict, classes))


if __name__ == "__main__":
    raise SystemExit(main())
