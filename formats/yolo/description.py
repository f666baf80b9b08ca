"""``data.yaml``: the classes, and where the images of each split are."""

from __future__ import annotations

import math
import os
import reprlib
from typing import Any, NamedTuple

from compactmask.errors import FormatError

from .lines import MOST_CLASSES

NAME = "data.yaml"
LARGEST = 1 << 24
"""Bytes of the file."""
SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
"""The keys of splits, and the folders that are taken for them."""

LARGEST_INTEGER = (1 << 63) - 1
OWN = ("names", "nc", "kpt_shape")
"""The keys that tell what the numbers of label files are: no metadata."""

_PRINTER = reprlib.Repr()
_PRINTER.maxlevel, _PRINTER.maxlist, _PRINTER.maxstring = 2, 8, 60


class Description(NamedTuple):
    """What the file says."""

    names: list[str]
    metadata: dict[str, Any]
    """What else it says in plain values and lists of them."""


def read(path: str) -> Description:
    """Read a description.

    Raises
    ------
    FormatError
        Where it is no YAML, or its names are not a list, or by number from 0 on; or where it
        describes key points.
    """
    import yaml

    from .yaml_loader import Loader

    size = os.path.getsize(path)
    if size > LARGEST:
        raise FormatError(f"{path}: {size:,} bytes, expected {LARGEST:,} at most")
    try:
        with open(path, encoding="utf-8") as file:
            value = yaml.load(file, Loader)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # constructors raise anything where a text is not of its tag
        problem = " ".join(str(error).split())[:400]
        raise FormatError(f"{path}: no YAML: {problem}") from None
    if not isinstance(value, dict):
        raise FormatError(f"{path}: found a {type(value).__name__}, expected names and splits")
    if "kpt_shape" in value:
        raise FormatError(f"{path}: found kpt_shape: key points, expected polygons and boxes")
    return Description(_names(path, value.get("names")), _held(value))


def write(names: list[str], metadata: dict[str, Any], folders: set[str]) -> bytes:
    """Write a description.

    Parameters
    ----------
    names : list of str
        The classes.
    metadata : dict
        What else shall be in it; splits that it names are kept.
    folders : set of str
        The first part of the images' names, which may be that of a split.
    """
    import yaml

    known = _held(metadata)
    for key, choices in SPLITS.items():
        found = next((name for name in choices if name in folders), None)
        if found is not None:
            known.setdefault(key, f"images/{found}")
        elif key != "test":
            known.setdefault(key, "images")
    value = {**known, "names": dict(enumerate(names))}
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    if not text.replace("\n", "").isprintable():  # a reader may take it for the end of a line
        text = yaml.safe_dump(value, sort_keys=False)
    return text.encode()


def unheld(metadata: dict[str, Any]) -> bool:
    """Tell whether there is metadata that has no place in a description."""
    return len(_held(metadata)) < len(metadata)


def _names(path: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        keys = [_number(key) for key in value]
        is_whole = all(type(key) is int for key in keys)
        if not is_whole or sorted(keys) != list(range(len(keys))):
            raise FormatError(
                f"{path}: names has the keys {_short(list(value))}, expected 0, 1, 2, ..."
            )
        value = [name for _, name in sorted(zip(keys, value.values(), strict=True))]
    if not isinstance(value, list):
        raise FormatError(
            f"{path}: names is of type {type(value).__name__}, expected a list of names, or names "
            "by number"
        )
    for i, name in enumerate(value):
        if not _is_scalar(name):
            raise FormatError(
                f"{path}: name {i} is {_short(name)}, expected text or a number of 64 bits"
            )
    if len(value) > MOST_CLASSES:
        raise FormatError(f"{path}: {len(value)} names, expected {MOST_CLASSES} at most")
    return [str(name) for name in value]


def _held(metadata: dict[Any, Any]) -> dict[str, Any]:
    """Give the metadata that has a place in a description."""
    return {
        key: item
        for key, item in metadata.items()
        if isinstance(key, str) and key not in OWN and _is_plain(item)
    }


def _is_plain(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(
        _is_scalar(item) and not (isinstance(item, float) and not math.isfinite(item))
        for item in items
    )


def _is_scalar(value: Any) -> bool:
    """Tell text and numbers; Python does not print integers of any length."""
    if isinstance(value, int):
        return -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER
    return isinstance(value, str | float)


def _number(key: Any) -> Any:
    """Give the number that a key stands for; a key that is none as it is."""
    is_number = isinstance(key, str) and key.isdecimal() and len(key) <= len(str(MOST_CLASSES))
    return int(key) if is_number else key


def _short(value: Any) -> str:
    """Show a value in a message, cut where it is long or deep: aliases make much of little."""
    try:
        return _PRINTER.repr(value)
    except ValueError:  # an integer of more digits than Python converts
        return f"a long {type(value).__name__}"
