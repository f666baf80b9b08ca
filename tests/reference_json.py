"""Where the values of a JSON text stand, found slowly: by Python's own parser, value by value.

Texts are bytes, read as Latin-1, so that a position among characters is one among bytes.
"""

import json
from typing import Any, NamedTuple

from compactmask._kernels.json_scan import KINDS

PARSER = json.JSONDecoder(strict=False)
SPACES = " \n\r\t"


class Value(NamedTuple):
    """A value, and where it stands."""

    start: int
    stop: int
    kind: int
    kinds: int
    """What it adds to a set of kinds."""


class Item(NamedTuple):
    """An item of an array and, of an object, its keys as they are spelled, with their values."""

    value: Value
    members: list[tuple[bytes, Value]]


def text_of(raw: bytes) -> str:
    return raw.decode("latin-1")


def after_spaces(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in SPACES:
        at += 1
    return at


def parse(text: str, at: int) -> tuple[Any, Value]:
    """Parse the value at a position; ValueError where there is none."""
    found, stop = PARSER.raw_decode(text, at)
    return found, Value(at, stop, kind_of(found), kinds_of(found))


def kind_of(value: Any) -> int:
    if isinstance(value, bool):
        return KINDS["boolean"]
    if isinstance(value, int):
        return KINDS["integer" if -(1 << 63) <= value < 1 << 63 else "large integer"]
    names = {type(None): "null", float: "float", str: "text", list: "array", dict: "object"}
    return KINDS[names[type(value)]]


def kinds_of(value: Any) -> int:
    """Give the kind of a value as it is in a set of them."""
    is_beyond = type(value) is int and abs(value) > 1 << 53 and -(1 << 63) <= value < 1 << 63
    return kind_of(value) | is_beyond * KINDS["beyond float"]


def items(raw: bytes) -> tuple[list[Item], int]:
    """Give the items of the array that a text begins with, and where it ends.

    Raises
    ------
    ValueError
        Where the text is no JSON.
    """
    text = text_of(raw)
    PARSER.raw_decode(text)
    found = []
    at = after_spaces(text, 1)
    while text[at] != "]":
        _, value = parse(text, at)
        found.append(Item(value, members(text, at) if text[at] == "{" else []))
        at = after_spaces(text, value.stop)
        if text[at] == ",":
            at = after_spaces(text, at + 1)
    return found, at + 1


def members(text: str, at: int) -> list[tuple[bytes, Value]]:
    """Give the keys of the object at a position, each as often as it stands there."""
    found = []
    at = after_spaces(text, at + 1)
    while text[at] != "}":
        _, key = parse(text, at)
        at = after_spaces(text, after_spaces(text, key.stop) + 1)
        _, value = parse(text, at)
        found.append((text[key.start + 1 : key.stop - 1].encode("latin-1"), value))
        at = after_spaces(text, value.stop)
        if text[at] == ",":
            at = after_spaces(text, at + 1)
    return found
