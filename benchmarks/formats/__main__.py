"""What a fresh process does: ``python -m benchmarks.formats MODULE CLASS PATH IMAGE INSTANCE``.

It imports one format, opens a file, asks for one image and for one instance, and prints
milliseconds until the file was open and the memory that all of it took in MB as a Python dict.
"""

import importlib
import sys
import time
from pathlib import Path

from benchmarks.fresh import memory


def main(module: str, name: str, path: str, i: int, k: int) -> None:
    """Open the file, read, and print what it took."""
    kind = getattr(importlib.import_module(f"benchmarks.formats.{module}"), name)
    imports = memory()
    begin = time.thread_time()
    opened = kind(Path(path))
    ms = 1e3 * (time.thread_time() - begin)
    held = opened.image(i), opened.crop(k)
    print({"ms": ms, "rss": memory() - imports, "peak": memory("VmHWM") - imports})
    del held


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]))
