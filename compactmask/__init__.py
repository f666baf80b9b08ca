"""Instance-segmentation masks, compact in RAM and on disk.

Names are resolved when they are first used (PEP 562): importing the package loads neither
supervision nor h5py.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compactmask import errors as errors
    from compactmask._install import install as install
    from compactmask._install import uninstall as uninstall
    from compactmask.formats.convert import convert as convert
    from compactmask.formats.hdf5 import create as create
    from compactmask.formats.hdf5 import load as load
    from compactmask.formats.hdf5 import repack as repack
    from compactmask.formats.hdf5 import save as save
    from compactmask.formats.opening import open as open
    from compactmask.formats.verifying import verify as verify
    from compactmask.mask import CompactMask as CompactMask
    from compactmask.occlusion import occlude as occlude
    from compactmask.ops import boundary_iou as boundary_iou
    from compactmask.ops import intersection_area as intersection_area
    from compactmask.ops import mask_ioa as mask_ioa
    from compactmask.ops import mask_iou as mask_iou
    from compactmask.ops import mask_nms as mask_nms

__version__ = "0.1.0"

_HOMES = {
    "CompactMask": "compactmask.mask",
    "boundary_iou": "compactmask.ops",
    "convert": "compactmask.formats.convert",
    "create": "compactmask.formats.hdf5",
    "install": "compactmask._install",
    "intersection_area": "compactmask.ops",
    "load": "compactmask.formats.hdf5",
    "mask_ioa": "compactmask.ops",
    "mask_iou": "compactmask.ops",
    "mask_nms": "compactmask.ops",
    "occlude": "compactmask.occlusion",
    "open": "compactmask.formats.opening",
    "repack": "compactmask.formats.hdf5",
    "save": "compactmask.formats.hdf5",
    "uninstall": "compactmask._install",
    "verify": "compactmask.formats.verifying",
}

__all__ = [
    "CompactMask",
    "__version__",
    "boundary_iou",
    "convert",
    "create",
    "errors",
    "install",
    "intersection_area",
    "load",
    "mask_ioa",
    "mask_iou",
    "mask_nms",
    "occlude",
    "open",
    "repack",
    "save",
    "uninstall",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("compactmask.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'compactmask' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
