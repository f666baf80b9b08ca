"""What fresh processes do with COCO documents, one module a subject; see ``__main__.py``.

Every function here that is called so imports what its way needs, and nothing else, before it
begins to measure.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.fresh import memory

Told = dict[str, Any]


class Stretch:
    """Time and memory of what is done between its making, after the imports, and its end."""

    def __init__(self) -> None:
        self._imports = memory()
        self.again()

    def again(self) -> Stretch:
        """Start the clocks again; memory still counts from the imports."""
        self._wall = time.perf_counter()
        self._cpu = time.process_time()
        return self

    def end(self) -> Told:
        """Return seconds on the clock and on the processors, and MB as they are now."""
        return {
            "wall": time.perf_counter() - self._wall,
            "cpu": time.process_time() - self._cpu,
            "imports": self._imports,
            "rss": memory(),
            "peak": memory("VmHWM"),
        }


def fresh(subject: str, way: str, *arguments: object) -> Told:
    """Return what a fresh process told that went one way at a subject."""
    call = [sys.executable, "-m", "benchmarks.coco", subject, way, *map(str, arguments)]
    told: Told = ast.literal_eval(subprocess.check_output(call, text=True).splitlines()[-1])
    return told


def chosen(path: str) -> list[int]:
    """Return the annotation ids that a file lists."""
    ids: list[int] = json.loads(Path(path).read_text())
    return ids


def digest(masks: Iterable[npt.NDArray[Any]]) -> str:
    """Return a digest of masks or crops, in their order."""
    found = hashlib.blake2b(digest_size=16)
    for mask in masks:
        found.update(str(mask.shape).encode())
        found.update(np.ascontiguousarray(mask, dtype=np.uint8).data)
    return found.hexdigest()
