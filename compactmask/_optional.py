"""The optional dependencies, told in one place."""

from __future__ import annotations

from importlib import import_module
from typing import Any

EXTRAS = {"hdf5plugin": "zstd", "skimage": "demo", "zstandard": "zstd"}


def find(name: str) -> Any | None:
    """Import a module that may be absent; None where it is."""
    try:
        return import_module(name)
    except ImportError:
        return None


def require(name: str) -> Any:
    """Import a module of one of this package's extras.

    Raises
    ------
    ImportError
        Where it is not installed; the message names the extra to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        extra = EXTRAS[name.partition(".")[0]]
        raise ImportError(
            f'{name} is not installed: pip install "compactmask[{extra}]"', name=name
        ) from error
