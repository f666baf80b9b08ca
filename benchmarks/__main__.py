"""Run every benchmark and write one report: ``python -m benchmarks [--smoke] [REPORT.md]``."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from benchmarks import (
    bench_coco,
    bench_files,
    bench_formats,
    bench_masks,
    bench_memory,
    bench_ops,
    bench_store,
)
from benchmarks.timing import environment

PARTS = (bench_masks, bench_ops, bench_memory, bench_files, bench_formats, bench_coco, bench_store)


def main() -> None:
    """Run all parts and write or print the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("report", nargs="?", type=Path, help="Markdown file to write")
    parser.add_argument("--smoke", action="store_true", help="run all of it, on next to nothing")
    arguments = parser.parse_args()
    head = f"# Benchmarks, {datetime.date.today()}\n\n{environment()}\n"
    if arguments.smoke:
        head += "\n**A smoke run: it shows that everything works; its figures mean nothing.**\n"
    report = "\n".join([head, *(part.run(arguments.smoke) for part in PARTS)])
    if arguments.report:
        arguments.report.write_text(report)
    else:
        print(report)


if __name__ == "__main__":
    main()
