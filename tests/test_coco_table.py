"""The table of dialects in formats/COCO.md: every cell is what happens."""

from pathlib import Path

import numpy as np
import pytest
from dialect_checks import same_masks
from dialect_documents import DIALECTS, MASKS

import compactmask as cm

TEXT = (Path(__file__).resolve().parents[1] / "formats" / "COCO.md").read_text(encoding="utf-8")
NAMES = {
    "COCO dataset: polygons, RLE, crowds": "dataset",
    "COCO results": "results",
    "Detectron2 results": "detectron2",
    "Detectron2 results with key points": "detectron2-keypoints",
    "LVIS": "lvis",
    "SA-Co image ground truth (boxes in fractions)": "saco-image",
    "SA-1B, a file": "sa1b",
    "SA-1B, a folder": "sa1b-folder",
    "SA-V, automatic masklets": "sav-auto",
    "SA-V, manual masklets": "sav-manual",
    "YouTube-VIS": "ytvis",
    "SA-Co video ground truth": "saco-video",
    "YouTube-VIS results": "ytvis-predictions",
    "SA-Co (VEval) predictions": "veval-predictions",
    "COCO panoptic": "panoptic",
}
BESIDES = {
    "ids": {"annotation_id", "iscrowd"},
    "areas": {"data/area"},
    "a category": {"class_id", "category_id"},
    "`iscrowd` 0": {"iscrowd"},
}


def rows():
    """Give the cells of the table's rows."""
    table = TEXT.partition("## Dialects")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_names_every_dialect_that_is_tested():
    assert {NAMES[row[0]] for row in rows()} == set(DIALECTS)


def added(cell):
    """Give the columns that the last cell says are there besides."""
    _, _, more = cell.partition(", and ")
    return set().union(*(columns for words, columns in BESIDES.items() if words in more))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_dialect_is_read_and_written_as_its_row_says(tmp_path, row):
    name, is_read, written, lossless = row
    assert is_read == "yes"
    assert lossless.startswith("yes")
    name = NAMES[name]
    form = written.split(",")[0].strip("`")
    path = DIALECTS[name](tmp_path)
    cm.convert(path, tmp_path / "kept.h5")
    again = tmp_path / ("again.json" if form.startswith("coco") else "again")
    report = cm.convert(tmp_path / "kept.h5", again, format=form)
    assert not report.loss
    with cm.open(path) as before, cm.open(tmp_path / "kept.h5") as kept, cm.open(again) as after:
        for ds in (before, kept, after):
            same_masks(ds, MASKS[name]())
        for kind in ("images", "detections"):
            one, other = getattr(before, kind), getattr(after, kind)
            assert set(other) - set(one) <= added(lossless)
            for column in one:
                assert one[column].dtype == other[column].dtype, column
                nan = one[column].dtype.kind == "f"
                assert np.array_equal(one[column], other[column], equal_nan=nan), column
        assert before.metadata.items() <= after.metadata.items()
