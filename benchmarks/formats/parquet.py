"""A Parquet table of instances: zstd, counts of COCO RLE as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import supervision as sv
from rlemasklib import RLEMask

from benchmarks.formats import BoolMask, Columns, Item, compact

ROW_GROUP = 256
"""With 4,096 rows the file is smaller and opens sooner, but one mask takes many times longer."""

BOX = ("x1", "y1", "x2", "y2")
BY_IMAGE = ("image_id", "file_name", "height", "width")
READ = ("image_id", "height", "width", *BOX, "class_id", "score")


class Parquet(Columns):
    """One row an instance; a mask is read with its row group."""

    extension = "parquet"

    @classmethod
    def write(cls, given: list[Item], path: Path) -> None:
        """Write the table."""
        pq.write_table(
            as_table(given),
            path,
            row_group_size=ROW_GROUP,
            compression="zstd",
            use_dictionary=[*BY_IMAGE, "class_id"],
        )

    def __init__(self, path: Path) -> None:
        self.file = pq.ParquetFile(path, pre_buffer=False)
        table = self.file.read(READ, use_threads=False)
        column = {name: table[name].to_numpy() for name in READ}
        first = np.flatnonzero(np.diff(column["image_id"], prepend=-1))
        self.image_ids = column["image_id"][first]
        self.hold(
            starts=np.append(first, len(table)),
            shapes=np.column_stack([column[name][first] for name in ("height", "width")]),
            boxes=np.column_stack([column[name] for name in BOX]),
            class_ids=column["class_id"],
            scores=column["score"],
        )

    def key(self, i: int) -> tuple[int, str]:
        """Return the id and the file name of image ``i``."""
        group, row = divmod(self.starts[i], ROW_GROUP)
        names = self.file.read_row_group(group, ["file_name"])["file_name"]
        return int(self.image_ids[i]), names[row].as_py()

    def masks(self, i: int, start: int, stop: int) -> sv.CompactMask:
        """Read the counts and crop them as runs."""
        groups = range(start // ROW_GROUP, (stop - 1) // ROW_GROUP + 1)
        table = self.file.read_row_groups(groups, ["counts"], use_threads=False)
        counts = table["counts"][start - groups[0] * ROW_GROUP :][: stop - start].to_pylist()
        cut = (self.cropped(start + j, one) for j, one in enumerate(counts))
        runs = [one.counts.view(np.int32) for one in cut]
        return compact(runs, self.crops[start:stop], self.shapes[i])

    def crop(self, k: int) -> BoolMask:
        """Read the row group of instance ``k`` and decode the crop."""
        group, row = divmod(k, ROW_GROUP)
        table = self.file.read_row_group(group, ["counts"], use_threads=False)
        return self.decode(k, table["counts"][row].as_py())

    def scan(self) -> Iterator[BoolMask]:
        """Decode the crops of one row group after the other."""
        for group in range(self.file.num_row_groups):
            table = self.file.read_row_group(group, ["counts"], use_threads=False)
            for row, counts in enumerate(table["counts"].to_pylist()):
                yield self.decode(group * ROW_GROUP + row, counts)

    def cropped(self, k: int, counts: bytes) -> RLEMask:
        """Return the runs of an instance's box."""
        x1, y1, x2, y2 = self.crops[k].tolist()
        whole = RLEMask.from_dict({"size": self.shapes[self.image_of[k]], "counts": counts})
        return whole.crop((x1, y1, x2 - x1 + 1, y2 - y1 + 1), inplace=True)

    def decode(self, k: int, counts: bytes) -> BoolMask:
        """Decode one crop."""
        return self.cropped(k, counts).to_array().view(np.bool_)


def as_table(items: list[Item]) -> pa.Table:
    """Return the rows of all images."""
    sizes = [len(item.rles) for item in items]
    about = [(item.image_id, item.file_name, *item.image_shape) for item in items]
    columns: dict[str, Any] = {
        name: np.repeat(np.array(values), sizes)
        for name, values in zip(BY_IMAGE, zip(*about, strict=True), strict=True)
    }
    columns |= dict(zip(BOX, np.concatenate([item.boxes for item in items]).T, strict=True))
    columns["class_id"] = np.concatenate([item.class_ids for item in items])
    columns["score"] = np.concatenate([item.scores for item in items])
    columns["counts"] = [rle["counts"] for item in items for rle in item.rles]
    return pa.table(columns)
