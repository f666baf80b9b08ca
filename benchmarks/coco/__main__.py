"""One way at one subject, in a process of its own: ``python -m benchmarks.coco SUBJECT WAY ...``.

The subject is a module of this folder, the way a function of it. The last line that is printed is
what it returns, a Python dict.
"""

from __future__ import annotations

import sys
from importlib import import_module


def main(subject: str, way: str, *arguments: str) -> None:
    """Go it and print what it tells."""
    print(getattr(import_module(f"benchmarks.coco.{subject}"), way)(*arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
