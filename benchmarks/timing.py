"""Time rivals side by side, and write Markdown tables."""

from __future__ import annotations

import gc
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class Timing:
    """The rounds of several rivals, taken in turn.

    Time is that of the thread on the processor, so that other processes on the machine lengthen
    it only by what they do to its caches. A ratio is the median of the ratios within a round,
    which drift of the machine does not touch; noise is half the distance of their quartiles.
    """

    def __init__(self, rounds: Mapping[str, Sequence[float]]) -> None:
        self._rounds = rounds

    def seconds(self, name: str) -> float:
        """Return the median time of a rival's round."""
        return float(np.median(self._rounds[name]))

    def ratio(self, name: str, to: str = "ours") -> float:
        """Return how many times longer than `to` a rival takes."""
        return float(np.median(self._ratios(name, to)))

    def noise(self, name: str, to: str = "ours") -> float:
        """Return how uncertain the ratio of a single round is, as a part of it."""
        low, middle, high = np.quantile(self._ratios(name, to), [0.25, 0.5, 0.75])
        return float((high - low) / 2 / middle)

    def _ratios(self, name: str, to: str) -> npt.NDArray[np.float64]:
        return np.array([a / b for a, b in zip(self._rounds[name], self._rounds[to], strict=False)])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rounds)

    def __contains__(self, name: str) -> bool:
        return name in self._rounds


def compare(
    rivals: Mapping[str, Callable[[], Any]],
    budget: float = 2.0,
    least: int = 5,
    most: int = 41,
    clock: Callable[[], float] = time.thread_time,
) -> Timing:
    """Time callables side by side, each once a round.

    Parameters
    ----------
    rivals : mapping of str to callable
        What is timed, after one call to warm up.
    budget : float
        Seconds a rival may take in all.
    least, most : int
        Rounds; one that is too slow for the budget still gets `least`, or 3 where a single
        call takes more than a quarter of it.
    clock : callable
        Tells seconds; where a call waits for the disk, `time.perf_counter`.
    """
    wanted = {}
    for name, call in rivals.items():
        call()
        begin = time.perf_counter()
        call()
        took = time.perf_counter() - begin
        wanted[name] = min(most, max(3 if 4 * took > budget else least, int(budget / took)))
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    gc.collect()
    gc.disable()
    try:
        for i in range(max(wanted.values())):
            for name, call in rivals.items():
                if i < wanted[name]:
                    begin = clock()
                    call()
                    taken[name].append(clock() - begin)
    finally:
        gc.enable()
    return Timing(taken)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; every column but the first is aligned to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdict(value: float, target: float, at_least: bool = True) -> str:
    """Return a target and whether it is met."""
    is_met = value >= target if at_least else value <= target
    return f"{'>=' if at_least else '<='} {target:g} {'met' if is_met else '**missed**'}"


def environment() -> str:
    """Return what the figures were taken on, in one paragraph."""
    ours = ("compactmask", "numpy", "h5py", "supervision")
    rivals = ("pycocotools", "rlemasklib", "orjson", "pyarrow")
    versions = []
    for name in ours + rivals:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    return (
        f"{_processor()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {', '.join(versions)}."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.machine()
