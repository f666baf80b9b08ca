"""One dataset in many file formats: writing, size, opening, reading, memory.

Run as ``python -m benchmarks.bench_formats [--smoke]``. The formats are in ``benchmarks/formats``.
"""

from __future__ import annotations

import ast
import collections
import functools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco
from rlemasklib import RLEMask

from benchmarks.bench_files import repeated
from benchmarks.case import each
from benchmarks.formats import Array, Format, Item
from benchmarks.formats.coco_json import CocoJson, CocoOrjson
from benchmarks.formats.hdf5 import Hdf5Dense, Hdf5Ragged
from benchmarks.formats.ours import Ours, OursDurable, OursGzip
from benchmarks.formats.parquet import ROW_GROUP, Parquet
from benchmarks.formats.pickles import Pickle
from benchmarks.scenes import Image
from benchmarks.timing import Timing, compare, environment, table

EVERY = 16
"""Dense frames of all images would be gigabytes, so their file holds each 16th image."""

ABOUT = """\
{0:,} instances on {1:,} images, {2:,} masks of them different: ids, names and shapes of the images,
and for each instance its box, class, score and mask. In brackets how many times longer, or larger,
than ours; in bold where the rival is better. Times are those of the thread on the processor, those
of writing are on the clock; files are cached by the system. The noise of a ratio is {3:.0f} % in
the median and {4:.0f} % at most.

- **write**: of what each writer likes best: ours our masks, pickle and vlen supervision's runs,
  JSON and Parquet COCO's counts as bytes, dense the same, which it decodes on the way. Ours is
  appended image by image, can be read meanwhile, survives a kill with all but the last 255 images,
  and is synced when it is closed; one row commits each image to the disk. The rivals write all of
  it at once or lose all of it, and sync nothing.
- **open**: in a fresh process after the imports, until the first image may be asked for: JSON is
  grouped by image; Parquet and HDF5 have read all columns but the masks. Median of {5} processes.
- **image**: {6} random ones, each an `sv.Detections` whose masks are in RAM: ours packed, dense and
  pycocotools as frames (sooner than `supervision.CompactMask.from_coco_rle`), the others as a
  `supervision.CompactMask`, whose runs rlemasklib cropped where the file holds full frames.
- **crop**: as many random ones, as bool arrays, compared with pycocotools' before. json cuts the
  frame that pycocotools decodes; orjson, Parquet and vlen decode by rlemasklib, pickle as
  supervision does.
- **scan**: every crop in order, an image at a time, or a row group, or a block; compared before.
- **memory**: of that fresh process, beyond its imports, when it has opened the file and holds one
  image and one crop; and at its peak.

Parquet has row groups of {7} rows: with 4,096 its file is smaller and opens sooner, but an image or
a crop takes many times longer. HDF5 dense holds each {8}th image: its writing, size and scan (~)
are those of this part, times {9:.1f}; what opening and memory took is that of the part.
"""

HEAD = [
    "",
    "write, s",
    "size, MB",
    "open, ms",
    "image, us",
    "crop, us",
    "scan, s",
    "memory, MB",
    "at its peak, MB",
]


class Rival(NamedTuple):
    """A format by the name of its row, and the part of the images that its file holds."""

    name: str
    kind: type[Format]
    every: int = 1


RIVALS = (
    Rival("ours", Ours),
    Rival('ours, compression="gzip"', OursGzip),
    Rival("ours, each image on the disk when append returns", OursDurable),
    Rival("pickle of supervision.CompactMask", Pickle),
    Rival("COCO JSON, json, pycocotools", CocoJson),
    Rival("COCO JSON, orjson, rlemasklib", CocoOrjson),
    Rival("Parquet, zstd, rlemasklib", Parquet),
    Rival(f"HDF5 dense, gzip 4, each {EVERY}th image", Hdf5Dense, EVERY),
    Rival("HDF5 vlen runs, rlemasklib", Hdf5Ragged),
)


class File(NamedTuple):
    """What a rival is to hold, where, and which of it is asked for."""

    rival: Rival
    items: list[Item]
    path: Path
    images: list[int]
    instances: list[int]

    @property
    def name(self) -> str:
        """The rival's name."""
        return self.rival.name

    @property
    def n_instances(self) -> int:
        """Number of instances in the file."""
        return sum(len(item.rles) for item in self.items)

    def writer(self) -> Callable[[], None]:
        """Return a function that writes the file anew."""
        given = [self.rival.kind.given(item) for item in self.items]

        def write() -> None:
            self.path.unlink(missing_ok=True)
            self.rival.kind.write(given, self.path)

        return write


def make_items(images: list[Image], seed: int = 0) -> list[Item]:
    """Return images with ids that have gaps, names, classes and scores of four digits."""
    rng = np.random.default_rng(seed)
    image_ids = np.cumsum(rng.integers(1, 12_000, len(images))).tolist()
    return [
        Item(
            image_id,
            f"{image_id:012}.jpg",
            image.image_shape,
            image.boxes.astype(np.float32),
            rng.integers(0, 80, len(image.rles)),
            rng.uniform(0.05, 1, len(image.rles)).round(4).astype(np.float32),
            image.rles,
            [runs(rle, box) for rle, box in zip(image.rles, image.boxes, strict=True)],
        )
        for image_id, image in zip(image_ids, images, strict=True)
    ]


def runs(rle: dict[str, Any], box: Array) -> Array:
    """Return the run lengths of a box."""
    x1, y1, x2, y2 = box.astype(int).tolist()
    whole = RLEMask.from_dict(rle)
    return whole.crop((x1, y1, x2 - x1 + 1, y2 - y1 + 1)).counts.view(np.int32)


def make_file(rival: Rival, items: list[Item], folder: Path, n_asked: int) -> File:
    """Choose a rival's images and what is asked of its file."""
    rng = np.random.default_rng(1)
    held = items[:: rival.every]
    n_instances = sum(len(item.rles) for item in held)
    path = folder / f"{rival.kind.__name__}.{rival.kind.extension}"
    images, instances = (rng.integers(n, size=n_asked).tolist() for n in (len(held), n_instances))
    return File(rival, held, path, images, instances)


def check(file: File, opened: Format) -> None:
    """Assert that a file gives back what was written, as pycocotools decodes it."""
    for i in file.images:
        item, found = file.items[i], opened.image(i)
        assert opened.key(i) == (item.image_id, item.file_name)
        assert np.array_equal(found.xyxy, item.boxes)
        assert np.array_equal(found.class_id, item.class_ids)
        assert np.array_equal(found.confidence, item.scores)
        assert np.array_equal(np.stack([*found.mask]), coco.decode(item.rles).transpose(2, 0, 1))
    rles = [rle for item in file.items for rle in item.rles]
    boxes = np.concatenate([item.boxes for item in file.items]).astype(int).tolist()
    for k in file.instances:
        crop, (x1, y1, x2, y2) = opened.crop(k), boxes[k]
        assert crop.dtype == bool
        assert np.array_equal(crop, coco.decode(rles[k])[y1 : y2 + 1, x1 : x2 + 1])
    areas = [int(crop.sum()) for crop in opened.scan()]
    assert areas == [int(coco.area(rle)) for rle in rles]


def fresh(file: File, times: int) -> dict[str, float]:
    """Return the medians of what fresh processes told that opened a file."""
    kind = file.rival.kind
    call = [sys.executable, "-m", "benchmarks.formats", kind.__module__.split(".")[-1]]
    call += [kind.__name__, str(file.path), str(file.images[0]), str(file.instances[0])]
    told = [ast.literal_eval(subprocess.check_output(call, text=True)) for _ in range(times)]
    return {key: statistics.median(one[key] for one in told) for key in told[0]}


def exhaust(scan: Callable[[], Iterator[Any]]) -> None:
    """Go through a scan and drop what it gives."""
    collections.deque(scan(), maxlen=0)


def figure(value: float, ratio: float, is_scaled: bool = False) -> str:
    """Return a cell of the table."""
    text = f"{value:.0f}" if value >= 100 else f"{value:.2g}"
    if ratio == 1:  # ours with itself
        return text
    compared = f"{ratio:.1f}x" if ratio >= 0.995 else f"**{ratio:.2g}x**"
    return f"{'~' if is_scaled else ''}{text} ({compared})"


def row(
    file: File, told: dict[str, float], timings: list[Timing], to: File, base: dict[str, float]
) -> list[str]:
    """Return a rival's row of the table; what goes by the whole file is scaled to all of `to`."""
    write, image, crop, scan = timings
    name, asked, scale = file.name, len(file.images), to.n_instances / file.n_instances
    size, our_size = (one.path.stat().st_size for one in (file, to))
    return [
        name,
        figure(scale * write.seconds(name), scale * write.ratio(name), scale > 1),
        figure(scale * size / 1e6, scale * size / our_size, scale > 1),
        figure(told["ms"], told["ms"] / base["ms"]),
        figure(1e6 * image.seconds(name) / asked, image.ratio(name)),
        figure(1e6 * crop.seconds(name) / asked, crop.ratio(name)),
        figure(scale * scan.seconds(name), scale * scan.ratio(name), scale > 1),
        figure(told["rss"], told["rss"] / base["rss"]),
        figure(told["peak"], told["peak"] / base["peak"]),
    ]


def measured(files: list[File], smoke: bool) -> list[Timing]:
    """Write, check and read all files; return the timings of write, image, crop and scan."""
    budget = 0.05 if smoke else 2.0
    writers = {file.name: file.writer() for file in files}
    write = compare(writers, budget, clock=time.perf_counter)
    opened = {file.name: file.rival.kind(file.path) for file in files}
    for file in files:
        check(file, opened[file.name])
    calls: list[dict[str, Callable[[], None]]] = [
        {file.name: each(opened[file.name].image, file.images) for file in files},
        {file.name: each(opened[file.name].crop, file.instances) for file in files},
        {name: functools.partial(exhaust, one.scan) for name, one in opened.items()},
    ]
    return [write, *(compare(call, budget) for call in calls)]


def run(smoke: bool = False) -> str:
    """Return the report as Markdown."""
    items = make_items(repeated(60 if smoke else 36_000))
    times, n_asked = (1, 5) if smoke else (5, 300)
    with tempfile.TemporaryDirectory() as name:
        files = [make_file(rival, items, Path(name), n_asked) for rival in RIVALS]
        timings = measured(files, smoke)
        told = [fresh(file, times) for file in files]
        rows = [
            row(file, one, timings, files[0], told[0])
            for file, one in zip(files, told, strict=True)
        ]
    noises = [timing.noise(name) for timing in timings for name in timing if name != "ours"]
    masks = {(*rle["size"], rle["counts"]) for item in items for rle in item.rles}
    about = ABOUT.format(
        files[0].n_instances,
        len(items),
        len(masks),
        100 * statistics.median(noises),
        100 * max(noises),
        times,
        n_asked,
        ROW_GROUP,
        EVERY,
        files[0].n_instances / min(file.n_instances for file in files),
    )
    return f"## File formats\n\n{about}\n{table(HEAD, rows)}\n"


if __name__ == "__main__":
    print(environment(), run("--smoke" in sys.argv[1:]), sep="\n\n")
