"""A large COCO document: index, conversion, evaluation, forked workers, writing.

Run as ``python -m benchmarks.bench_coco [--smoke | --full]``; Linux only. What fresh processes do
is in ``benchmarks/coco``.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import synthetic_coco
from benchmarks.coco import Told, fresh
from benchmarks.rounds import Rounds, times
from benchmarks.scenes import DATA
from benchmarks.timing import environment, table, verdict

MB = 1 << 20
REAL = DATA / "coco-val2014-100"
TRUTH = REAL / "instances_val2014_100.json"
RESULTS = REAL / "instances_val2014_fakesegm100_results.json"

ABOUT = """\
Real silhouettes repeated to {0:,} annotations ({1:.0f} MB of JSON), in no order of images:
polygons, crowds and compressed RLE. Each figure is of fresh processes, after their imports; files
are cached by the system. Seconds are of processor time of the process, in brackets on the clock,
the median of {2} rounds in which the rivals take turns (workers, and with `--full` the conversion,
have one). A ratio is the median of those of the rounds, of processor time, in bold where ours is
worse. MB are resident, of the process and in brackets beyond its imports. Targets are those for
1,000,000 annotations, and are told with `--full` only.
"""
INDEX = """\
### Index

Until the document is open. **ours** has gone over it once; the others have parsed all of it. What
all say is the same: ids, images, categories and areas were compared. **crop**: {0:,} random ones as
bool arrays; pycocotools' is `annToMask`, cut. Compared before. What ours holds beyond its imports,
from documents of {1:,} and {2:,} annotations: {3:.0f} bytes an annotation and {4:.1f} MB{5}.
"""
CONVERSION = """\
### Conversion

`cm.convert` of the whole to HDF5, {0:.0f} MB. The rivals do {1:,} random annotations, and what they
take for all is extrapolated from that. Their documents are loaded before the clock starts, and
what they make is dropped, not stored. **annToMask** is followed by `sv.CompactMask.from_dense` of
the one mask in its box, **annToRLE** by `sv.CompactMask.from_coco_rle`. All these masks were
compared with those of our file, bit for bit.
"""
EVALUATION = """\
### COCOeval

pycocotools' `COCOeval` with the images of COCO's val2014 and results of its tools, over our
`coco.COCO` of two HDF5 files, and over pycocotools' of the two documents. All of its curves and the
twelve figures are equal, to the last bit.
"""
WORKERS = """\
### Workers

{0} forked workers go twice over all images of {1:,} annotations, and of {2:,}, each in an order of
its own, while the others live. **COCO** asks for the annotations of each image, as torchvision's
dataset does, and decodes the masks of one image in 20; **ds.crop** reads all crops. What they
summed up is equal. Private memory is what a worker shares with no other process (USS), here the
median of all workers; seconds are those of the first pass.
"""
WRITING = """\
### Writing

{0:,} annotations, RLE all of them. **ours** reads an HDF5 file and leaves a document that is on the
disk when it returns. The rivals have dicts in RAM, with counts as text, and sync nothing;
`pycocotools.mask.encode` alone, which made those and is not counted, takes {1:.0f} us a mask here.
All documents say the same.
"""


class Scale(NamedTuple):
    """How much is measured.

    Parameters
    ----------
    annotations, some : int
        Those of the document, and of a smaller one for workers and for writing.
    sample : int
        Annotations of which crops or masks are compared.
    rounds, workers : int
        Rounds, and forked processes.
    is_full : bool
        Whether the targets are for this scale.
    """

    annotations: int
    some: int
    sample: int
    rounds: int
    workers: int
    is_full: bool = False


SMOKE = Scale(600, 300, 10, 1, 2)
USUAL = Scale(100_000, 50_000, 500, 3, 4)
FULL = Scale(1_000_000, 200_000, 2000, 3, 8, is_full=True)


class Input(NamedTuple):
    """The documents, a file with the ids of chosen annotations of each, and our HDF5 files."""

    scale: Scale
    folder: Path
    document: Path
    chosen: Path
    file: Path
    smaller: Path
    chosen_smaller: Path
    smaller_file: Path


def make_input(scale: Scale, folder: Path) -> Input:
    """Write the documents, and the smaller one as HDF5; the other is converted on the clock."""
    rng = np.random.default_rng(0)
    names = ("all.json", "all.ids", "all.h5", "some.json", "some.ids", "some.h5")
    made = Input(scale, folder, *(folder / name for name in names))
    for path, ids, n in (
        (made.document, made.chosen, scale.annotations),
        (made.smaller, made.chosen_smaller, scale.some),
    ):
        with path.open("w", encoding="utf-8") as file:
            synthetic_coco.write(file, n)
        ids.write_text(json.dumps((rng.permutation(n)[: scale.sample] + 1).tolist()))
    fresh("conversion", "ours", made.smaller, made.smaller_file)
    return made


def goal(scale: Scale, value: float, target: float, at_least: bool = True) -> str:
    """Return whether a target is met, where it is one for this scale."""
    return verdict(value, target, at_least) if scale.is_full else ""


def index(made: Input) -> str:
    """Return the section of opening."""
    scale, path, ids = made.scale, made.document, made.chosen
    found = Rounds(
        {
            "ours": lambda: fresh("indexing", "ours", path, ids),
            "json.load": lambda: fresh("indexing", "json_load", path),
            "orjson.loads": lambda: fresh("indexing", "orjson_loads", path),
            "pycocotools.coco.COCO": lambda: fresh("indexing", "pycocotools", path, ids),
            "smaller": lambda: fresh("indexing", "ours", made.smaller, made.chosen_smaller),
        },
        scale.rounds,
    )
    smaller = found.told.pop("smaller")
    found.same("facts", "crops")
    held, less = (
        MB * statistics.median(one["rss"] - one["imports"] for one in told)
        for told in (found.told["ours"], smaller)
    )
    slope = (held - less) / (scale.annotations - scale.some)
    is_met = goal(scale, slope, 120, at_least=False)
    constant = (held - slope * scale.annotations) / MB
    rows = []
    for name, told in found.told.items():
        targets = []
        if name == "json.load" and scale.is_full:
            targets = [verdict(found.ratio(name), 3), verdict(found.ratio(name, "peak"), 10)]
        crop = ""
        if "crop" in told[0]:
            crop = times(f"{1e6 * found.middle(name, 'crop'):.0f}", found.ratio(name, "crop"))
        rows.append([name, found.seconds(name), found.peak(name), crop, ", ".join(targets)])
    sizes = (scale.some, scale.annotations)
    target = f" ({is_met})" if is_met else ""
    about = INDEX.format(scale.sample, *sizes, slope, constant, target)
    head = ["", "open, s", "at its peak, MB", "crop, us", "targets: time, peak"]
    return f"{about}\n{table(head, rows)}\n"


def conversion(made: Input) -> str:
    """Return the section of conversion."""
    scale, path, ids, to = made.scale, made.document, made.chosen, made.file

    def convert() -> Told:
        to.unlink(missing_ok=True)
        return fresh("conversion", "ours", path, to)

    found = Rounds(
        {
            "ours": convert,
            "stored": lambda: fresh("conversion", "stored", to, ids),
            "rivals": lambda: fresh("conversion", "supervision", path, ids),
        },
        1 if scale.is_full else scale.rounds,
    )
    (ours, *_), rivals = found.told["ours"], found.told["rivals"]
    assert ours["instances"] == scale.annotations
    assert {one["masks"] for one in found.told["stored"]} == {
        one[key] for one in rivals for key in ("masks", "frame masks", "rle masks")
    }
    seconds = found.middle("ours", "cpu")
    each = 1e6 * seconds / scale.annotations
    beyond = found.middle("ours", "peak") - found.middle("ours", "imports")
    targets = goal(scale, beyond, 300, at_least=False)
    rows = [
        [
            "ours",
            f"{each:.0f}",
            f"{seconds:.3g} ({found.middle('ours', 'wall'):.3g})",
            found.peak("ours"),
            targets,
        ]
    ]
    for name, key, target in (
        ("annToMask, from_dense", "frame", 5.0),
        ("annToRLE, from_coco_rle", "rle", None),
    ):
        rival = 1e6 * found.middle("rivals", key)
        is_met = goal(scale, rival / each, target) if target else ""
        whole = f"~{rival * scale.annotations / 1e6:.3g}"
        rows.append([name, times(f"{rival:.0f}", rival / each), whole, "", is_met])
    about = CONVERSION.format(ours["bytes"] / 1e6, scale.sample)
    head = ["", "us an annotation", "all, s", "at its peak, MB", "target"]
    return f"{about}\n{table(head, rows)}\n"


def evaluation(made: Input) -> str:
    """Return the section of COCOeval; it needs the real data."""
    if not REAL.is_dir():
        return "### COCOeval\n\nSkipped: the real data is not beside the checkout.\n"
    files = [made.folder / name for name in ("truth.h5", "results.h5")]
    for document, file in zip((TRUTH, RESULTS), files, strict=True):
        fresh("conversion", "ours", document, file)
    rows = []
    for kind in ("segm", "bbox"):
        found = Rounds(
            {
                "ours": lambda kind=kind: fresh("evaluation", "ours", *files, kind),
                "theirs": lambda kind=kind: fresh(
                    "evaluation", "pycocotools", TRUTH, RESULTS, kind
                ),
            },
            made.scale.rounds,
        )
        found.same("stats", "curves")
        for name, label in (("ours", "ours"), ("theirs", "pycocotools")):
            load = times(f"{found.middle(name, 'load'):.3f}", found.ratio(name, "load"))
            ap = f"{found.told[name][0]['stats'][0]:.6f}"
            rows.append([f"{kind}, {label}", load, found.seconds(name), found.peak(name), ap])
    head = ["", "load both, s", "load and evaluate, s", "at its peak, MB", "AP"]
    return f"{EVALUATION}\n{table(head, rows)}\n"


def workers(made: Input) -> str:
    """Return the section of workers."""
    scale, small, few = made.scale, made.folder / "few.json", made.scale.some // 4
    with small.open("w", encoding="utf-8") as file:
        synthetic_coco.write(file, few)
    small_file = made.folder / "few.h5"
    fresh("conversion", "ours", small, small_file)
    rows = []
    for n, path, ours in ((few, small, small_file), (scale.some, made.smaller, made.smaller_file)):
        found = {
            name: fresh("workers", way, source, scale.workers)
            for name, way, source in (
                ("ours, COCO over HDF5", "api_ours", ours),
                ("ours, ds.crop over HDF5", "crops", ours),
                ("ours, COCO over the document", "api_ours", path),
                ("pycocotools.coco.COCO", "api_pycocotools", path),
            )
        }
        assert len({one["sums"] for one in found.values()}) == 1, found
        for name, told in found.items():
            before, after, again, cpu = (
                statistics.median(told[key]) for key in ("before", "after", "again", "cpu")
            )
            sizes = (told["parent"], before, after - before, again - after)
            rows.append([name, f"{n:,}", *(f"{size:.1f}" for size in sizes), f"{cpu:.3g}"])
    head = [
        "",
        "annotations",
        "parent, MB",
        "private when forked, MB",
        "growth in the first pass, MB",
        "in the second, MB",
        "a worker, s",
    ]
    return f"{WORKERS.format(scale.workers, scale.some, few)}\n{table(head, rows)}\n"


def writing(made: Input) -> str:
    """Return the section of writing."""
    scale, ours, prepared = made.scale, made.smaller_file, made.folder / "prepared"
    told = fresh("writing", "prepare", made.smaller, prepared, made.chosen_smaller)

    def dump(way: str, source: Path) -> Callable[[], Told]:
        to = made.folder / f"{way}.json"

        def run() -> Told:
            to.unlink(missing_ok=True)
            return fresh("writing", way, source, to) | fresh("writing", "document", to)

        return run

    found = Rounds(
        {
            "ours": dump("ours", ours),
            "json.dump": dump("json_dump", prepared),
            "json.dumps, write": dump("json_dumps", prepared),
            "orjson.dumps, write": dump("orjson_dumps", prepared),
        },
        scale.rounds,
    )
    found.same("digest", "n")
    rows = []
    for name in found.told:
        each = f"{1e6 * found.middle(name, 'cpu') / scale.some:.2f}"
        rows.append([name, found.seconds(name), each, found.peak(name)])
    head = ["", "write, s", "us an annotation", "at its peak, MB"]
    return f"{WRITING.format(scale.some, 1e6 * told['encode'])}\n{table(head, rows)}\n"


def run(smoke: bool = False, full: bool = False) -> str:
    """Return the report as Markdown."""
    if not Path("/proc/self/smaps_rollup").exists():
        return "## COCO JSON\n\nSkipped: only Linux tells what memory a process has to itself.\n"
    scale = SMOKE if smoke else FULL if full else USUAL
    with tempfile.TemporaryDirectory() as name:
        made = make_input(scale, Path(name))
        size = made.document.stat().st_size / 1e6
        parts: Sequence[Callable[[Input], str]] = (index, conversion, evaluation, workers, writing)
        sections = [part(made) for part in parts]
    about = ABOUT.format(scale.annotations, size, scale.rounds)
    return "\n".join([f"## COCO JSON\n\n{about}", *sections])


if __name__ == "__main__":
    print(environment(), run("--smoke" in sys.argv[1:], "--full" in sys.argv[1:]), sep="\n\n")
