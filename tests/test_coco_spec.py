"""formats/COCO.md: its worked example is what the reader makes of it."""

from pathlib import Path

import numpy as np

from compactmask.formats import coco

TEXT = (Path(__file__).resolve().parents[1] / "formats" / "COCO.md").read_text(encoding="utf-8")
EXAMPLE = TEXT.partition("## A worked example")[2]


def cells(row):
    """Give the cells of the example's table row that begins with some text."""
    line = next(line for line in EXAMPLE.splitlines() if line.startswith(f"| {row} "))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def numbers(*values):
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def test_the_worked_example_is_read_as_it_says(tmp_path):
    path = tmp_path / "example.json"
    path.write_text("\n".join(line for line in EXAMPLE.splitlines() if line.startswith("    ")))
    with coco.open(path) as ds:
        assert ds.classes == ["dog", "cat"]
        assert len(ds) == 1
        for k in range(2):
            instance = ds.instance(k)
            column = {
                name: values[k].item() for name, values in ds.detections.items() if values.ndim == 1
            }
            assert cells("`xyxy`")[k] == numbers(*instance.xyxy.tolist())
            assert cells("`class_id`,")[k] == numbers(column["class_id"], column["category_id"])
            assert cells('`data["annotation_id"]`,')[k] == ", ".join(
                str(column[name]) for name in ("annotation_id", "iscrowd", "data/area")
            )
            frame = np.full((3, 4), ".")
            (x, y), (height, width) = instance.offset, instance.crop.shape
            frame[y : y + height, x : x + width][instance.crop] = "#"
            assert cells("pixels,")[k] == " ".join(f"`{''.join(row)}`" for row in frame.tolist())
