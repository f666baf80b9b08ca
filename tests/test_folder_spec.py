"""formats/LABEL_IMAGES.md and formats/YOLO.md: their worked examples are what is read."""

from pathlib import Path

import numpy as np
from folder_samples import make_yolo, save_labels

from compactmask.formats import label_images, yolo

FORMATS = Path(__file__).resolve().parents[1] / "formats"


class Example:
    """The worked example of a specification."""

    def __init__(self, name):
        text = (FORMATS / name).read_text(encoding="utf-8")
        self._lines = text.partition("## A worked example")[2].splitlines()

    def block(self):
        return [line.strip() for line in self._lines if line.startswith("    ")]

    def cells(self, row):
        """Give the cells of the table row that begins with some text."""
        line = next(line for line in self._lines if line.startswith(f"| {row} "))
        return [cell.strip() for cell in line.strip("|").split("|")][1:]


def pixels(frame):
    rows = np.where(frame, "#", ".").tolist()
    return " ".join(f"`{''.join(row)}`" for row in rows)


def numbers(values):
    return ", ".join(f"{value:g}" for value in values)


def test_the_worked_example_of_label_images_is_read_as_it_says(tmp_path):
    example = Example("LABEL_IMAGES.md")
    labels = np.array([row.split() for row in example.block()], np.uint8)
    save_labels(tmp_path / "cells" / "a.png", labels)
    with label_images.open(tmp_path) as ds:
        found = ds[0]
        assert ds.images["file_name"].tolist() == ["cells/a.png"]
        assert example.cells('`data["label"]`') == [str(value) for value in found.data["label"]]
        assert example.cells("`xyxy`") == [numbers(box) for box in found.xyxy]
        assert example.cells("pixels,") == [pixels(frame) for frame in found.mask.to_dense()]


def test_the_worked_example_of_yolo_is_read_as_it_says(tmp_path):
    example = Example("YOLO.md")
    text = "\n".join(example.block())
    make_yolo(tmp_path, {"train/a": text}, size=(20, 10), names="[cat, dog]")
    with yolo.open(tmp_path) as ds:
        found = ds[0]
        assert ds.images["file_name"].tolist() == ["train/a.png"]
        assert example.cells("`class_id`") == [str(value) for value in found.class_id]
        assert example.cells("`xyxy`") == [numbers(np.round(box, 9)) for box in found.xyxy]
        assert example.cells("`confidence`") == [f"{value:g}" for value in found.confidence]
        assert example.cells('`data["has_mask"]`') == [str(v) for v in found.data["has_mask"]]
        assert example.cells("pixels") == [pixels(ds.crop(k)) for k in range(2)]
