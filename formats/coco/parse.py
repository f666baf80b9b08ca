"""JSON text to Python values, with orjson where it is installed."""

from __future__ import annotations

import json
from typing import Any

from compactmask import _optional

orjson = _optional.find("orjson")
TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
MANY_DIGITS = b"0" * 19
"""Once digits are zeros: maybe an integer of more than 64 bits, which orjson would round."""


def loads(text: bytes) -> Any:
    """Parse a JSON text in UTF-8; ``NaN`` and ``Infinity`` are numbers, as Python writes them.

    Raises
    ------
    ValueError
        Where it is none, or nested too deeply. UnicodeDecodeError where it is not UTF-8.
    """
    if orjson is not None and MANY_DIGITS not in text.translate(TO_ZEROS):
        try:
            return orjson.loads(text)
        except ValueError:
            pass  # the standard module takes NaN too, and says what is wrong
    try:
        return json.loads(text.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def kind_of(value: Any) -> str:
    """Name the kind of a value in a message."""
    if value is None:
        return "null"
    names = {dict: "object", list: "list", str: "string", bool: "boolean"}
    return names.get(type(value), "number")
