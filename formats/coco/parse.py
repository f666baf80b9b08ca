"""JSON text to Python values, with orjson where it is installed."""

from __future__ import annotations

import json
import re
from typing import Any

from compactmask import _optional

orjson = _optional.find("orjson")
TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
MANY_DIGITS = b"0" * 19
"""What a number of many digits holds once digits are zeros."""
LONG_INTEGER = re.compile(rb"(?:^|[\[,:\s-])[0-9]{19}")
"""What may be an integer of more than 64 bits, which orjson would round."""


def loads(text: bytes) -> Any:
    """Parse a JSON text in UTF-8; ``NaN`` and ``Infinity`` are numbers, as Python writes them.

    Raises
    ------
    ValueError
        Where it is none, or nested too deeply. UnicodeDecodeError where it is not UTF-8.
    """
    if orjson is not None and not _has_long_integer(text):
        try:
            return orjson.loads(text)
        except ValueError:
            pass  # the standard module takes NaN too, and says what is wrong
    try:
        return json.loads(text.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _has_long_integer(text: bytes) -> bool:
    return MANY_DIGITS in text.translate(TO_ZEROS) and LONG_INTEGER.search(text) is not None


def kind_of(value: Any) -> str:
    """Name the kind of a value in a message."""
    if value is None:
        return "null"
    names = {dict: "object", list: "list", str: "string", bool: "boolean"}
    return names.get(type(value), "number")
