"""Images and annotations as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from compactmask._kernels.json_scan import MOST_BRACKETS, value_at
from compactmask.errors import FormatError

from .entry import Entry

_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def text(value: Any, where: str) -> str:
    """Write a value as JSON.

    Raises
    ------
    FormatError
        Where it is nothing that JSON holds.
    """
    try:
        written = _ENCODE(value)
        written.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{where}: cannot be written as JSON: {error}") from None
    return written


def members(entry: Entry, texts: Iterable[tuple[str, str]], where: str) -> str:
    """Write an entry as the members of an object, without its braces.

    Parameters
    ----------
    entry : dict
        Values by key.
    texts : iterable of pairs
        Further keys, and their values as JSON text; "" for no value.
    where : str
        Begins every error message.
    """
    parts = [_encoded(entry, where)[1:-1]]
    for key, value in texts:
        if not isinstance(value, str):
            raise FormatError(f"{where}: {key}: {value!r:.60}, expected JSON text")
        if value:
            parts.append(f"{_ENCODE(key)}:{checked(value, f'{where}: {key}')}")
    return ",".join(parts)


def checked(value: str, where: str) -> str:
    """Check JSON text that is written as it is, on one line."""
    try:
        parsed = json.loads(value, parse_constant=_refuse)
        _check_depth(value.strip().encode())
        if isinstance(parsed, str):
            parsed.encode()  # An escape may be half a character.
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where}: {value!r:.60} is not valid JSON: {error}") from None
    return value.replace("\n", " ").replace("\r", " ")


def without_bad(entry: Entry, kept: Collection[str] = ()) -> tuple[Entry, set[str]]:
    """Leave out the keys whose values JSON has no words for, but some keys, and name them."""
    good, bad = {}, set()
    for key, value in entry.items():
        try:
            _check_depth(_ENCODE(value).encode())
        except (TypeError, ValueError, RecursionError):
            if key not in kept:
                bad.add(key)
                continue
        good[key] = value
    return good, bad


def check_depth(value: Any, where: str) -> None:
    """Refuse a value that is nested more deeply than it would be read again."""
    try:
        _check_depth(_ENCODE(value).encode())
    except ValueError as error:
        raise FormatError(f"{where}: cannot be written as JSON: {error}") from None


def joined(keys: Mapping[str, Sequence[str]], row: int) -> list[tuple[str, str]]:
    """Give the JSON texts of one row by key."""
    return [(key, values[row]) for key, values in keys.items()]


def _encoded(entry: Entry, where: str) -> str:
    try:
        written = _ENCODE(entry)
        for value in _deep_values(entry, written.encode()):
            _check_depth(_ENCODE(value).encode())
    except (TypeError, ValueError, RecursionError) as error:
        bad = ", ".join(f"{key} {entry[key]!r:.60}" for key in sorted(without_bad(entry)[1]))
        raise FormatError(f"{where}: {bad or error}: JSON has no such value") from None
    return written


def _deep_values(entry: Entry, written: bytes) -> Iterable[Any]:
    """Give the values of an entry if any of them may be nested too deeply."""
    return entry.values() if value_at(written, 0)[2] else ()


def _check_depth(written: bytes) -> None:
    if value_at(written, 0)[2]:
        raise ValueError(f"more than {MOST_BRACKETS} brackets inside each other")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
