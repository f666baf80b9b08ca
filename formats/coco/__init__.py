"""COCO JSON: datasets and lists of results, as ``formats/COCO.md`` describes them.

Names are resolved when they are first used (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import COCO
    from .creation import Mode, create, create_sealed
    from .reader import open
    from .sa1b_writer import create_folder
    from .writer import Writer
    from .writing import write

__all__ = ["COCO", "Mode", "Writer", "create", "create_folder", "create_sealed", "open", "write"]

_HOMES = {
    "COCO": ".api",
    "Mode": ".creation",
    "Writer": ".writer",
    "create": ".creation",
    "create_folder": ".sa1b_writer",
    "create_sealed": ".creation",
    "open": ".reader",
    "write": ".writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
