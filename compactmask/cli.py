"""The command line: ``compactmask convert``, ``repack``, ``info``, ``verify`` and ``demo``."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from compactmask import __version__
from compactmask.errors import CompactMaskError

if TYPE_CHECKING:
    from compactmask.formats.report import Report

OK, FAILED, INTERRUPTED, CUT_OFF = 0, 1, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0: done; 1: an error, told in one line on stderr, or a file that is damaged; 130:
        interrupted; 141: nobody reads what it prints any more. Wrong usage exits with 2.
    """
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names in a terminal that lacks letters
    try:
        code: int | None = arguments.run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer would raise again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT_OFF
    except (CompactMaskError, OSError, ImportError) as error:
        _tell(_line(error))
        return FAILED
    except KeyboardInterrupt:
        _tell("interrupted")
        return INTERRUPTED
    return code or OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="compactmask", description="Instance-segmentation masks, compact in RAM and on disk."
    )
    parser.add_argument("--version", action="version", version=f"compactmask {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    convert = commands.add_parser(
        "convert",
        help="write a dataset of any format in any other",
        description="Write a dataset of any format in any other: HDF5, COCO JSON, folders.",
    )
    convert.add_argument(
        "src", metavar="SRC", help="HDF5, COCO JSON (many dialects) or a folder, told by content"
    )
    convert.add_argument("dst", metavar="DST", help="the file or folder to write")
    convert.add_argument(
        "--format",
        choices=["hdf5", "coco", "coco-results", "sa1b", "label-images", "yolo"],
        help="of DST (default: coco for a name that ends in .json, else hdf5)",
    )
    existing = convert.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite",
        action="store_true",
        help="replace DST where it exists; of a folder every file of that format in it",
    )
    existing.add_argument(
        "--resume", action="store_true", help="keep what is done when it is killed, and go on"
    )
    convert.add_argument(
        "--compression",
        choices=["gzip", "zstd"],
        help="compress the masks of an HDF5 file too: smaller, slower to read",
    )
    convert.add_argument(
        "--on-error",
        choices=["raise", "skip", "collect"],
        default="raise",
        help="a bad annotation ends it (default), is left out, or is left out and listed",
    )
    convert.set_defaults(run=_convert)

    repack = commands.add_parser(
        "repack",
        help="write an HDF5 file anew, without what was deleted or left behind",
        description="Write the last commit of an HDF5 file as a new, complete one.",
    )
    repack.add_argument("src", metavar="SRC", help="an HDF5 file, which may have a writer")
    repack.add_argument("dst", metavar="DST", help="the HDF5 file to write")
    repack.add_argument("--overwrite", action="store_true", help="replace DST where it exists")
    repack.add_argument(
        "--compression",
        choices=["same", "none", "gzip", "zstd"],
        default="same",
        help="of the masks (default: same as SRC)",
    )
    repack.set_defaults(run=_repack)

    info = commands.add_parser("info", help="what a file holds, and what its masks would take")
    info.add_argument("file", metavar="FILE", help="a dataset of any format, told by content")
    info.add_argument("--json", action="store_true", help="print it as JSON")
    info.set_defaults(run=_info)

    verify = commands.add_parser(
        "verify",
        help="read everything in a file, and name the first thing that is wrong",
        description="Read everything in a dataset; exit with 1 where something is wrong.",
    )
    verify.add_argument("file", metavar="FILE", help="a dataset of any format, told by content")
    verify.add_argument("--json", action="store_true", help="print it as JSON")
    verify.set_defaults(run=_verify)

    demo = commands.add_parser("demo", help="the story of this package on one photograph")
    demo.add_argument(
        "-o", "--output", metavar="DIR", default="demo", help="where files go (default: ./demo)"
    )
    demo.set_defaults(run=_demo)
    return parser


def _convert(arguments: argparse.Namespace) -> None:
    from compactmask.formats.convert import convert

    with _progress_bar() as progress:
        report = convert(
            arguments.src,
            arguments.dst,
            overwrite=arguments.overwrite,
            resume=arguments.resume,
            compression=arguments.compression,
            on_error=arguments.on_error,
            progress=progress,
            format=arguments.format,
        )
    for error in report.errors:
        _tell(_line(error))
    _tell_report(arguments.dst, report)


def _repack(arguments: argparse.Namespace) -> None:
    from compactmask.formats.hdf5.repacking import repack

    with _progress_bar() as progress:
        report = repack(
            arguments.src,
            arguments.dst,
            overwrite=arguments.overwrite,
            compression=None if arguments.compression == "none" else arguments.compression,
            progress=progress,
        )
    _tell_report(arguments.dst, report)


def _tell_report(dst: str, report: Report) -> None:
    skipped = f" ({report.skipped:,} skipped)" if report.skipped else ""
    present = f" ({report.present:,} more were there, see their report)" if report.present else ""
    ratio = f"ratio {report.bytes_out / report.bytes_in:.3f}, " if report.bytes_in else ""
    print(
        f"{dst}: {report.images:,} images{present}, {report.instances:,} instances{skipped}, "
        f"{report.bytes_in:,} bytes in, {report.bytes_out:,} bytes out, "
        f"{ratio}{report.seconds:.1f} s"
    )
    loss = report.loss
    if loss.masks:
        print(f"lost: {loss.masks:,} masks come back otherwise, in {loss.pixels:,} pixels")
    if loss.fields:
        print(f"lost: {', '.join(sorted(loss.fields))}, for which the format has no place")


def _info(arguments: argparse.Namespace) -> None:
    from compactmask.info import read_info

    info = read_info(arguments.file)
    print(json.dumps(asdict(info), indent=2) if arguments.json else "\n".join(info.lines()))


def _verify(arguments: argparse.Namespace) -> int:
    from compactmask.formats.verifying import verify

    with _progress_bar() as progress:
        found = verify(arguments.file, progress)
    if arguments.json:
        error = None if found.error is None else _line(found.error)
        print(json.dumps({**asdict(found), "error": error, "is_intact": found.is_intact}, indent=2))
    elif found.error is not None:
        _tell(_line(found.error))
    else:
        print(
            f"{found.path}: intact: {found.images:,} images, {found.instances:,} instances, "
            f"{found.bytes_read:,} bytes read, {found.seconds:.1f} s"
        )
    return OK if found.is_intact else FAILED


def _demo(arguments: argparse.Namespace) -> None:
    from compactmask.demo import run

    for line in run(arguments.output):
        print(line, flush=True)


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """Give a function that shows progress, or None where stderr is not a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit=" images", leave=False, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _tell(line: str) -> None:
    """Print a line on stderr, unless the process was started without one."""
    if sys.stderr is not None:
        print(f"compactmask: {line}", file=sys.stderr)


def _line(error: Exception) -> str:
    """Tell an error in one line, a file's name first."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
