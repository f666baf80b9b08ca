"""A file that grows commit by commit: commits, checkpoints, large files, sessions, its readers.

Run as ``python -m benchmarks.bench_store [--smoke]``. Times are those of one process alone.
"""

from __future__ import annotations

import ast
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import supervision as sv

import compactmask as cm
from benchmarks.bench_memory import settled
from benchmarks.scenes import DATA, Image, coco_gt, coco_results, people_1080p
from benchmarks.timing import environment, table

ABOUT = """\
{0} images with {1:.1f} masks each in the mean, of {2}; they are appended again and again
under other names and ids, with boxes, scores and class ids. Wall time and time of the processor,
medians of {3} rounds; the files are on {4}.
"""
COMMITS = """\
### Commits

{0:,} images appended to a new file, its close not counted. `durability="commit"` waits for the disk
at each commit, "process" leaves that to the system. Bytes are those of the log.
"""
CHECKPOINTS = """\
### Checkpoints

What it costs to close a file whose log has {0:.1f} MiB, which folds that into the file; bytes are
all that the process wrote. While it appends, a writer does so at each 8 MiB.
"""
LARGE = """\
### Going on with a large file

Fresh processes that have built their images open a file with mode "a", append {0:,} images with a
commit each, and close it; `durability="process"`. Times are wall / processor. Memory is resident,
after what is free was given back. In brackets the ratio to the smallest file.
"""
SESSIONS = """\
### Many sessions

A file that was opened, given one image and closed {0:,} times.
"""
READERS = """\
### A reader while the file grows

A file of {0:,} images, then one whose log has {1:.1f} MiB more. Each refresh that finds a new image
follows a commit of one, which is not counted.
"""


class Given(NamedTuple):
    """An image as the writer takes it, made before any time is taken."""

    detections: sv.Detections
    image_shape: tuple[int, int]


class Cost:
    """Wall and processor seconds of what is done in a ``with`` statement."""

    wall = cpu = 0.0

    def __enter__(self) -> Cost:
        self._begin = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.wall = time.perf_counter() - self._begin[0]
        self.cpu = time.process_time() - self._begin[1]

    def told(self, unit: float = 1e6, digits: int = 0) -> str:
        """Return both, in seconds divided by `unit`."""
        return f"{unit * self.wall:,.{digits}f} / {unit * self.cpu:,.{digits}f}"


def middle(costs: list[Cost]) -> Cost:
    """Return the medians of some."""
    found = Cost()
    found.wall = statistics.median(one.wall for one in costs)
    found.cpu = statistics.median(one.cpu for one in costs)
    return found


def given_images(smoke: bool) -> list[Given]:
    """Return images of about 8 masks: real ones of COCO where they are."""
    if DATA.is_dir() and not smoke:
        images = [*coco_results().images, *coco_gt().images]
    else:
        crowds = people_1080p(2 if smoke else 10).images
        images = [
            Image(crowd.image_shape, crowd.rles[i : i + 7], crowd.boxes[i : i + 7])
            for crowd in crowds
            for i in range(0, len(crowd.rles), 7)
        ]
    return [given(image) for image in images]


def given(image: Image) -> Given:
    """Return an image as the writer takes it."""
    count = len(image.rles)
    detections = sv.Detections(
        xyxy=image.boxes.astype(np.float32),
        mask=cm.CompactMask.from_coco_rle(image.rles, image.boxes, image.image_shape),
        confidence=np.linspace(0.3, 0.9, count, dtype=np.float32),
        class_id=np.arange(count),
    )
    return Given(detections, image.image_shape)


def append(out: cm.Writer, images: list[Given], count: int) -> None:
    """Append images to what a writer has."""
    first = len(out)
    for number in range(first, first + count):
        one = images[number % len(images)]
        out.append(one.detections, f"{number:012}.jpg", one.image_shape)


def fill(path: Path, images: list[Given], count: int) -> None:
    """Write a file of so many images."""
    with cm.create(path, commit_every=256, durability="process") as out:
        append(out, images, count)


def fill_log(out: cm.Writer, images: list[Given], size: int) -> None:
    """Append until the log has almost a size, which no further image may exceed."""
    margin = 4 * max(one.detections.mask.nbytes + 1000 for one in images)
    while log_size(Path(out.path)) < size - margin:
        append(out, images, 8)


def log_size(path: Path) -> int:
    """Return the bytes of a file's log."""
    return Path(f"{path}.log").stat().st_size


def commits(images: list[Given], folder: Path, count: int, rounds: int) -> str:
    """Return the table of commits."""
    rows = []
    for durability, every in itertools.product(("commit", "process"), (1, 16, 256)):
        costs = []
        for number in range(rounds):
            path = folder / f"{durability}{every}-{number}.h5"
            out = cm.create(path, commit_every=every, durability=durability)
            before = log_size(path)
            with Cost() as cost:
                append(out, images, count)
                out.commit()
            size = log_size(path) - before
            out.abandon()
            costs.append(cost)
        cost, n_commits = middle(costs), -(-count // every)
        rows.append(
            [
                f'"{durability}", commit_every={every}',
                f"{n_commits / cost.wall:,.0f}",
                cost.told(1e6 / n_commits),
                f"{count / cost.wall:,.0f}",
                cost.told(1e6 / count),
                f"{size / n_commits:,.0f}",
                f"{size / count:,.0f}",
            ]
        )
    head = [
        "",
        "commits a second",
        "us a commit, wall / cpu",
        "images a second",
        "us an image, wall / cpu",
        "bytes a commit",
        "bytes an image",
    ]
    return f"{COMMITS.format(count)}\n{table(head, rows)}\n"


def checkpoints(images: list[Given], folder: Path, size: int, rounds: int) -> str:
    """Return the table of checkpoints."""
    rows = []
    for compression, durability in itertools.product((None, "gzip"), ("commit", "process")):
        costs = []
        for number in range(rounds):
            path = folder / f"{compression}-{durability}-{number}.h5"
            out = cm.create(path, compression=compression, durability=durability, commit_every=8)
            fill_log(out, images, size)
            logged, count, before = log_size(path), len(out), written()
            with Cost() as cost:
                out.close()
            wrote = written() - before
            costs.append(cost)
        cost = middle(costs)
        rows.append(
            [
                f'compression={compression!r}, "{durability}"'.replace("'", '"'),
                f"{count:,}",
                cost.told(1e3),
                cost.told(1e6 / count, 1),
                f"{wrote / 1e6:.1f}",
                f"{path.stat().st_size / 1e6:.1f}",
            ]
        )
    head = [
        "",
        "images",
        "ms, wall / cpu",
        "us an image, wall / cpu",
        "MB written",
        "MB of the file then",
    ]
    return f"{CHECKPOINTS.format(logged / (1 << 20))}\n{table(head, rows)}\n"


def written() -> int:
    """Return the bytes that this process wrote; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def large(
    images: list[Given], folder: Path, sizes: tuple[int, ...], more: int, rounds: int, smoke: bool
) -> str:
    """Return the table of what fresh processes told that went on with files."""
    rows: list[list[str]] = []
    first: dict[str, float] = {}
    for size in sizes:
        path, copy = folder / f"{size}.h5", folder / "copy.h5"
        fill(path, images, size)
        told = []
        for _ in range(rounds):
            shutil.copyfile(path, copy)
            call = [sys.executable, "-m", "benchmarks.bench_store", "--go-on", copy, str(more)]
            found = subprocess.check_output([*call, *["--smoke"] * smoke], text=True)
            told.append(ast.literal_eval(found))
        one = {key: statistics.median(run[key] for run in told) for key in told[0]}
        first = first or one
        rows.append([f"{size:,} images, {path.stat().st_size / 1e6:.1f} MB", *_shown(one, first)])
    head = [
        "",
        "open, ms",
        "us a commit",
        "close, ms",
        "memory of open, MB",
        "and of appending, MB",
    ]
    return f"{LARGE.format(more)}\n{table(head, rows)}\n"


def _shown(one: dict[str, float], first: dict[str, float]) -> Iterator[str]:
    for name in ("open", "commit", "close"):
        ratio = one[f"{name} cpu"] / first[f"{name} cpu"]
        digits = 0 if name == "commit" else 1
        wall, cpu = (f"{one[f'{name} {kind}']:,.{digits}f}" for kind in ("wall", "cpu"))
        yield f"{wall} / {cpu} ({ratio:.1f}x)"
    for name in ("opened", "grown"):
        yield f"{one[name] / 1e6:.2f} ({one[name] / max(first[name], 1e4):.1f}x)"


def go_on(path: Path, more: int, smoke: bool) -> None:
    """Go on with a file, and print milliseconds, microseconds a commit and bytes as a dict."""
    images = given_images(smoke)
    fill(path.with_name("warm.h5"), images, 2 * len(images))  # first calls are paid here
    os.remove(path.with_name("warm.h5"))
    before = settled() if Path("/proc/self/statm").exists() else 0
    with Cost() as opening:
        out = cm.create(path, "a", durability="process")
    opened = settled() if before else 0
    with Cost() as appending:
        append(out, images, more)
    grown = settled() if before else 0
    with Cost() as closing:
        out.close()
    found = {"opened": opened - before, "grown": grown - opened}
    for name, cost, unit in (
        ("open", opening, 1e3),
        ("commit", appending, 1e6 / more),
        ("close", closing, 1e3),
    ):
        found |= {f"{name} wall": unit * cost.wall, f"{name} cpu": unit * cost.cpu}
    print(found)


def sessions(images: list[Given], folder: Path, count: int) -> str:
    """Return the table of a file that was grown by many sessions."""
    rows = []
    for compression in (None, "gzip"):
        path, once, repacked = (
            folder / f"{name}-{compression}.h5" for name in ("many", "once", "repacked")
        )
        with Cost() as cost:
            for number in range(count):
                with cm.create(path, "a" if number else "x", compression=compression) as out:
                    append(out, images, 1)
        with cm.create(once, compression=compression) as out:
            append(out, images, count)
        cm.repack(path, repacked)
        sizes = [file.stat().st_size for file in (path, once, repacked)]
        rows.append(
            [
                f"compression={compression!r}".replace("'", '"'),
                cost.told(1e3 / count, 1),
                *(f"{size / 1e6:.2f} ({size / sizes[2]:.2f}x)" for size in sizes),
            ]
        )
    head = ["", "ms a session, wall / cpu", "MB", "MB, one session", "MB, repacked"]
    return f"{SESSIONS.format(count)}\n{table(head, rows)}\n"


def readers(images: list[Given], folder: Path, count: int, size: int, rounds: int) -> str:
    """Return the table of what a reader's looks cost."""
    path = folder / "read.h5"
    fill(path, images, count)
    found = {"open, no log": [_timed(lambda: cm.open(path).close()) for _ in range(rounds)]}
    with cm.create(path, "a", durability="process") as out:
        fill_log(out, images, size)
        found["open, with the log"] = [_timed(lambda: cm.open(path).close()) for _ in range(rounds)]
        logged = log_size(path)
        with cm.open(path) as ds:
            found["refresh, no news"] = [_timed(ds.refresh) for _ in range(20 * rounds)]
            new: dict[str, list[Cost]] = {"refresh": [], "image": []}
            for _ in range(rounds):
                append(out, images, 1)
                new["refresh"].append(_timed(ds.refresh))
                new["image"].append(_timed(lambda: ds[-1].mask.crop(0)))
                assert len(ds) == len(out)
        found["refresh, one new image"] = new["refresh"]
        found["then that image, and one crop"] = new["image"]
    rows = [[name, middle(costs).told(1e6)] for name, costs in found.items()]
    about = READERS.format(count, logged / (1 << 20))
    return f"{about}\n{table(['', 'us, wall / cpu'], rows)}\n"


def _timed(call: Any) -> Cost:
    with Cost() as cost:
        call()
    return cost


def file_system(path: Path) -> str:
    """Return the kind of file system that a path is on, where the system tells."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "a file system that is not known"
    inside = [mount for mount in mounts if path.resolve().is_relative_to(mount[1])]
    return max(inside, key=lambda mount: len(mount[1]))[2] if inside else "an unknown file system"


def run(smoke: bool = False) -> str:
    """Return the report as Markdown."""
    images = given_images(smoke)
    log_bytes = 300_000 if smoke else 1 << 23
    rounds = 1 if smoke else 3
    sizes = (50, 100, 200) if smoke else (1_000, 10_000, 100_000)
    source = "people_1080p" if smoke or not DATA.is_dir() else "COCO"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mean = float(np.mean([len(one.detections) for one in images]))
        about = ABOUT.format(len(images), mean, source, rounds, file_system(folder))
        parts = [
            commits(images, folder, 64 if smoke else 2_048, rounds),
            checkpoints(images, folder, log_bytes, rounds),
            large(images, folder, sizes, 50 if smoke else 1_000, rounds, smoke),
            sessions(images, folder, 10 if smoke else 1_000),
            readers(images, folder, 100 if smoke else 10_000, log_bytes, 5 if smoke else 100),
        ]
    return "\n".join([f"## A file that grows\n\n{about}", *parts])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--go-on"]:
        go_on(Path(sys.argv[2]), int(sys.argv[3]), "--smoke" in sys.argv[4:])
    else:
        print(environment(), run("--smoke" in sys.argv[1:]), sep="\n\n")
